package anam

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/sony/gobreaker/v2"
)

// What a call can come to.
func works(context.Context) (reply, error)   { return reply{status: 200}, nil }
func breaks(context.Context) (reply, error)  { return reply{status: 500}, nil }
func refuses(context.Context) (reply, error) { return reply{status: 402}, nil }
func noWay(context.Context) (reply, error)   { return reply{}, errUnsent }

func hangs(ctx context.Context) (reply, error) {
	<-ctx.Done()
	return reply{}, ctx.Err()
}

// ask makes a call of at most 10 s, as a visitor's is.
func ask(l *lane, id uuid.UUID, send func(context.Context) (reply, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := l.call(ctx, id, send)
	return err
}

func person(n int) uuid.UUID { return uuid.UUID{15: byte(n)} }

// bubble runs a subtest on a fake clock.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// Who opens links to a bad persona, however often and many at a time, takes no good one from anybody.
func TestOnePersonaFailsAlone(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(context.Context) (reply, error){"5xx": breaks, "no reply": hangs} {
		bubble(t, name, func(t *testing.T) {
			l := newLane(8)
			for range 20 { // one a second, the breaker's probes among them
				_ = ask(l, person(1), bad)
				time.Sleep(time.Second)
				if err := ask(l, person(2), works); err != nil {
					t.Fatalf("another persona: %v", err)
				}
			}
			for range 20 {
				_ = ask(l, person(1), bad)
			}
			if err := ask(l, person(1), works); !errors.Is(err, gobreaker.ErrOpenState) {
				t.Errorf("the bad one: %v", err)
			}
			if err := ask(l, person(2), works); err != nil {
				t.Errorf("another persona: %v", err)
			}
			time.Sleep(breakFor + time.Second)
			if err := ask(l, person(1), works); err != nil {
				t.Errorf("when it is well again: %v", err)
			}
		})
	}
}

func TestAnamFailsForAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bad      func(context.Context) (reply, error)
		personas int
		opens    bool
	}{
		"no connection":                    {noWay, 1, true},
		"no reply to several":              {hangs, breakAfter, true},
		"no reply to too few":              {hangs, breakAfter - 1, false},
		"5xx":                              {breaks, breakAfter, false}, // each for itself
		"refusals, which are Anam's right": {refuses, 1, false},
	} {
		bubble(t, name, func(t *testing.T) {
			l := newLane(8)
			for i := range breakAfter * 3 {
				_ = ask(l, person(i%c.personas), c.bad)
			}
			sent := false
			err := ask(l, person(99), func(ctx context.Context) (reply, error) {
				sent = true
				return works(ctx)
			})
			if errors.Is(err, gobreaker.ErrOpenState) != c.opens || sent == c.opens {
				t.Errorf("then another persona: %v, sent %v", err, sent)
			}
			time.Sleep(breakFor + time.Second)
			if err := ask(l, person(99), works); err != nil {
				t.Errorf("when Anam is well again: %v", err)
			}
		})
	}
}

// That there was no connection is not held against a persona.
func TestNoConnectionIsNoPersonasFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLane(8)
		for range breakAfter - 1 {
			_ = ask(l, person(1), noWay)
		}
		_ = ask(l, person(1), breaks)
		if err := ask(l, person(1), works); err != nil {
			t.Error(err)
		}
	})
}

// The call that tries an open breaker decides within probeTimeout, and one that is not to the end decides nothing.
func TestProbe(t *testing.T) {
	t.Parallel()
	open := func() *lane {
		l := newLane(8)
		for range breakAfter {
			_ = ask(l, person(1), noWay)
		}
		time.Sleep(breakFor + time.Second)
		return l
	}
	bubble(t, "hangs", func(t *testing.T) {
		l := open()
		var group sync.WaitGroup
		group.Go(func() { _ = ask(l, person(1), hangs) })
		synctest.Wait()
		began := time.Now()
		if err := ask(l, person(2), works); !errors.Is(err, gobreaker.ErrTooManyRequests) || time.Since(began) != 0 {
			t.Errorf("during the probe: %v after %v", err, time.Since(began))
		}
		group.Wait()
		if took := time.Since(began); took != probeTimeout {
			t.Errorf("the probe took %v", took)
		}
		if err := ask(l, person(2), works); !errors.Is(err, gobreaker.ErrOpenState) {
			t.Errorf("after the probe: %v", err)
		}
		time.Sleep(breakFor + time.Second)
		if err := ask(l, person(2), works); err != nil {
			t.Errorf("the next probe: %v", err)
		}
	})
	bubble(t, "hangs for one that did before", func(t *testing.T) {
		l := newLane(8)
		for i := range breakAfter {
			_ = ask(l, person(i), hangs)
		}
		time.Sleep(breakFor + time.Second)
		_ = ask(l, person(1), hangs)
		if err := ask(l, person(2), works); !errors.Is(err, gobreaker.ErrOpenState) {
			t.Errorf("after the probe: %v", err)
		}
	})
	bubble(t, "hung up", func(t *testing.T) {
		l := open()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.call(ctx, person(1), hangs); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := ask(l, person(2), works); err != nil {
			t.Errorf("the next: %v", err)
		}
	})
}

// One persona has at most half of the slots, whatever is waited for.
func TestSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLane(8)
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() { _ = ask(l, person(1), hangs) })
		}
		synctest.Wait()
		began := time.Now()
		if err := ask(l, person(2), works); err != nil || time.Since(began) != 0 {
			t.Errorf("another persona: %v after %v", err, time.Since(began))
		}
		if err := ask(l, person(1), works); !errors.Is(err, errBusy) || time.Since(began) != maxQueueWait {
			t.Errorf("the same persona: %v after %v", err, time.Since(began))
		}
		group.Wait()
		for i := range 8 {
			group.Go(func() { _ = ask(l, person(10+i), hangs) })
		}
		synctest.Wait()
		if err := ask(l, person(2), works); !errors.Is(err, errBusy) {
			t.Errorf("when all slots are taken: %v", err)
		}
		group.Wait()
	})
}

// A reply is passed on as it is, also one that counts as a failure.
func TestRepliesPass(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusPaymentRequired, http.StatusBadGateway} {
		r, err := newLane(8).call(t.Context(), person(1), func(context.Context) (reply, error) { return reply{status: status}, nil })
		if err != nil || r.status != status {
			t.Error(fmt.Sprint(r, err))
		}
	}
}
