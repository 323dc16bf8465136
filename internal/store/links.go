package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// The columns of share_links, and below the fields of a Link that they keep, in the same order.
const (
	termColumns = `type, expires_at, usage_limit, allowed_origins, allow_all_origins, remove_watermark, enabled, is_primary`
	linkColumns = `id, token, usage_count, created_at, persona_id, persona_name, organization_id, ` + termColumns
)

// termFields returns the fields that termColumns keep, to read from and to write to.
func termFields(t *sharelink.Terms) []any {
	return []any{
		&t.Type, (*instant)(&t.ExpiresAt), (*orNull)(&t.UsageLimit), (*list)(&t.AllowedOrigins),
		&t.AllowAllOrigins, &t.RemoveWatermark, &t.Enabled, &t.IsPrimary,
	}
}

// linkFields returns the fields that linkColumns keep.
func linkFields(l *sharelink.Link) []any {
	return append([]any{
		&l.ID, &l.Token, &l.UsageCount, (*instant)(&l.CreatedAt), &l.PersonaID, &l.PersonaName, &l.OrganizationID,
	}, termFields(&l.Terms)...)
}

var (
	insertLink = insertInto("share_links", linkColumns+", persona_name_folded")

	updateTerms = `
UPDATE share_links SET (` + termColumns + `) = (` + placeholders(termColumns) + `) WHERE token = ` + next(termColumns)
)

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

	deleteLink = `
DELETE FROM share_links WHERE organization_id = $1 AND id = $2
RETURNING ` + linkColumns
)

// CreateLink implements sharelink.Store.
func (s *Store) CreateLink(ctx context.Context, link sharelink.Link, key *sharelink.Idempotency) (sharelink.Link, error) {
	return change(ctx, s, "create_link", func(ctx context.Context, tx querier) (sharelink.Link, error) {
		if key != nil {
			claimed, err := claimKey(ctx, tx, link, *key)
			if err != nil {
				return link, err
			}
			if !claimed {
				return replay(ctx, tx, link.OrganizationID, *key)
			}
		}
		if link.IsPrimary {
			if _, err := tx.ExecContext(ctx, lockOrganization, link.OrganizationID); err != nil {
				return link, err
			}
			if _, err := tx.ExecContext(ctx, demoteLinksToPersona, link.OrganizationID, link.PersonaID); err != nil {
				return link, err
			}
		}
		fields := append(linkFields(&link), sharelink.Fold(link.PersonaName))
		return link, insert(sharelink.LinkTaken, insertLink, fields...)(ctx, tx)
	})
}

// claimKey takes the idempotency key for the link, unless it belongs to another that is still kept.
func claimKey(ctx context.Context, tx querier, link sharelink.Link, key sharelink.Idempotency) (bool, error) {
	kept, err := json.Marshal(link)
	if err != nil {
		return false, err
	}
	n, err := affected(claimIdempotencyKey, link.OrganizationID, key.Key, key.Request[:], string(kept),
		key.CreatedAt.UnixMilli(), key.ValidFrom.UnixMilli())(ctx, tx)
	return n > 0, taken(err, "the idempotency key is taken")
}

// Replay implements sharelink.Store.
func (s *Store) Replay(ctx context.Context, organization uuid.UUID, key sharelink.Idempotency) (sharelink.Link, error) {
	return read(ctx, s, "replay", func(ctx context.Context, q querier) (sharelink.Link, error) {
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
	return change(ctx, s, "forget_keys", affected(deleteIdempotencyKeys, before.UnixMilli()))
}

// Link implements sharelink.Store.
func (s *Store) Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	return read(ctx, s, "get_link", one(linkFields, sharelink.NoLink, selectLink, organization, id))
}

// UpdateLink implements sharelink.Store. The row is locked from its reading to the end of the transaction, so the change is
// applied to what the link is.
func (s *Store) UpdateLink(ctx context.Context, organization, id uuid.UUID, c sharelink.Change, now time.Time) (sharelink.Link, error) {
	return change(ctx, s, "update_link", func(ctx context.Context, tx querier) (link sharelink.Link, err error) {
		promote := c.IsPrimary != nil && *c.IsPrimary
		if promote {
			if _, err := tx.ExecContext(ctx, lockOrganization, organization); err != nil {
				return link, err
			}
		}
		if link, err = one(linkFields, sharelink.NoLink, selectLink+s.rowLock, organization, id)(ctx, tx); err != nil {
			return link, err
		}
		if promote {
			if _, err := tx.ExecContext(ctx, demoteLinksToPersona, organization, link.PersonaID); err != nil {
				return link, err
			}
		}
		link.Terms = c.Apply(link.Terms, now)
		_, err = tx.ExecContext(ctx, updateTerms, append(termFields(&link.Terms), link.Token)...)
		return link, err
	})
}

// DeleteLink implements sharelink.Store.
func (s *Store) DeleteLink(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	return change(ctx, s, "delete_link", one(linkFields, sharelink.NoLink, deleteLink, organization, id))
}

// Links implements sharelink.Store.
func (s *Store) Links(ctx context.Context, organization uuid.UUID, f sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	return read(ctx, s, "list_links", func(ctx context.Context, q querier) (sharelink.Page[sharelink.Link], error) {
		if !storable(f.Search) {
			return sharelink.Page[sharelink.Link]{}, ctx.Err() // no name, token or id is like it
		}
		where, args := matching(organization, f)
		return page(ctx, q, linkColumns, "share_links WHERE "+where, args, f.Paging, linkFields)
	})
}

// matching returns the condition that a filter stands for.
func matching(organization uuid.UUID, f sharelink.Filter) (where string, args []any) {
	arg := func(v any) string {
		args = append(args, v)
		return placeholder(len(args))
	}
	where = "organization_id = " + arg(organization)
	if f.PersonaID.Valid {
		where += " AND persona_id = " + arg(f.PersonaID.UUID)
	}
	if f.Search == "" {
		return where, args
	}
	// A text that is part of another disappears when it is replaced by nothing. LIKE would need its wildcards escaped, has
	// a limit to its length on SQLite and its own rules of upper and lower case.
	name := arg(sharelink.Fold(f.Search))
	token := "CAST(" + arg(f.Search) + " AS TEXT)"
	where += " AND (replace(persona_name_folded, " + name + ", '') <> persona_name_folded" +
		" OR substr(token, 1, length(" + token + ")) = " + token
	if id, err := uuid.Parse(f.Search); err == nil && len(f.Search) == len(uuid.Nil.String()) {
		where += " OR id = " + arg(id)
	}
	return where + ")", args
}
