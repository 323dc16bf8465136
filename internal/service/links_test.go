package service

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// recordingStore keeps what it is asked to create, and has one persona.
type recordingStore struct {
	sharelink.Store // nil: its other methods are not called
	created         sharelink.Link
	key             *sharelink.Idempotency
}

func (r *recordingStore) CreateLink(_ context.Context, l sharelink.Link, key *sharelink.Idempotency) (sharelink.Link, error) {
	r.created, r.key = l, key
	return l, nil
}

func (r *recordingStore) Replay(context.Context, uuid.UUID, sharelink.Idempotency) (sharelink.Link, error) {
	return sharelink.Link{}, &sharelink.Error{Code: sharelink.NotFound}
}

func (r *recordingStore) Persona(_ context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	if id != uuid.Nil {
		return sharelink.Persona{}, &sharelink.Error{Code: sharelink.NotFound}
	}
	return sharelink.Persona{ID: id, OrganizationID: organization, Name: "Cara"}, nil
}

func TestCreateLink(t *testing.T) {
	t.Parallel()
	store := &recordingStore{}
	id := uuid.MustParse("019daa55-2500-73e6-bede-75f926d0d51e")
	s := New(Options{
		Store:    store,
		Now:      func() time.Time { return day.Add(1234567 * time.Nanosecond).In(time.FixedZone("", 3600)) },
		NewID:    func(time.Time) uuid.UUID { return id },
		NewToken: func() string { return "sh_2kL9pQxYzR4vN8mBwHfJc" },
	})
	org := sharelink.Organization{ID: uuid.MustParse("22222222-2222-2222-2222-222222222222")}
	now := day.Add(time.Millisecond) // UTC, at the precision of the wire

	_, err := s.CreateLink(t.Context(), org, Create{Terms: sharelink.Change{
		AllowedOrigins: &[]string{"https://B.example", "https://a.example", "https://b.example:443"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := sharelink.Link{
		ID: id, Token: "sh_2kL9pQxYzR4vN8mBwHfJc", CreatedAt: now, PersonaName: "Cara", OrganizationID: org.ID,
		Terms: sharelink.Terms{
			Type: api.ShareLinkTypeLink, ExpiresAt: now.Add(168 * time.Hour), UsageLimit: 10,
			AllowedOrigins: []string{"https://b.example", "https://a.example"}, Enabled: true,
		},
	}
	if diff := cmp.Diff(want, store.created); diff != "" || store.key != nil {
		t.Error(diff, store.key)
	}

	never, unlimited, fingerprint := time.Duration(0), 0, [32]byte{1}
	_, err = s.CreateLink(t.Context(), org, Create{
		Terms: sharelink.Change{ExpiresIn: &never, UsageLimit: &unlimited}, IdempotencyKey: "key", Fingerprint: fingerprint,
	})
	if err != nil || !store.created.ExpiresAt.IsZero() || store.created.UsageLimit != 0 {
		t.Errorf("%+v, %v", store.created, err)
	}
	wantKey := &sharelink.Idempotency{Key: "key", Request: fingerprint, CreatedAt: now, ValidFrom: now.Add(-24 * time.Hour)}
	if diff := cmp.Diff(wantKey, store.key); diff != "" {
		t.Error(diff)
	}
}

func TestCreateLinkRefuses(t *testing.T) {
	t.Parallel()
	s := New(Options{Store: &recordingStore{}})
	watermark := Create{Terms: sharelink.Change{RemoveWatermark: new(true)}}
	for name, c := range map[string]struct {
		create  Create
		code    sharelink.Code
		pointer string
	}{
		"persona":   {Create{PersonaID: uuid.Max}, sharelink.NotFound, "/personaId"},
		"watermark": {watermark, sharelink.Forbidden, "/removeWatermark"},
		"origin":    {Create{Terms: sharelink.Change{AllowedOrigins: &[]string{"https://ok.example", "*"}}}, sharelink.Invalid, "/allowedOrigins/1"},
	} {
		_, err := s.CreateLink(t.Context(), sharelink.Organization{}, c.create)
		e, ok := errors.AsType[*sharelink.Error](err)
		if !ok || e.Code != c.code || len(e.Violations) != 1 || e.Violations[0].Pointer != c.pointer {
			t.Errorf("%s: %+v", name, err)
		}
	}
	if _, err := s.CreateLink(t.Context(), sharelink.Organization{WatermarkRemoval: true}, watermark); err != nil {
		t.Error(err)
	}
}
