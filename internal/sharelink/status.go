package sharelink

import "time"

// Status is whether a link can be opened at an instant, and if not, why. The values are the contract's.
type Status string

// The statuses. When several reasons hold the first of these is told: who disabled a link wants to hear that, and an
// expiry is final where a limit may be raised.
const (
	Active    Status = "ACTIVE"
	Disabled  Status = "DISABLED"
	Expired   Status = "EXPIRED" // from ExpiresAt on, that instant included
	Exhausted Status = "EXHAUSTED"
)

// StatusAt returns the link's status at an instant. What it answers may be over a moment later: only VisitStore.Spend
// decides.
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
