package store

import (
	"context"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

// turns bounds how much of the store one organization can occupy, so that the others find room whatever it asks for. Those
// that are beyond the bound wait for their turn, first come, first served.
type turns struct {
	each int64 // of an organization at a time

	mu    sync.Mutex
	lines map[uuid.UUID]*line
}

// line has the turns of one organization.
type line struct {
	*semaphore.Weighted
	users int // who have or want a turn: without any the line is forgotten
}

func newTurns(each int) *turns {
	return &turns{each: int64(max(each, 1)), lines: map[uuid.UUID]*line{}}
}

// run does something when it is the turn of the organization. uuid.Nil stands for the store's own work, which is not bounded.
func (t *turns) run(ctx context.Context, organization uuid.UUID, do func() error) error {
	if organization == uuid.Nil {
		return do()
	}
	l := t.join(organization)
	defer t.leave(organization, l)
	if err := l.Acquire(ctx, 1); err != nil {
		return err
	}
	defer l.Release(1)
	return do()
}

func (t *turns) join(organization uuid.UUID) *line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[organization]
	if l == nil {
		l = &line{Weighted: semaphore.NewWeighted(t.each)}
		t.lines[organization] = l
	}
	l.users++
	return l
}

func (t *turns) leave(organization uuid.UUID, l *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(t.lines, organization)
	}
}
