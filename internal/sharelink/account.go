package sharelink

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Organization owns personas, keys and links.
type Organization struct {
	ID               uuid.UUID
	Name             string // unique
	WatermarkRemoval bool   // whether its links may go without the watermark
	CreatedAt        time.Time
}

// Persona is whom a link leads to.
type Persona struct {
	ID             uuid.UUID // unique within its organization
	OrganizationID uuid.UUID
	Name           string
	CreatedAt      time.Time
}

// Key is what is known of an API key. The key itself is shown once, when it is made, and never kept.
type Key struct {
	Prefix         string // the first characters of the key, unique; names it
	Label          string // whatever its maker wanted to remember, may be ""
	OrganizationID uuid.UUID
	CreatedAt      time.Time
	RevokedAt      time.Time // zero: it works
}

// AccountStore remembers organizations, personas and keys. What does not exist is a NotFound, a name or id that is taken
// a Conflict, a store that cannot answer an Unavailable. Every change is durable when the call returns without an error.
type AccountStore interface {
	CreateOrganization(ctx context.Context, o Organization) error
	// Organizations returns all, by name.
	Organizations(ctx context.Context) ([]Organization, error)
	OrganizationNamed(ctx context.Context, name string) (Organization, error)
	SetWatermarkRemoval(ctx context.Context, name string, allowed bool) (Organization, error)

	AddPersona(ctx context.Context, p Persona) error
	// PersonasOf returns the organization's personas, by name.
	PersonasOf(ctx context.Context, organization uuid.UUID) ([]Persona, error)
	Persona(ctx context.Context, organization, id uuid.UUID) (Persona, error)
	// RemovePersona forgets a persona and returns how many links to it remain. They go on working.
	RemovePersona(ctx context.Context, organization, id uuid.UUID) (links int, err error)

	AddKey(ctx context.Context, k Key, hash Hash) error
	// KeysOf returns the organization's keys, the revoked ones too, oldest first.
	KeysOf(ctx context.Context, organization uuid.UUID) ([]Key, error)
	// RevokeKey ends a key. A key that was revoked before keeps its first instant.
	RevokeKey(ctx context.Context, prefix string, at time.Time) (Key, error)
	// OrganizationOfKey returns whose the key with this hash is, or a NotFound when there is none or it was revoked.
	OrganizationOfKey(ctx context.Context, hash Hash) (Organization, error)

	// Bootstrap adds the organization, its persona and, unless key is nil, its key, all or nothing, to a store that has
	// no organization, and tells whether it did. Of several at the same time one does.
	Bootstrap(ctx context.Context, o Organization, p Persona, key *Key, hash Hash) (bool, error)
}

// Accounts is what can be done with organizations, personas and keys. Names of organizations and personas have 1 to 100
// characters, none of them a control character; white space around them does not count.
type Accounts struct {
	Store AccountStore
	Now   func() time.Time
}

// NewAccounts returns accounts on the store with the real clock.
func NewAccounts(store AccountStore) *Accounts { return &Accounts{Store: store, Now: time.Now} }

// DefaultOrganization is the name of the organization that a first start creates.
const DefaultOrganization = "default"

// Bootstrap makes an empty store ready for use: the organization DefaultOrganization, the persona Cara with the id of
// all zeros that the documentation's examples name, and, if wanted, an API key, which is returned. On a store that has
// an organization it changes nothing.
func (a *Accounts) Bootstrap(ctx context.Context, withKey bool) (secret string, created bool, err error) {
	now := a.now()
	org, err := a.organization(DefaultOrganization, false, now)
	if err != nil {
		return "", false, err
	}
	var key *Key
	if withKey {
		if secret, err = NewSecret(); err != nil {
			return "", false, fmt.Errorf("make an API key: %w", err)
		}
		key = &Key{Prefix: VisiblePrefix(secret), Label: "first start", OrganizationID: org.ID, CreatedAt: now}
	}
	cara := Persona{ID: uuid.Nil, OrganizationID: org.ID, Name: "Cara", CreatedAt: now}
	created, err = a.Store.Bootstrap(ctx, org, cara, key, HashSecret(secret))
	if err != nil || !created {
		return "", false, err
	}
	return secret, true, nil
}

// Authenticate returns the organization that an API key belongs to. Errors: Unauthorized, Unavailable.
func (a *Accounts) Authenticate(ctx context.Context, secret string) (Organization, error) {
	org, err := a.Store.OrganizationOfKey(ctx, HashSecret(secret))
	if CodeOf(err) == NotFound {
		return Organization{}, &Error{Code: Unauthorized, Detail: "the API key is unknown or was revoked"}
	}
	return org, err
}

// CreateOrganization adds an organization. Errors: Invalid, Conflict, Unavailable.
func (a *Accounts) CreateOrganization(ctx context.Context, name string, watermarkRemoval bool) (Organization, error) {
	org, err := a.organization(name, watermarkRemoval, a.now())
	if err != nil {
		return Organization{}, err
	}
	return org, a.Store.CreateOrganization(ctx, org)
}

func (a *Accounts) organization(name string, watermarkRemoval bool, now time.Time) (Organization, error) {
	name, err := cleanName(name)
	if err != nil {
		return Organization{}, err
	}
	id, err := NewID(now)
	if err != nil {
		return Organization{}, fmt.Errorf("make an organization id: %w", err)
	}
	return Organization{ID: id, Name: name, WatermarkRemoval: watermarkRemoval, CreatedAt: now}, nil
}

// AddPersona adds a persona to an organization. Errors: Invalid, NotFound, Conflict, Unavailable.
func (a *Accounts) AddPersona(ctx context.Context, organization string, id uuid.UUID, name string) (Persona, error) {
	org, err := a.Store.OrganizationNamed(ctx, organization)
	if err != nil {
		return Persona{}, err
	}
	if name, err = cleanName(name); err != nil {
		return Persona{}, err
	}
	p := Persona{ID: id, OrganizationID: org.ID, Name: name, CreatedAt: a.now()}
	return p, a.Store.AddPersona(ctx, p)
}

// Personas returns an organization's personas, by name. Errors: NotFound, Unavailable.
func (a *Accounts) Personas(ctx context.Context, organization string) ([]Persona, error) {
	org, err := a.Store.OrganizationNamed(ctx, organization)
	if err != nil {
		return nil, err
	}
	return a.Store.PersonasOf(ctx, org.ID)
}

// RemovePersona forgets a persona: no new links lead to it. Those there are go on working; it returns how many.
// Errors: NotFound, Unavailable.
func (a *Accounts) RemovePersona(ctx context.Context, organization string, id uuid.UUID) (links int, err error) {
	org, err := a.Store.OrganizationNamed(ctx, organization)
	if err != nil {
		return 0, err
	}
	return a.Store.RemovePersona(ctx, org.ID, id)
}

// CreateKey makes an API key for an organization and returns it: the only time that it can be seen.
// Errors: Invalid, NotFound, Unavailable.
func (a *Accounts) CreateKey(ctx context.Context, organization, label string) (secret string, key Key, err error) {
	org, err := a.Store.OrganizationNamed(ctx, organization)
	if err != nil {
		return "", Key{}, err
	}
	if label = strings.TrimSpace(label); label != "" {
		if label, err = cleanText("label", label); err != nil {
			return "", Key{}, err
		}
	}
	if secret, err = NewSecret(); err != nil {
		return "", Key{}, fmt.Errorf("make an API key: %w", err)
	}
	key = Key{Prefix: VisiblePrefix(secret), Label: label, OrganizationID: org.ID, CreatedAt: a.now()}
	return secret, key, a.Store.AddKey(ctx, key, HashSecret(secret))
}

// Keys returns an organization's keys, the revoked ones too, oldest first. Errors: NotFound, Unavailable.
func (a *Accounts) Keys(ctx context.Context, organization string) ([]Key, error) {
	org, err := a.Store.OrganizationNamed(ctx, organization)
	if err != nil {
		return nil, err
	}
	return a.Store.KeysOf(ctx, org.ID)
}

// RevokeKey ends the key with this visible prefix; the whole key will do as well. Errors: NotFound, Unavailable.
func (a *Accounts) RevokeKey(ctx context.Context, prefix string) (Key, error) {
	return a.Store.RevokeKey(ctx, VisiblePrefix(prefix), a.now())
}

func (a *Accounts) now() time.Time { return a.Now().UTC().Truncate(Precision) }

const maxCharacters = 100

func cleanName(name string) (string, error) { return cleanText("name", name) }

// cleanText returns the text without white space around it, or what is wrong with the field that it is for.
func cleanText(field, text string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", fault(Invalid, "/"+field, "a "+field+" must not be empty")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return "", fault(Invalid, "/"+field, "a "+field+" must be text without control characters")
	case utf8.RuneCountInString(text) > maxCharacters:
		return "", fault(Invalid, "/"+field, fmt.Sprintf("a %s must have at most %d characters", field, maxCharacters))
	}
	return text, nil
}

// LocalPersonas accepts the personas that were added to the store.
type LocalPersonas struct{ Store AccountStore }

// Persona returns the organization's persona with this id, or a NotFound.
func (l LocalPersonas) Persona(ctx context.Context, organization, id uuid.UUID) (Persona, error) {
	p, err := l.Store.Persona(ctx, organization, id)
	if CodeOf(err) == NotFound {
		return Persona{}, fault(NotFound, "/personaId", "the organization has no persona with this id")
	}
	return p, err
}

// AnyPersona accepts every id, for trying things out. A persona that was added keeps its name, any other is "Persona".
type AnyPersona struct{ Store AccountStore }

// Persona returns a persona with this id. Error: Unavailable.
func (a AnyPersona) Persona(ctx context.Context, organization, id uuid.UUID) (Persona, error) {
	p, err := a.Store.Persona(ctx, organization, id)
	if CodeOf(err) == NotFound {
		return Persona{ID: id, OrganizationID: organization, Name: "Persona"}, nil
	}
	return p, err
}
