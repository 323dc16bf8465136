package client

import "time"

// State is what a link is good for at an instant.
type State string

// The states of a link.
const (
	Active    State = "ACTIVE"
	Disabled  State = "DISABLED"  // switched off
	Expired   State = "EXPIRED"   // from ExpiresAt on
	Exhausted State = "EXHAUSTED" // opened as often as UsageLimit allows
)

// Status returns the state of a link at an instant, as far as its fields tell. Where several hold it is the first of
// Disabled, Expired and Exhausted, the order in which the server checks.
func Status(link ShareLink, now time.Time) State {
	switch {
	case !link.Enabled:
		return Disabled
	case link.ExpiresAt != nil && !now.Before(*link.ExpiresAt):
		return Expired
	case link.UsageLimit != nil && link.UsageCount >= *link.UsageLimit:
		return Exhausted
	}
	return Active
}
