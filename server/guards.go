package server

import (
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// guards keep visitors from asking for more than is good. None of them holds up one visitor for what another did: an
// address can be behind by its own opens only, a link only by more opens than one address can make, and tokens that
// nobody has are counted for themselves, so that a hundred people with an expired link, or one with a script beside them,
// keep nobody from opening a good one.
type guards struct {
	opensByAddress   *buckets[netip.Prefix]
	opensByLink      *buckets[uuid.UUID]
	unknownByAddress *buckets[netip.Prefix]
}

func newGuards(c Config) *guards {
	return &guards{
		opensByAddress:   newBuckets[netip.Prefix](c.OpenRate, c.OpenBurst),
		opensByLink:      newBuckets[uuid.UUID](c.LinkOpenRate, c.LinkOpenBurst),
		unknownByAddress: newBuckets[netip.Prefix](c.UnknownTokenRate, c.UnknownTokenBurst),
	}
}

// unknownToken is what the visitor who came with a token that nobody has is told: so, or, after too many of them, to wait.
func (g *guards) unknownToken(visitor sharelink.Visitor, notFound error, now time.Time) error {
	if wait := g.unknownByAddress.take(neighbourhood(visitor.Address), now); wait > 0 {
		return rateLimited("too many links that do not exist; wait for as long as Retry-After says", wait)
	}
	return notFound
}

// limitOpens stands in front of an open. An open that is refused here is not counted as a visit.
func (s *Server) limitOpens(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		k, now := callOf(c), s.visits.opening.Now()
		if wait := s.guards.opensByAddress.take(neighbourhood(k.visitor.Address), now); wait > 0 {
			return rateLimited("too many opens from this address; wait for as long as Retry-After says", wait)
		}
		if wait := s.guards.opensByLink.take(k.link.ID, now); wait > 0 {
			return rateLimited("too many opens of this link; wait for as long as Retry-After says", wait)
		}
		return next(c)
	}
}

func rateLimited(detail string, wait time.Duration) error {
	return &problem{kind: kindRateLimited, detail: detail, retryAfter: wait}
}
