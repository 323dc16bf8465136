package sharelink

import (
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Type is the kind of a share link. The contract's ShareLinkType lists the values; the domain gives meaning to none.
type Type string

// Link is a share link to a persona.
type Link struct {
	ID              uuid.UUID // UUIDv7 of CreatedAt: ids sort as their links were created
	Token           string    // the credential of whoever opens the link
	Type            Type
	ExpiresAt       time.Time // the first instant at which it no longer works; zero: never expires
	UsageLimit      int       // how often it can be opened, 1..2147483647; 0: without limit
	UsageCount      int       // how often it was opened
	AllowedOrigins  []string  // canonical origins that may embed it; ignored with AllowAllOrigins
	AllowAllOrigins bool
	RemoveWatermark bool
	Enabled         bool
	IsPrimary       bool // at most one of a persona's links
	CreatedAt       time.Time
	PersonaID       uuid.UUID
	PersonaName     string // as it was when the link was created
	OrganizationID  uuid.UUID
}

// Draft is what a new link is to be. Start from NewDraft, which has the contract's defaults.
type Draft struct {
	PersonaID       uuid.UUID
	Type            Type
	ExpiresIn       time.Duration // from now; 0: never expires
	UsageLimit      int           // 0: without limit
	AllowedOrigins  []string      // in any spelling; see ParseOrigin
	AllowAllOrigins bool
	RemoveWatermark bool
	Enabled         bool
	IsPrimary       bool
}

// NewDraft returns the draft of a link for which nothing but the persona is said.
func NewDraft(persona uuid.UUID) Draft {
	return Draft{
		PersonaID:      persona,
		Type:           "LINK",
		ExpiresIn:      168 * time.Hour,
		UsageLimit:     10,
		AllowedOrigins: []string{},
		Enabled:        true,
	}
}

// Change is what is to become of a link. What is nil stays as it is.
type Change struct {
	Type            *Type
	ExpiresIn       *time.Duration // from now; 0: never expires
	UsageLimit      *int           // 0: without limit; may be below the link's UsageCount
	AllowedOrigins  *[]string      // in any spelling; see ParseOrigin
	AllowAllOrigins *bool
	RemoveWatermark *bool
	Enabled         *bool
	IsPrimary       *bool
}

// Precision is the finest time that the wire can say. Links are kept at it, so that what is answered is what is stored.
const Precision = time.Millisecond

// Hours turns a number of hours, above 0 and at most 87600, into a duration of whole milliseconds. The smallest answer is
// one millisecond: a link is never born expired because its lifetime was rounded away.
func Hours(h float64) time.Duration {
	ms := math.Round(h * float64(time.Hour/Precision))
	return time.Duration(max(ms, 1)) * Precision
}

// expiry returns the instant at which a link that is to live this long from now expires, zero for never.
func expiry(now time.Time, in time.Duration) time.Time {
	if in == 0 {
		return time.Time{}
	}
	return now.Add(in)
}

// canonicalOrigins returns the origins in canonical form, each once, in the order given. The error lists every fault.
func canonicalOrigins(origins []string) ([]string, error) {
	canonical := make([]string, 0, len(origins))
	var faults []Fault
	for i, o := range origins {
		c, err := ParseOrigin(o)
		if err != nil {
			faults = append(faults, originFault(i, err))
			continue
		}
		if !slices.Contains(canonical, c) {
			canonical = append(canonical, c)
		}
	}
	if faults != nil {
		return nil, &Error{Code: Invalid, Detail: "an allowed origin is not an origin", Faults: faults}
	}
	return canonical, nil
}
