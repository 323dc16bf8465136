package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	selectLinkByToken = `SELECT ` + linkColumns + ` FROM share_links WHERE token = $1`

	// The one place where a use is spent. The row that is locked here decides, not what was read before.
	spendUse = `
UPDATE share_links SET usage_count = usage_count + 1
WHERE token = $1 AND enabled AND (expires_at IS NULL OR expires_at > $2)
	AND (usage_limit IS NULL OR usage_count < usage_limit)
RETURNING ` + linkColumns

	visitColumns = `id, link_id, organization_id, at, outcome, origin, client, address`

	settleVisit = `UPDATE visits SET outcome = $3 WHERE link_id = $1 AND id = $2 AND outcome = $4`

	giveBackUse = `
UPDATE share_links SET usage_count = usage_count - 1
WHERE organization_id = $1 AND id = $2 AND usage_count > 0`

	// Ids of visits begin with their instant, so those before an instant are those below its smallest id.
	deleteVisits = `DELETE FROM visits WHERE id IN (SELECT id FROM visits WHERE id < $1 ORDER BY id LIMIT $2)`
)

var insertVisit = insertInto("visits", visitColumns)

// visitFields returns the fields that visitColumns keep, in the same order.
func visitFields(v *sharelink.Visit) []any {
	return []any{&v.ID, &v.LinkID, &v.OrganizationID, (*instant)(&v.At), &v.Outcome, &v.Origin, &v.Client, &v.Address}
}

// LinkByToken implements sharelink.Store.
func (s *Store) LinkByToken(ctx context.Context, token string) (sharelink.Link, error) {
	return read(ctx, s, "get_link_by_token", one(linkFields, sharelink.NoToken, selectLinkByToken, token))
}

// spendTries bounds how often a spend looks again at a link that was changed between its two looks.
const spendTries = 10

// Spend implements sharelink.Store. A link that may not be opened is no error of the write: an error would roll back the
// batch that the write shares, and a link that is used up is asked for often.
func (s *Store) Spend(ctx context.Context, token string, visit sharelink.Visit) (link sharelink.Link, status sharelink.Status, err error) {
	err = s.write(ctx, "spend", func(ctx context.Context, tx querier) error {
		for range spendTries {
			link, status = sharelink.Link{}, "" // until it is known that there is one
			spent, err := all(linkFields, spendUse, token, visit.At.UnixMilli())(ctx, tx)
			if err != nil {
				return err
			}
			if len(spent) == 1 {
				link, status = spent[0], sharelink.Active
				return addVisit(ctx, tx, link, visit, sharelink.Opened)
			}
			now, err := all(linkFields, selectLinkByToken, token)(ctx, tx)
			if err != nil || len(now) == 0 {
				return err
			}
			// PostgreSQL shows each statement what was committed before it. What kept the use from being spent may be gone.
			if link, status = now[0], now[0].StatusAt(visit.At); status != sharelink.Active {
				return addVisit(ctx, tx, link, visit, sharelink.OutcomeOf(status))
			}
		}
		return &sharelink.Error{
			Code: sharelink.Unavailable, RetryAfter: time.Second,
			Detail: "the share link is being changed; try again in a moment",
		}
	})
	switch {
	case err != nil:
		return sharelink.Link{}, "", err
	case status == "":
		return sharelink.Link{}, "", &sharelink.Error{Code: sharelink.NotFound, Detail: sharelink.NoToken}
	}
	return link, status, nil
}

// addVisit writes a visit to the link, whatever link the visit names.
func addVisit(ctx context.Context, tx querier, link sharelink.Link, visit sharelink.Visit, outcome sharelink.Outcome) error {
	visit.LinkID, visit.OrganizationID, visit.Outcome = link.ID, link.OrganizationID, outcome
	return writeVisit(visit)(ctx, tx)
}

func writeVisit(v sharelink.Visit) func(ctx context.Context, tx querier) error {
	return insert(sharelink.VisitTaken, insertVisit, visitFields(&v)...)
}

// AddVisit implements sharelink.Store.
func (s *Store) AddVisit(ctx context.Context, visit sharelink.Visit) error {
	return s.write(ctx, "add_visit", writeVisit(visit))
}

// Settle implements sharelink.Store. The visit's row is the reservation: only the call that changes its outcome from opened
// gives its use back.
func (s *Store) Settle(ctx context.Context, visit sharelink.Visit, outcome sharelink.Outcome) (bool, error) {
	return change(ctx, s, "settle", func(ctx context.Context, tx querier) (bool, error) {
		settled, err := affected(settleVisit, visit.LinkID, visit.ID, string(outcome), string(sharelink.Opened))(ctx, tx)
		if err == nil && settled == 1 && outcome == sharelink.UpstreamRefused {
			_, err = tx.ExecContext(ctx, giveBackUse, visit.OrganizationID, visit.LinkID)
		}
		return settled == 1, err
	})
}

// Visits implements sharelink.Store.
func (s *Store) Visits(ctx context.Context, organization, link uuid.UUID, p sharelink.Paging) (sharelink.Page[sharelink.Visit], error) {
	visits := func(ctx context.Context, q querier) (found sharelink.Page[sharelink.Visit], err error) {
		if _, err := one(linkFields, sharelink.NoLink, selectLink, organization, link)(ctx, q); err != nil {
			return found, err
		}
		return page(ctx, q, visitColumns, "visits WHERE link_id = $1", []any{link}, p, visitFields)
	}
	return read(ctx, s, "list_visits", visits)
}

// sweepBatch is how many visits are removed in one transaction: few enough that no open has to wait long behind it.
const sweepBatch = 1000

// ForgetVisits implements sharelink.Store.
func (s *Store) ForgetVisits(ctx context.Context, before time.Time) (int, error) {
	forgotten := 0
	for {
		n, err := change(ctx, s, "forget_visits", affected(deleteVisits, sharelink.FirstID(before), sweepBatch))
		if err != nil {
			return forgotten, err
		}
		if forgotten += n; n < sweepBatch {
			return forgotten, nil
		}
	}
}
