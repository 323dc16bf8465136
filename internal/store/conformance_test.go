package store_test

import (
	"path/filepath"
	"testing"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
	"github.com/sharelinks-dev/sharelinks/internal/store"
	"github.com/sharelinks-dev/sharelinks/internal/storetest"
)

// databases are the places that a store can be opened at, each empty at first.
var databases = map[string]func(t testing.TB) string{
	"SQLite":     func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "links.db") },
	"PostgreSQL": pgtest.NewDatabase,
}

// open opens a store and closes it when the test ends.
func open(t testing.TB, url string, o store.Options) *store.Store {
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

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) storetest.Backend {
				url := database(t)
				again := func(t *testing.T) storetest.Store { return open(t, url, store.Options{}) }
				return storetest.Backend{Store: again(t), Open: again}
			})
		})
	}
}

// TestTwoServers is the suite again, every call on the other of two stores that share a database.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) storetest.Backend {
				url := database(t)
				again := func(t *testing.T) storetest.Store {
					return storetest.Alternate(open(t, url, store.Options{}), open(t, url, store.Options{}))
				}
				return storetest.Backend{Store: again(t), Open: again}
			})
		})
	}
}
