// Package store is a sharelink.Store in SQLite or PostgreSQL. What is asked of them is the same SQL text, in links.go,
// counts.go, visits.go and organizations.go; only the tables are declared twice, in migrations, because column types differ.
//
// How they are driven is each one's own: sqlite.go steps through prepared statements, postgres.go sends many statements in
// one message. In both, what waits is done together, see batcher.go.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

var _ sharelink.Store = (*Store)(nil)

// Store is a sharelink.Store on a SQL database. It is safe for concurrent use.
type Store struct {
	options Options
	engine  engine
	locks   locks
	// What one organization may have running at a time: reads, changes that share no transaction, and those that do.
	reading, changing, sharing *turns
	created                    atomic.Int64 // links, by this store
	closed                     atomic.Bool

	// What Options.Remember is about.
	byName   *recent[string, sharelink.Organization]
	byKey    *recent[sharelink.Hash, sharelink.Holder]
	personas *recent[[2]uuid.UUID, sharelink.Persona] // by the ids of organization and persona
}

// Options are what a store can be told beside its URL. The zero value will do.
type Options struct {
	Logger *slog.Logger // nil: silent
	// Volatile leaves out the wait for the disk at each commit of SQLite: for tests of anything but durability.
	Volatile bool
	// Queue is how many writes may wait, 1024 when 0; those beyond are refused as Unavailable.
	Queue int
	// Connections is how many connections a store has to PostgreSQL at most, 16 when 0: PostgreSQL's own default is 100 for all
	// servers.
	Connections int
	// Remember is how long an organization, an API key and a persona may be remembered once they were found. A change by this
	// store counts at once, one by another server within this time.
	Remember time.Duration
	// Observe, unless nil, gets the time that each operation took, waiting included.
	Observe func(operation string, elapsed time.Duration)
	// Examine has all of a SQLite database read, when it was not closed when it was last used, before it is used again: 1 GB
	// takes some seconds. A damaged one is refused.
	Examine bool
	// ObserveLog, unless nil, gets the size of SQLite's write-ahead log in bytes after each commit.
	ObserveLog func(bytes int64)
	// ObserveBatch, unless nil, gets the number of writes in each commit that several may share.
	ObserveBatch func(writes int)

	blockSize   int           // see counts.go; 5,000 when 0
	readTimeout time.Duration // of what an organization reads, its turn included; 10 s when 0
}

// engine is a database and the way it is driven.
type engine interface {
	// ping returns an error when the database cannot be read or would refuse to be written.
	ping(ctx context.Context) error
	// find runs a query that an index answers.
	find(ctx context.Context, query *statement) error
	// read runs fn on a connection that reads. All of its statements see the database at one instant.
	read(ctx context.Context, fn func(ctx context.Context, q querier) error) error
	// write runs a job in a transaction, which it may share with others. Its changes are durable together when write
	// returns nil, and none of them has happened when it returns an error. It may be run more than once, but only its
	// last run counts.
	//
	// A caller whose ctx ends before its turn gets the ctx's error and the job never runs. From then on the ctx has no say:
	// the job runs on another and the caller waits for the outcome, because an answer that does not tell whether the change
	// was made is worse than a late one.
	write(ctx context.Context, j *job) error
	// close waits for the writes that were accepted.
	close() error
}

// locks are what a SELECT inside of a write ends with to lock its rows. They are empty on SQLite, where a write excludes all
// others.
type locks struct{ forUpdate, forShare string }

// Open opens the database at a URL, sqlite:PATH or postgres://..., and brings its tables up to date. Several may open
// the same database at the same time.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Queue = cmp.Or(o.Queue, 1024)
	o.Connections = cmp.Or(o.Connections, 16)
	o.blockSize = cmp.Or(o.blockSize, 5000)
	o.readTimeout = cmp.Or(o.readTimeout, 10*time.Second)
	if o.ObserveBatch == nil {
		o.ObserveBatch = func(int) {}
	}
	if o.ObserveLog == nil {
		o.ObserveLog = func(int64) {}
	}
	if err := CheckURL(url); err != nil {
		return nil, err
	}
	s := &Store{
		options:  o,
		byName:   newRecent[string, sharelink.Organization](o.Remember),
		byKey:    newRecent[sharelink.Hash, sharelink.Holder](o.Remember),
		personas: newRecent[[2]uuid.UUID, sharelink.Persona](o.Remember),
	}
	var err error
	if path, ok := sqlitePath(url); ok {
		err = openSQLite(ctx, path, s)
	} else {
		err = openPostgres(ctx, url, s)
	}
	if err != nil {
		return nil, err
	}
	s.splitBlocks(ctx) // those that a migration made
	return s, nil
}

// Ping tells whether the store can answer, by asking it something.
func (s *Store) Ping(ctx context.Context) error {
	return s.observed(ctx, "ping", func() error { return s.engine.ping(ctx) })
}

// tablesThere returns a query that fails when the tables are gone.
func tablesThere() *statement {
	return &statement{sql: "SELECT id FROM first_start", row: func(scanner) error { return nil }}
}

// Close waits for the writes that were accepted and closes the database. From then on every operation is Unavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.engine.close()
}

// find runs an operation of a single query that an index answers.
func find[T any](ctx context.Context, s *Store, name string, run operation[T]) (T, error) {
	return observe(ctx, s, name, func(ctx context.Context, fn func(context.Context, querier) error) error {
		return fn(ctx, finder(s.engine.find))
	}, run)
}

// finder is a querier for a single query.
type finder func(ctx context.Context, query *statement) error

func (f finder) run(ctx context.Context, statements ...*statement) error {
	return f(ctx, statements[0])
}

func (f finder) later(ctx context.Context, statements ...*statement) error {
	return f.run(ctx, statements...)
}

// read runs an operation that changes nothing, in a turn of the organization and in limited time. All of its statements see
// the database at one instant.
func read[T any](ctx context.Context, s *Store, organization uuid.UUID, name string, run operation[T]) (T, error) {
	return observe(ctx, s, name, func(ctx context.Context, fn func(context.Context, querier) error) error {
		if organization != uuid.Nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, s.options.readTimeout, errLate)
			defer cancel()
		}
		return late(ctx, s.reading.run(ctx, organization, func() error { return s.engine.read(ctx, fn) }))
	}, run)
}

// change runs a write, in a turn of the organization, and returns what it returned, or the zero value with an error.
func change[T any](ctx context.Context, s *Store, organization uuid.UUID, name string, run operation[T]) (T, error) {
	return observe(ctx, s, name, func(ctx context.Context, fn func(context.Context, querier) error) error {
		return s.changing.run(ctx, organization, func() error { return s.engine.write(ctx, &job{do: fn}) })
	}, run)
}

// write runs statements that change something.
func (s *Store) write(ctx context.Context, name string, statements ...*statement) error {
	_, err := change(ctx, s, uuid.Nil, name, func(ctx context.Context, tx querier) (struct{}, error) {
		return struct{}{}, tx.run(ctx, statements...)
	})
	return err
}

// shared runs a job that may share its transaction, in a turn of the organization. outcome returns the error of a job that was
// done.
func (s *Store) shared(ctx context.Context, organization uuid.UUID, name string, j *job, outcome func() error) error {
	return s.observed(ctx, name, func() error {
		err := s.sharing.run(ctx, organization, func() error { return s.engine.write(ctx, j) })
		if err != nil {
			return err
		}
		return outcome()
	})
}

// observe runs an operation on what the engine gives it.
func observe[T any](ctx context.Context, s *Store, name string, on func(context.Context, func(context.Context, querier) error) error, run operation[T]) (T, error) {
	var v T
	err := s.observed(ctx, name, func() error {
		return on(ctx, func(ctx context.Context, q querier) (err error) {
			v, err = run(ctx, q)
			return err
		})
	})
	if err != nil {
		return *new(T), err
	}
	return v, nil
}

// observed does what a caller whose ctx has not ended asked for, tells Options.Observe, and returns an error as callers know it.
func (s *Store) observed(ctx context.Context, name string, do func() error) error {
	start := time.Now()
	err := ctx.Err()
	if err == nil {
		err = do()
	}
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

// perform runs the jobs of a batch inside of a transaction: the opens together, the creates together, the others in turn.
func (s *Store) perform(ctx context.Context, tx querier, batch []*job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	var visits []*statement
	var spends []*spending
	var creates []*creation
	for _, j := range batch {
		switch {
		case j.visit != nil:
			visits = append(visits, j.visit)
		case j.spend != nil:
			spends = append(spends, j.spend)
		case j.create != nil:
			creates = append(creates, j.create)
		default:
			if err := j.do(ctx, tx); err != nil {
				return err
			}
		}
	}
	if err := tx.later(ctx, visits...); err != nil {
		return err
	}
	if err := s.spend(ctx, tx, spends); err != nil {
		return err
	}
	return s.create(ctx, tx, creates)
}
