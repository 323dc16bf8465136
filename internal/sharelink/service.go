package sharelink

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// IdempotencyWindow is how long a create under an idempotency key is remembered.
const IdempotencyWindow = 24 * time.Hour

// Idempotency makes a create safe to repeat.
type Idempotency struct {
	Key       string            // the caller's; means something only within the organization
	Request   [sha256.Size]byte // fingerprint of what was asked for
	CreatedAt time.Time
	ValidFrom time.Time // a create under the key before this instant is forgotten
}

// Store remembers links. These are its laws; package storetest holds every store to them.
//
// A link belongs to one organization, and for another it does not exist. Every change is durable when the call returns
// without an error, and has not happened at all when it returns one; only after an Unavailable can nobody be sure, because
// a connection can die between a commit and its acknowledgement. Of the links to one persona at most one is
// primary, at every instant: making one so demotes the other in the same commit. Instants are kept to the millisecond.
// What does not exist is a NotFound, a store that cannot answer an Unavailable.
type Store interface {
	// CreateLink remembers the link and returns it. With an idempotency key under which a link was created since
	// ValidFrom it changes nothing and answers as Replay does, also when both come at the same time.
	CreateLink(ctx context.Context, link Link, key *Idempotency) (Link, error)
	// Replay returns the link that was created under the key since ValidFrom, exactly as it was then, even if it was
	// changed or deleted since; a KeyReused when that was another request; a NotFound when there is none.
	Replay(ctx context.Context, organization uuid.UUID, key Idempotency) (Link, error)
	// Link returns one link.
	Link(ctx context.Context, organization, id uuid.UUID) (Link, error)
	// Links returns one page, newest first, ties by id.
	Links(ctx context.Context, organization uuid.UUID, f Filter) (Page, error)
	// UpdateLink changes what change says, in one step that no other change can come between, and returns the result.
	// A lifetime in it counts from now.
	UpdateLink(ctx context.Context, organization, id uuid.UUID, change Change, now time.Time) (Link, error)
	// DeleteLink forgets a link and returns what it was.
	DeleteLink(ctx context.Context, organization, id uuid.UUID) (Link, error)
	// ForgetKeys removes idempotency keys used before an instant and returns how many.
	ForgetKeys(ctx context.Context, before time.Time) (int, error)
}

// Personas tells which personas an organization may make links to.
type Personas interface {
	// Persona returns the organization's persona with this id, or a NotFound.
	Persona(ctx context.Context, organization, id uuid.UUID) (Persona, error)
}

// Service is what can be done with share links.
type Service struct {
	Store    Store
	Personas Personas
	Now      func() time.Time                      // the clock
	NewID    func(at time.Time) (uuid.UUID, error) // NewID, but for tests
	NewToken func() (string, error)                // NewToken, but for tests
}

// NewService returns a service on the store with the real clock and real randomness.
func NewService(store Store, personas Personas) *Service {
	return &Service{Store: store, Personas: personas, Now: time.Now, NewID: NewID, NewToken: NewToken}
}

// Create makes a link to one of the organization's personas. Under an idempotency key, "" for none, a repeat of the same
// draft within IdempotencyWindow returns the first link again.
//
// Errors: Invalid for an origin that is none, NotFound for the persona, Forbidden for the watermark, KeyReused, Unavailable.
func (s *Service) Create(ctx context.Context, org Organization, d Draft, key string) (Link, error) {
	origins, err := canonicalOrigins(d.AllowedOrigins)
	if err != nil {
		return Link{}, err
	}
	d.AllowedOrigins = origins
	now := s.now()

	var idempotency *Idempotency
	if key != "" {
		idempotency = &Idempotency{Key: key, Request: fingerprint(d), CreatedAt: now, ValidFrom: now.Add(-IdempotencyWindow)}
		// Asked before the persona and the plan are: a repeat gets the first answer whatever has changed since.
		if link, err := s.Store.Replay(ctx, org.ID, *idempotency); CodeOf(err) != NotFound {
			return link, err
		}
	}

	persona, err := s.Personas.Persona(ctx, org.ID, d.PersonaID)
	if err != nil {
		return Link{}, err
	}
	if d.RemoveWatermark && !org.WatermarkRemoval {
		return Link{}, errWatermark
	}
	id, err := s.NewID(now)
	if err != nil {
		return Link{}, fmt.Errorf("make a link id: %w", err)
	}
	token, err := s.NewToken()
	if err != nil {
		return Link{}, fmt.Errorf("make a token: %w", err)
	}
	return s.Store.CreateLink(ctx, Link{
		ID:              id,
		Token:           token,
		Type:            d.Type,
		ExpiresAt:       expiry(now, d.ExpiresIn),
		UsageLimit:      d.UsageLimit,
		AllowedOrigins:  d.AllowedOrigins,
		AllowAllOrigins: d.AllowAllOrigins,
		RemoveWatermark: d.RemoveWatermark,
		Enabled:         d.Enabled,
		IsPrimary:       d.IsPrimary,
		CreatedAt:       now,
		PersonaID:       d.PersonaID,
		PersonaName:     persona.Name,
		OrganizationID:  org.ID,
	}, idempotency)
}

// Get returns one of the organization's links. Errors: NotFound, Unavailable.
func (s *Service) Get(ctx context.Context, org Organization, id uuid.UUID) (Link, error) {
	return s.Store.Link(ctx, org.ID, id)
}

// List returns one page of the organization's links. Error: Unavailable.
func (s *Service) List(ctx context.Context, org Organization, f Filter) (Page, error) {
	f.Search = strings.TrimSpace(f.Search)
	return s.Store.Links(ctx, org.ID, f)
}

// Update changes what the change says and leaves the rest as it is.
//
// Errors: Invalid for an origin that is none, Forbidden for the watermark, NotFound, Unavailable.
func (s *Service) Update(ctx context.Context, org Organization, id uuid.UUID, c Change) (Link, error) {
	if c.AllowedOrigins != nil {
		origins, err := canonicalOrigins(*c.AllowedOrigins)
		if err != nil {
			return Link{}, err
		}
		c.AllowedOrigins = &origins
	}
	if c.RemoveWatermark != nil && *c.RemoveWatermark && !org.WatermarkRemoval {
		// A link that is not there is not there, whatever was to become of it.
		if _, err := s.Store.Link(ctx, org.ID, id); err != nil {
			return Link{}, err
		}
		return Link{}, errWatermark
	}
	return s.Store.UpdateLink(ctx, org.ID, id, c, s.now())
}

// Delete forgets a link and returns what it was. Errors: NotFound, Unavailable.
func (s *Service) Delete(ctx context.Context, org Organization, id uuid.UUID) (Link, error) {
	return s.Store.DeleteLink(ctx, org.ID, id)
}

// Sweep forgets what is kept for a limited time and is past it.
func (s *Service) Sweep(ctx context.Context) error {
	_, err := s.Store.ForgetKeys(ctx, s.now().Add(-IdempotencyWindow))
	return err
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(Precision) }

var errWatermark = fault(Forbidden, "/removeWatermark", "the organization may not remove the watermark")

// fingerprint tells drafts apart by what they ask for, not by how it was spelled.
func fingerprint(d Draft) [sha256.Size]byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // a Draft has nothing that JSON cannot say
	}
	return sha256.Sum256(b)
}
