package server

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// maxBuckets bounds how many buckets of a kind there are. The one that was not asked for the longest goes first; it is
// the one most likely to be full again, and then nothing is forgotten with it.
const maxBuckets = 1 << 16

// buckets holds a token bucket for each key. Each has its own, so that nobody is held up by another's.
type buckets[K comparable] struct {
	perSecond float64 // 0 is no limit
	burst     int
	mu        sync.Mutex
	of        *lru.LRU[K, *rate.Limiter]
}

func newBuckets[K comparable](perSecond float64, burst int) *buckets[K] {
	of, err := lru.NewLRU[K, *rate.Limiter](maxBuckets, nil)
	if err != nil {
		panic(err) // of a size that is not positive
	}
	return &buckets[K]{perSecond: perSecond, burst: max(1, burst), of: of}
}

// take takes one from the key's bucket and returns 0, or how long until there is one.
func (b *buckets[K]) take(key K, now time.Time) time.Duration {
	if b.perSecond == 0 {
		return 0
	}
	b.mu.Lock()
	limiter, ok := b.of.Get(key)
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(b.perSecond), b.burst)
		b.of.Add(key, limiter)
	}
	b.mu.Unlock()
	r := limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}
