// Package store is a sharelink.Store in SQLite or PostgreSQL, through database/sql and with the same SQL text on both. Only
// the tables are declared twice, in migrations, because column types differ.
//
// What differs in how they are driven is in sqlite.go, writer.go (group commit) and postgres.go; links.go, visits.go and
// organizations.go are the same for both.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

var _ sharelink.Store = (*Store)(nil)

// Store is a sharelink.Store on a SQL database. It is safe for concurrent use.
type Store struct {
	options Options
	reads   querier
	writes  writer
	rowLock string // what a SELECT inside of a write ends with to lock its row; "" where a write excludes all others
	close   func() error
	closed  atomic.Bool
}

// Options are what a store can be told beside its URL. The zero value will do.
type Options struct {
	Logger *slog.Logger // nil: silent
	// Volatile leaves out the wait for the disk at each commit of SQLite: for tests of anything but durability.
	Volatile bool
	// Queue is how many writes may wait, 1024 when 0; those beyond are refused as Unavailable. SQLite only: PostgreSQL
	// has its own queue.
	Queue int
	// Connections is how many connections a store has to PostgreSQL at most, 16 when 0: PostgreSQL's own default is 100 for all
	// servers.
	Connections int
	// Observe, unless nil, gets the time that each operation took, waiting included.
	Observe func(operation string, elapsed time.Duration)
	// ObserveBatch, unless nil, gets the number of writes in each commit. SQLite only.
	ObserveBatch func(writes int)
}

// querier is what a statement can be run on: a database, one of its connections, or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// writer runs operations that change something. fn's changes are durable together when write returns nil, and none of
// them has happened when it returns an error. fn may be run more than once, but only its last run counts.
//
// A caller whose ctx ends before its turn gets the ctx's error and fn never runs. From then on the ctx has no say: fn
// runs on another and the caller waits for the outcome, because an answer that does not tell whether the change was made
// is worse than a late one.
type writer interface {
	write(ctx context.Context, fn func(ctx context.Context, tx querier) error) error
}

// Open opens the database at a URL, sqlite:PATH or postgres://..., and brings its tables up to date. Several may open
// the same database at the same time.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Queue = cmp.Or(o.Queue, 1024)
	o.Connections = cmp.Or(o.Connections, 16)
	if err := CheckURL(url); err != nil {
		return nil, err
	}
	if path, ok := sqlitePath(url); ok {
		return openSQLite(ctx, path, o)
	}
	return openPostgres(ctx, url, o)
}

// Ping tells whether the store can answer, by asking it something.
func (s *Store) Ping(ctx context.Context) error {
	_, err := read(ctx, s, "ping", func(ctx context.Context, q querier) (id int, err error) {
		err = q.QueryRowContext(ctx, "SELECT id FROM first_start").Scan(&id)
		return id, err
	})
	return err
}

// Close waits for the writes that were accepted and closes the database. From then on every operation is Unavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.close()
}

// operation is what read and change run on the database.
type operation[T any] func(ctx context.Context, q querier) (T, error)

// read runs an operation that changes nothing.
func read[T any](ctx context.Context, s *Store, name string, run operation[T]) (T, error) {
	start := time.Now()
	v, err := run(ctx, s.reads)
	if err = s.observed(ctx, name, start, err); err != nil {
		return *new(T), err
	}
	return v, nil
}

// write runs an operation that changes something; see writer.
func (s *Store) write(ctx context.Context, name string, fn func(ctx context.Context, tx querier) error) error {
	start := time.Now()
	err := ctx.Err()
	if err == nil {
		err = s.writes.write(ctx, fn)
	}
	return s.observed(ctx, name, start, err)
}

// change runs a write and returns what it returned, or the zero value with an error.
func change[T any](ctx context.Context, s *Store, name string, run operation[T]) (T, error) {
	var v T
	err := s.write(ctx, name, func(ctx context.Context, tx querier) (err error) {
		v, err = run(ctx, tx)
		return err
	})
	if err != nil {
		return *new(T), err
	}
	return v, nil
}

func (s *Store) observed(ctx context.Context, name string, start time.Time, err error) error {
	if s.options.Observe != nil {
		s.options.Observe(name, time.Since(start))
	}
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sharelink.Error](err); ok {
		return e
	}
	switch {
	case ctx.Err() != nil && interrupted(err):
		err = ctx.Err()
	case s.closed.Load() || unavailable(err):
		return &sharelink.Error{Code: sharelink.Unavailable, Detail: "the store is not available", RetryAfter: time.Second, Err: err}
	}
	return fmt.Errorf("store: %s: %w", name, err)
}
