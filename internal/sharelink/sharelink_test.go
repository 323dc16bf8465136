package sharelink

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

var day = time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)

func TestHours(t *testing.T) {
	t.Parallel()
	for h, want := range map[float64]time.Duration{
		168:        168 * time.Hour,
		0.001:      3600 * time.Millisecond,
		1.0 / 3:    20 * time.Minute,
		87600:      87600 * time.Hour,
		1e-300:     time.Millisecond,
		1.4e-7:     time.Millisecond,
		4.2e-7:     2 * time.Millisecond,
		0.5 + 1e-9: 30 * time.Minute,
	} {
		if got := Hours(h); got != want {
			t.Errorf("%v h: %v, want %v", h, got, want)
		}
	}
}

func TestIDsSortAsTheirInstants(t *testing.T) {
	t.Parallel()
	last := ""
	for _, at := range []time.Time{time.UnixMilli(0), day, day.Add(time.Millisecond), day.Add(1000 * time.Hour)} {
		id, err := NewID(at)
		if err != nil {
			t.Fatal(err)
		}
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 || id.String() <= last {
			t.Errorf("%v: %v, version %d, after %s", at, id, id.Version(), last)
		}
		if sec, nsec := id.Time().UnixTime(); time.Unix(sec, nsec).UnixMilli() != at.UnixMilli() {
			t.Errorf("%v: the id says %v", at, time.Unix(sec, nsec))
		}
		last = id.String()
	}
	a, _ := NewID(day)
	b, _ := NewID(day)
	if a == b {
		t.Error("two ids of one instant are the same")
	}
}

func TestTokensAndKeys(t *testing.T) {
	t.Parallel()
	if len(alphabet) != 58 || strings.ContainsAny(alphabet, "0OIl") {
		t.Errorf("alphabet %q", alphabet)
	}
	seen := map[string]bool{}
	for range 1000 {
		token, err := NewToken()
		if err != nil || seen[token] || !regexp.MustCompile(`^sh_[1-9A-HJ-NP-Za-km-z]{21}$`).MatchString(token) {
			t.Fatalf("%q, %v", token, err)
		}
		seen[token] = true
	}
	key, err := NewSecret()
	if err != nil || !regexp.MustCompile(`^ak_[1-9A-HJ-NP-Za-km-z]{40}$`).MatchString(key) {
		t.Errorf("%v", err)
	}
	if p := VisiblePrefix(key); len(p) != 11 || !strings.HasPrefix(key, p) {
		t.Errorf("prefix %q", p)
	}
	if VisiblePrefix("ak") != "ak" {
		t.Error("a short text lost something")
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ total, perPage, last int }{{0, 20, 0}, {1, 20, 1}, {20, 20, 1}, {21, 20, 2}, {100, 1, 100}} {
		if got := LastPage(c.total, c.perPage); got != c.last {
			t.Errorf("%d by %d: last page %d, want %d", c.total, c.perPage, got, c.last)
		}
	}
	if got := (Filter{Page: 2147483647, PerPage: 100}).Offset(); got != 214748364600 {
		t.Errorf("offset %d", got)
	}
}

// remembering is a store that keeps what it is asked to create, and whose other methods nobody calls.
type remembering struct {
	Store
	created Link
	key     *Idempotency
}

func (r *remembering) CreateLink(_ context.Context, l Link, key *Idempotency) (Link, error) {
	r.created, r.key = l, key
	return l, nil
}

func (r *remembering) Replay(context.Context, uuid.UUID, Idempotency) (Link, error) {
	return Link{}, &Error{Code: NotFound}
}

type onePersona struct{}

func (onePersona) Persona(_ context.Context, organization, id uuid.UUID) (Persona, error) {
	if id != uuid.Nil {
		return Persona{}, fault(NotFound, "/personaId", "no")
	}
	return Persona{ID: id, OrganizationID: organization, Name: "Cara"}, nil
}

func TestCreateMakesALinkOfTheDraft(t *testing.T) {
	t.Parallel()
	store := &remembering{}
	id := uuid.MustParse("019daa55-2500-73e6-bede-75f926d0d51e")
	s := &Service{
		Store: store, Personas: onePersona{},
		Now:      func() time.Time { return day.Add(1234567 * time.Nanosecond).In(time.FixedZone("", 3600)) },
		NewID:    func(at time.Time) (uuid.UUID, error) { return id, nil },
		NewToken: func() (string, error) { return "sh_2kL9pQxYzR4vN8mBwHfJc", nil },
	}
	org := Organization{ID: uuid.MustParse("22222222-2222-2222-2222-222222222222")}
	now := day.Add(time.Millisecond) // UTC, at the precision of the wire

	d := NewDraft(uuid.Nil)
	d.AllowedOrigins = []string{"https://B.example", "https://a.example", "https://b.example:443"}
	if _, err := s.Create(t.Context(), org, d, ""); err != nil {
		t.Fatal(err)
	}
	want := Link{
		ID: id, Token: "sh_2kL9pQxYzR4vN8mBwHfJc", Type: "LINK", ExpiresAt: now.Add(168 * time.Hour), UsageLimit: 10,
		AllowedOrigins: []string{"https://b.example", "https://a.example"}, Enabled: true, CreatedAt: now,
		PersonaName: "Cara", OrganizationID: org.ID,
	}
	if diff := cmp.Diff(want, store.created); diff != "" || store.key != nil {
		t.Error(diff, store.key)
	}

	d.ExpiresIn, d.UsageLimit = 0, 0
	if _, err := s.Create(t.Context(), org, d, "key"); err != nil {
		t.Fatal(err)
	}
	if !store.created.ExpiresAt.IsZero() || store.created.UsageLimit != 0 {
		t.Errorf("%+v", store.created)
	}
	if k := store.key; k == nil || k.Key != "key" || !k.CreatedAt.Equal(now) || !k.ValidFrom.Equal(now.Add(-24*time.Hour)) {
		t.Errorf("%+v", k)
	}
	first := store.key.Request
	d.AllowedOrigins = []string{"https://b.example", "https://a.example"}
	if _, err := s.Create(t.Context(), org, d, "key"); err != nil || store.key.Request != first {
		t.Errorf("another spelling is another request: %v", err)
	}
	d.IsPrimary = true
	if _, err := s.Create(t.Context(), org, d, "key"); err != nil || store.key.Request == first {
		t.Errorf("another request has the same fingerprint: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	s := NewService(&remembering{}, onePersona{})
	for name, c := range map[string]struct {
		change  func(*Draft)
		code    Code
		pointer string
	}{
		"persona":   {func(d *Draft) { d.PersonaID[0] = 1 }, NotFound, "/personaId"},
		"watermark": {func(d *Draft) { d.RemoveWatermark = true }, Forbidden, "/removeWatermark"},
		"origin":    {func(d *Draft) { d.AllowedOrigins = []string{"https://ok.example", "*"} }, Invalid, "/allowedOrigins/1"},
	} {
		d := NewDraft(uuid.Nil)
		c.change(&d)
		_, err := s.Create(t.Context(), Organization{}, d, "")
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || len(e.Faults) != 1 || e.Faults[0].Pointer != c.pointer {
			t.Errorf("%s: %+v", name, err)
		}
	}
	d := NewDraft(uuid.Nil)
	d.RemoveWatermark = true
	if _, err := s.Create(t.Context(), Organization{WatermarkRemoval: true}, d, ""); err != nil {
		t.Error(err)
	}
	s.NewToken = func() (string, error) { return "", errors.New("no randomness") }
	if _, err := s.Create(t.Context(), Organization{}, NewDraft(uuid.Nil), ""); err == nil || CodeOf(err) != "" {
		t.Errorf("without randomness: %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{" Cara ": "Cara", "Ærø": "Ærø", strings.Repeat("é", 100): strings.Repeat("é", 100)} {
		if got, err := cleanName(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "  ", "a\nb", "a\x00b", "\xff", strings.Repeat("é", 101)} {
		if got, err := cleanName(in); CodeOf(err) != Invalid {
			t.Errorf("%q was accepted as %q: %v", in, got, err)
		}
	}
}

func TestErrorsSayTheirCauseOnlyInTheLog(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial failed")
	e := &Error{Code: Unavailable, Detail: "the store is not available", Err: cause}
	if !errors.Is(e, cause) || e.Error() != "the store is not available: dial failed" || CodeOf(e) != Unavailable || CodeOf(cause) != "" {
		t.Error(e)
	}
	if got := fault(NotFound, "/x", "gone").Error(); got != "gone" {
		t.Error(got)
	}
	many := &Error{Detail: "bad", Faults: []Fault{{Pointer: "/a", Detail: "is wrong", Hint: "try b"}}}
	if got := many.Error(); got != "bad; /a: is wrong (try b)" {
		t.Error(got)
	}
}
