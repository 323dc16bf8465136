package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const noLink = "the organization has no share link with this id"

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

// scanLink reads linkColumns, and what the query has after them into more.
func scanLink(r row, more ...any) (l sharelink.Link, err error) {
	err = r.Scan(append(linkFields(&l), more...)...)
	return l, err
}

var (
	insertLink = `
INSERT INTO share_links (` + linkColumns + `, persona_name_folded) VALUES (` + placeholders(linkColumns+`, persona_name_folded`) + `)`

	selectLink = `
SELECT ` + linkColumns + ` FROM share_links WHERE organization_id = $1 AND id = $2`

	updateTerms = `
UPDATE share_links SET (` + termColumns + `) = (` + placeholders(termColumns) + `) WHERE token = ` + next(termColumns)
)

const (
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
	lockOrganizationRow = `
UPDATE organizations SET watermark_removal = watermark_removal WHERE id = $1`

	demoteLinksToPersona = `
UPDATE share_links SET is_primary = FALSE
WHERE organization_id = $1 AND persona_id = $2 AND is_primary`

	selectReplay = `
SELECT request, link FROM idempotency_keys
WHERE organization_id = $1 AND key = $2 AND created_at >= $3`

	deleteIdempotencyKeys = `
DELETE FROM idempotency_keys WHERE created_at < $1`

	deleteLink = `
DELETE FROM share_links WHERE organization_id = $1 AND id = $2
RETURNING ` + linkColumns
)

// CreateLink implements sharelink.Store.
func (s *Store) CreateLink(ctx context.Context, link sharelink.Link, key *sharelink.Idempotency) (sharelink.Link, error) {
	created := link
	err := s.write(ctx, "create_link", func(ctx context.Context, tx querier) error {
		created = link
		if key != nil {
			claimed, err := claimKey(ctx, tx, link, *key)
			if err != nil {
				return err
			}
			if !claimed {
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
		_, err := tx.ExecContext(ctx, insertLink, append(linkFields(&link), sharelink.Fold(link.PersonaName))...)
		return taken(err, "there is a share link with this id or token")
	})
	if err != nil {
		return sharelink.Link{}, err
	}
	return created, nil
}

// claimKey takes the idempotency key for the link, unless it belongs to another that is still kept.
func claimKey(ctx context.Context, tx querier, link sharelink.Link, key sharelink.Idempotency) (bool, error) {
	kept, err := json.Marshal(link)
	if err != nil {
		return false, err
	}
	n, err := affected(tx.ExecContext(ctx, claimIdempotencyKey, link.OrganizationID, key.Key, key.Request[:], string(kept),
		key.CreatedAt.UnixMilli(), key.ValidFrom.UnixMilli()))
	return n > 0, taken(err, "the idempotency key is taken")
}

func lockOrganization(ctx context.Context, tx querier, organization uuid.UUID) error {
	_, err := tx.ExecContext(ctx, lockOrganizationRow, organization)
	return err
}

// Replay implements sharelink.Store.
func (s *Store) Replay(ctx context.Context, organization uuid.UUID, key sharelink.Idempotency) (sharelink.Link, error) {
	return read(ctx, s, "replay", func(q querier) (sharelink.Link, error) {
		return replay(ctx, q, organization, key)
	})
}

func replay(ctx context.Context, q querier, organization uuid.UUID, key sharelink.Idempotency) (link sharelink.Link, err error) {
	const noKey = "no share link was created under this idempotency key"
	if !storable(key.Key) {
		return link, notFound(sql.ErrNoRows, noKey)
	}
	var request []byte
	var kept string
	err = q.QueryRowContext(ctx, selectReplay, organization, key.Key, key.ValidFrom.UnixMilli()).Scan(&request, &kept)
	if err != nil {
		return link, notFound(err, noKey)
	}
	if string(request) != string(key.Request[:]) {
		return link, &sharelink.Error{
			Code:   sharelink.KeyReused,
			Detail: "the idempotency key was used for another request; use a new key for a new request",
		}
	}
	if err := json.Unmarshal([]byte(kept), &link); err != nil {
		return link, fmt.Errorf("read the link of an idempotency key: %w", err)
	}
	return link, nil
}

// ForgetKeys implements sharelink.Store.
func (s *Store) ForgetKeys(ctx context.Context, before time.Time) (int, error) {
	forgotten := 0
	err := s.write(ctx, "forget_keys", func(ctx context.Context, tx querier) (err error) {
		forgotten, err = affected(tx.ExecContext(ctx, deleteIdempotencyKeys, before.UnixMilli()))
		return err
	})
	return forgotten, err
}

// Link implements sharelink.Store.
func (s *Store) Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	return read(ctx, s, "get_link", func(q querier) (sharelink.Link, error) {
		link, err := scanLink(q.QueryRowContext(ctx, selectLink, organization, id))
		return link, notFound(err, noLink)
	})
}

// UpdateLink implements sharelink.Store. The row is locked from its reading to the end of the transaction, so the change is
// applied to what the link is.
func (s *Store) UpdateLink(ctx context.Context, organization, id uuid.UUID, c sharelink.Change, now time.Time) (sharelink.Link, error) {
	var link sharelink.Link
	err := s.write(ctx, "update_link", func(ctx context.Context, tx querier) (err error) {
		promote := c.IsPrimary != nil && *c.IsPrimary
		if promote {
			if err := lockOrganization(ctx, tx, organization); err != nil {
				return err
			}
		}
		if link, err = scanLink(tx.QueryRowContext(ctx, selectLink+s.rowLock, organization, id)); err != nil {
			return notFound(err, noLink)
		}
		if promote {
			if _, err := tx.ExecContext(ctx, demoteLinksToPersona, organization, link.PersonaID); err != nil {
				return err
			}
		}
		link.Terms = c.Apply(link.Terms, now)
		_, err = tx.ExecContext(ctx, updateTerms, append(termFields(&link.Terms), link.Token)...)
		return err
	})
	if err != nil {
		return sharelink.Link{}, err
	}
	return link, nil
}

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

// Links implements sharelink.Store.
func (s *Store) Links(ctx context.Context, organization uuid.UUID, f sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	return read(ctx, s, "list_links", func(q querier) (sharelink.Page[sharelink.Link], error) {
		if !storable(f.Search) {
			return sharelink.Page[sharelink.Link]{}, ctx.Err() // no name, token or id is like it
		}
		where, args := matching(organization, f)
		return page(ctx, q, linkColumns, "share_links WHERE "+where, args, f.Paging, func(r row, total *int) (sharelink.Link, error) {
			return scanLink(r, total)
		})
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
