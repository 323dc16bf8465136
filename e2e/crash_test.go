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

	_ "github.com/ncruces/go-sqlite3/driver" // to look at the file while no server has it open

	"github.com/sharelinks-dev/sharelinks/api"
)

// unlimited are the flags of a server without limits on the rate of opens.
var unlimited = []string{"--open-rate", "0", "--link-open-rate", "0"}

// A server that is killed in the middle of its writes loses nothing that it had acknowledged. There are 20 rounds on one
// database; SIGKILL ends each after a seeded number of acknowledged creates. A kill may cost a visitor a use, but grants
// none: every open that was answered was counted, and the limit holds.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	const rounds, writers, visitors, limit = 20, 12, 4, 200
	ctx := context.WithoutCancel(t.Context())
	path := filepath.Join(t.TempDir(), "crash.db")
	random := rand.New(rand.NewPCG(20260420, 1))

	var mu sync.Mutex
	acknowledged := map[string]string{} // token by id
	keyed := map[string]string{}        // id by idempotency key, of the last round
	limited := ""                       // the token of the link that visitors open
	opened := 0
	for round := range rounds {
		p := serve(t, "sqlite:"+path, unlimited...)
		if limited == "" {
			link, err := p.create(ctx, func(r *api.CreateShareLinkRequest) { r.UsageLimit.Set(limit) }, "")
			if err != nil {
				t.Fatal(err)
			}
			limited = link.Token
			acknowledged[link.ID] = link.Token
		}
		for k, id := range keyed {
			link, err := p.create(ctx, nil, k)
			if err != nil || link.ID != id {
				t.Errorf("round %d: the repeat under key %s made %v, %v; first was %v", round, k, link, err, id)
			}
		}
		clear(keyed)

		killAfter := int64(1 + random.IntN(100))
		var acks atomic.Int64
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for i := 0; ; i++ {
					k := ""
					if i%10 == 0 {
						k = fmt.Sprintf("round-%d-writer-%d-%d", round, w, i)
					}
					link, err := p.create(ctx, func(r *api.CreateShareLinkRequest) {
						if k == "" {
							r.IsPrimary = new(i%7 == 0)
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
		for range visitors {
			group.Go(func() {
				for {
					resp, err := p.client.OpenShareLinkWithResponse(ctx, limited)
					if err != nil || resp.JSON201 == nil {
						return // the server is gone, or the link is used up
					}
					mu.Lock()
					opened++
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if acks.Load() < killAfter {
			t.Fatalf("round %d: the server ended by itself:\n%s", round, p.stderr)
		}
		checkIntegrity(t, path)
	}

	links := serve(t, "sqlite:"+path).all(ctx)
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
		if l.Token == limited && (l.UsageCount < opened || l.UsageCount > limit) {
			t.Errorf("%d opens were acknowledged and %d counted, the limit is %d", opened, l.UsageCount, limit)
		}
	}
	if primary > 1 {
		t.Errorf("%d primary links", primary)
	}
	t.Logf("%d kills: %d creates and %d opens were acknowledged, there are %d links",
		rounds, len(acknowledged), opened, len(links))
}

func checkIntegrity(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var result string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		t.Errorf("integrity_check: %s, %v", result, err)
	}
}
