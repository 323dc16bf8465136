package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

func (d *Data) named(name string) (sharelink.Organization, error) {
	for _, o := range d.organizations {
		if o.Name == name {
			return o, nil
		}
	}
	return sharelink.Organization{}, notFound(sharelink.NoOrganization)
}

// CreateOrganization implements sharelink.Store.
func (s *Store) CreateOrganization(ctx context.Context, o sharelink.Organization) error {
	return do(ctx, s, func(d *Data) error {
		_, idTaken := d.organizations[o.ID]
		if _, err := d.named(o.Name); idTaken || err == nil {
			return conflict(sharelink.NameTaken)
		}
		d.organizations[o.ID] = o
		return nil
	})
}

// Organizations implements sharelink.Store.
func (s *Store) Organizations(ctx context.Context) ([]sharelink.Organization, error) {
	return alone(ctx, s, func(d *Data) ([]sharelink.Organization, error) {
		return slices.SortedFunc(maps.Values(d.organizations), func(a, b sharelink.Organization) int { return cmp.Compare(a.Name, b.Name) }), nil
	})
}

// OrganizationNamed implements sharelink.Store.
func (s *Store) OrganizationNamed(ctx context.Context, name string) (sharelink.Organization, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Organization, error) { return d.named(name) })
}

// SetWatermarkRemoval implements sharelink.Store.
func (s *Store) SetWatermarkRemoval(ctx context.Context, name string, allowed bool) (sharelink.Organization, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Organization, error) {
		o, err := d.named(name)
		if err == nil {
			o.WatermarkRemoval = allowed
			d.organizations[o.ID] = o
		}
		return o, err
	})
}

// AddPersona implements sharelink.Store.
func (s *Store) AddPersona(ctx context.Context, p sharelink.Persona) error {
	return do(ctx, s, func(d *Data) error {
		if _, ok := d.organizations[p.OrganizationID]; !ok {
			return notFound(sharelink.NoOrganization)
		}
		if _, ok := d.personas[idOf{p.OrganizationID, p.ID}]; ok {
			return conflict(sharelink.PersonaTaken)
		}
		d.personas[idOf{p.OrganizationID, p.ID}] = p
		return nil
	})
}

// PersonasOf implements sharelink.Store.
func (s *Store) PersonasOf(ctx context.Context, organization uuid.UUID) ([]sharelink.Persona, error) {
	return alone(ctx, s, func(d *Data) ([]sharelink.Persona, error) {
		all := slices.DeleteFunc(slices.Collect(maps.Values(d.personas)), func(p sharelink.Persona) bool { return p.OrganizationID != organization })
		sharelink.SortPersonas(all)
		return all, nil
	})
}

// Persona implements sharelink.Store.
func (s *Store) Persona(ctx context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Persona, error) {
		p, ok := d.personas[idOf{organization, id}]
		if !ok {
			return p, notFound(sharelink.NoPersona)
		}
		return p, nil
	})
}

// RemovePersona implements sharelink.Store.
func (s *Store) RemovePersona(ctx context.Context, organization, id uuid.UUID) (int, error) {
	return alone(ctx, s, func(d *Data) (links int, err error) {
		if _, ok := d.personas[idOf{organization, id}]; !ok {
			return 0, notFound(sharelink.NoPersona)
		}
		delete(d.personas, idOf{organization, id})
		for _, l := range d.links {
			if l.OrganizationID == organization && l.PersonaID == id {
				links++
			}
		}
		return links, nil
	})
}

// AddKey implements sharelink.Store.
func (s *Store) AddKey(ctx context.Context, k sharelink.Key, hash sharelink.Hash) error {
	return do(ctx, s, func(d *Data) error {
		if _, ok := d.organizations[k.OrganizationID]; !ok {
			return notFound(sharelink.NoOrganization)
		}
		_, taken := d.keys[hash]
		if _, _, err := d.key(k.Prefix); taken || err == nil {
			return conflict(sharelink.KeyTaken)
		}
		d.keys[hash] = k
		return nil
	})
}

func (d *Data) key(prefix string) (sharelink.Hash, sharelink.Key, error) {
	for hash, k := range d.keys {
		if k.Prefix == prefix {
			return hash, k, nil
		}
	}
	return sharelink.Hash{}, sharelink.Key{}, notFound(sharelink.NoKey)
}

// KeysOf implements sharelink.Store.
func (s *Store) KeysOf(ctx context.Context, organization uuid.UUID) ([]sharelink.Key, error) {
	return alone(ctx, s, func(d *Data) ([]sharelink.Key, error) {
		all := slices.DeleteFunc(slices.Collect(maps.Values(d.keys)), func(k sharelink.Key) bool { return k.OrganizationID != organization })
		slices.SortFunc(all, func(a, b sharelink.Key) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Prefix, b.Prefix))
		})
		return all, nil
	})
}

// RevokeKey implements sharelink.Store.
func (s *Store) RevokeKey(ctx context.Context, prefix string, at time.Time) (sharelink.Key, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Key, error) {
		hash, k, err := d.key(prefix)
		if err == nil && k.RevokedAt.IsZero() {
			k.RevokedAt = at
			d.keys[hash] = k
		}
		return k, err
	})
}

// HolderOfKey implements sharelink.Store.
func (s *Store) HolderOfKey(ctx context.Context, hash sharelink.Hash) (sharelink.Holder, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Holder, error) {
		k, ok := d.keys[hash]
		if !ok || !k.RevokedAt.IsZero() {
			return sharelink.Holder{}, notFound(sharelink.NoKey)
		}
		return sharelink.Holder{Organization: d.organizations[k.OrganizationID], ReadOnly: k.ReadOnly}, nil
	})
}

// Bootstrap implements sharelink.Store.
func (s *Store) Bootstrap(ctx context.Context, o sharelink.Organization, p sharelink.Persona, key *sharelink.Key, hash sharelink.Hash) (bool, error) {
	return alone(ctx, s, func(d *Data) (bool, error) {
		if len(d.organizations) > 0 {
			return false, nil
		}
		if p.OrganizationID != o.ID || key != nil && key.OrganizationID != o.ID {
			return false, notFound(sharelink.NoOrganization)
		}
		d.organizations[o.ID] = o
		d.personas[idOf{o.ID, p.ID}] = p
		if key != nil {
			d.keys[hash] = *key
		}
		return true, nil
	})
}

// SigningKeys implements sharelink.Store.
func (s *Store) SigningKeys(ctx context.Context, first sharelink.SigningKey) ([]sharelink.SigningKey, error) {
	return alone(ctx, s, func(d *Data) ([]sharelink.SigningKey, error) {
		if len(d.signingKeys) == 0 {
			first.Number = 1
			d.signingKeys = []sharelink.SigningKey{first}
		}
		return slices.Clone(d.signingKeys), nil
	})
}

// AddSigningKey implements sharelink.Store.
func (s *Store) AddSigningKey(ctx context.Context, key sharelink.SigningKey, oldest int) error {
	return do(ctx, s, func(d *Data) error {
		var keys []sharelink.SigningKey
		for _, k := range d.signingKeys {
			if k.Number == key.Number {
				return conflict(sharelink.SigningKeyTaken)
			}
			if k.Number >= oldest {
				keys = append(keys, k)
			}
		}
		d.signingKeys = append(keys, key)
		return nil
	})
}
