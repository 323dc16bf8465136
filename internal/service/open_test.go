package service

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

var day = time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)

// oneLink is a store of one link, that answers as it is told: what the service asks of it is tested.
type oneLink struct {
	sharelink.Store // nil: what is not below is not asked for
	link            sharelink.Link
	status          sharelink.Status // what Spend decides
	fails           error            // of everything that writes
	visits          []sharelink.Visit
	settled         []sharelink.Outcome
	ctx             context.Context // of the last Settle
}

func (s *oneLink) LinkByToken(_ context.Context, token string) (sharelink.Link, error) {
	if token != s.link.Token {
		return sharelink.Link{}, &sharelink.Error{Code: sharelink.NotFound}
	}
	return s.link, nil
}

func (s *oneLink) Spend(_ context.Context, token string, v sharelink.Visit) (sharelink.Link, sharelink.Status, error) {
	if s.fails != nil {
		return sharelink.Link{}, "", s.fails
	}
	s.visits = append(s.visits, v)
	return s.link, s.status, nil
}

func (s *oneLink) AddVisit(_ context.Context, v sharelink.Visit) error {
	s.visits = append(s.visits, v)
	return s.fails
}

func (s *oneLink) Settle(ctx context.Context, _ sharelink.Visit, o sharelink.Outcome) (bool, error) {
	s.settled, s.ctx = append(s.settled, o), ctx
	return true, s.fails
}

// answering makes sessions that answer this, unless the context ended.
type answering struct {
	session sharelink.Session
	err     error
}

func (a answering) Session(ctx context.Context, _ sharelink.Link, _ sharelink.Visit) (sharelink.Session, error) {
	if ctx.Err() != nil {
		return sharelink.Session{}, ctx.Err()
	}
	return a.session, a.err
}

func TestOpen(t *testing.T) {
	t.Parallel()
	link := sharelink.Link{ID: uuid.New(), Token: "sh_2kL9pQxYzR4vN8mBwHfJc", Terms: sharelink.Terms{Enabled: true, UsageLimit: 1, AllowedOrigins: []string{"https://shop.example"}}}
	session := sharelink.Session{Token: "a-session", ExpiresAt: day.Add(time.Hour)}
	visitor := sharelink.Visitor{Origin: "https://SHOP.example", OwnOrigin: "https://links.example.com", UserAgent: "Firefox/1", Address: netip.MustParseAddr("192.0.2.9")}
	for name, c := range map[string]struct {
		change  func(*sharelink.Link, *sharelink.Visitor)
		decides sharelink.Status // by Spend; "" is sharelink.Active
		local   bool             // whether sessions are made without asking anybody
		made    error            // by the sessions
		want    sharelink.Code
		visit   sharelink.Outcome // of the visit that was given to the store
		settled sharelink.Outcome
		counted sharelink.Outcome
	}{
		"opened":            {visit: sharelink.Opened, settled: sharelink.Opened, counted: sharelink.Opened},
		"opened here":       {local: true, visit: sharelink.Opened, counted: sharelink.Opened},
		"disabled":          {change: func(l *sharelink.Link, _ *sharelink.Visitor) { l.Enabled = false }, want: sharelink.LinkDisabled, visit: api.VisitOutcomeDisabled, counted: api.VisitOutcomeDisabled},
		"expired":           {change: func(l *sharelink.Link, _ *sharelink.Visitor) { l.ExpiresAt = day }, want: sharelink.LinkExpired, visit: api.VisitOutcomeExpired, counted: api.VisitOutcomeExpired},
		"used up":           {change: func(l *sharelink.Link, _ *sharelink.Visitor) { l.UsageCount = 1 }, want: sharelink.LinkExhausted, visit: api.VisitOutcomeExhausted, counted: api.VisitOutcomeExhausted},
		"wrong site":        {change: func(_ *sharelink.Link, v *sharelink.Visitor) { v.Origin = "null" }, want: sharelink.OriginNotAllowed, visit: sharelink.OriginRefused, counted: sharelink.OriginRefused},
		"used up meanwhile": {decides: sharelink.Exhausted, want: sharelink.LinkExhausted, visit: sharelink.Opened, counted: api.VisitOutcomeExhausted},
		"expired meanwhile": {decides: sharelink.Expired, want: sharelink.LinkExpired, visit: sharelink.Opened, counted: api.VisitOutcomeExpired},
		"refused":           {made: &sharelink.Error{Code: sharelink.PersonaRefused}, want: sharelink.PersonaRefused, visit: sharelink.Opened, settled: sharelink.UpstreamRefused, counted: sharelink.UpstreamRefused},
		"unavailable":       {made: &sharelink.Error{Code: sharelink.PersonaUnavailable}, want: sharelink.PersonaUnavailable, visit: sharelink.Opened, settled: sharelink.UpstreamRefused, counted: sharelink.UpstreamRefused},
		"timed out":         {made: &sharelink.Error{Code: sharelink.PersonaTimeout}, want: sharelink.PersonaTimeout, visit: sharelink.Opened, settled: sharelink.UpstreamTimeout, counted: sharelink.UpstreamTimeout},
		"deadline":          {made: context.DeadlineExceeded, want: sharelink.PersonaTimeout, visit: sharelink.Opened, settled: sharelink.UpstreamTimeout, counted: sharelink.UpstreamTimeout},
		"failed otherwise":  {made: errors.New("?"), want: sharelink.PersonaTimeout, visit: sharelink.Opened, settled: sharelink.UpstreamTimeout, counted: sharelink.UpstreamTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			link, visitor := link, visitor
			if c.change != nil {
				c.change(&link, &visitor)
			}
			store := &oneLink{link: link, status: sharelink.Active}
			if c.decides != "" {
				store.status = c.decides
			}
			var counted []sharelink.Outcome
			s := New(Options{
				Store: store, Sessions: answering{session: session, err: c.made}, LocalSessions: c.local, Now: func() time.Time { return day },
				Observe: func(o sharelink.Outcome) { counted = append(counted, o) },
			})
			ctx, leave := context.WithCancel(t.Context())
			leave() // a visitor who leaves does not keep a use from being settled
			_, got, err := s.Open(ctx, link, visitor)
			if sharelink.CodeOf(err) != c.want || (err == nil) != (c.want == "") {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			if err == nil && got != session {
				t.Errorf("session is %v", got)
			}
			want := sharelink.Visit{LinkID: link.ID, At: day, Outcome: c.visit, Pending: c.visit == sharelink.Opened && !c.local, Origin: "https://shop.example", Client: "Firefox", Address: "192.0.2.0/24"}
			if visitor.Origin == "null" {
				want.Origin = "null"
			}
			if len(store.visits) == 1 {
				want.ID = store.visits[0].ID
			}
			if diff := cmp.Diff([]sharelink.Visit{want}, store.visits); diff != "" {
				t.Errorf("visits (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]sharelink.Outcome{c.counted}, counted); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
			if c.settled == "" && store.settled != nil || c.settled != "" && (len(store.settled) != 1 || store.settled[0] != c.settled) {
				t.Errorf("settled %v, want %q", store.settled, c.settled)
			}
		})
	}
}

// A refusal stands when it cannot be recorded, and keeps the reason for the log.
func TestOpenLogsWhatTheStoreCouldNot(t *testing.T) {
	t.Parallel()
	down := errors.New("the disk is full")
	link := sharelink.Link{Token: "sh_x"}
	s := New(Options{Store: &oneLink{link: link, fails: down}, Sessions: answering{}})
	if _, _, err := s.Open(t.Context(), link, sharelink.Visitor{}); sharelink.CodeOf(err) != sharelink.LinkDisabled || !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
	link.Enabled = true
	if _, _, err := s.Open(t.Context(), link, sharelink.Visitor{}); !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
}

// A use that cannot be given back at once is given back later, and until then nobody is told that it was.
func TestSettleLater(t *testing.T) {
	t.Parallel()
	for name, stopped := range map[string]bool{"while serving": false, "at the stop": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &busyStore{oneLink: oneLink{link: sharelink.Link{Token: "sh_x", Terms: sharelink.Terms{Enabled: true}}, status: sharelink.Active}}
				store.busy.Store(true)
				refusing := answering{err: &sharelink.Error{Code: sharelink.PersonaRefused, Detail: "no use was spent"}}
				s := New(Options{Store: store, Sessions: refusing})
				ctx, stop := context.WithCancel(t.Context())
				kept := make(chan error, 1)
				go func() { kept <- s.KeepSettling(ctx) }()
				_, _, err := s.Open(t.Context(), store.link, sharelink.Visitor{})
				if failure := (*sharelink.Error)(nil); !errors.As(err, &failure) || failure.Code != sharelink.PersonaRefused || !strings.Contains(failure.Detail, "not given back yet") {
					t.Errorf("error is %v", err)
				}
				time.Sleep(time.Minute) // of the bubble: tried in vain
				synctest.Wait()
				if age := time.Since(store.abandoned); age != abandonAfter {
					t.Errorf("visits older than %v are abandoned", age)
				}
				if n := len(store.settled); n != 0 {
					t.Errorf("settled %d times", n)
				}
				store.busy.Store(false)
				if !stopped {
					time.Sleep(settlePause)
				}
				stop()
				if err := <-kept; err != nil || len(store.settled) != 1 || store.settled[0] != sharelink.UpstreamRefused {
					t.Errorf("settled %v, error %v", store.settled, err)
				}
			})
		})
	}
}

// busyStore is a store of one link that settles nothing while it is busy.
type busyStore struct {
	oneLink
	busy      atomic.Bool
	abandoned time.Time // before which visits were abandoned the last time
}

func (s *busyStore) Abandon(_ context.Context, before time.Time) (int, error) {
	s.abandoned = before
	return 0, nil
}

func (s *busyStore) Settle(ctx context.Context, v sharelink.Visit, o sharelink.Outcome) (bool, error) {
	if s.busy.Load() {
		return false, &sharelink.Error{Code: sharelink.Unavailable}
	}
	return s.oneLink.Settle(ctx, v, o)
}

func TestLinkByToken(t *testing.T) {
	t.Parallel()
	s := New(Options{Store: &oneLink{link: sharelink.Link{Token: "sh_x"}}})
	if link, status, err := s.LinkByToken(t.Context(), "sh_x"); err != nil || link.Token != "sh_x" || status != sharelink.Disabled {
		t.Errorf("%v, %v, %v", link, status, err)
	}
	for _, token := range []string{"", "sh_y", strings.Repeat("x", 10<<10)} {
		if _, _, err := s.LinkByToken(t.Context(), token); sharelink.CodeOf(err) != sharelink.LinkNotFound {
			t.Errorf("%.20q: %v", token, err)
		}
	}
}
