package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	selectLinkByToken = `SELECT ` + linkColumns + ` FROM share_links WHERE token = $1`

	// A link is locked in the order of tokens, so that two transactions that open the same links do not wait for each other.
	setUses = `UPDATE share_links SET usage_count = $1 WHERE token = $2`

	visitColumns = `id, link_id, organization_id, at, outcome, pending, origin, client, address`

	settleVisit = `UPDATE visits SET outcome = $1, pending = FALSE WHERE link_id = $2 AND id = $3 AND pending`

	// These conditions are those of an index. Nearly always there are none, and asking costs no commit.
	anyAbandoned  = `SELECT COUNT(*) FROM visits WHERE pending AND outcome = 'OPENED' AND id < $1`
	abandonVisits = `UPDATE visits SET outcome = 'UPSTREAM_TIMEOUT' WHERE pending AND outcome = 'OPENED' AND id < $1`

	giveBackUse = `
UPDATE share_links SET usage_count = usage_count - 1
WHERE organization_id = $1 AND id = $2 AND usage_count > 0`

	countVisits  = `SELECT COUNT(*) FROM visits WHERE link_id = $1`
	selectVisits = `SELECT ` + visitColumns + ` FROM visits WHERE link_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3`

	// The visits of a link are erased in the order of their ids, those after $3 up to $4 in one step.
	selectNextVisits = `SELECT id FROM visits WHERE link_id = $1 AND organization_id = $2 AND id > $3 ORDER BY id LIMIT $4`
	blankVisits      = `
UPDATE visits SET origin = '', client = '', address = ''
WHERE link_id = $1 AND organization_id = $2 AND id > $3 AND id <= $4 AND pending`
	eraseVisits = `
DELETE FROM visits WHERE link_id = $1 AND organization_id = $2 AND id > $3 AND id <= $4 AND NOT pending`

	// Ids of visits begin with their instant, so those before an instant are those below its smallest id.
	deleteVisits = `DELETE FROM visits WHERE id IN (SELECT id FROM visits WHERE id < $1 ORDER BY id LIMIT $2)`
)

var insertVisit = insertInto("visits", visitColumns)

// visitFields returns the fields that visitColumns keep, in the same order.
func visitFields(v *sharelink.Visit) []any {
	return []any{&v.ID, &v.LinkID, &v.OrganizationID, (*instant)(&v.At), (*string)(&v.Outcome), &v.Pending, &v.Origin, &v.Client, &v.Address}
}

// LinkByToken implements sharelink.Store.
func (s *Store) LinkByToken(ctx context.Context, token string) (sharelink.Link, error) {
	return find(ctx, s, "get_link_by_token", one(linkFields, sharelink.NoToken, selectLinkByToken, token))
}

// spending is a use to be spent, and what became of it.
type spending struct {
	token string
	visit sharelink.Visit

	link   sharelink.Link
	status sharelink.Status // "" when there is no such link
}

// Spend implements sharelink.Store.
func (s *Store) Spend(ctx context.Context, token string, visit sharelink.Visit) (sharelink.Link, sharelink.Status, error) {
	spent := &spending{token: token, visit: visit}
	err := s.shared(ctx, visit.OrganizationID, "spend", &job{spend: spent}, func() error {
		if spent.status == "" {
			return &sharelink.Error{Code: sharelink.NotFound, Detail: sharelink.NoToken}
		}
		return nil
	})
	if err != nil {
		return sharelink.Link{}, "", err
	}
	return spent.link, spent.status, nil
}

// spend spends uses inside of a transaction. This is the one place where uses are spent: those of one link are decided
// together on its locked row, one after the other, and written at once. Each has its visit.
func (s *Store) spend(ctx context.Context, tx querier, spends []*spending) error {
	var tokens []string
	for _, o := range spends {
		if o.status = ""; storable(o.token) {
			tokens = append(tokens, o.token)
		}
	}
	if len(tokens) == 0 {
		return nil
	}
	slices.Sort(tokens)
	var found []sharelink.Link
	var selects []*statement
	for _, token := range slices.Compact(tokens) {
		selects = append(selects, collect(&found, linkFields, selectLinkByToken+s.locks.forUpdate, token))
	}
	if err := tx.run(ctx, selects...); err != nil {
		return err
	}
	links := map[string]*sharelink.Link{}
	for i := range found {
		links[found[i].Token] = &found[i]
	}

	var changes []*statement
	used := map[*sharelink.Link]bool{}
	for _, o := range spends {
		link := links[o.token]
		if link == nil {
			continue
		}
		if o.status = link.StatusAt(o.visit.At); o.status == sharelink.Active {
			link.UsageCount++
			used[link] = true
		}
		o.link = *link
		visit := o.visit
		visit.LinkID, visit.OrganizationID, visit.Outcome = link.ID, link.OrganizationID, sharelink.OutcomeOf(o.status)
		visit.Pending = visit.Pending && o.status == sharelink.Active
		changes = append(changes, addVisit(visit))
	}
	for link := range used {
		changes = append(changes, &statement{sql: setUses, args: []any{link.UsageCount, link.Token}})
	}
	return tx.later(ctx, changes...)
}

func addVisit(v sharelink.Visit) *statement {
	return insert(sharelink.VisitTaken, insertVisit, visitFields(&v)...)
}

// AddVisit implements sharelink.Store.
func (s *Store) AddVisit(ctx context.Context, visit sharelink.Visit) error {
	return s.shared(ctx, visit.OrganizationID, "add_visit", &job{visit: addVisit(visit)}, func() error { return nil })
}

// Settle implements sharelink.Store. The visit's row is the reservation: only the call that ends that it is pending gives its
// use back.
func (s *Store) Settle(ctx context.Context, visit sharelink.Visit, outcome sharelink.Outcome) (bool, error) {
	settled := 0
	j := &job{must: true, do: func(ctx context.Context, tx querier) (err error) {
		settled, err = affected(settleVisit, string(outcome), visit.LinkID, visit.ID)(ctx, tx)
		if err == nil && settled == 1 && outcome == sharelink.UpstreamRefused {
			err = tx.later(ctx, &statement{sql: giveBackUse, args: []any{visit.OrganizationID, visit.LinkID}})
		}
		return err
	}}
	err := s.observed(ctx, "settle", func() error { return s.engine.write(ctx, j) })
	return err == nil && settled == 1, err
}

// Abandon implements sharelink.Store.
func (s *Store) Abandon(ctx context.Context, before time.Time) (int, error) {
	first := sharelink.FirstID(before)
	n, err := find(ctx, s, "find_abandoned", one(number[int], "", anyAbandoned, first))
	if err != nil || n == 0 {
		return 0, err
	}
	return change(ctx, s, uuid.Nil, "abandon", affected(abandonVisits, first))
}

// Visits implements sharelink.Store.
func (s *Store) Visits(ctx context.Context, organization, link uuid.UUID, p sharelink.Paging) (sharelink.Page[sharelink.Visit], error) {
	return read(ctx, s, organization, "list_visits", func(ctx context.Context, q querier) (sharelink.Page[sharelink.Visit], error) {
		page := sharelink.Page[sharelink.Visit]{Items: []sharelink.Visit{}}
		if _, err := one(linkFields, sharelink.NoLink, selectLink, organization, link)(ctx, q); err != nil {
			return page, err
		}
		err := q.run(ctx,
			&statement{sql: countVisits, args: []any{link}, row: func(r scanner) error { return r.Scan(&page.Total) }},
			collect(&page.Items, visitFields, selectVisits, link, max(p.PerPage, 1), p.Offset()))
		return page, err
	})
}

// sweepBatch is how many visits are removed in one transaction: few enough that no open has to wait long behind it.
const sweepBatch = 1000

// ForgetVisits implements sharelink.Store.
func (s *Store) ForgetVisits(ctx context.Context, before time.Time) (int, error) {
	forgotten := 0
	for {
		n, err := change(ctx, s, uuid.Nil, "forget_visits", affected(deleteVisits, sharelink.FirstID(before), sweepBatch))
		if err != nil {
			return forgotten, err
		}
		if forgotten += n; n < sweepBatch {
			return forgotten, nil
		}
	}
}

// EraseVisits implements sharelink.Store.
func (s *Store) EraseVisits(ctx context.Context, organization, link uuid.UUID) (sharelink.Erasure, error) {
	var erased sharelink.Erasure
	for last := uuid.Nil; ; {
		next, err := change(ctx, s, organization, "erase_visits", func(ctx context.Context, tx querier) (erasedBatch, error) {
			return eraseBatch(ctx, tx, organization, link, last)
		})
		if err != nil {
			return erased, err
		}
		erased.Removed += next.Removed
		erased.Pending += next.Pending
		if next.visits < sweepBatch {
			break
		}
		last = next.last
	}
	if erased == (sharelink.Erasure{}) {
		_, err := s.Link(ctx, organization, link)
		return erased, err
	}
	return erased, nil
}

// erasedBatch is what was erased in one transaction.
type erasedBatch struct {
	sharelink.Erasure
	visits int
	last   uuid.UUID
}

// eraseBatch erases the visits after an id. Those that are pending come first: one that is settled before its row is locked is
// none that is pending, and is removed with the others.
func eraseBatch(ctx context.Context, tx querier, organization, link, after uuid.UUID) (batch erasedBatch, err error) {
	ids, err := all(number[uuid.UUID], selectNextVisits, link, organization, after, sweepBatch)(ctx, tx)
	if err != nil || len(ids) == 0 {
		return batch, err
	}
	batch.visits, batch.last = len(ids), ids[len(ids)-1]
	these := []any{link, organization, after, batch.last}
	blank, erase := &statement{sql: blankVisits, args: these}, &statement{sql: eraseVisits, args: these}
	err = tx.run(ctx, blank, erase)
	batch.Pending, batch.Removed = blank.affected, erase.affected
	return batch, err
}
