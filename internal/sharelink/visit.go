package sharelink

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/api"
)

// Visit is one recorded attempt to open a link. It holds no more of the visitor than it takes to see where opens come from
// and why they fail.
type Visit struct {
	ID             uuid.UUID // UUIDv7 of At: ids sort as the visits happened
	LinkID         uuid.UUID
	OrganizationID uuid.UUID
	At             time.Time
	Outcome        Outcome
	Pending        bool   // whether a use was spent and it is not yet known, or not yet written, whether a session was made
	Origin         string // canonical; "null", "invalid" or, for a call without one, ""
	Client         string // see ClientFamily
	Address        string // see CoarseAddress
}

// Erasure is how many visits of a link were erased.
type Erasure struct {
	Removed int // visits that are gone
	Pending int // visits that are pending, of which nothing of the visitor is left
}

// Visitor is what is known of the caller who opens a link.
type Visitor struct {
	Origin    string     // the Origin header as it came, "" when there was none
	OwnOrigin string     // the server's own origin
	UserAgent string     // the User-Agent header
	Address   netip.Addr // may be invalid, for unknown
}

// NewVisit returns the visit of a visitor to the link. It is Opened until its outcome is changed.
func NewVisit(id uuid.UUID, link Link, visitor Visitor, at time.Time) Visit {
	return Visit{
		ID: id, LinkID: link.ID, OrganizationID: link.OrganizationID, At: at, Outcome: Opened,
		Origin:  visitOrigin(visitor.Origin),
		Client:  ClientFamily(visitor.UserAgent),
		Address: CoarseAddress(visitor.Address),
	}
}

// Outcome is what became of an attempt to open a link. Opened and UpstreamTimeout spend a use, the others do not.
type Outcome = api.VisitOutcome

// The outcomes beside those that are a status of the link.
const (
	Opened          = api.VisitOutcomeOpened          // also while the session is being made
	OriginRefused   = api.VisitOutcomeOriginRefused   // the site may not embed the link
	UpstreamRefused = api.VisitOutcomeUpstreamRefused // no session was made; the use was given back
	UpstreamTimeout = api.VisitOutcomeUpstreamTimeout // it is not known whether a session was made; the use stays spent
)

// OutcomeOf returns the outcome of an attempt to open a link of this status.
func OutcomeOf(s Status) Outcome {
	switch s {
	case Active:
		return Opened
	case Disabled:
		return api.VisitOutcomeDisabled
	case Expired:
		return api.VisitOutcomeExpired
	case Exhausted:
		return api.VisitOutcomeExhausted
	}
	panic("no outcome for the status " + s)
}

// Session is the right to talk to a persona for a while.
type Session struct {
	Token     string // the credential
	ExpiresAt time.Time
}

// clientFamilies are the marks in a user agent of each family of browsers, in the order in which to look: a browser names
// those that it descends from too.
var clientFamilies = []struct {
	family string
	marks  []string
}{
	{"bot", []string{"bot", "crawler", "spider", "facebookexternalhit", "preview"}},
	{"Edge", []string{"edg/", "edga/", "edgios/"}},
	{"Opera", []string{"opr/", "opera"}},
	{"Samsung Internet", []string{"samsungbrowser/"}},
	{"Firefox", []string{"firefox/", "fxios/"}},
	{"Chrome", []string{"crios/", "chrome/", "chromium/"}},
	{"Safari", []string{"safari/"}},
}

// ClientFamily returns the family of browsers that a User-Agent header speaks of, such as "Firefox": "bot" for those that say
// that they are none, "other" for any other, "" for no header. It is for statistics; nothing may depend on it.
func ClientFamily(userAgent string) string {
	if userAgent == "" {
		return ""
	}
	lower := strings.ToLower(userAgent[:min(len(userAgent), 512)])
	for _, f := range clientFamilies {
		if slices.ContainsFunc(f.marks, func(mark string) bool { return strings.Contains(lower, mark) }) {
			return f.family
		}
	}
	return "other"
}

// CoarseAddress returns the network that an address is in, /24 of IPv4 and /48 of IPv6, "" when it is not valid. That is
// what a visit keeps: enough to tell offices apart, too little to tell people apart.
func CoarseAddress(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	network, err := a.Prefix(bits)
	if err != nil || !network.IsValid() {
		return ""
	}
	return network.String()
}

// visitOrigin is how a visit keeps an Origin header, and how links are asked about it. What is not an origin is not kept: it
// can be anything.
func visitOrigin(header string) string {
	if header == "" || header == "null" {
		return header
	}
	origin, err := ParseOrigin(header)
	if err != nil {
		return "invalid"
	}
	return origin
}
