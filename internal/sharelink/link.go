// Package sharelink is the domain: what a share link is, which rules hold for it, and what is asked of a store that keeps
// it. It knows no HTTP and no SQL. Its words for kinds, statuses and outcomes are those of the contract.
package sharelink

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/api"
)

// Type is the kind of a share link.
type Type = api.ShareLinkType

// Link is a share link to a persona. The JSON names are those under which a store keeps the answer to an idempotent create.
type Link struct {
	ID             uuid.UUID `json:"id"`    // UUIDv7 of CreatedAt: ids sort as their links were created
	Token          string    `json:"token"` // the credential of a visitor
	UsageCount     int       `json:"usage_count"`
	CreatedAt      time.Time `json:"created_at"`
	PersonaID      uuid.UUID `json:"persona_id"`
	PersonaName    string    `json:"persona_name"` // as it was when the link was created
	OrganizationID uuid.UUID `json:"organization_id"`
	Terms
}

// Terms are what the organization decides about a link, and can change.
type Terms struct {
	Type            Type      `json:"type"`
	ExpiresAt       time.Time `json:"expires_at"`      // the first instant at which it no longer works; zero: never expires
	UsageLimit      int       `json:"usage_limit"`     // how often it can be opened, 1..2147483647; 0: without limit
	AllowedOrigins  []string  `json:"allowed_origins"` // canonical origins that may embed it; ignored with AllowAllOrigins
	AllowAllOrigins bool      `json:"allow_all_origins"`
	RemoveWatermark bool      `json:"remove_watermark"`
	Enabled         bool      `json:"enabled"`
	IsPrimary       bool      `json:"is_primary"` // at most one of a persona's links
	Label           string    `json:"label"`      // what tells it from others, at most 80 characters; "" for none
}

// Change is what to do to the terms of a link. A field that is nil leaves them as they are.
type Change struct {
	Type            *Type
	ExpiresIn       *time.Duration // from now; 0: never expires
	UsageLimit      *int           // 0: without limit; may be below the link's UsageCount
	AllowedOrigins  *[]string      // in any spelling before Canonical
	AllowAllOrigins *bool
	RemoveWatermark *bool
	Enabled         *bool
	IsPrimary       *bool
	Label           *string // with white space around it before Canonical
}

// DefaultTerms returns the contract's defaults for a link that is created now.
func DefaultTerms(now time.Time) Terms {
	return Terms{
		Type:           api.ShareLinkTypeLink,
		ExpiresAt:      now.Add(168 * time.Hour),
		UsageLimit:     10,
		AllowedOrigins: []string{},
		Enabled:        true,
	}
}

// Apply returns the terms after the change.
func (c Change) Apply(t Terms, now time.Time) Terms {
	if c.ExpiresIn != nil {
		t.ExpiresAt = time.Time{}
		if *c.ExpiresIn != 0 {
			t.ExpiresAt = now.Add(*c.ExpiresIn)
		}
	}
	set(&t.Type, c.Type)
	set(&t.UsageLimit, c.UsageLimit)
	set(&t.AllowedOrigins, c.AllowedOrigins)
	set(&t.AllowAllOrigins, c.AllowAllOrigins)
	set(&t.RemoveWatermark, c.RemoveWatermark)
	set(&t.Enabled, c.Enabled)
	set(&t.IsPrimary, c.IsPrimary)
	set(&t.Label, c.Label)
	return t
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// Canonical returns the change with its label without white space around it, and its origins in canonical form, each once, in
// the order given. The error is Invalid and lists every origin that is none.
func (c Change) Canonical() (Change, error) {
	if c.Label != nil {
		c.Label = new(strings.TrimSpace(*c.Label))
	}
	if c.AllowedOrigins == nil {
		return c, nil
	}
	canonical := []string{}
	var violations []Violation
	for i, text := range *c.AllowedOrigins {
		origin, err := parseAllowed(text)
		if e, ok := errors.AsType[*OriginError](err); ok {
			violations = append(violations, Violation{Pointer: "/allowedOrigins/" + strconv.Itoa(i), Detail: e.detail, Hint: e.hint})
		} else if !slices.Contains(canonical, origin) {
			canonical = append(canonical, origin)
		}
	}
	if violations != nil {
		return Change{}, &Error{Code: Invalid, Detail: "an allowed origin is not an origin", Violations: violations}
	}
	c.AllowedOrigins = &canonical
	return c, nil
}

// Precision is the finest time that the wire can say. Instants are kept at it, so that what is answered is what is stored.
const Precision = time.Millisecond

// Hours turns a number of hours, above 0 and at most 87600, into a duration of whole milliseconds. The smallest result is
// one millisecond: a link is never created expired because its lifetime was rounded away.
func Hours(h float64) time.Duration {
	ms := math.Round(h * float64(time.Hour/Precision))
	return time.Duration(max(ms, 1)) * Precision
}

// Status is whether a link can be opened at an instant, and if not, why.
type Status = api.ShareLinkStatus

// The statuses.
const (
	Active    = api.ShareLinkStatusActive
	Disabled  = api.ShareLinkStatusDisabled
	Expired   = api.ShareLinkStatusExpired // from ExpiresAt on, that instant included
	Exhausted = api.ShareLinkStatusExhausted
)

// StatusAt returns the link's status at an instant. When several reasons hold it is the first of Disabled, Expired and
// Exhausted. It may be over a moment later: only Store.Spend decides.
func (l Link) StatusAt(now time.Time) Status {
	switch {
	case !l.Enabled:
		return Disabled
	case !l.ExpiresAt.IsZero() && !now.Before(l.ExpiresAt):
		return Expired
	case l.UsageLimit != 0 && l.UsageCount >= l.UsageLimit:
		return Exhausted
	}
	return Active
}

// AllowsOrigin returns whether a call from this origin, canonical as a browser sends it, may open the link, on a server
// whose own origin is own. A call without one, "", comes from no browser: a native client is allowed. So is the server's
// own origin, where its pages are. "null", a context without an origin, is in no list and passes only where all do.
func (l Link) AllowsOrigin(origin, own string) bool {
	return origin == "" || l.AllowAllOrigins || origin == own || slices.Contains(l.AllowedOrigins, origin)
}

// Filter picks links of one organization. Its zero value, with a page, picks all.
type Filter struct {
	PersonaID uuid.NullUUID // only links to this persona
	Search    string        // part of a label or of a persona's name in any case, the beginning of a token, or an id; "" is no filter
	Paging
}

// Paging picks one page of a list.
type Paging struct {
	Page    int // from 1
	PerPage int // 1..100
}

// DefaultPaging returns the contract's defaults.
func DefaultPaging() Paging { return Paging{Page: 1, PerPage: 20} }

// Offset returns how many items stand before the page. It does not overflow.
func (p Paging) Offset() int64 {
	before, perPage := int64(max(p.Page, 1)-1), int64(max(p.PerPage, 1))
	if before > math.MaxInt64/perPage {
		return math.MaxInt64
	}
	return before * perPage
}

// LastPage returns the number of the last page of a list of this many items, 0 when there are none.
func (p Paging) LastPage(total int) int { return (total + p.PerPage - 1) / p.PerPage }

// Page is one page of a list and how many items are on all pages. Links and visits stand newest first, ties by id; personas as
// SortPersonas sorts them.
type Page[T any] struct {
	Items []T
	Total int
}

// PageOf returns one page of a list of which all is there.
func PageOf[T any](all []T, p Paging) Page[T] {
	total := int64(len(all))
	from := min(p.Offset(), total)
	return Page[T]{Items: all[from:min(from+int64(p.PerPage), total)], Total: len(all)}
}

// ParseID reads an id as ids are written here: 36 characters, unlike the other forms of a UUID that uuid.Parse takes.
func ParseID(text string) (id uuid.UUID, ok bool) {
	id, err := uuid.Parse(text)
	return id, err == nil && len(text) == len(id.String())
}

// Fold returns a text in the one case in which labels and personas' names are searched. A store keeps the folded text beside
// the text, because SQL's own lower() knows only ASCII on one engine and a locale on another.
func Fold(s string) string { return strings.ToLower(s) }
