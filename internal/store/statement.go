package store

import (
	"context"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// statement is one SQL statement with its arguments $1, $2 and so on, and what is done with its answer.
type statement struct {
	sql      string
	args     []any
	row      func(scanner) error // gets each row of the answer; nil when there is none
	conflict string              // the detail of the Conflict for a row that is there already
	affected int                 // how many rows it returned or else changed, once it was run
}

// scanner is a row of an answer.
type scanner interface{ Scan(into ...any) error }

// querier is what statements are run on: a connection that reads, or a transaction.
type querier interface {
	// run runs the statements in order, up to the first that fails. PostgreSQL gets all of them in one message.
	run(ctx context.Context, statements ...*statement) error
	// later runs the statements before the transaction ends. PostgreSQL gets them with those that are run next, or with
	// the commit, so that a change that nothing waits for costs no message of its own.
	later(ctx context.Context, statements ...*statement) error
}

// operation is what read and change run on the database.
type operation[T any] func(ctx context.Context, q querier) (T, error)

// collect returns a query that appends its rows to items.
func collect[T any](items *[]T, fields func(*T) []any, query string, args ...any) *statement {
	var v T // of all rows in turn
	into := fields(&v)
	return &statement{sql: query, args: args, row: func(r scanner) error {
		v = *new(T)
		if err := r.Scan(into...); err != nil {
			return err
		}
		*items = append(*items, v)
		return nil
	}}
}

// all runs a query and reads every row of its answer into the fields.
func all[T any](fields func(*T) []any, query string, args ...any) operation[[]T] {
	return func(ctx context.Context, q querier) ([]T, error) {
		items := []T{}
		err := q.run(ctx, collect(&items, fields, query, args...))
		return items, err
	}
}

// one runs a query and reads its one row into the fields. Without a row the error is a NotFound with this detail.
func one[T any](fields func(*T) []any, missing, query string, args ...any) operation[T] {
	return func(ctx context.Context, q querier) (v T, err error) {
		notFound := &sharelink.Error{Code: sharelink.NotFound, Detail: missing}
		for _, a := range args {
			if text, ok := a.(string); ok && !storable(text) {
				return v, notFound
			}
		}
		s := &statement{sql: query, args: args, row: func(r scanner) error { return r.Scan(fields(&v)...) }}
		if err = q.run(ctx, s); err == nil && s.affected == 0 {
			err = notFound
		}
		return v, err
	}
}

// insert returns the statement that adds a row. The error for one that is there already is a Conflict with this detail.
func insert(conflict, query string, args ...any) *statement {
	return &statement{sql: query, args: args, conflict: conflict}
}

// affected runs a statement and returns how many rows it changed.
func affected(query string, args ...any) operation[int] {
	return func(ctx context.Context, q querier) (int, error) {
		s := &statement{sql: query, args: args}
		err := q.run(ctx, s)
		return s.affected, err
	}
}

// number is the field of a query for one number.
func number[N any](n *N) []any { return []any{n} }
