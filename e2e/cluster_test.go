package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/oapi-codegen/nullable"

	"github.com/sharelinks-dev/sharelinks/client/wire"
	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// Two servers that start at once on one empty PostgreSQL database share it: both come up, and every rule holds across them.
func TestTwoServersOnOnePostgreSQL(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := pgtest.NewDatabase(t)
	servers := make([]*process, 2)
	var starting sync.WaitGroup
	for i := range servers {
		starting.Go(func() { servers[i] = serve(t, database) })
	}
	starting.Wait()
	if t.Failed() {
		return
	}

	// each runs f n times, on the servers in turn, all at once.
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
	byKey := map[string]string{}
	each(40, func(p *process, _ int) error {
		link, err := p.create(ctx, nil, "one-key")
		if err == nil {
			mu.Lock()
			byKey[link.ID] = link.Token
			mu.Unlock()
		}
		return err
	})
	if len(byKey) != 1 {
		t.Errorf("40 creates under one key made %d links", len(byKey))
	}

	each(40, func(p *process, i int) error {
		link, err := p.create(ctx, func(r *wire.CreateShareLinkRequest) { r.IsPrimary = nullable.NewNullableWithValue(true) }, "")
		if err != nil || i%4 != 0 {
			return err
		}
		resp, err := p.client.UpdateShareLinkWithResponse(ctx, link.ID, wire.UpdateShareLinkRequest{IsPrimary: nullable.NewNullableWithValue(true)})
		if err == nil && resp.JSON200 == nil {
			err = fmt.Errorf("status %d: %s", resp.StatusCode(), resp.Body)
		}
		return err
	})
	each(200, func(p *process, i int) error {
		_, err := p.create(ctx, nil, fmt.Sprintf("key-%d", i/2)) // each key twice, once on each server
		return err
	})

	links := servers[0].all(ctx)
	if len(links) != 1+40+100 {
		t.Errorf("%d links, want 141", len(links))
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
	if other := servers[1].all(ctx); len(other) != len(links) {
		t.Errorf("one server has %d links, the other %d", len(links), len(other))
	}
}
