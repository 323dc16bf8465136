package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oapi-codegen/nullable"
	_ "modernc.org/sqlite" // to look at the file while no server has it open

	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// A server that is killed in the middle of its writes loses no link that it had acknowledged: 20 rounds on one database,
// each ended by SIGKILL after a seeded number of acknowledged creates.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	const rounds, writers = 20, 16
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "crash.db")
	random := rand.New(rand.NewPCG(20260420, 1))

	acknowledged := map[string]string{} // token by id
	keyed := map[string]string{}        // what was created under which idempotency key
	for round := range rounds {
		p := serve(t, "sqlite:"+path)
		for k, id := range keyed {
			link, err := p.create(ctx, nil, k)
			if err != nil || link.ID != id {
				t.Errorf("round %d: the repeat under key %s made %v, %v; first was %v", round, k, link, err, id)
			}
		}
		clear(keyed)

		killAfter := int64(1 + random.IntN(300))
		var acks atomic.Int64
		var mu sync.Mutex
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for i := 0; ; i++ {
					k := ""
					if i%10 == 0 {
						k = fmt.Sprintf("round-%d-writer-%d-%d", round, w, i)
					}
					link, err := p.create(context.WithoutCancel(ctx), func(r *wire.CreateShareLinkRequest) {
						if k == "" {
							r.IsPrimary = nullable.NewNullableWithValue(i%7 == 0)
						}
					}, k)
					if err != nil {
						return // the server is gone
					}
					mu.Lock()
					acknowledged[link.ID] = link.Token
					if k != "" {
						keyed[k] = link.ID
					}
					mu.Unlock()
					if acks.Add(1) == killAfter {
						p.kill()
					}
				}
			})
		}
		group.Wait()
		if acks.Load() < killAfter {
			t.Fatalf("round %d: the server ended by itself:\n%s", round, p.stderr)
		}
		checkIntegrity(t, path)
	}

	p := serve(t, "sqlite:"+path)
	links := p.all(ctx)
	primary := 0
	for id, token := range acknowledged {
		if links[id].Token != token {
			t.Errorf("link %v was acknowledged and is lost", id)
		}
	}
	for _, l := range links {
		if l.IsPrimary {
			primary++
		}
	}
	if primary > 1 {
		t.Errorf("%d primary links", primary)
	}
	t.Logf("%d acknowledged creates over %d kills, %d links in the end", len(acknowledged), rounds, len(links))
}

func checkIntegrity(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var result string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		t.Errorf("integrity_check: %s, %v", result, err)
	}
}
