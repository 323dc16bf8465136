package anam

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/sony/gobreaker/v2"
)

const (
	maxQueueWait = 2 * time.Second  // of a call for its place among those in flight
	breakAfter   = 5                // consecutive failures open a breaker
	breakFor     = 10 * time.Second // how long it stays open
	probeTimeout = 3 * time.Second  // of the one call that then tries: until it is decided, all others fail at once
)

// errBusy is returned when no slot frees up within maxQueueWait.
var errBusy = errors.New("too many calls to Anam are in flight")

// neverSent returns whether an error means that the request never left.
func neverSent(err error) bool {
	return errors.Is(err, errUnsent) || errors.Is(err, errBusy) ||
		errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

// lane is how calls of one kind go to Anam: so many at a time, and none while they would fail. It tells what one persona
// does from what Anam does, so that who has a bad persona does not take the good ones from everybody.
type lane struct {
	slots    chan struct{}
	anam     *breaker // opens when there is no connection, and when calls for several personas have no reply
	personas *lru.Cache[uuid.UUID, *persona]

	mu         sync.Mutex
	unanswered map[uuid.UUID]bool // personas for whom a call had no reply, since any call had one
}

type breaker = gobreaker.CircuitBreaker[reply]

// persona is what a lane knows of the calls for one persona.
type persona struct {
	slots   chan struct{} // half of the lane's: however long these calls take, others get through
	breaker *breaker      // opens when they have no reply, or one of 5xx
}

func newLane(slots int) *lane {
	personas, err := lru.New[uuid.UUID, *persona](maxPersonas)
	if err != nil {
		panic(err) // the size is positive
	}
	l := &lane{slots: make(chan struct{}, slots), personas: personas, unanswered: map[uuid.UUID]bool{}}
	l.anam = newBreaker(gobreaker.Settings{
		// To answer 5xx Anam must be there.
		IsSuccessful:  func(err error) bool { return err == nil || is[failedReply](err) },
		IsExcluded:    func(err error) bool { return saysNothing(err) || is[failureAgain](err) },
		OnStateChange: func(string, gobreaker.State, gobreaker.State) { l.answered() },
	})
	return l
}

func newBreaker(s gobreaker.Settings) *breaker {
	s.Timeout = breakFor
	s.ReadyToTrip = func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter }
	return gobreaker.NewCircuitBreaker[reply](s)
}

// saysNothing tells whether an error says nothing of Anam: the caller hung up, or had to wait for others.
func saysNothing(err error) bool { return errors.Is(err, context.Canceled) || errors.Is(err, errBusy) }

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// failedReply is a reply that counts as a failure of the persona.
type failedReply struct{ reply }

func (f failedReply) Error() string { return f.problem().Error() }

// failureAgain is a call without a reply for a persona that had one before. It counts for the persona only: Anam fails when
// several personas do.
type failureAgain struct{ error }

func (f failureAgain) Unwrap() error { return f.error }

// call sends a request for a persona once, or twice if the first never left. Consecutive failures open a breaker: then
// calls fail at once instead of waiting for what is dead.
func (l *lane) call(ctx context.Context, id uuid.UUID, send func(context.Context) (reply, error)) (reply, error) {
	p := l.persona(id)
	r, err := p.breaker.Execute(func() (reply, error) {
		return l.anam.Execute(func() (reply, error) {
			for _, slots := range []chan struct{}{p.slots, l.slots} {
				if !take(ctx, slots) {
					return reply{}, errors.Join(errBusy, ctx.Err())
				}
				defer func() { <-slots }()
			}
			if l.anam.State() == gobreaker.StateHalfOpen || p.breaker.State() == gobreaker.StateHalfOpen {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, probeTimeout)
				defer cancel()
			}
			r, err := send(ctx)
			if errors.Is(err, errUnsent) && ctx.Err() == nil {
				r, err = send(ctx)
			}
			return r, l.judge(id, r, err)
		})
	})
	if failed, ok := errors.AsType[failedReply](err); ok {
		return failed.reply, nil
	}
	return r, err
}

// persona returns what is known of a persona, nothing at first.
func (l *lane) persona(id uuid.UUID) *persona {
	if p, ok := l.personas.Get(id); ok {
		return p
	}
	p := &persona{slots: make(chan struct{}, cap(l.slots)/2), breaker: newBreaker(gobreaker.Settings{
		IsExcluded: func(err error) bool { return saysNothing(err) || neverSent(err) },
	})}
	if known, ok, _ := l.personas.PeekOrAdd(id, p); ok {
		return known
	}
	return p
}

// take takes a slot, if one frees up in time.
func take(ctx context.Context, slots chan struct{}) bool {
	queue, cancel := context.WithTimeout(ctx, maxQueueWait)
	defer cancel()
	select {
	case slots <- struct{}{}:
		return true
	case <-queue.Done():
		return false
	}
}

// judge returns the error of a call as the breakers count it.
func (l *lane) judge(id uuid.UUID, r reply, err error) error {
	switch {
	case err == nil:
		l.answered()
		if r.status >= 500 {
			return failedReply{r}
		}
		return nil
	case errors.Is(err, errUnsent) || saysNothing(err):
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unanswered[id] {
		return failureAgain{err}
	}
	l.unanswered[id] = true
	return err
}

// answered forgets for whom calls had no reply.
func (l *lane) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.unanswered)
}
