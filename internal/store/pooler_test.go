package store

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// TestPooler has servers start and work behind PgBouncer in transaction mode, where a prepared statement and a lock of a
// session are found again only by chance.
func TestPooler(t *testing.T) {
	t.Parallel()
	database := pgtest.NewDatabase(t)
	url := pgtest.NewPooler(t, database)
	var stores []*Store
	for range 2 {
		s, err := Open(t.Context(), url, Options{Connections: 10})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		stores = append(stores, s)
	}
	for url, want := range map[string]pgx.QueryExecMode{
		url: pgx.QueryExecModeCacheDescribe, database: pgx.QueryExecModeCacheStatement,
		url + "&default_query_exec_mode=exec": pgx.QueryExecModeExec,
	} {
		s, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.engine.(*postgres).pool.Config().ConnConfig.DefaultQueryExecMode; got != want {
			t.Errorf("%s: statements are sent with %v, want %v", url, got, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	org := addOrganization(t, stores[0])
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for round := range 20 {
				if err := useEverything(t.Context(), stores[(worker+round)%2], org); err != nil {
					t.Errorf("round %d: %v", round, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// useEverything creates, gets, opens, lists, changes and deletes a link.
func useEverything(ctx context.Context, s *Store, org uuid.UUID) error {
	link, err := s.CreateLink(ctx, newLink(org), nil)
	if err != nil {
		return err
	}
	if _, err := s.Link(ctx, org, link.ID); err != nil {
		return err
	}
	visit := sharelink.Visit{ID: sharelink.NewID(link.CreatedAt), At: link.CreatedAt}
	if _, _, err := s.Spend(ctx, link.Token, visit); err != nil {
		return err
	}
	if _, err := s.Links(ctx, org, sharelink.Filter{Search: "cara", Paging: sharelink.DefaultPaging()}); err != nil {
		return err
	}
	enabled := false
	if _, err := s.UpdateLink(ctx, org, link.ID, sharelink.Change{Enabled: &enabled}, link.CreatedAt); err != nil {
		return err
	}
	_, err = s.DeleteLink(ctx, org, link.ID)
	return err
}
