package service

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Authenticate returns who has an API key. Errors: Unauthorized, Unavailable.
func (s *Service) Authenticate(ctx context.Context, secret string) (sharelink.Holder, error) {
	holder, err := s.options.Store.HolderOfKey(ctx, sharelink.HashSecret(secret))
	if sharelink.CodeOf(err) == sharelink.NotFound {
		return sharelink.Holder{}, &sharelink.Error{Code: sharelink.Unauthorized, Detail: "the API key is unknown or was revoked"}
	}
	return holder, err
}

// CreateOrganization adds an organization. Errors: Invalid, Conflict, Unavailable.
func (s *Service) CreateOrganization(ctx context.Context, name string, watermarkRemoval bool) (sharelink.Organization, error) {
	name, err := sharelink.CleanName("name", name)
	if err != nil {
		return sharelink.Organization{}, err
	}
	now := s.instant()
	org := sharelink.Organization{ID: s.options.NewID(now), Name: name, WatermarkRemoval: watermarkRemoval, CreatedAt: now}
	return org, s.options.Store.CreateOrganization(ctx, org)
}

// AddPersona adds a persona to an organization; with a nil id it gets a new one. Errors: Invalid, NotFound, Conflict,
// Unavailable.
func (s *Service) AddPersona(ctx context.Context, organization string, id *uuid.UUID, name string) (sharelink.Persona, error) {
	org, err := s.OrganizationNamed(ctx, organization)
	if err != nil {
		return sharelink.Persona{}, err
	}
	if name, err = sharelink.CleanName("name", name); err != nil {
		return sharelink.Persona{}, err
	}
	now := s.instant()
	if id == nil {
		id = new(s.options.NewID(now))
	}
	p := sharelink.Persona{ID: *id, OrganizationID: org.ID, Name: name, CreatedAt: now}
	return p, s.options.Store.AddPersona(ctx, p)
}

// Personas returns one page of the personas that the organization's links can lead to and whose names have the search in them, in
// any case. Error: Unavailable.
func (s *Service) Personas(ctx context.Context, organization uuid.UUID, search string, p sharelink.Paging) (sharelink.Page[sharelink.Persona], error) {
	return s.options.Personas.Personas(ctx, organization, strings.TrimSpace(search), p)
}

// AddedPersonas returns the personas that were added to an organization, by name. Errors: NotFound, Unavailable.
func (s *Service) AddedPersonas(ctx context.Context, organization string) ([]sharelink.Persona, error) {
	return inOrganization(ctx, s, organization, s.options.Store.PersonasOf)
}

// RemovePersona removes a persona: no new links lead to it. It returns how many links to it remain and go on working.
// Errors: NotFound, Unavailable.
func (s *Service) RemovePersona(ctx context.Context, organization string, id uuid.UUID) (links int, err error) {
	return inOrganization(ctx, s, organization, func(ctx context.Context, org uuid.UUID) (int, error) {
		return s.options.Store.RemovePersona(ctx, org, id)
	})
}

// EraseVisits erases the visits of an organization's link, or of one that it deleted. Errors: NotFound, Unavailable.
func (s *Service) EraseVisits(ctx context.Context, organization string, link uuid.UUID) (sharelink.Erasure, error) {
	return inOrganization(ctx, s, organization, func(ctx context.Context, org uuid.UUID) (sharelink.Erasure, error) {
		return s.options.Store.EraseVisits(ctx, org, link)
	})
}

// inOrganization calls do with the id of the organization of this name.
func inOrganization[T any](ctx context.Context, s *Service, name string, do func(ctx context.Context, org uuid.UUID) (T, error)) (T, error) {
	org, err := s.OrganizationNamed(ctx, name)
	if err != nil {
		return *new(T), err
	}
	return do(ctx, org.ID)
}

// CreateKey makes an API key for an organization and returns it: the only time that it can be seen. A read-only key makes no
// changes. Errors: Invalid, NotFound, Unavailable.
func (s *Service) CreateKey(ctx context.Context, organization, label string, readOnly bool) (secret string, key sharelink.Key, err error) {
	org, err := s.OrganizationNamed(ctx, organization)
	if err != nil {
		return "", sharelink.Key{}, err
	}
	if label = strings.TrimSpace(label); label != "" {
		if label, err = sharelink.CleanName("label", label); err != nil {
			return "", sharelink.Key{}, err
		}
	}
	secret, made := newKey(org, label, s.instant())
	made.ReadOnly = readOnly
	return secret, *made, s.options.Store.AddKey(ctx, *made, sharelink.HashSecret(secret))
}

func newKey(org sharelink.Organization, label string, now time.Time) (secret string, key *sharelink.Key) {
	secret = sharelink.NewSecret()
	return secret, &sharelink.Key{Prefix: sharelink.VisiblePrefix(secret), Label: label, OrganizationID: org.ID, CreatedAt: now}
}

// Keys returns an organization's keys, the revoked ones too, oldest first. Errors: NotFound, Unavailable.
func (s *Service) Keys(ctx context.Context, organization string) ([]sharelink.Key, error) {
	return inOrganization(ctx, s, organization, s.options.Store.KeysOf)
}

// RevokeKey ends the key with this visible prefix; the whole key is accepted too. Errors: NotFound, Unavailable.
func (s *Service) RevokeKey(ctx context.Context, prefix string) (sharelink.Key, error) {
	return s.options.Store.RevokeKey(ctx, sharelink.VisiblePrefix(prefix), s.instant())
}

// StoredPersonas are the personas that were added to the store. With Any every other id is accepted too, for trying
// things out, under the name "Persona".
type StoredPersonas struct {
	Store sharelink.Store
	Any   bool
}

// Persona returns the organization's persona with this id. Errors: NotFound, Unavailable.
func (p StoredPersonas) Persona(ctx context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	persona, err := p.Store.Persona(ctx, organization, id)
	switch {
	case sharelink.CodeOf(err) != sharelink.NotFound:
		return persona, err
	case p.Any:
		return sharelink.Persona{ID: id, OrganizationID: organization, Name: "Persona"}, nil
	}
	return sharelink.Persona{}, ErrNoPersona
}

// Personas returns one page of the personas that were added to the organization, as sharelink.SortPersonas sorts them. Error:
// Unavailable.
func (p StoredPersonas) Personas(ctx context.Context, organization uuid.UUID, search string, paging sharelink.Paging) (sharelink.Page[sharelink.Persona], error) {
	all, err := p.Store.PersonasOf(ctx, organization)
	if err != nil {
		return sharelink.Page[sharelink.Persona]{}, err
	}
	search = sharelink.Fold(search)
	all = slices.DeleteFunc(all, func(p sharelink.Persona) bool { return !strings.Contains(sharelink.Fold(p.Name), search) })
	return sharelink.PageOf(all, paging), nil
}

// ErrNoPersona is the error for a persona that the organization does not have.
var ErrNoPersona = sharelink.FieldError(sharelink.NotFound, "/personaId", sharelink.NoPersona)
