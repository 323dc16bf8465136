package server

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// limitOpens stands in front of an open. An open that is refused here is not recorded as a visit. No limit holds up one
// visitor for what another did: an address waits for its own opens only, a link for more opens than one address can make,
// and unknown tokens are counted apart, so that a hundred people with an expired link, or one with a script beside them,
// do not keep anybody from opening a good one.
func (s *Server) limitOpens(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		a, now := admissionOf(c.Request().Context()), s.now()
		if wait := s.opensByAddress.take(network(a.visitor.Address), now); wait > 0 {
			return rateLimited("too many opens from this address", wait)
		}
		if wait := s.opensByLink.take(a.link.ID, now); wait > 0 {
			return rateLimited("too many opens of this link", wait)
		}
		return next(c)
	}
}

func rateLimited(what string, wait time.Duration) error {
	return &sharelink.Error{Code: sharelink.RateLimited, Detail: what + "; wait for as long as Retry-After says", RetryAfter: wait}
}

// maxBuckets bounds how many buckets of a kind there are. The least recently used one goes first; it is the one most likely
// to be full again, and then nothing is lost with it.
const maxBuckets = 1 << 16

// buckets holds a token bucket for each key.
type buckets[K comparable] struct {
	perSecond float64 // 0 is no limit
	burst     int
	mu        sync.Mutex
	byKey     *lru.LRU[K, *rate.Limiter]
}

func newBuckets[K comparable](perSecond float64, burst int) *buckets[K] {
	byKey, err := lru.NewLRU[K, *rate.Limiter](maxBuckets, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &buckets[K]{perSecond: perSecond, burst: max(1, burst), byKey: byKey}
}

// take takes one from the key's bucket and returns 0, or how long until there is one.
func (b *buckets[K]) take(key K, now time.Time) time.Duration {
	if b.perSecond == 0 {
		return 0
	}
	b.mu.Lock()
	limiter, ok := b.byKey.Get(key)
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(b.perSecond), b.burst)
		b.byKey.Add(key, limiter)
	}
	b.mu.Unlock()
	r := limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}
