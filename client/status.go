package client

import "time"

// Status returns the status of a link at an instant, as far as its fields tell. If several apply, it is the first of
// Disabled, Expired and Exhausted, which is the order in which the server checks.
func Status(link ShareLink, now time.Time) ShareLinkStatus {
	switch {
	case !link.Enabled:
		return Disabled
	case link.ExpiresAt != nil && !now.Before(link.ExpiresAt.Time):
		return Expired
	case link.UsageLimit != nil && link.UsageCount >= *link.UsageLimit:
		return Exhausted
	}
	return Active
}
