package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// signingKey returns a key that i tells from others.
func signingKey(number, i int) sharelink.SigningKey {
	at := epoch.Add(time.Duration(i) * time.Second)
	return sharelink.SigningKey{Number: number, Seed: [32]byte{1, byte(i)}, CreatedAt: at, SignsFrom: at.Add(time.Hour)}
}

// The first key that is offered stays, whoever offers another, then and after.
func testFirstSigningKey(t T, s suite) {
	var mu sync.Mutex
	got := map[sharelink.SigningKey]bool{}
	together(concurrency, func(i int) {
		keys, err := s.SigningKeys(t.Context(), signingKey(0, i))
		if err != nil || len(keys) != 1 {
			t.Errorf("%d keys, %v", len(keys), err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got[keys[0]] = true
	})
	if len(got) != 1 {
		t.Fatalf("%d callers got %d keys", concurrency, len(got))
	}
	for first := range got {
		equal(t, "the first key", first, signingKey(1, int(first.Seed[1])))
		keys, err := s.Open(t).SigningKeys(t.Context(), sharelink.SigningKey{Seed: [32]byte{2}, CreatedAt: epoch, SignsFrom: epoch})
		noError(t, err)
		equal(t, "the keys after that", keys, []sharelink.SigningKey{first})
	}
}

// Keys are added one by one: of several with one number one is, and the others change nothing.
func testSigningKeys(t T, s suite) {
	ctx := t.Context()
	holds := func(what string, want ...sharelink.SigningKey) {
		t.Helper()
		for _, store := range []sharelink.Store{s, s.Open(t)} {
			keys, err := store.SigningKeys(ctx, signingKey(0, 99))
			noError(t, err)
			equal(t, what, keys, want)
		}
	}
	first := signingKey(1, 1)
	_, err := s.SigningKeys(ctx, first)
	noError(t, err)
	second := signingKey(2, 2)
	noError(t, s.AddSigningKey(ctx, second, 0))
	holds("two keys", first, second)
	wantCode(t, "a number that is taken", s.AddSigningKey(ctx, signingKey(2, 3), 2), sharelink.Conflict)
	holds("after a conflict", first, second)
	third := signingKey(3, 3)
	noError(t, s.AddSigningKey(ctx, third, 2))
	holds("the first removed", second, third)

	var added atomic.Int64
	together(concurrency, func(i int) {
		if err := s.AddSigningKey(ctx, signingKey(4, i), 4); err == nil {
			added.Add(1)
		} else {
			wantCode(t, "a key added at the same time", err, sharelink.Conflict)
		}
	})
	keys, err := s.SigningKeys(ctx, signingKey(0, 99))
	noError(t, err)
	if added.Load() != 1 || len(keys) != 1 || keys[0] != signingKey(4, int(keys[0].Seed[1])) {
		t.Errorf("%d were added, and there are %v", added.Load(), keys)
	}
}
