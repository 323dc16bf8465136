package sharelink

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestStatusTellsTheFirstReason(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		link Link
		want Status
	}{
		"active":                   {Link{Enabled: true, UsageLimit: 2, UsageCount: 1, ExpiresAt: day.Add(time.Millisecond)}, Active},
		"never expires, unlimited": {Link{Enabled: true, UsageCount: 1 << 40}, Active},
		"expires this instant":     {Link{Enabled: true, ExpiresAt: day}, Expired},
		"expired":                  {Link{Enabled: true, ExpiresAt: day.Add(-time.Millisecond)}, Expired},
		"used up":                  {Link{Enabled: true, UsageLimit: 2, UsageCount: 2}, Exhausted},
		"over its limit":           {Link{Enabled: true, UsageLimit: 2, UsageCount: 3}, Exhausted},
		"disabled":                 {Link{}, Disabled},
		"expired and used up":      {Link{Enabled: true, UsageLimit: 2, UsageCount: 2, ExpiresAt: day}, Expired},
		"all three":                {Link{UsageLimit: 2, UsageCount: 2, ExpiresAt: day}, Disabled},
	} {
		if got := c.link.StatusAt(day); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestAllowsOrigin(t *testing.T) {
	t.Parallel()
	const own = "https://links.example.com"
	listed := Link{AllowedOrigins: []string{"https://shop.example", "http://localhost:3000", "https://xn--mnchen-3ya.example"}}
	for origin, want := range map[string]bool{
		"":                              true, // a native client
		own:                             true,
		"HTTPS://Links.Example.com:443": true,
		"https://shop.example":          true,
		"https://SHOP.example:443":      true,
		"http://localhost:3000":         true,
		"https://münchen.example":       true,
		"null":                          false,
		"*":                             false,
		"http://shop.example":           false,
		"https://shop.example:8443":     false,
		"https://shop.example.":         false,
		"https://shop.example.evil":     false,
		"https://evil-shop.example":     false,
		"https://sub.shop.example":      false,
		"https://user@shop.example":     false,
		"https://shop.example@evil":     false,
		"https://shop.example/":         false,
		"https://shop.example, https://shop.example": false,
		"http://localhost":                           false,
		"http://localhost:3000.evil":                 false,
		"javascript://shop.example":                  false,
		"shop.example":                               false,
	} {
		if got := listed.AllowsOrigin(origin, own); got != want {
			t.Errorf("%q: %v, want %v", origin, got, want)
		}
		if !(Link{AllowAllOrigins: true}).AllowsOrigin(origin, own) {
			t.Errorf("%q is not among all origins", origin)
		}
		if got := (Link{}).AllowsOrigin(origin, own); got && origin != "" && !strings.EqualFold(strings.TrimSuffix(origin, ":443"), own) {
			t.Errorf("%q may open a link that lists nothing", origin)
		}
	}
}

func TestClientFamily(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"":           "",
		"curl/8.5.0": "other",
		"Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0":                                                          "Firefox",
		"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                             "Chrome",
		"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":               "Edge",
		"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/120.0":                   "Opera",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/604.1":       "Safari",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile Safari/604.1": "Chrome",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/140.0.0.0 Safari/537.36":                         "bot",
		"facebookexternalhit/1.1":              "bot",
		strings.Repeat("x", 600) + "Firefox/1": "other",
	} {
		if got := ClientFamily(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}

func TestCoarseAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.123":           "192.0.2.0/24",
		"::ffff:192.0.2.123":    "192.0.2.0/24",
		"2001:db8:1234:5678::9": "2001:db8:1234::/48",
		"fe80::1%eth0":          "fe80::/48",
		"::1":                   "::/48",
	} {
		if got := CoarseAddress(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := CoarseAddress(netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
}

// oneLink is a store of one link, without a limit or a mind of its own: what the service asks of it is what is tested.
type oneLink struct {
	VisitStore // nil: what is not below is not asked for
	link       Link
	status     Status // what Spend decides
	fails      error  // of everything that writes
	visits     []Visit
	settled    []Outcome
	ctx        context.Context // of the last Settle
}

func (s *oneLink) LinkByToken(_ context.Context, token string) (Link, error) {
	if token != s.link.Token {
		return Link{}, &Error{Code: NotFound}
	}
	return s.link, nil
}

func (s *oneLink) Spend(_ context.Context, token string, v Visit) (Link, Status, error) {
	if s.fails != nil {
		return Link{}, "", s.fails
	}
	s.visits = append(s.visits, v)
	return s.link, s.status, nil
}

func (s *oneLink) AddVisit(_ context.Context, v Visit) error {
	s.visits = append(s.visits, v)
	return s.fails
}

func (s *oneLink) Settle(ctx context.Context, _ Visit, o Outcome) (bool, error) {
	s.settled, s.ctx = append(s.settled, o), ctx
	return true, s.fails
}

// answering are sessions that answer this, unless the visitor's leaving ended the making.
type answering struct {
	session Session
	err     error
}

func (a answering) Session(ctx context.Context, _ Link, _ Visit) (Session, error) {
	if ctx.Err() != nil {
		return Session{}, ctx.Err()
	}
	return a.session, a.err
}

func TestOpen(t *testing.T) {
	t.Parallel()
	link := Link{ID: uuid.New(), Token: "sh_2kL9pQxYzR4vN8mBwHfJc", Enabled: true, UsageLimit: 1, AllowedOrigins: []string{"https://shop.example"}}
	session := Session{Token: "a-session", ExpiresAt: day.Add(time.Hour)}
	visitor := Visitor{Origin: "https://SHOP.example", OwnOrigin: "https://links.example.com", UserAgent: "Firefox/1", Address: netip.MustParseAddr("192.0.2.9")}
	for name, c := range map[string]struct {
		change  func(*Link, *Visitor)
		decides Status // by Spend; "" is Active
		made    error  // by the sessions
		want    Code
		visit   Outcome // of the visit that was given to the store
		settled Outcome
		counted Outcome
	}{
		"opened":              {visit: Opened, counted: Opened},
		"disabled":            {change: func(l *Link, _ *Visitor) { l.Enabled = false }, want: LinkDisabled, visit: RefusedDisabled, counted: RefusedDisabled},
		"expired":             {change: func(l *Link, _ *Visitor) { l.ExpiresAt = day }, want: LinkExpired, visit: RefusedExpired, counted: RefusedExpired},
		"used up":             {change: func(l *Link, _ *Visitor) { l.UsageCount = 1 }, want: LinkExhausted, visit: RefusedUsedUp, counted: RefusedUsedUp},
		"wrong site":          {change: func(_ *Link, v *Visitor) { v.Origin = "null" }, want: OriginNotAllowed, visit: RefusedOrigin, counted: RefusedOrigin},
		"used up meanwhile":   {decides: Exhausted, want: LinkExhausted, visit: Opened, counted: RefusedUsedUp},
		"expired meanwhile":   {decides: Expired, want: LinkExpired, visit: Opened, counted: RefusedExpired},
		"refused":             {made: &Error{Code: PersonaRefused}, want: PersonaRefused, visit: Opened, settled: UpstreamRefused, counted: UpstreamRefused},
		"unavailable":         {made: &Error{Code: PersonaUnavailable}, want: PersonaUnavailable, visit: Opened, settled: UpstreamRefused, counted: UpstreamRefused},
		"timed out":           {made: &Error{Code: PersonaTimeout}, want: PersonaTimeout, visit: Opened, settled: UpstreamTimeout, counted: UpstreamTimeout},
		"deadline":            {made: context.DeadlineExceeded, want: PersonaTimeout, visit: Opened, settled: UpstreamTimeout, counted: UpstreamTimeout},
		"failed unforeseenly": {made: errors.New("?"), want: PersonaTimeout, visit: Opened, settled: UpstreamTimeout, counted: UpstreamTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			link, visitor := link, visitor
			if c.change != nil {
				c.change(&link, &visitor)
			}
			store := &oneLink{link: link, status: Active}
			if c.decides != "" {
				store.status = c.decides
			}
			o := NewOpening(store, answering{session: session, err: c.made})
			var counted []Outcome
			o.Now, o.Observe = func() time.Time { return day }, func(o Outcome) { counted = append(counted, o) }
			ctx, leave := context.WithCancel(t.Context())
			leave() // whoever leaves does not keep a use from being settled
			got, err := o.Open(ctx, link, visitor)
			if CodeOf(err) != c.want || (err == nil) != (c.want == "") {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			if err == nil && got != session {
				t.Errorf("session is %v", got)
			}
			want := Visit{LinkID: link.ID, At: day, Outcome: c.visit, Origin: "https://shop.example", Client: "Firefox", Address: "192.0.2.0/24"}
			if visitor.Origin == "null" {
				want.Origin = "null"
			}
			if len(store.visits) == 1 {
				want.ID = store.visits[0].ID
			}
			if diff := cmp.Diff([]Visit{want}, store.visits); diff != "" {
				t.Errorf("visits (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]Outcome{c.counted}, counted); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
			if c.settled == "" && store.settled != nil || c.settled != "" && (len(store.settled) != 1 || store.settled[0] != c.settled) {
				t.Errorf("settled %v, want %q", store.settled, c.settled)
			}
		})
	}
}

// A refusal stands when it cannot be written down, and keeps the reason for the log.
func TestOpenTellsTheLogWhatTheStoreCouldNot(t *testing.T) {
	t.Parallel()
	down := errors.New("the disk is full")
	link := Link{Token: "sh_x"}
	o := NewOpening(&oneLink{link: link, fails: down}, answering{})
	if _, err := o.Open(t.Context(), link, Visitor{}); CodeOf(err) != LinkDisabled || !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
	if errors.Is(refusals[RefusedDisabled], down) {
		t.Error("the refusal that all share was changed")
	}
	link.Enabled = true
	if _, err := o.Open(t.Context(), link, Visitor{}); !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	o := NewOpening(&oneLink{link: Link{Token: "sh_x"}}, answering{})
	if link, err := o.Find(t.Context(), "sh_x"); err != nil || link.Token != "sh_x" {
		t.Errorf("%v, %v", link, err)
	}
	for _, token := range []string{"", "sh_y", strings.Repeat("x", 10<<10)} {
		if _, err := o.Find(t.Context(), token); CodeOf(err) != LinkNotFound {
			t.Errorf("%.20q: %v", token, err)
		}
	}
}
