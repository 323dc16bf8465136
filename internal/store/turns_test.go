package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// TestTurns has one organization want more than its turns.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2)
		flood, other := uuid.UUID{1}, uuid.UUID{2}
		var order []int
		release := make(chan struct{})
		hold := func(organization uuid.UUID, n int) {
			go func() {
				if err := turns.run(t.Context(), organization, func() error {
					order = append(order, n)
					<-release
					return nil
				}); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		for n := 1; n <= 4; n++ {
			hold(flood, n)
		}
		if len(order) != 2 {
			t.Errorf("%d have a turn, want 2", len(order))
		}
		hold(other, 5)
		if len(order) != 3 || order[2] != 5 {
			t.Errorf("another organization waits: %v", order)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := turns.run(impatient, flood, func() error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one that does not wait for long: error is %v", err)
		}
		if err := turns.run(t.Context(), uuid.Nil, func() error { return errors.New("its own") }); err == nil || err.Error() != "its own" {
			t.Errorf("the store's own work: error is %v", err)
		}
		for range 5 { // one after the other
			release <- struct{}{}
			synctest.Wait()
		}
		if len(order) != 5 || order[3] != 3 || order[4] != 4 {
			t.Errorf("the order of turns is %v", order)
		}
		if len(turns.lines) != 0 {
			t.Errorf("%d lines are left", len(turns.lines))
		}
	})
}

// TestFairness has one organization read and write as much as it can, forever: another finds, reads and writes beside it.
func TestFairness(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), database(t), Options{Volatile: true, Queue: 8})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			other := addOrganization(t, s)
			flood := uuid.New()
			if err := s.CreateOrganization(t.Context(), sharelink.Organization{ID: flood, Name: "flood", CreatedAt: time.UnixMilli(1)}); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			var group sync.WaitGroup
			defer group.Wait()
			defer stop()
			for range 32 {
				group.Go(func() { // a read that does not end
					_, _ = read(ctx, s, flood, "test", func(ctx context.Context, _ querier) (struct{}, error) {
						<-ctx.Done()
						return struct{}{}, ctx.Err()
					})
				})
				group.Go(func() {
					for ctx.Err() == nil {
						if _, err := s.CreateLink(ctx, newLink(flood), nil); err != nil && ctx.Err() == nil {
							t.Errorf("create of the flood: %v", err)
						}
					}
				})
			}
			for range 20 {
				if err := useEverything(t.Context(), s, other); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestReadDeadline has an organization ask for more than can be read in the time that it has.
func TestReadDeadline(t *testing.T) {
	t.Parallel()
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n WHERE i < 0"
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), database(t), Options{Volatile: true, readTimeout: 20 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for range 5 { // none of them keeps a turn or a connection
				_, err = read(t.Context(), s, uuid.UUID{1}, "test", one(number[int], "", endless))
				if sharelink.CodeOf(err) != sharelink.Unavailable {
					t.Fatalf("error is %v", err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, err = read(ctx, s, uuid.UUID{1}, "test", one(number[int], "", endless))
			if sharelink.CodeOf(err) == sharelink.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("of a caller who gave up: error is %v", err)
			}
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
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
