package store

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// recent remembers what was found a moment ago, because nearly every request asks for the same keys and personas. What was
// not found is asked for again: a new key works at once.
type recent[K comparable, V any] struct {
	lasts   time.Duration // 0: nothing is remembered
	entries *lru.Cache[K, remembered[V]]

	mu      sync.Mutex
	changes int // how often what is remembered may have changed
}

type remembered[V any] struct {
	value V
	until time.Time
}

// maxRecent bounds how many values are remembered. Those that were used last stay.
const maxRecent = 4096

func newRecent[K comparable, V any](lasts time.Duration) *recent[K, V] {
	entries, err := lru.New[K, remembered[V]](maxRecent)
	if err != nil {
		panic(err) // the size is positive
	}
	return &recent[K, V]{lasts: lasts, entries: entries}
}

// get returns what is remembered, or else finds it.
func (r *recent[K, V]) get(key K, find func() (V, error)) (V, error) {
	if r.lasts == 0 {
		return find()
	}
	if e, ok := r.entries.Get(key); ok && time.Now().Before(e.until) {
		return e.value, nil
	}
	r.mu.Lock()
	before := r.changes
	r.mu.Unlock()
	until := time.Now().Add(r.lasts)
	value, err := find()
	if err != nil {
		return value, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes == before { // or what was found may be from before the change
		r.entries.Add(key, remembered[V]{value, until})
	}
	return value, nil
}

// forget forgets everything. It is called after a change, before its caller learns of it.
func (r *recent[K, V]) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	r.entries.Purge()
}
