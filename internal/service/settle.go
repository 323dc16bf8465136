package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	settleTimeout = 5 * time.Second // of one try, for which a visitor waits
	settlePause   = time.Second     // between the tries that nobody waits for
	abandonAfter  = time.Minute     // longer than a session takes to be made and a visit to be settled
)

// settlement is what is to be written of a visit, once it is known what became of it.
type settlement struct {
	visit   sharelink.Visit
	outcome sharelink.Outcome
}

// unsettled are the settlements that could not be written yet.
type unsettled struct {
	mu  sync.Mutex
	all []settlement
}

// settle writes what became of a visit. What cannot be written now is tried again until it is written, by KeepSettling.
func (s *Service) settle(ctx context.Context, v settlement) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if _, err := s.options.Store.Settle(ctx, v.visit, v.outcome); err != nil {
		s.unsettled.mu.Lock()
		s.unsettled.all = append(s.unsettled.all, v)
		s.unsettled.mu.Unlock()
		return fmt.Errorf("settle the visit: %w", err)
	}
	return nil
}

// KeepSettling settles the visits that could not be settled at once, and once a minute those that a crash left, until ctx ends.
// Then it tries once more, and returns an error for each of those that remain.
func (s *Service) KeepSettling(ctx context.Context) error {
	tick := time.NewTicker(settlePause)
	defer tick.Stop()
	abandon := time.NewTicker(abandonAfter)
	defer abandon.Stop()
	for {
		select {
		case <-tick.C:
			_ = s.settleRest(ctx) // it is tried again
		case <-abandon.C:
			// It is tried again too. Servers of the same database may do it all at once.
			_, _ = s.options.Store.Abandon(ctx, s.instant().Add(-abandonAfter))
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
			defer cancel()
			return s.settleRest(last)
		}
	}
}

// settleRest tries each of the settlements that remain.
func (s *Service) settleRest(ctx context.Context) error {
	s.unsettled.mu.Lock()
	rest := s.unsettled.all
	s.unsettled.all = nil
	s.unsettled.mu.Unlock()
	var errs []error
	for _, v := range rest {
		errs = append(errs, s.settle(ctx, v))
	}
	return errors.Join(errs...)
}
