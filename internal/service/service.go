// Package service is what can be done with share links, organizations, personas and keys. It puts the store, the clock,
// ids, personas and sessions together: rules are decided here, kept by the store and said by the server.
package service

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Service is the one way to the store. Its errors are *sharelink.Error, or failures inside.
type Service struct {
	plain
	options   Options
	unsettled unsettled
}

// plain are the methods of the store that the service has as they are, without a rule of its own.
type plain interface {
	Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error)
	DeleteLink(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error)
	Visits(ctx context.Context, organization, link uuid.UUID, p sharelink.Paging) (sharelink.Page[sharelink.Visit], error)
	Organizations(ctx context.Context) ([]sharelink.Organization, error)
	OrganizationNamed(ctx context.Context, name string) (sharelink.Organization, error)
	SetWatermarkRemoval(ctx context.Context, organization string, allowed bool) (sharelink.Organization, error)
	Ping(ctx context.Context) error
}

// Options are what a service is made from. Only the store is needed.
type Options struct {
	Store    sharelink.Store
	Now      func() time.Time             // the clock; nil is time.Now
	NewID    func(at time.Time) uuid.UUID // nil is sharelink.NewID
	NewToken func() string                // nil is sharelink.NewToken
	Personas Personas                     // nil is StoredPersonas
	Sessions Sessions                     // without it no link can be opened

	// LocalSessions says that Sessions makes them without asking anybody, so that none is refused: then an open is not kept as
	// pending while its session is made, which saves a write.
	LocalSessions bool

	SessionTimeout  time.Duration // how long a session may take to be made; 0 is 10 s
	VisitsRetention time.Duration // how long visits are kept; 0 is for ever
	// Observe, unless nil, gets the outcome of every attempt to open a link that exists.
	Observe func(sharelink.Outcome)
}

// Personas looks personas up.
type Personas interface {
	// Persona returns the organization's persona with this id, or a NotFound.
	Persona(ctx context.Context, organization, id uuid.UUID) (sharelink.Persona, error)
	// Personas returns one page of the organization's personas whose names have the search in them, in any case; "" is all.
	Personas(ctx context.Context, organization uuid.UUID, search string, p sharelink.Paging) (sharelink.Page[sharelink.Persona], error)
}

// Sessions makes what a visitor talks to a persona with.
type Sessions interface {
	// Session makes a session for a visit to the link. An error with the code PersonaUnavailable or PersonaRefused means
	// that for sure none was made; with any other one may have been.
	Session(ctx context.Context, link sharelink.Link, visit sharelink.Visit) (sharelink.Session, error)
}

// New returns a service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = sharelink.NewID
	}
	if o.NewToken == nil {
		o.NewToken = sharelink.NewToken
	}
	o.Personas = cmp.Or[Personas](o.Personas, StoredPersonas{Store: o.Store})
	o.SessionTimeout = cmp.Or(o.SessionTimeout, 10*time.Second)
	if o.Observe == nil {
		o.Observe = func(sharelink.Outcome) {}
	}
	return &Service{plain: o.Store, options: o}
}

// instant reads the clock, in UTC and at the precision that is kept.
func (s *Service) instant() time.Time { return s.options.Now().UTC().Truncate(sharelink.Precision) }

// Sweep removes what is kept for a limited time and is past it: idempotency keys and visits.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.instant()
	_, err := s.options.Store.ForgetKeys(ctx, now.Add(-IdempotencyWindow))
	if s.options.VisitsRetention > 0 {
		_, visitsErr := s.options.Store.ForgetVisits(ctx, now.Add(-s.options.VisitsRetention))
		err = errors.Join(err, visitsErr)
	}
	return err
}

// DefaultOrganization is the name of the organization that a first start creates.
const DefaultOrganization = "default"

// Bootstrap makes an empty store ready for use: the organization DefaultOrganization, the persona Cara with the id of all
// zeros that the documentation's examples name, and, if wanted, an API key, which is returned. On a store that has an
// organization it changes nothing.
func (s *Service) Bootstrap(ctx context.Context, withKey bool) (secret string, created bool, err error) {
	now := s.instant()
	org := sharelink.Organization{ID: s.options.NewID(now), Name: DefaultOrganization, CreatedAt: now}
	var key *sharelink.Key
	if withKey {
		secret, key = newKey(org, "first start", now)
	}
	cara := sharelink.Persona{ID: uuid.Nil, OrganizationID: org.ID, Name: "Cara", CreatedAt: now}
	created, err = s.options.Store.Bootstrap(ctx, org, cara, key, sharelink.HashSecret(secret))
	if err != nil || !created {
		return "", false, err
	}
	return secret, true, nil
}
