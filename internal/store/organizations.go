package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	organizationColumns = `id, name, watermark_removal, created_at`
	personaColumns      = `organization_id, id, name, created_at`
	keyColumns          = `prefix, label, organization_id, read_only, created_at, revoked_at`

	selectOrganizations      = `SELECT ` + organizationColumns + ` FROM organizations ORDER BY name`
	selectOrganizationByName = `SELECT ` + organizationColumns + ` FROM organizations WHERE name = $1`
	selectAnyOrganization    = `SELECT EXISTS (SELECT 1 FROM organizations)`

	// Subqueries rather than a join: they leave a planner one way only, from the hash to the organization.
	selectHolder = `
SELECT ` + organizationColumns + `, (SELECT read_only FROM api_keys WHERE hash = $1) FROM organizations
WHERE id = (SELECT organization_id FROM api_keys WHERE hash = $1 AND revoked_at IS NULL)`

	updateWatermarkRemoval = `
UPDATE organizations SET watermark_removal = $1 WHERE name = $2
RETURNING ` + organizationColumns

	selectPersonas      = `SELECT ` + personaColumns + ` FROM personas WHERE organization_id = $1`
	selectPersona       = `SELECT ` + personaColumns + ` FROM personas WHERE organization_id = $1 AND id = $2`
	deletePersona       = `DELETE FROM personas WHERE organization_id = $1 AND id = $2`
	countLinksToPersona = `SELECT COUNT(*) FROM share_links WHERE organization_id = $1 AND persona_id = $2`

	selectKeys = `SELECT ` + keyColumns + ` FROM api_keys WHERE organization_id = $1 ORDER BY created_at, prefix`
	revokeKey  = `
UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2) WHERE prefix = $1
RETURNING ` + keyColumns

	lockFirstStart = `UPDATE first_start SET locked = locked WHERE id = 1`

	signingKeyColumns = `number, seed, created_at, signs_from`
	selectSigningKeys = `SELECT ` + signingKeyColumns + ` FROM signing_keys ORDER BY number`

	// On PostgreSQL the second of two waits here for the first to commit.
	insertFirstSigningKey = `
INSERT INTO signing_keys (` + signingKeyColumns + `) SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM signing_keys)
ON CONFLICT (number) DO NOTHING`

	deleteSigningKeys = `DELETE FROM signing_keys WHERE number < $1`
)

var (
	insertOrganization = insertInto("organizations", organizationColumns)
	insertPersona      = insertInto("personas", personaColumns)
	insertKey          = insertInto("api_keys", keyColumns+", hash")
	insertSigningKey   = insertInto("signing_keys", signingKeyColumns)
)

// The fields that the columns keep, in the same order.

func organizationFields(o *sharelink.Organization) []any {
	return []any{&o.ID, &o.Name, &o.WatermarkRemoval, (*instant)(&o.CreatedAt)}
}

func holderFields(h *sharelink.Holder) []any {
	return append(organizationFields(&h.Organization), &h.ReadOnly)
}

func personaFields(p *sharelink.Persona) []any {
	return []any{&p.OrganizationID, &p.ID, &p.Name, (*instant)(&p.CreatedAt)}
}

func keyFields(k *sharelink.Key) []any {
	return []any{&k.Prefix, &k.Label, &k.OrganizationID, &k.ReadOnly, (*instant)(&k.CreatedAt), (*instant)(&k.RevokedAt)}
}

func signingKeyFields(k *sharelink.SigningKey) []any {
	return []any{&k.Number, (*seed)(&k.Seed), (*instant)(&k.CreatedAt), (*instant)(&k.SignsFrom)}
}

// CreateOrganization implements sharelink.Store.
func (s *Store) CreateOrganization(ctx context.Context, o sharelink.Organization) error {
	return s.write(ctx, "create_organization", insert(sharelink.NameTaken, insertOrganization, organizationFields(&o)...))
}

// Organizations implements sharelink.Store.
func (s *Store) Organizations(ctx context.Context) ([]sharelink.Organization, error) {
	return read(ctx, s, uuid.Nil, "list_organizations", all(organizationFields, selectOrganizations))
}

// OrganizationNamed implements sharelink.Store.
func (s *Store) OrganizationNamed(ctx context.Context, name string) (sharelink.Organization, error) {
	return s.byName.get(name, func() (sharelink.Organization, error) {
		return find(ctx, s, "get_organization", one(organizationFields, sharelink.NoOrganization, selectOrganizationByName, name))
	})
}

// HolderOfKey implements sharelink.Store.
func (s *Store) HolderOfKey(ctx context.Context, hash sharelink.Hash) (sharelink.Holder, error) {
	return s.byKey.get(hash, func() (sharelink.Holder, error) {
		return find(ctx, s, "authenticate", one(holderFields, sharelink.NoKey, selectHolder, hash[:]))
	})
}

// SetWatermarkRemoval implements sharelink.Store.
func (s *Store) SetWatermarkRemoval(ctx context.Context, name string, allowed bool) (sharelink.Organization, error) {
	defer s.forgetRecent()
	update := one(organizationFields, sharelink.NoOrganization, updateWatermarkRemoval, allowed, name)
	return change(ctx, s, uuid.Nil, "update_organization", update)
}

// AddPersona implements sharelink.Store.
func (s *Store) AddPersona(ctx context.Context, p sharelink.Persona) error {
	return s.write(ctx, "add_persona", insert(sharelink.PersonaTaken, insertPersona, personaFields(&p)...))
}

// PersonasOf implements sharelink.Store. They are sorted here: no engine knows every letter's other case.
func (s *Store) PersonasOf(ctx context.Context, organization uuid.UUID) ([]sharelink.Persona, error) {
	personas, err := read(ctx, s, organization, "list_personas", all(personaFields, selectPersonas, organization))
	sharelink.SortPersonas(personas)
	return personas, err
}

// Persona implements sharelink.Store.
func (s *Store) Persona(ctx context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	return s.personas.get([2]uuid.UUID{organization, id}, func() (sharelink.Persona, error) {
		return find(ctx, s, "get_persona", one(personaFields, sharelink.NoPersona, selectPersona, organization, id))
	})
}

// RemovePersona implements sharelink.Store.
func (s *Store) RemovePersona(ctx context.Context, organization, id uuid.UUID) (int, error) {
	defer s.forgetRecent()
	return change(ctx, s, organization, "remove_persona", func(ctx context.Context, tx querier) (links int, err error) {
		removed := &statement{sql: deletePersona, args: []any{organization, id}}
		counted := &statement{sql: countLinksToPersona, args: removed.args, row: func(r scanner) error { return r.Scan(&links) }}
		if err = tx.run(ctx, removed, counted); err == nil && removed.affected == 0 {
			err = &sharelink.Error{Code: sharelink.NotFound, Detail: sharelink.NoPersona}
		}
		return links, err
	})
}

// AddKey implements sharelink.Store.
func (s *Store) AddKey(ctx context.Context, k sharelink.Key, hash sharelink.Hash) error {
	return s.write(ctx, "add_key", insert(sharelink.KeyTaken, insertKey, append(keyFields(&k), hash[:])...))
}

// KeysOf implements sharelink.Store.
func (s *Store) KeysOf(ctx context.Context, organization uuid.UUID) ([]sharelink.Key, error) {
	return read(ctx, s, organization, "list_keys", all(keyFields, selectKeys, organization))
}

// RevokeKey implements sharelink.Store.
func (s *Store) RevokeKey(ctx context.Context, prefix string, at time.Time) (sharelink.Key, error) {
	defer s.forgetRecent()
	return change(ctx, s, uuid.Nil, "revoke_key", one(keyFields, sharelink.NoKey, revokeKey, prefix, at.UnixMilli()))
}

// Bootstrap implements sharelink.Store.
func (s *Store) Bootstrap(ctx context.Context, o sharelink.Organization, p sharelink.Persona, key *sharelink.Key, hash sharelink.Hash) (bool, error) {
	anyOrganization := one(func(exists *bool) []any { return []any{exists} }, sharelink.NoOrganization, selectAnyOrganization)
	// Asked without a lock first: on every start but the first this is all there is to do.
	exists, err := read(ctx, s, uuid.Nil, "bootstrap", anyOrganization)
	if err != nil || exists {
		return false, err
	}
	return change(ctx, s, uuid.Nil, "bootstrap", func(ctx context.Context, tx querier) (bool, error) {
		if err := tx.run(ctx, &statement{sql: lockFirstStart}); err != nil {
			return false, err
		}
		if exists, err := anyOrganization(ctx, tx); err != nil || exists {
			return false, err
		}
		rows := []*statement{
			insert(sharelink.NameTaken, insertOrganization, organizationFields(&o)...),
			insert(sharelink.PersonaTaken, insertPersona, personaFields(&p)...),
		}
		if key != nil {
			rows = append(rows, insert(sharelink.KeyTaken, insertKey, append(keyFields(key), hash[:])...))
		}
		return true, tx.run(ctx, rows...)
	})
}

// SigningKeys implements sharelink.Store.
func (s *Store) SigningKeys(ctx context.Context, first sharelink.SigningKey) ([]sharelink.SigningKey, error) {
	list := all(signingKeyFields, selectSigningKeys)
	keys, err := read(ctx, s, uuid.Nil, "list_signing_keys", list)
	if err != nil || len(keys) > 0 {
		return keys, err
	}
	first.Number = 1
	return change(ctx, s, uuid.Nil, "first_signing_key", func(ctx context.Context, tx querier) ([]sharelink.SigningKey, error) {
		if err := tx.run(ctx, &statement{sql: insertFirstSigningKey, args: signingKeyFields(&first)}); err != nil {
			return nil, err
		}
		return list(ctx, tx)
	})
}

// AddSigningKey implements sharelink.Store.
func (s *Store) AddSigningKey(ctx context.Context, key sharelink.SigningKey, oldest int) error {
	return s.write(ctx, "add_signing_key",
		insert(sharelink.SigningKeyTaken, insertSigningKey, signingKeyFields(&key)...),
		&statement{sql: deleteSigningKeys, args: []any{oldest}})
}

// forgetRecent forgets what was found of organizations, keys and personas.
func (s *Store) forgetRecent() {
	s.byName.forget()
	s.byKey.forget()
	s.personas.forget()
}
