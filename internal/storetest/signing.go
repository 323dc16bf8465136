package storetest

import (
	"sync"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// The first key that is offered stays, whoever offers another, then and after.
func testSigningKey(t T, s suite) {
	var mu sync.Mutex
	got := map[sharelink.SigningKey]bool{}
	together(concurrency, func(i int) {
		key, err := s.SigningKey(t.Context(), sharelink.SigningKey{Seed: [32]byte{1, byte(i)}, CreatedAt: epoch.Add(time.Duration(i) * time.Second)})
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got[key] = true
	})
	if len(got) != 1 {
		t.Fatalf("%d callers got %d keys", concurrency, len(got))
	}
	for first := range got {
		if first.Seed[0] != 1 || !first.CreatedAt.Equal(epoch.Add(time.Duration(first.Seed[1])*time.Second)) {
			t.Errorf("a key came back that nobody offered: made at %v", first.CreatedAt)
		}
		again := suite{Backend{Store: s.Open(t)}}
		key, err := again.SigningKey(t.Context(), sharelink.SigningKey{Seed: [32]byte{2}, CreatedAt: epoch})
		noError(t, err)
		if key != first {
			t.Error("the key was replaced")
		}
	}
}
