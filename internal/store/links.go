package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// The columns of share_links, and below the fields of a Link that they keep, in the same order.
const (
	termColumns = `type, expires_at, usage_limit, allowed_origins, allow_all_origins, remove_watermark, enabled, is_primary, label`
	linkColumns = `id, token, usage_count, created_at, persona_id, persona_name, organization_id, ` + termColumns
)

// termFields returns the fields that termColumns keep, to read from and to write to.
func termFields(t *sharelink.Terms) []any {
	return []any{
		(*string)(&t.Type), (*instant)(&t.ExpiresAt), (*orNull)(&t.UsageLimit), (*list)(&t.AllowedOrigins),
		&t.AllowAllOrigins, &t.RemoveWatermark, &t.Enabled, &t.IsPrimary, &t.Label,
	}
}

// linkFields returns the fields that linkColumns keep.
func linkFields(l *sharelink.Link) []any {
	return append([]any{
		&l.ID, &l.Token, &l.UsageCount, (*instant)(&l.CreatedAt), &l.PersonaID, &l.PersonaName, &l.OrganizationID,
	}, termFields(&l.Terms)...)
}

var (
	insertLink = insertInto("share_links", linkColumns+", label_folded, persona_name_folded")

	updateTerms = `
UPDATE share_links SET (` + changedColumns + `) = (` + placeholders(changedColumns) + `) WHERE token = ` + next(changedColumns)
)

const changedColumns = termColumns + ", label_folded"

const (
	selectLink = `SELECT ` + linkColumns + ` FROM share_links WHERE organization_id = $1 AND id = $2`

	// A key is free when it was never used, or is forgotten by now: then its row is taken over. A row whose key is still
	// kept is left alone, and none is affected. On PostgreSQL the second of two waits here for the first to commit.
	claimIdempotencyKey = `
INSERT INTO idempotency_keys (organization_id, key, request, link, created_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (organization_id, key) DO UPDATE
SET request = excluded.request, link = excluded.link, created_at = excluded.created_at
WHERE idempotency_keys.created_at < $6`

	// Writers that are about to change which link is primary wait here for each other, so that no two of them can collide
	// on the unique index or on each other's locks. It changes nothing, and so works on both databases.
	lockOrganization = `UPDATE organizations SET watermark_removal = watermark_removal WHERE id = $1`

	demoteLinksToPersona = `
UPDATE share_links SET is_primary = FALSE
WHERE organization_id = $1 AND persona_id = $2 AND is_primary`

	selectReplay = `
SELECT request, link FROM idempotency_keys WHERE organization_id = $1 AND key = $2 AND created_at >= $3`

	deleteIdempotencyKeys = `DELETE FROM idempotency_keys WHERE created_at < $1`

	selectOrganization = `SELECT id FROM organizations WHERE id = $1`

	deleteLink = `
DELETE FROM share_links WHERE organization_id = $1 AND id = $2
RETURNING ` + linkColumns
)

// creation is a link to create, and what became of it.
type creation struct {
	given sharelink.Link
	key   *sharelink.Idempotency // nil for none

	link sharelink.Link
	err  error // a KeyReused
}

// CreateLink implements sharelink.Store.
func (s *Store) CreateLink(ctx context.Context, link sharelink.Link, key *sharelink.Idempotency) (sharelink.Link, error) {
	c := &creation{given: link, key: key}
	j := &job{create: c}
	if link.IsPrimary { // it locks other links, so it does not share its transaction on PostgreSQL
		j = &job{do: func(ctx context.Context, tx querier) error { return s.create(ctx, tx, []*creation{c}) }}
	}
	if err := s.shared(ctx, link.OrganizationID, "create_link", j, func() error { return c.err }); err != nil {
		return sharelink.Link{}, err
	}
	if s.created.Add(1)%int64(s.options.blockSize) == 0 {
		inTime, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.readTimeout)
		defer cancel()
		s.splitBlocks(inTime)
	}
	return c.link, nil
}

// create creates links inside of a transaction.
func (s *Store) create(ctx context.Context, tx querier, creations []*creation) error {
	creations, err := claimKeys(ctx, tx, creations)
	if err != nil {
		return err
	}
	var inserts []*statement
	var links []sharelink.Link
	for _, c := range creations {
		c.link, c.err = c.given, nil
		if c.link.IsPrimary {
			inserts = append(inserts,
				&statement{sql: lockOrganization, args: []any{c.link.OrganizationID}},
				&statement{sql: demoteLinksToPersona, args: []any{c.link.OrganizationID, c.link.PersonaID}})
		}
		fields := append(linkFields(&c.link), sharelink.Fold(c.link.Label), sharelink.Fold(c.link.PersonaName))
		inserts = append(inserts, insert(sharelink.LinkTaken, insertLink, fields...))
		links = append(links, c.link)
	}
	if len(links) == 0 {
		return nil
	}
	return count(ctx, tx, links, inserts)
}

// claimKeys takes the idempotency keys for their links and returns the creations that go on: those without a key, and those
// whose key was free. The others get the link that was created under their key before.
func claimKeys(ctx context.Context, tx querier, creations []*creation) (going []*creation, err error) {
	var claims []*statement
	var keyed []*creation
	for _, c := range creations {
		if c.key == nil {
			going = append(going, c)
			continue
		}
		kept, err := json.Marshal(c.given)
		if err != nil {
			return nil, err
		}
		keyed = append(keyed, c)
		claims = append(claims, &statement{
			sql: claimIdempotencyKey, conflict: "the idempotency key is taken",
			args: []any{c.given.OrganizationID, c.key.Key, c.key.Request[:], string(kept), c.key.CreatedAt.UnixMilli(), c.key.ValidFrom.UnixMilli()},
		})
	}
	if len(keyed) == 0 {
		return going, nil
	}
	// Always in the same order, so that two transactions with the same keys do not wait for each other.
	order := slices.Clone(claims)
	slices.SortFunc(order, func(a, b *statement) int { return cmp.Compare(a.args[1].(string), b.args[1].(string)) })
	if err := tx.run(ctx, order...); err != nil {
		return nil, err
	}
	for i, c := range keyed {
		if claims[i].affected > 0 {
			going = append(going, c)
			continue
		}
		if c.link, c.err = replay(ctx, tx, c.given.OrganizationID, *c.key); c.err != nil && c.err != sharelink.ErrKeyReused {
			return nil, c.err
		}
	}
	return going, nil
}

// Replay implements sharelink.Store.
func (s *Store) Replay(ctx context.Context, organization uuid.UUID, key sharelink.Idempotency) (sharelink.Link, error) {
	return find(ctx, s, "replay", func(ctx context.Context, q querier) (sharelink.Link, error) {
		return replay(ctx, q, organization, key)
	})
}

func replay(ctx context.Context, q querier, organization uuid.UUID, key sharelink.Idempotency) (link sharelink.Link, err error) {
	type row struct {
		request []byte
		link    string
	}
	found, err := one(func(r *row) []any { return []any{&r.request, &r.link} },
		sharelink.NoReplay,
		selectReplay, organization, key.Key, key.ValidFrom.UnixMilli())(ctx, q)
	if err != nil {
		return link, err
	}
	if string(found.request) != string(key.Request[:]) {
		return link, sharelink.ErrKeyReused
	}
	if err := json.Unmarshal([]byte(found.link), &link); err != nil {
		return link, fmt.Errorf("read the link of an idempotency key: %w", err)
	}
	return link, nil
}

// ForgetKeys implements sharelink.Store.
func (s *Store) ForgetKeys(ctx context.Context, before time.Time) (int, error) {
	return change(ctx, s, uuid.Nil, "forget_keys", affected(deleteIdempotencyKeys, before.UnixMilli()))
}

// Link implements sharelink.Store.
func (s *Store) Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	return find(ctx, s, "get_link", one(linkFields, sharelink.NoLink, selectLink, organization, id))
}

// UpdateLink implements sharelink.Store. The row is locked from its reading to the end of the transaction, so the change is
// applied to what the link is.
func (s *Store) UpdateLink(ctx context.Context, organization, id uuid.UUID, c sharelink.Change, now time.Time) (sharelink.Link, error) {
	return change(ctx, s, organization, "update_link", func(ctx context.Context, tx querier) (link sharelink.Link, err error) {
		promote := c.IsPrimary != nil && *c.IsPrimary
		if promote {
			if err := tx.run(ctx, &statement{sql: lockOrganization, args: []any{organization}}); err != nil {
				return link, err
			}
		}
		if link, err = one(linkFields, sharelink.NoLink, selectLink+s.locks.forUpdate, organization, id)(ctx, tx); err != nil {
			return link, err
		}
		if promote {
			if err := tx.later(ctx, &statement{sql: demoteLinksToPersona, args: []any{organization, link.PersonaID}}); err != nil {
				return link, err
			}
		}
		link.Terms = c.Apply(link.Terms, now)
		fields := append(termFields(&link.Terms), sharelink.Fold(link.Label))
		return link, tx.later(ctx, &statement{sql: updateTerms, args: append(fields, link.Token)})
	})
}

// lockRow returns the statement that locks the row of an organization, none where a write excludes all others.
func lockRow(lock string, organization uuid.UUID) []*statement {
	if lock == "" {
		return nil
	}
	return []*statement{{sql: selectOrganization + lock, args: []any{organization}}}
}

// DeleteLink implements sharelink.Store.
func (s *Store) DeleteLink(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	return change(ctx, s, organization, "delete_link", func(ctx context.Context, tx querier) (sharelink.Link, error) {
		// As a create does by itself: no block may be split meanwhile.
		if err := tx.later(ctx, lockRow(s.locks.forShare, organization)...); err != nil {
			return sharelink.Link{}, err
		}
		link, err := one(linkFields, sharelink.NoLink, deleteLink, organization, id)(ctx, tx)
		if err == nil {
			for _, of := range scopesOf(link) {
				if err = tx.later(ctx, &statement{sql: uncount, args: []any{of.organization, of.name, id}}); err != nil {
					break
				}
			}
		}
		return link, err
	})
}
