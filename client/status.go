package client

import (
	"time"

	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// State is what a link is good for at an instant.
type State = wire.ShareLinkStatus

// The states of a link.
const (
	Active    State = wire.ShareLinkStatusActive
	Disabled  State = wire.ShareLinkStatusDisabled  // switched off
	Expired   State = wire.ShareLinkStatusExpired   // from ExpiresAt on
	Exhausted State = wire.ShareLinkStatusExhausted // opened as often as UsageLimit allows
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
