package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	noOrganization = "there is no such organization"
	noPersona      = "the organization has no persona with this id"
	noKey          = "there is no such API key"
)

const insertOrganization = `
INSERT INTO organizations (id, name, watermark_removal, created_at)
VALUES ($1, $2, $3, $4)`

// CreateOrganization implements sharelink.Store.
func (s *Store) CreateOrganization(ctx context.Context, o sharelink.Organization) error {
	return s.write(ctx, "create_organization", func(ctx context.Context, tx querier) error {
		_, err := tx.ExecContext(ctx, insertOrganization, o.ID, o.Name, o.WatermarkRemoval, o.CreatedAt.UnixMilli())
		return taken(err, "there is an organization with this name")
	})
}

const selectOrganizations = `
SELECT id, name, watermark_removal, created_at FROM organizations ORDER BY name`

// Organizations implements sharelink.Store.
func (s *Store) Organizations(ctx context.Context) ([]sharelink.Organization, error) {
	return read(ctx, s, "list_organizations", func(q querier) ([]sharelink.Organization, error) {
		return all(ctx, q, scanOrganization, selectOrganizations)
	})
}

const selectOrganizationByName = `
SELECT id, name, watermark_removal, created_at FROM organizations WHERE name = $1`

// OrganizationNamed implements sharelink.Store.
func (s *Store) OrganizationNamed(ctx context.Context, name string) (sharelink.Organization, error) {
	return read(ctx, s, "get_organization", func(q querier) (o sharelink.Organization, err error) {
		if !storable(name) {
			return o, notFound(sql.ErrNoRows, noOrganization)
		}
		o, err = scanOrganization(q.QueryRowContext(ctx, selectOrganizationByName, name))
		return o, notFound(err, noOrganization)
	})
}

const updateWatermarkRemoval = `
UPDATE organizations SET watermark_removal = $2 WHERE name = $1
RETURNING id, name, watermark_removal, created_at`

// SetWatermarkRemoval implements sharelink.Store.
func (s *Store) SetWatermarkRemoval(ctx context.Context, name string, allowed bool) (sharelink.Organization, error) {
	var o sharelink.Organization
	err := s.write(ctx, "update_organization", func(ctx context.Context, tx querier) (err error) {
		if !storable(name) {
			return notFound(sql.ErrNoRows, noOrganization)
		}
		o, err = scanOrganization(tx.QueryRowContext(ctx, updateWatermarkRemoval, name, allowed))
		return notFound(err, noOrganization)
	})
	return o, err
}

const insertPersona = `
INSERT INTO personas (organization_id, id, name, created_at)
VALUES ($1, $2, $3, $4)`

// AddPersona implements sharelink.Store.
func (s *Store) AddPersona(ctx context.Context, p sharelink.Persona) error {
	return s.write(ctx, "add_persona", func(ctx context.Context, tx querier) error {
		_, err := tx.ExecContext(ctx, insertPersona, p.OrganizationID, p.ID, p.Name, p.CreatedAt.UnixMilli())
		return taken(err, "the organization has a persona with this id")
	})
}

const selectPersonas = `
SELECT organization_id, id, name, created_at FROM personas WHERE organization_id = $1 ORDER BY name, id`

// PersonasOf implements sharelink.Store.
func (s *Store) PersonasOf(ctx context.Context, organization uuid.UUID) ([]sharelink.Persona, error) {
	return read(ctx, s, "list_personas", func(q querier) ([]sharelink.Persona, error) {
		return all(ctx, q, scanPersona, selectPersonas, organization)
	})
}

const selectPersona = `
SELECT organization_id, id, name, created_at FROM personas WHERE organization_id = $1 AND id = $2`

// Persona implements sharelink.Store.
func (s *Store) Persona(ctx context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	return read(ctx, s, "get_persona", func(q querier) (sharelink.Persona, error) {
		p, err := scanPersona(q.QueryRowContext(ctx, selectPersona, organization, id))
		return p, notFound(err, noPersona)
	})
}

const (
	deletePersona = `
DELETE FROM personas WHERE organization_id = $1 AND id = $2`

	countLinksToPersona = `
SELECT COUNT(*) FROM share_links WHERE organization_id = $1 AND persona_id = $2`
)

// RemovePersona implements sharelink.Store.
func (s *Store) RemovePersona(ctx context.Context, organization, id uuid.UUID) (links int, err error) {
	err = s.write(ctx, "remove_persona", func(ctx context.Context, tx querier) error {
		removed, err := affected(tx.ExecContext(ctx, deletePersona, organization, id))
		if err != nil {
			return err
		}
		if removed == 0 {
			return notFound(sql.ErrNoRows, noPersona)
		}
		return tx.QueryRowContext(ctx, countLinksToPersona, organization, id).Scan(&links)
	})
	return links, err
}

const insertKey = `
INSERT INTO api_keys (prefix, hash, label, organization_id, created_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6)`

// AddKey implements sharelink.Store.
func (s *Store) AddKey(ctx context.Context, k sharelink.Key, hash sharelink.Hash) error {
	return s.write(ctx, "add_key", func(ctx context.Context, tx querier) error {
		return addKey(ctx, tx, k, hash)
	})
}

func addKey(ctx context.Context, tx querier, k sharelink.Key, hash sharelink.Hash) error {
	_, err := tx.ExecContext(ctx, insertKey, k.Prefix, hash[:], k.Label, k.OrganizationID, instant(k.CreatedAt), instant(k.RevokedAt))
	return taken(err, "there is an API key that begins like this one")
}

const selectKeys = `
SELECT prefix, label, organization_id, created_at, revoked_at FROM api_keys WHERE organization_id = $1
ORDER BY created_at, prefix`

// KeysOf implements sharelink.Store.
func (s *Store) KeysOf(ctx context.Context, organization uuid.UUID) ([]sharelink.Key, error) {
	return read(ctx, s, "list_keys", func(q querier) ([]sharelink.Key, error) {
		return all(ctx, q, scanKey, selectKeys, organization)
	})
}

const revokeKey = `
UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2) WHERE prefix = $1
RETURNING prefix, label, organization_id, created_at, revoked_at`

// RevokeKey implements sharelink.Store.
func (s *Store) RevokeKey(ctx context.Context, prefix string, at time.Time) (sharelink.Key, error) {
	var k sharelink.Key
	err := s.write(ctx, "revoke_key", func(ctx context.Context, tx querier) (err error) {
		if !storable(prefix) {
			return notFound(sql.ErrNoRows, noKey)
		}
		k, err = scanKey(tx.QueryRowContext(ctx, revokeKey, prefix, at.UnixMilli()))
		return notFound(err, noKey)
	})
	return k, err
}

// A subquery rather than a join: it leaves a planner one way only, from the hash to the organization.
const selectOrganizationByKey = `
SELECT id, name, watermark_removal, created_at FROM organizations
WHERE id = (SELECT organization_id FROM api_keys WHERE hash = $1 AND revoked_at IS NULL)`

// OrganizationOfKey implements sharelink.Store.
func (s *Store) OrganizationOfKey(ctx context.Context, hash sharelink.Hash) (sharelink.Organization, error) {
	return read(ctx, s, "authenticate", func(q querier) (sharelink.Organization, error) {
		o, err := scanOrganization(q.QueryRowContext(ctx, selectOrganizationByKey, hash[:]))
		return o, notFound(err, noKey)
	})
}

const (
	selectAnyOrganization = `
SELECT EXISTS (SELECT 1 FROM organizations)`

	lockFirstStart = `
UPDATE first_start SET locked = locked WHERE id = 1`
)

// Bootstrap implements sharelink.Store.
func (s *Store) Bootstrap(ctx context.Context, o sharelink.Organization, p sharelink.Persona, key *sharelink.Key, hash sharelink.Hash) (bool, error) {
	// Asked without a lock first: on every start but the first this is all there is to do.
	exists, err := read(ctx, s, "bootstrap", func(q querier) (exists bool, err error) {
		err = q.QueryRowContext(ctx, selectAnyOrganization).Scan(&exists)
		return exists, err
	})
	if err != nil || exists {
		return false, err
	}
	err = s.write(ctx, "bootstrap", func(ctx context.Context, tx querier) error {
		if _, err := tx.ExecContext(ctx, lockFirstStart); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, selectAnyOrganization).Scan(&exists); err != nil || exists {
			return err
		}
		if _, err := tx.ExecContext(ctx, insertOrganization, o.ID, o.Name, o.WatermarkRemoval, o.CreatedAt.UnixMilli()); err != nil {
			return taken(err, "there is an organization with this name")
		}
		if _, err := tx.ExecContext(ctx, insertPersona, p.OrganizationID, p.ID, p.Name, p.CreatedAt.UnixMilli()); err != nil {
			return taken(err, "the organization has a persona with this id")
		}
		if key == nil {
			return nil
		}
		return addKey(ctx, tx, *key, hash)
	})
	return err == nil && !exists, err
}

func scanOrganization(r row) (o sharelink.Organization, err error) {
	err = r.Scan(&o.ID, &o.Name, &o.WatermarkRemoval, (*instant)(&o.CreatedAt))
	return o, err
}

func scanPersona(r row) (p sharelink.Persona, err error) {
	err = r.Scan(&p.OrganizationID, &p.ID, &p.Name, (*instant)(&p.CreatedAt))
	return p, err
}

func scanKey(r row) (k sharelink.Key, err error) {
	err = r.Scan(&k.Prefix, &k.Label, &k.OrganizationID, (*instant)(&k.CreatedAt), (*instant)(&k.RevokedAt))
	return k, err
}
