package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// engines are the places that a store can be opened at, each empty at first.
var engines = map[string]func(t testing.TB) string{
	"SQLite":     func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "links.db") },
	"PostgreSQL": func(t testing.TB) string { return pgtest.NewDatabase(t) },
}

// TestOpenTogether has several servers make the tables of an empty database at the same time.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			var group sync.WaitGroup
			start := make(chan struct{})
			for range 8 {
				group.Go(func() {
					<-start
					s, err := Open(context.Background(), url, Options{})
					if err != nil {
						t.Error(err)
						return
					}
					if err := errors.Join(s.Ping(context.Background()), s.Close()); err != nil {
						t.Error(err)
					}
				})
			}
			close(start)
			group.Wait()
		})
	}
}

// TestNewerVersion has a database that a newer program made.
func TestNewerVersion(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s, err := Open(t.Context(), url, Options{})
			if err != nil {
				t.Fatal(err)
			}
			err = perform(t.Context(), s, run("INSERT INTO sharelinks_versions (version_id, is_applied) SELECT 99, is_applied FROM sharelinks_versions WHERE version_id = 0"))
			if err := errors.Join(err, s.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err = Open(t.Context(), url, Options{}); err == nil || !strings.Contains(err.Error(), "version 99") {
				t.Errorf("open a newer database: error is %v", err)
			}
		})
	}
}

// TestMigrationIsAtomic stops a migration in the middle: nothing of it stays, and the next start begins anew.
func TestMigrationIsAtomic(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "links.db")
	db, err := sql.Open("sqlite3", writerDSN(path, false))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// In the way of the last but one of the migration's tables.
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE idempotency_keys (x)"); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), "sqlite:"+path, Options{}); err == nil {
		t.Fatal(s.Close(), "the migration did not fail")
	}
	var tables int
	err = db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'").Scan(&tables)
	if err != nil || tables != 1 {
		t.Errorf("%d tables are left, error %v", tables, err)
	}
	if _, err := db.ExecContext(t.Context(), "DROP TABLE idempotency_keys"); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), "sqlite:"+path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
		t.Error(err)
	}
}

// TestSQLiteSettings asks every connection of the pool, held at the same time, and the one that writes.
func TestSQLiteSettings(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "links.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check := func(who string, q querier, queryOnly int) {
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": fmt.Sprint(queryOnly),
		} {
			got, err := one(number[string], "", "PRAGMA "+pragma)(context.Background(), q)
			if err != nil || got != want {
				t.Errorf("%s of %s is %q, want %q, error %v", pragma, who, got, want, err)
			}
		}
	}
	readers := s.engine.(*sqlite).readers
	var hold func(n int) error
	hold = func(n int) error {
		if n == 0 {
			return nil
		}
		return readers.with(t.Context(), func(c *sqliteConn) error {
			check("a reader", c, 1)
			if err := c.do(t.Context(), "DELETE FROM organizations"); err == nil {
				t.Error("a reader writes")
			}
			return hold(n - 1)
		})
	}
	if err := hold(cap(readers.busy)); err != nil {
		t.Error(err)
	}
	if err := perform(t.Context(), s, func(_ context.Context, tx querier) error { check("the writer", tx, 0); return nil }); err != nil {
		t.Error(err)
	}
}

// TestBusy has another process, as far as SQLite can tell, hold the database for longer than anybody waits.
func TestBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "links.db")
	s, err := Open(t.Context(), "sqlite:"+path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other, err := sql.Open("sqlite3", writerDSN(path, false))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.engine.(*sqlite).conn.BusyTimeout(time.Millisecond); err != nil { // or the test takes long
		t.Fatal(err)
	}
	err = s.CreateOrganization(t.Context(), sharelink.Organization{ID: uuid.New(), Name: "name", CreatedAt: time.UnixMilli(1)})
	if sharelink.CodeOf(err) != sharelink.Unavailable {
		t.Errorf("a write beside another that does not end: error is %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("a read beside a write: error is %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateOrganization(t.Context(), sharelink.Organization{ID: uuid.New(), Name: "name", CreatedAt: time.UnixMilli(1)}); err != nil {
		t.Error(err)
	}
}

// TestPostgresWrites holds the writer of PostgreSQL to what is promised of every writer.
func TestPostgresWrites(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), pgtest.NewDatabase(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	count := func() int {
		n, err := read(t.Context(), s, uuid.Nil, "test", one(number[int], "", "SELECT COUNT(*) FROM t"))
		if err != nil {
			t.Error(err)
		}
		return n
	}
	if err := perform(t.Context(), s, run("CREATE TABLE t (n INTEGER PRIMARY KEY)")); err != nil {
		t.Fatal(err)
	}

	err = perform(t.Context(), s, func(ctx context.Context, tx querier) error {
		_ = run("INSERT INTO t VALUES (1)")(ctx, tx)
		panic("oh")
	})
	if err == nil || !strings.Contains(err.Error(), "panic: oh") || count() != 0 {
		t.Errorf("a write that panics: error is %v, %d rows", err, count())
	}

	ctx, cancel := context.WithCancel(t.Context())
	err = perform(ctx, s, func(ctx context.Context, tx querier) error {
		cancel()
		return run("INSERT INTO t VALUES (2)")(ctx, tx)
	})
	if err != nil || count() != 1 {
		t.Errorf("a write whose caller gave up too late: error is %v, %d rows", err, count())
	}

	tries := 0
	err = perform(t.Context(), s, func(ctx context.Context, tx querier) error {
		if tries++; tries < 3 {
			return run("INSERT INTO t VALUES (3)", "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$")(ctx, tx)
		}
		return run("INSERT INTO t VALUES (3)")(ctx, tx)
	})
	if err != nil || tries != 3 || count() != 2 {
		t.Errorf("a write that met two deadlocks: error is %v after %d tries, %d rows", err, tries, count())
	}

	tries = 0
	err = perform(t.Context(), s, func(ctx context.Context, tx querier) error {
		tries++
		return run("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")(ctx, tx)
	})
	if sharelink.CodeOf(err) != sharelink.Unavailable || tries != postgresTries {
		t.Errorf("a write that loses every race: error is %v after %d tries", err, tries)
	}
}
