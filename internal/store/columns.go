package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// all runs a query and reads every row of its answer into the fields.
func all[T any](fields func(*T) []any, query string, args ...any) operation[[]T] {
	return func(ctx context.Context, q querier) ([]T, error) {
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close() // rows.Err says it
		items := []T{}
		for rows.Next() {
			var v T
			if err := rows.Scan(fields(&v)...); err != nil {
				return nil, err
			}
			items = append(items, v)
		}
		return items, rows.Err()
	}
}

// one runs a query and reads its one row into the fields. Without a row the error is a NotFound with this detail.
func one[T any](fields func(*T) []any, missing, query string, args ...any) operation[T] {
	return func(ctx context.Context, q querier) (v T, err error) {
		for _, a := range args {
			if text, ok := a.(string); ok && !storable(text) {
				return v, &sharelink.Error{Code: sharelink.NotFound, Detail: missing}
			}
		}
		err = q.QueryRowContext(ctx, query, args...).Scan(fields(&v)...)
		if errors.Is(err, sql.ErrNoRows) {
			err = &sharelink.Error{Code: sharelink.NotFound, Detail: missing}
		}
		return v, err
	}
}

// insert runs a statement that adds a row. The error for one that is there already is a Conflict with this detail.
func insert(conflict, query string, args ...any) func(ctx context.Context, tx querier) error {
	return func(ctx context.Context, tx querier) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return taken(err, conflict)
	}
}

// affected runs a statement and returns how many rows it changed.
func affected(query string, args ...any) operation[int] {
	return func(ctx context.Context, tx querier) (int, error) {
		r, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return 0, err
		}
		n, err := r.RowsAffected()
		return int(n), err
	}
}

// page returns one page of the rows that from and its args pick, newest first: ids are UUIDv7, so their order is that of
// creation. The total is in each row because one statement sees one instant.
func page[T any](ctx context.Context, q querier, columns, from string, args []any, p sharelink.Paging, fields func(*T) []any) (sharelink.Page[T], error) {
	var found sharelink.Page[T]
	if err := ctx.Err(); err != nil {
		return found, err
	}
	query := pageQuery(columns, from, len(args))
	for {
		var err error
		withTotal := func(v *T) []any { return append(fields(v), &found.Total) }
		found.Items, err = all(withTotal, query, append(args, max(p.PerPage, 1), p.Offset())...)(ctx, q)
		if err != nil || len(found.Items) > 0 {
			return found, err
		}
		// Beyond the last page there is no row with the total. If rows came in between, look again.
		err = q.QueryRowContext(ctx, "\nSELECT COUNT(*) FROM "+from, args...).Scan(&found.Total)
		if err != nil || int64(found.Total) <= p.Offset() {
			return found, err
		}
	}
}

func pageQuery(columns, from string, args int) string {
	return "\nSELECT " + columns + ", (SELECT COUNT(*) FROM " + from + ")\nFROM " + from +
		"\nORDER BY id DESC LIMIT " + placeholder(args+1) + " OFFSET " + placeholder(args+2)
}

func placeholder(n int) string { return "$" + strconv.Itoa(n) }

// insertInto returns the statement that adds a row with these columns.
func insertInto(table, columns string) string {
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + placeholders(columns) + ")"
}

// placeholders returns one for each of the columns: $1, $2 and so on.
func placeholders(columns string) string {
	names := strings.Split(columns, ",")
	for i := range names {
		names[i] = placeholder(i + 1)
	}
	return strings.Join(names, ", ")
}

// next returns the placeholder after those of the columns.
func next(columns string) string { return placeholder(strings.Count(columns, ",") + 2) }

// instant is how a time is kept: milliseconds since 1970, NULL when it is zero.
type instant time.Time

// Value implements driver.Valuer.
func (i instant) Value() (driver.Value, error) {
	if time.Time(i).IsZero() {
		return nil, nil
	}
	return time.Time(i).UnixMilli(), nil
}

// Scan implements sql.Scanner.
func (i *instant) Scan(v any) error {
	var ms sql.NullInt64
	err := ms.Scan(v)
	*i = instant{}
	if ms.Valid {
		*i = instant(time.UnixMilli(ms.Int64).UTC())
	}
	return err
}

// orNull is how a number is kept that is NULL when it is zero.
type orNull int

// Value implements driver.Valuer.
func (n orNull) Value() (driver.Value, error) {
	if n == 0 {
		return nil, nil
	}
	return int64(n), nil
}

// Scan implements sql.Scanner.
func (n *orNull) Scan(v any) error {
	var i sql.NullInt64
	err := i.Scan(v)
	*n = orNull(i.Int64)
	return err
}

// list is how texts are kept that are read and written as a whole: as a JSON array.
type list []string

// Value implements driver.Valuer.
func (l list) Value() (driver.Value, error) {
	if l == nil {
		return "[]", nil
	}
	b, err := json.Marshal([]string(l))
	return string(b), err
}

// Scan implements sql.Scanner.
func (l *list) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list is kept as text, not as %T", v)
	}
	return json.Unmarshal([]byte(text), (*[]string)(l))
}

// storable returns whether a text can be in the store at all. PostgreSQL refuses to even compare with any other.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
