package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
	"unicode/utf8"
)

// row is what a value is scanned from: *sql.Row or *sql.Rows.
type row interface{ Scan(dest ...any) error }

// list runs a query and scans every row of its answer.
func list[T any](ctx context.Context, q querier, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() // rows.Err says it
	all := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// affected returns how many rows a statement changed.
func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// instant is how a time that may be missing is kept: NULL when it is zero, else milliseconds since 1970.
func instant(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

func fromInstant(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return fromMilli(ms.Int64)
}

func fromMilli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// storable tells whether a text can be in the store at all. PostgreSQL refuses to even compare with any other.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
