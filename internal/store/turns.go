package store

import (
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// turns bounds how much of the store one organization can occupy, so that the others find room whatever it asks for. Those
// that are beyond the bound wait for their turn, first come, first served.
type turns struct {
	each int // of an organization at a time

	mu    sync.Mutex
	lines map[uuid.UUID]*line // of those that have or want a turn
}

type line struct {
	having  int
	waiting []chan struct{} // closed when it is the waiter's turn
}

func newTurns(each int) *turns {
	return &turns{each: max(each, 1), lines: map[uuid.UUID]*line{}}
}

// run does something when it is the turn of the organization. uuid.Nil stands for the store's own work, which is not bounded.
func (t *turns) run(ctx context.Context, organization uuid.UUID, do func() error) error {
	if organization == uuid.Nil {
		return do()
	}
	if err := t.take(ctx, organization); err != nil {
		return err
	}
	defer t.done(organization)
	return do()
}

// take waits for a turn. It ends with done, which is to be called unless there is an error.
func (t *turns) take(ctx context.Context, organization uuid.UUID) error {
	t.mu.Lock()
	l := t.lines[organization]
	if l == nil {
		l = &line{}
		t.lines[organization] = l
	}
	if l.having < t.each {
		l.having++
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(l.waiting, turn)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 { // it was given at the same time
		t.done(organization)
	}
	return ctx.Err()
}

// done ends a turn and gives it to who waits the longest.
func (t *turns) done(organization uuid.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[organization]
	if len(l.waiting) > 0 {
		close(l.waiting[0])
		l.waiting = slices.Delete(l.waiting, 0, 1)
		return
	}
	if l.having--; l.having == 0 {
		delete(t.lines, organization)
	}
}
