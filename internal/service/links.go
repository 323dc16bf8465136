package service

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// IdempotencyWindow is how long a create under an idempotency key is kept.
const IdempotencyWindow = 24 * time.Hour

// Create is a request to create a link.
type Create struct {
	PersonaID uuid.UUID
	Terms     sharelink.Change // to the contract's defaults
	// Under an IdempotencyKey, "" for none, a repeat with the same Fingerprint within IdempotencyWindow returns the first
	// link again.
	IdempotencyKey string
	Fingerprint    [sha256.Size]byte
}

// CreateLink creates a link to one of the organization's personas.
//
// Errors: Invalid for an origin that is none, NotFound for the persona, Forbidden for the watermark, KeyReused, Unavailable.
func (s *Service) CreateLink(ctx context.Context, org sharelink.Organization, c Create) (sharelink.Link, error) {
	change, err := c.Terms.Canonical()
	if err != nil {
		return sharelink.Link{}, err
	}
	now := s.instant()
	var idempotency *sharelink.Idempotency
	if c.IdempotencyKey != "" {
		idempotency = &sharelink.Idempotency{Key: c.IdempotencyKey, Request: c.Fingerprint, CreatedAt: now, ValidFrom: now.Add(-IdempotencyWindow)}
		// Before the persona and the watermark: a repeat gets the first answer, whatever has changed since.
		if link, err := s.options.Store.Replay(ctx, org.ID, *idempotency); sharelink.CodeOf(err) != sharelink.NotFound {
			return link, err
		}
	}
	persona, err := s.options.Personas.Persona(ctx, org.ID, c.PersonaID)
	if err != nil {
		return sharelink.Link{}, err
	}
	terms := change.Apply(sharelink.DefaultTerms(now), now)
	if terms.RemoveWatermark && !org.WatermarkRemoval {
		return sharelink.Link{}, errWatermark
	}
	return s.options.Store.CreateLink(ctx, sharelink.Link{
		ID: s.options.NewID(now), Token: s.options.NewToken(), CreatedAt: now,
		PersonaID: c.PersonaID, PersonaName: persona.Name, OrganizationID: org.ID,
		Terms: terms,
	}, idempotency)
}

// Links returns one page of the organization's links. Error: Unavailable.
func (s *Service) Links(ctx context.Context, organization uuid.UUID, f sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	f.Search = strings.TrimSpace(f.Search)
	return s.options.Store.Links(ctx, organization, f)
}

// UpdateLink applies a change to one of the organization's links.
//
// Errors: Invalid for an origin that is none, Forbidden for the watermark, NotFound, Unavailable.
func (s *Service) UpdateLink(ctx context.Context, org sharelink.Organization, id uuid.UUID, change sharelink.Change) (sharelink.Link, error) {
	change, err := change.Canonical()
	if err != nil {
		return sharelink.Link{}, err
	}
	if change.RemoveWatermark != nil && *change.RemoveWatermark && !org.WatermarkRemoval {
		// A link that does not exist is a NotFound, whatever the change.
		if _, err := s.options.Store.Link(ctx, org.ID, id); err != nil {
			return sharelink.Link{}, err
		}
		return sharelink.Link{}, errWatermark
	}
	return s.options.Store.UpdateLink(ctx, org.ID, id, change, s.instant())
}

var errWatermark = sharelink.FieldError(sharelink.Forbidden, "/removeWatermark", "the organization may not remove the watermark")
