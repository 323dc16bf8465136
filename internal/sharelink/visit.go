package sharelink

import (
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Visit is what became of one try to open a link. It holds no more of the visitor than it takes to see where openings come
// from and what stands in their way.
type Visit struct {
	ID             uuid.UUID // UUIDv7 of At: ids sort as the visits happened
	LinkID         uuid.UUID
	OrganizationID uuid.UUID
	At             time.Time
	Outcome        Outcome
	Origin         string // canonical; "null", "invalid" or, for a call without one, ""
	Client         string // see ClientFamily
	Address        string // see CoarseAddress
}

// Outcome is what became of a try to open a link. The values are the contract's.
type Outcome string

// The outcomes. A use is spent by those of Opened and UpstreamTimeout, and by no other.
const (
	Opened          Outcome = "OPENED"           // also while the session is being made: a crash then costs the use
	RefusedDisabled Outcome = "DISABLED"         // the link was disabled
	RefusedExpired  Outcome = "EXPIRED"          // the link had expired
	RefusedUsedUp   Outcome = "EXHAUSTED"        // the link was used up
	RefusedOrigin   Outcome = "ORIGIN_REFUSED"   // the site may not embed the link
	UpstreamRefused Outcome = "UPSTREAM_REFUSED" // no session was made; the use was given back
	UpstreamTimeout Outcome = "UPSTREAM_TIMEOUT" // nobody knows whether a session was made; the use stays spent
)

// OutcomeOf is what becomes of a try to open a link of this status.
func OutcomeOf(s Status) Outcome {
	if s == Active {
		return Opened
	}
	return Outcome(s)
}

// VisitPage is one page of visits, newest first, and how many there are on all pages.
type VisitPage struct {
	Visits []Visit
	Total  int
}

// clientFamilies are the marks by which a user agent is known, in the order in which to look: a browser names those that
// it descends from too.
var clientFamilies = []struct{ mark, family string }{
	{"bot", "bot"},
	{"crawler", "bot"},
	{"spider", "bot"},
	{"facebookexternalhit", "bot"},
	{"preview", "bot"},
	{"edg/", "Edge"},
	{"edga/", "Edge"},
	{"edgios/", "Edge"},
	{"opr/", "Opera"},
	{"opera", "Opera"},
	{"samsungbrowser/", "Samsung Internet"},
	{"firefox/", "Firefox"},
	{"fxios/", "Firefox"},
	{"crios/", "Chrome"},
	{"chrome/", "Chrome"},
	{"chromium/", "Chrome"},
	{"safari/", "Safari"},
}

// ClientFamily returns the family of browsers that a User-Agent header speaks of, as "Firefox": "bot" for those that say
// that they are none, "other" for any other, "" for no header. It is for statistics; nothing may depend on it.
func ClientFamily(userAgent string) string {
	if userAgent == "" {
		return ""
	}
	lower := strings.ToLower(userAgent[:min(len(userAgent), 512)])
	for _, f := range clientFamilies {
		if strings.Contains(lower, f.mark) {
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

// visitOrigin is how a visit keeps an Origin header. What is not an origin is not kept: it can be anything, of any length.
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
