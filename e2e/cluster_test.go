package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// Two servers that start at once on one empty PostgreSQL database share it: both get ready, and every rule holds across
// them.
func TestTwoServersOnOnePostgreSQL(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := pgtest.NewDatabase(t)
	servers := make([]*process, 2)
	for i := range servers {
		servers[i] = start(t, serveCommand(t, database, unlimited...))
	}
	for _, p := range servers {
		p.await()
	}

	// each calls f n times at once, with the servers in turn.
	each := func(n int, f func(p *process, i int) error) {
		t.Helper()
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				if err := f(servers[i%2], i); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}

	var mu sync.Mutex
	ids := map[string]bool{}
	each(40, func(p *process, _ int) error {
		link, err := p.create(ctx, nil, "one-key")
		if err == nil {
			mu.Lock()
			ids[link.ID] = true
			mu.Unlock()
		}
		return err
	})
	if len(ids) != 1 {
		t.Errorf("40 creates under one key made %d links", len(ids))
	}
	each(100, func(p *process, i int) error {
		_, err := p.create(ctx, nil, fmt.Sprintf("key-%d", i/2)) // each key twice, once on each server
		return err
	})

	yes := new(true)
	each(40, func(p *process, i int) error {
		link, err := p.create(ctx, func(r *api.CreateShareLinkRequest) { r.IsPrimary = yes }, "")
		if err != nil || i%4 != 0 {
			return err
		}
		resp, err := p.client.UpdateShareLinkWithResponse(ctx, link.ID, api.UpdateShareLinkRequest{IsPrimary: yes})
		if err == nil && resp.JSON200 == nil {
			err = fmt.Errorf("status %d: %s", resp.StatusCode(), resp.Body)
		}
		return err
	})

	// As many opens succeed as the link allows. Both servers sign with one key, made by the one that was first: the head of
	// a token has its id.
	const visitors, limit = 500, 50
	limited, err := servers[0].create(ctx, func(r *api.CreateShareLinkRequest) { r.UsageLimit.Set(limit) }, "")
	if err != nil {
		t.Fatal(err)
	}
	statuses, heads := map[int]int{}, map[string]bool{}
	each(visitors, func(p *process, _ int) error {
		resp, err := p.client.OpenShareLinkWithResponse(ctx, limited.Token)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		statuses[resp.StatusCode()]++
		if resp.JSON201 != nil {
			head, _, _ := strings.Cut(resp.JSON201.SessionToken, ".")
			heads[head] = true
		}
		return nil
	})
	if diff := cmp.Diff(map[int]int{201: limit, 410: visitors - limit}, statuses); diff != "" || len(heads) != 1 {
		t.Errorf("%d keys, %s", len(heads), diff)
	}

	links := servers[0].all(ctx)
	if want := 1 + 50 + 40 + 1; len(links) != want {
		t.Errorf("%d links, want %d", len(links), want)
	}
	tokens, primaries := map[string]bool{}, 0
	for _, l := range links {
		tokens[l.Token] = true
		if l.IsPrimary {
			primaries++
		}
	}
	if primaries != 1 || len(tokens) != len(links) {
		t.Errorf("%d primary links, %d tokens of %d links", primaries, len(tokens), len(links))
	}
	other := servers[1].all(ctx)
	if uses := other[limited.ID].UsageCount; len(other) != len(links) || uses != limit {
		t.Errorf("one server has %d links; the other has %d, and %d uses of the limited one", len(links), len(other), uses)
	}
}
