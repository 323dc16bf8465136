package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const noToken = "there is no share link with this token"

const selectLinkByToken = `
SELECT ` + linkColumns + ` FROM share_links WHERE token = $1`

// LinkByToken implements sharelink.VisitStore.
func (s *Store) LinkByToken(ctx context.Context, token string) (sharelink.Link, error) {
	if !storable(token) {
		return sharelink.Link{}, &sharelink.Error{Code: sharelink.NotFound, Detail: noToken}
	}
	var link sharelink.Link
	err := s.read(ctx, "get_link_by_token", func(q querier) (err error) {
		link, err = scanLink(q.QueryRowContext(ctx, selectLinkByToken, token))
		return notFound(err, noToken)
	})
	return link, err
}

const (
	// The one place where a use is spent. Whether it may be is decided by the row that is locked here, not by what was
	// read before.
	spendUse = `
UPDATE share_links SET usage_count = usage_count + 1
WHERE token = $1 AND enabled AND (expires_at IS NULL OR expires_at > $2)
	AND (usage_limit IS NULL OR usage_count < usage_limit)
RETURNING ` + linkColumns

	visitColumns = `id, link_id, organization_id, at, outcome, origin, client, address`

	insertVisit = `
INSERT INTO visits (` + visitColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
)

// spendTries bounds how often a spend looks again at a link that was changed between its two looks.
const spendTries = 10

var errRestless = &sharelink.Error{Code: sharelink.Unavailable, Detail: "the link is being changed; try again in a moment", RetryAfter: time.Second}

// Spend implements sharelink.VisitStore. A link that may not be opened is no error of the write: an error would roll back
// the batch that the write shares, and a link that is used up is asked for often.
func (s *Store) Spend(ctx context.Context, token string, visit sharelink.Visit) (link sharelink.Link, status sharelink.Status, err error) {
	found := true
	err = s.write(ctx, "spend", func(ctx context.Context, tx querier) error {
		link, status, found = sharelink.Link{}, "", true
		for range spendTries {
			spent, err := list(ctx, tx, func(r row) (sharelink.Link, error) { return scanLink(r) }, spendUse, token, visit.At.UnixMilli())
			if err != nil {
				return err
			}
			if len(spent) == 1 {
				link, status = spent[0], sharelink.Active
				return addVisit(ctx, tx, link, visit, sharelink.Opened)
			}
			now, err := list(ctx, tx, func(r row) (sharelink.Link, error) { return scanLink(r) }, selectLinkByToken, token)
			if err != nil {
				return err
			}
			if found = len(now) == 1; !found {
				return nil
			}
			// PostgreSQL shows each statement what was committed before it. What kept the use from being spent may be gone.
			if link, status = now[0], now[0].StatusAt(visit.At); status != sharelink.Active {
				return addVisit(ctx, tx, link, visit, sharelink.OutcomeOf(status))
			}
		}
		return errRestless
	})
	switch {
	case err != nil:
		return sharelink.Link{}, "", err
	case !found:
		return sharelink.Link{}, "", &sharelink.Error{Code: sharelink.NotFound, Detail: noToken}
	}
	return link, status, nil
}

// addVisit writes a visit to the link, whatever link the visit names.
func addVisit(ctx context.Context, tx querier, link sharelink.Link, visit sharelink.Visit, outcome sharelink.Outcome) error {
	visit.LinkID, visit.OrganizationID, visit.Outcome = link.ID, link.OrganizationID, outcome
	return writeVisit(ctx, tx, visit)
}

func writeVisit(ctx context.Context, tx querier, v sharelink.Visit) error {
	_, err := tx.ExecContext(ctx, insertVisit, v.ID, v.LinkID, v.OrganizationID, v.At.UnixMilli(), string(v.Outcome), v.Origin, v.Client, v.Address)
	return taken(err, "there is a visit with this id")
}

// AddVisit implements sharelink.VisitStore.
func (s *Store) AddVisit(ctx context.Context, visit sharelink.Visit) error {
	return s.write(ctx, "add_visit", func(ctx context.Context, tx querier) error { return writeVisit(ctx, tx, visit) })
}

const (
	settleVisit = `
UPDATE visits SET outcome = $3 WHERE link_id = $1 AND id = $2 AND outcome = 'OPENED'`

	giveBackUse = `
UPDATE share_links SET usage_count = usage_count - 1
WHERE organization_id = $1 AND id = $2 AND usage_count > 0`
)

// Settle implements sharelink.VisitStore. The visit's row is what was reserved: only who turns it from opened to something
// else gives its use back.
func (s *Store) Settle(ctx context.Context, visit sharelink.Visit, outcome sharelink.Outcome) (bool, error) {
	var settled int64
	err := s.write(ctx, "settle", func(ctx context.Context, tx querier) (err error) {
		settled, err = affected(tx.ExecContext(ctx, settleVisit, visit.LinkID, visit.ID, string(outcome)))
		if err != nil || settled == 0 || outcome != sharelink.UpstreamRefused {
			return err
		}
		_, err = tx.ExecContext(ctx, giveBackUse, visit.OrganizationID, visit.LinkID)
		return err
	})
	return err == nil && settled == 1, err
}

// The total rides along because one statement sees one instant.
const selectVisits = `
SELECT ` + visitColumns + `, (SELECT COUNT(*) FROM visits WHERE link_id = $1)
FROM visits WHERE link_id = $1
ORDER BY id DESC LIMIT $2 OFFSET $3`

const countVisits = `
SELECT COUNT(*) FROM visits WHERE link_id = $1`

// Visits implements sharelink.VisitStore.
func (s *Store) Visits(ctx context.Context, organization, link uuid.UUID, page, perPage int) (sharelink.VisitPage, error) {
	found := sharelink.VisitPage{Visits: []sharelink.Visit{}}
	before := offset(sharelink.Filter{Page: max(page, 1), PerPage: max(perPage, 1)})
	err := s.read(ctx, "list_visits", func(q querier) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := scanLink(q.QueryRowContext(ctx, selectLink, organization, link)); err != nil {
			return notFound(err, noLink)
		}
		for {
			var err error
			found.Visits, err = list(ctx, q, func(r row) (sharelink.Visit, error) { return scanVisit(r, &found.Total) },
				selectVisits, link, max(perPage, 1), before)
			if err != nil || len(found.Visits) > 0 {
				return err
			}
			err = q.QueryRowContext(ctx, countVisits, link).Scan(&found.Total)
			if err != nil || int64(found.Total) <= before {
				return err
			}
		}
	})
	if err != nil {
		return sharelink.VisitPage{}, err
	}
	return found, nil
}

// scanVisit reads visitColumns, and what the query has after them into more.
func scanVisit(r row, more ...any) (sharelink.Visit, error) {
	var v sharelink.Visit
	var at int64
	err := r.Scan(append([]any{&v.ID, &v.LinkID, &v.OrganizationID, &at, &v.Outcome, &v.Origin, &v.Client, &v.Address}, more...)...)
	v.At = fromMilli(at)
	return v, err
}

// Ids of visits begin with their instant, so those before an instant are those below its smallest id.
const deleteVisits = `
DELETE FROM visits WHERE id IN (SELECT id FROM visits WHERE id < $1 ORDER BY id LIMIT $2)`

// sweepBatch is how many visits are forgotten in one transaction: few enough that no open has to wait long behind it.
const sweepBatch = 1000

// ForgetVisits implements sharelink.VisitStore.
func (s *Store) ForgetVisits(ctx context.Context, before time.Time) (int, error) {
	forgotten := 0
	for {
		var n int64
		err := s.write(ctx, "forget_visits", func(ctx context.Context, tx querier) (err error) {
			n, err = affected(tx.ExecContext(ctx, deleteVisits, sharelink.FirstID(before), sweepBatch))
			return err
		})
		if err != nil {
			return forgotten, err
		}
		if forgotten += int(n); n < sweepBatch {
			return forgotten, nil
		}
	}
}
