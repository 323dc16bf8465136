package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
)

// CheckPages reads all of a SQLite database and returns a line for each of the first faults in it: pages that are damaged,
// and indexes that do not have what the tables have. PostgreSQL has pg_amcheck for that; there it returns nothing.
func (s *Store) CheckPages(ctx context.Context) ([]string, error) {
	if _, ok := s.engine.(*sqlite); !ok {
		return nil, nil
	}
	return read(ctx, s, uuid.Nil, "check_pages", func(ctx context.Context, q querier) ([]string, error) {
		faults, err := pageFaults(ctx, q, "PRAGMA integrity_check(10)")
		if sqliteCode(err) == sqlite3.CORRUPT {
			return append(faults, "it could not be read further: "+err.Error()), nil
		}
		return faults, err
	})
}

// A link's visits may be fewer than its uses, because old visits are forgotten, and never more.
const selectOveruse = `
SELECT l.id, l.usage_count, v.uses FROM share_links l
JOIN (SELECT link_id, COUNT(*) AS uses FROM visits WHERE outcome IN ('OPENED', 'UPSTREAM_TIMEOUT') GROUP BY link_id) v ON v.link_id = l.id
WHERE v.uses > l.usage_count ORDER BY l.id`

// CheckUses compares the uses of links with their visits and returns a line for each link with more visits that spent a use
// than it has uses.
func (s *Store) CheckUses(ctx context.Context) ([]string, error) {
	type overuse struct {
		link         uuid.UUID
		uses, visits int
	}
	return read(ctx, s, uuid.Nil, "check_uses", func(ctx context.Context, q querier) (wrong []string, err error) {
		found, err := all(func(o *overuse) []any { return []any{&o.link, &o.uses, &o.visits} }, selectOveruse)(ctx, q)
		for _, o := range found {
			wrong = append(wrong, fmt.Sprintf("share link %s: %d uses are counted, %d visits spent one", o.link, o.uses, o.visits))
		}
		return wrong, err
	})
}
