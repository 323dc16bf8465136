// Package memstore is a sharelink.Store in memory, for a server whose data may be lost with it. A list is read by going
// through all that there is: it is made for thousands of links, not for millions.
package memstore

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Store is a sharelink.Store. It is safe for concurrent use.
type Store struct {
	memory *memory
	closed atomic.Bool
}

type memory struct {
	mu   sync.Mutex
	data Data
}

var _ sharelink.Store = (*Store)(nil)

// Data is all that a store has.
type Data struct {
	organizations map[uuid.UUID]sharelink.Organization
	personas      map[idOf]sharelink.Persona
	keys          map[sharelink.Hash]sharelink.Key
	links         map[string]sharelink.Link // by token
	linkTokens    map[idOf]string
	byAge         []string // tokens of links, oldest first, ties by id
	repeats       map[repeatKey]repeat
	visits        map[uuid.UUID]sharelink.Visit
	signingKeys   []sharelink.SigningKey // by number
}

// idOf is an id that is unique within an organization.
type idOf struct{ organization, id uuid.UUID }

type repeatKey struct {
	organization uuid.UUID
	key          string
}

// repeat is what an idempotency key keeps.
type repeat struct {
	key  sharelink.Idempotency
	link sharelink.Link
}

// New returns a store with nothing in it.
func New() *Store {
	return &Store{memory: &memory{data: Data{
		organizations: map[uuid.UUID]sharelink.Organization{},
		personas:      map[idOf]sharelink.Persona{},
		keys:          map[sharelink.Hash]sharelink.Key{},
		links:         map[string]sharelink.Link{},
		linkTokens:    map[idOf]string{},
		repeats:       map[repeatKey]repeat{},
		visits:        map[uuid.UUID]sharelink.Visit{},
	}}}
}

// Data returns a copy of what the store has.
func (s *Store) Data() Data {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return s.memory.data.clone()
}

// SetData replaces what the store has by a copy of the data.
func (s *Store) SetData(d Data) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.data = d.clone()
}

// clone copies the maps. What they hold is replaced as a whole, never changed in place.
func (d Data) clone() Data {
	d.organizations = maps.Clone(d.organizations)
	d.personas = maps.Clone(d.personas)
	d.keys = maps.Clone(d.keys)
	d.links = maps.Clone(d.links)
	d.linkTokens = maps.Clone(d.linkTokens)
	d.byAge = slices.Clone(d.byAge)
	d.repeats = maps.Clone(d.repeats)
	d.visits = maps.Clone(d.visits)
	return d
}

// alone runs an operation while no other runs.
func alone[T any](ctx context.Context, s *Store, operation func(d *Data) (T, error)) (T, error) {
	if err := ctx.Err(); err != nil {
		return *new(T), err
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	if s.closed.Load() {
		return *new(T), &sharelink.Error{Code: sharelink.Unavailable, Detail: "the store is not available", RetryAfter: time.Second}
	}
	return operation(&s.memory.data)
}

// do is alone for an operation that returns nothing.
func do(ctx context.Context, s *Store, operation func(d *Data) error) error {
	_, err := alone(ctx, s, func(d *Data) (struct{}, error) { return struct{}{}, operation(d) })
	return err
}

func notFound(detail string) error { return &sharelink.Error{Code: sharelink.NotFound, Detail: detail} }

func conflict(detail string) error { return &sharelink.Error{Code: sharelink.Conflict, Detail: detail} }

// Ping implements sharelink.Store.
func (s *Store) Ping(ctx context.Context) error { return do(ctx, s, func(*Data) error { return nil }) }

// Close implements sharelink.Store.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}

// place returns where a link of this instant and id stands in byAge, and whether it is there.
func (d *Data) place(link sharelink.Link) (int, bool) {
	return slices.BinarySearchFunc(d.byAge, link, func(token string, link sharelink.Link) int {
		other := d.links[token]
		return cmp.Or(other.CreatedAt.Compare(link.CreatedAt), bytes.Compare(other.ID[:], link.ID[:]))
	})
}
