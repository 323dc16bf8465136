package pgtest_test

import (
	"database/sql"
	"os"
	"testing"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	first, second := open(t), open(t)
	if _, err := first.ExecContext(t.Context(), "CREATE TABLE here (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	var tables int
	err := second.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'here'").Scan(&tables)
	if err != nil || tables != 0 {
		t.Fatalf("the second database has %d of the first one's tables, error %v", tables, err)
	}
}

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", pgtest.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
