package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const noLink = "the organization has no share link with this id"

// linkColumns are the columns that scanLink reads, in its order.
const linkColumns = `id, token, type, expires_at, usage_limit, usage_count, allowed_origins, allow_all_origins,
	remove_watermark, enabled, is_primary, created_at, persona_id, persona_name, organization_id`

const (
	insertLink = `
INSERT INTO share_links (` + linkColumns + `, persona_name_folded)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

	// A key is free when it was never used, or is forgotten by now: then its row is taken over. A row whose key is still
	// remembered is left alone, and none is affected. On PostgreSQL the second of two waits here for the first to commit.
	claimIdempotencyKey = `
INSERT INTO idempotency_keys (organization_id, key, request, link, created_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (organization_id, key) DO UPDATE
SET request = excluded.request, link = excluded.link, created_at = excluded.created_at
WHERE idempotency_keys.created_at < $6`
)

// CreateLink implements sharelink.Store.
func (s *Store) CreateLink(ctx context.Context, link sharelink.Link, key *sharelink.Idempotency) (sharelink.Link, error) {
	link = asKept(link)
	var created sharelink.Link
	err := s.write(ctx, "create_link", func(ctx context.Context, tx querier) error {
		created = link
		if key != nil {
			snapshot, err := encodeSnapshot(link)
			if err != nil {
				return err
			}
			claimed, err := affected(tx.ExecContext(ctx, claimIdempotencyKey, link.OrganizationID, key.Key, key.Request[:], snapshot,
				key.CreatedAt.UnixMilli(), key.ValidFrom.UnixMilli()))
			if err != nil {
				return taken(err, "the idempotency key is taken")
			}
			if claimed == 0 {
				created, err = replay(ctx, tx, link.OrganizationID, *key)
				return err
			}
		}
		if link.IsPrimary {
			if err := lockOrganization(ctx, tx, link.OrganizationID); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, demoteLinksToPersona, link.OrganizationID, link.PersonaID); err != nil {
				return err
			}
		}
		origins, err := encodeOrigins(link.AllowedOrigins)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, insertLink, link.ID, link.Token, string(link.Type), instant(link.ExpiresAt), limit(link.UsageLimit),
			link.UsageCount, origins, link.AllowAllOrigins, link.RemoveWatermark, link.Enabled, link.IsPrimary,
			link.CreatedAt.UnixMilli(), link.PersonaID, link.PersonaName, link.OrganizationID, sharelink.Fold(link.PersonaName))
		return taken(err, "there is a share link with this id or token")
	})
	if err != nil {
		return sharelink.Link{}, err
	}
	return created, nil
}

const (
	// Whoever is about to change which link is primary waits here for whoever else is, so that no two of them can
	// collide on the unique index or on each other's locks. It changes nothing, and so works on both databases.
	lockOrganizationRow = `
UPDATE organizations SET watermark_removal = watermark_removal WHERE id = $1`

	demoteLinksToPersona = `
UPDATE share_links SET is_primary = FALSE
WHERE organization_id = $1 AND persona_id = $2 AND is_primary`

	demoteLinksBeside = `
UPDATE share_links SET is_primary = FALSE
WHERE organization_id = $1 AND is_primary AND id <> $2
	AND persona_id = (SELECT persona_id FROM share_links WHERE organization_id = $1 AND id = $2)`
)

func lockOrganization(ctx context.Context, tx querier, organization uuid.UUID) error {
	_, err := tx.ExecContext(ctx, lockOrganizationRow, organization)
	return err
}

const selectSnapshot = `
SELECT request, link FROM idempotency_keys
WHERE organization_id = $1 AND key = $2 AND created_at >= $3`

// Replay implements sharelink.Store.
func (s *Store) Replay(ctx context.Context, organization uuid.UUID, key sharelink.Idempotency) (sharelink.Link, error) {
	var link sharelink.Link
	err := s.read(ctx, "replay", func(q querier) (err error) {
		link, err = replay(ctx, q, organization, key)
		return err
	})
	return link, err
}

func replay(ctx context.Context, q querier, organization uuid.UUID, key sharelink.Idempotency) (sharelink.Link, error) {
	if !storable(key.Key) {
		return sharelink.Link{}, notFound(sql.ErrNoRows, "no share link was created under this idempotency key")
	}
	var request []byte
	var snapshot string
	err := q.QueryRowContext(ctx, selectSnapshot, organization, key.Key, key.ValidFrom.UnixMilli()).Scan(&request, &snapshot)
	if err != nil {
		return sharelink.Link{}, notFound(err, "no share link was created under this idempotency key")
	}
	if string(request) != string(key.Request[:]) {
		return sharelink.Link{}, &sharelink.Error{
			Code:   sharelink.KeyReused,
			Detail: "the idempotency key was used for another request; use a new key for a new request",
		}
	}
	return decodeSnapshot(snapshot)
}

const deleteIdempotencyKeys = `
DELETE FROM idempotency_keys WHERE created_at < $1`

// ForgetKeys implements sharelink.Store.
func (s *Store) ForgetKeys(ctx context.Context, before time.Time) (int, error) {
	var forgotten int64
	err := s.write(ctx, "forget_keys", func(ctx context.Context, tx querier) (err error) {
		forgotten, err = affected(tx.ExecContext(ctx, deleteIdempotencyKeys, before.UnixMilli()))
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(forgotten), nil
}

const selectLink = `
SELECT ` + linkColumns + ` FROM share_links WHERE organization_id = $1 AND id = $2`

// Link implements sharelink.Store.
func (s *Store) Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	var link sharelink.Link
	err := s.read(ctx, "get_link", func(q querier) (err error) {
		link, err = scanLink(q.QueryRowContext(ctx, selectLink, organization, id))
		return notFound(err, noLink)
	})
	return link, err
}

// Links implements sharelink.Store.
func (s *Store) Links(ctx context.Context, organization uuid.UUID, f sharelink.Filter) (sharelink.Page, error) {
	page := sharelink.Page{Links: []sharelink.Link{}}
	f.Page, f.PerPage = max(f.Page, 1), max(f.PerPage, 1)
	err := s.read(ctx, "list_links", func(q querier) error {
		if err := ctx.Err(); err != nil || !storable(f.Search) {
			return err // no name, token or id is like it
		}
		where, args := matching(organization, f)
		for {
			var err error
			page.Links, err = list(ctx, q, func(r row) (sharelink.Link, error) {
				return scanLink(r, &page.Total)
			}, selectPage(where, len(args)), append(args, f.PerPage, offset(f))...)
			if err != nil || len(page.Links) > 0 {
				return err
			}
			// Beyond the last page there is no row to carry the total. If links came in between, look again: the page
			// and the total are of one instant.
			err = q.QueryRowContext(ctx, "\nSELECT COUNT(*) FROM share_links WHERE "+where, args...).Scan(&page.Total)
			if err != nil || int64(page.Total) <= offset(f) {
				return err
			}
		}
	})
	if err != nil {
		return sharelink.Page{}, err
	}
	return page, nil
}

// selectPage returns the query for one page, newest first: ids are UUIDv7, so their order is that of creation, and the
// index that finds a link by its id is in it already. The total rides along because one statement sees one instant.
func selectPage(where string, args int) string {
	return `
SELECT ` + linkColumns + `, (SELECT COUNT(*) FROM share_links WHERE ` + where + `)
FROM share_links WHERE ` + where + `
ORDER BY id DESC LIMIT ` + placeholder(args+1) + ` OFFSET ` + placeholder(args+2)
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
	// a limit to its length on SQLite and an idea of its own about upper and lower case.
	name := arg(sharelink.Fold(f.Search))
	token := "CAST(" + arg(f.Search) + " AS TEXT)"
	where += " AND (replace(persona_name_folded, " + name + ", '') <> persona_name_folded" +
		" OR substr(token, 1, length(" + token + ")) = " + token
	if id, err := uuid.Parse(f.Search); err == nil && len(f.Search) == len(uuid.Nil.String()) {
		where += " OR id = " + arg(id)
	}
	return where + ")", args
}

func placeholder(n int) string { return "$" + strconv.Itoa(n) }

// offset is f.Offset, but for pages so far away that it would overflow.
func offset(f sharelink.Filter) int64 {
	if int64(f.Page-1) > math.MaxInt64/int64(f.PerPage) {
		return math.MaxInt64
	}
	return f.Offset()
}

// A field that is not to change is COALESCEd with NULL; for those that can be NULL a flag says whether to change them.
const updateLink = `
UPDATE share_links SET
	type = COALESCE($3, type),
	expires_at = CASE WHEN $4 THEN CAST($5 AS BIGINT) ELSE expires_at END,
	usage_limit = CASE WHEN $6 THEN CAST($7 AS INTEGER) ELSE usage_limit END,
	allowed_origins = COALESCE($8, allowed_origins),
	allow_all_origins = COALESCE($9, allow_all_origins),
	remove_watermark = COALESCE($10, remove_watermark),
	enabled = COALESCE($11, enabled),
	is_primary = COALESCE($12, is_primary)
WHERE organization_id = $1 AND id = $2
RETURNING ` + linkColumns

// UpdateLink implements sharelink.Store.
func (s *Store) UpdateLink(ctx context.Context, organization, id uuid.UUID, c sharelink.Change, now time.Time) (sharelink.Link, error) {
	var expires, usageLimit sql.NullInt64
	if c.ExpiresIn != nil && *c.ExpiresIn != 0 {
		expires = instant(now.Add(*c.ExpiresIn))
	}
	if c.UsageLimit != nil {
		usageLimit = limit(*c.UsageLimit)
	}
	var origins *string
	if c.AllowedOrigins != nil {
		text, err := encodeOrigins(*c.AllowedOrigins)
		if err != nil {
			return sharelink.Link{}, err
		}
		origins = &text
	}
	var link sharelink.Link
	err := s.write(ctx, "update_link", func(ctx context.Context, tx querier) (err error) {
		if c.IsPrimary != nil && *c.IsPrimary {
			if err := lockOrganization(ctx, tx, organization); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, demoteLinksBeside, organization, id); err != nil {
				return err
			}
		}
		link, err = scanLink(tx.QueryRowContext(ctx, updateLink, organization, id, (*string)(c.Type), c.ExpiresIn != nil, expires,
			c.UsageLimit != nil, usageLimit, origins, c.AllowAllOrigins, c.RemoveWatermark, c.Enabled, c.IsPrimary))
		return notFound(err, noLink)
	})
	if err != nil {
		return sharelink.Link{}, err
	}
	return link, nil
}

const deleteLink = `
DELETE FROM share_links WHERE organization_id = $1 AND id = $2
RETURNING ` + linkColumns

// DeleteLink implements sharelink.Store.
func (s *Store) DeleteLink(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	var link sharelink.Link
	err := s.write(ctx, "delete_link", func(ctx context.Context, tx querier) (err error) {
		link, err = scanLink(tx.QueryRowContext(ctx, deleteLink, organization, id))
		return notFound(err, noLink)
	})
	if err != nil {
		return sharelink.Link{}, err
	}
	return link, nil
}

// scanLink reads linkColumns, and what the query has after them into more.
func scanLink(r row, more ...any) (sharelink.Link, error) {
	var l sharelink.Link
	var expires, usageLimit sql.NullInt64
	var origins string
	var created int64
	err := r.Scan(append([]any{
		&l.ID, &l.Token, &l.Type, &expires, &usageLimit, &l.UsageCount, &origins, &l.AllowAllOrigins,
		&l.RemoveWatermark, &l.Enabled, &l.IsPrimary, &created, &l.PersonaID, &l.PersonaName, &l.OrganizationID,
	}, more...)...)
	if err != nil {
		return sharelink.Link{}, err
	}
	l.ExpiresAt = fromInstant(expires)
	l.UsageLimit = int(usageLimit.Int64)
	l.CreatedAt = fromMilli(created)
	if err := json.Unmarshal([]byte(origins), &l.AllowedOrigins); err != nil {
		return sharelink.Link{}, fmt.Errorf("read the allowed origins: %w", err)
	}
	return l, nil
}

// limit is how a usage limit is kept: NULL for none.
func limit(n int) sql.NullInt64 { return sql.NullInt64{Int64: int64(n), Valid: n != 0} }
