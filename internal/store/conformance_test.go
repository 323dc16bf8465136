package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
	"github.com/sharelinks-dev/sharelinks/internal/storetest"
)

// databases are the places that a store can be opened at, each without a link at first. What is tested is logic: only the
// tests of durability wait for a disk.
var databases = map[string]func(t storetest.T) string{
	"SQLite":     func(t storetest.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "links.db") },
	"PostgreSQL": func(t storetest.T) string { return migrated(t.(testing.TB)) },
}

// migrated makes a PostgreSQL database with our tables.
var migrated = pgtest.Copies(func(ctx context.Context, url string) error {
	s, err := store.Open(ctx, url, quick)
	if err != nil {
		return err
	}
	return s.Close()
})

// quick are the options for tests of logic: no wait for a disk, and few connections, which PostgreSQL is slow to make.
var quick = store.Options{Volatile: true, Connections: 5}

// open opens a store and closes it when the test ends.
func open(t storetest.T, url string, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestConformance is the suite on one store. PostgreSQL has it in TestTwoServers only, of which each server alone is a part.
func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t storetest.T) storetest.Backend {
		url := databases["SQLite"](t)
		again := func(t storetest.T) sharelink.Store { return open(t, url, quick) }
		return storetest.Backend{Store: again(t), Open: again}
	})
}

// TestTwoServers is the suite again, every call on the other of two stores that share a database.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t storetest.T) storetest.Backend {
				url := database(t)
				again := func(t storetest.T) sharelink.Store {
					return storetest.Alternate(open(t, url, quick), open(t, url, quick))
				}
				return storetest.Backend{Store: again(t), Open: again}
			})
		})
	}
}
