package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// from sends a request as if it came from this address.
func (ts *testServer) from(address, method, path string, forwarded ...string) *httptest.ResponseRecorder {
	ts.t.Helper()
	r := httptest.NewRequestWithContext(ts.t.Context(), method, path, nil)
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(address), 4711).String()
	for _, f := range forwarded {
		r.Header.Add("X-Forwarded-For", f)
	}
	w := httptest.NewRecorder()
	ts.Handler().ServeHTTP(w, r)
	return w
}

func TestOpensFromOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.OpenRate, c.OpenBurst = 2, 3 })
	token := ts.token(`"usageLimit":null`, `"allowAllOrigins":true`)
	for range 3 {
		ts.open(token).want(201)
	}
	a := ts.open(token, "Origin: https://shop.example").wantProblem("rate-limited", 429)
	if a.header.Get("Retry-After") != "1" || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%v", a.header)
	}
	if n := ts.uses(token); n != 3 {
		t.Errorf("%d uses", n)
	}
	ts.send("GET", "/v1/share/"+token, "").want(200) // looking is not opening
	path := "/v1/share/" + token + "/sessions"
	if w := ts.from("192.0.2.1", "POST", path); w.Code != 201 {
		t.Errorf("another address: %d", w.Code)
	}
	ts.advance(500 * time.Millisecond)
	ts.open(token).want(201)
	ts.open(token).want(429)
	// One customer has all of a /64.
	for i, address := range []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::", "2001:db8::3"} {
		if w := ts.from(address, "POST", path); (w.Code == 201) != (i < 3) {
			t.Errorf("%s: %d", address, w.Code)
		}
	}
	if w := ts.from("2001:db8:0:1::1", "POST", path); w.Code != 201 {
		t.Errorf("another /64: %d", w.Code)
	}
}

func TestOpensOfOneLinkAreLimited(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.LinkOpenRate, c.LinkOpenBurst = 1, 2 })
	token, other := ts.token(""), ts.token("")
	ts.open(token).want(201)
	ts.from("192.0.2.1", "POST", "/v1/share/"+token+"/sessions")
	ts.open(token).wantProblem("rate-limited", 429)
	ts.open(other).want(201)
	ts.advance(time.Second)
	ts.open(token).want(201)
}

// Only links that do not exist are counted, and whoever tried too many of them can still open one that does.
func TestUnknownTokensAreThrottled(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.UnknownTokenRate, c.UnknownTokenBurst = 1, 3 })
	expired := ts.token(`"expiresInHours":0.0001`)
	ts.advance(time.Hour)
	token := ts.token("")
	for range 20 {
		ts.open(expired).want(410)
	}
	for range 3 {
		ts.open(noToken).want(404)
	}
	for _, o := range visiting(noToken) {
		if a := ts.send(o.method, o.path, "").wantProblem("rate-limited", 429); a.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	}
	ts.open(token).want(201)
	if w := ts.from("192.0.2.1", "GET", "/v1/share/"+noToken); w.Code != 404 {
		t.Errorf("another address: %d", w.Code)
	}
	ts.advance(time.Second)
	ts.open(noToken).want(404)
}

func TestAddressBehindProxies(t *testing.T) {
	t.Parallel()
	s := &Server{logger: slog.New(slog.DiscardHandler), strangers: strangers{seen: map[string]bool{}}}
	s.config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:f::/48")}
	for _, c := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1", nil, "192.0.2.1"},
		{"192.0.2.1:1", []string{"198.51.100.1"}, "192.0.2.1"}, // not a proxy of ours: what it says is its own invention
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"}, // the visitor wrote the first itself
		{"10.0.0.1:1", []string{"203.0.113.9", "198.51.100.1, 10.1.2.3"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"198.51.100.1,2001:db8:f::1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"10.9.9.9,10.8.8.8"}, "10.9.9.9"},
		{"10.0.0.1:1", []string{"198.51.100.1:5678"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"[2001:db8::5]:5678"}, "2001:db8::5"},
		{"10.0.0.1:1", []string{"[2001:db8::5]"}, "2001:db8::5"},
		{"10.0.0.1:1", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"10.0.0.1:1", []string{"10.0.0.2,"}, "10.0.0.1"},
		{"10.0.0.1:1", []string{strings.Repeat("198.51.100.1,", 99) + "198.51.100.1" + strings.Repeat(",10.0.0.7", maxHops-1)}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"198.51.100.1" + strings.Repeat(",10.0.0.7", maxHops)}, "10.0.0.7"}, // no chain of proxies is as long
		{"10.0.0.1:1", []string{"198.51.100.1" + strings.Repeat(" ", 99)}, "198.51.100.1"},
		{"10.0.0.1:1", []string{strings.Repeat("[", 99) + "198.51.100.1"}, "10.0.0.1"},
		{"pipe", nil, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := s.addressOf(r).String(); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

// An operator who forgot to trust the proxy is told so once, and strangers cannot fill the log or the memory.
func TestIgnoredForwardedAddressesAreWarnedOf(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	warnings := func() int { return strings.Count(ts.log.String(), "X-Forwarded-For is ignored") }
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      int
	}{
		{"192.0.2.1", nil, 0},
		{"10.0.0.1", []string{"198.51.100.1"}, 0},
		{"192.0.2.1", []string{"198.51.100.1"}, 1},
		{"192.0.2.1", []string{"198.51.100.2"}, 1},
		{"192.0.2.99", []string{"198.51.100.2"}, 1}, // of the same network
		{"2001:db8::1", []string{"198.51.100.2"}, 2},
	} {
		ts.from(c.peer, "GET", "/v1/share/"+noToken, c.forwarded...)
		if n := warnings(); n != c.want {
			t.Errorf("after %s %q: %d warnings, want %d", c.peer, c.forwarded, n, c.want)
		}
	}
	if log := ts.log.String(); !strings.Contains(log, `"network":"192.0.2.0/24"`) || strings.Contains(log, "192.0.2.1") || strings.Contains(log, "198.51.100") {
		t.Errorf("the log names the network and no visitor: %s", log)
	}
	for i := range 256 {
		ts.from(netip.AddrFrom4([4]byte{172, 16, byte(i), 1}).String(), "GET", "/v1/share/"+noToken, "198.51.100.1")
	}
	if n := warnings(); n != maxStrangers || len(ts.strangers.seen) != maxStrangers {
		t.Errorf("%d warnings, %d networks are kept, want %d", n, len(ts.strangers.seen), maxStrangers)
	}
}

func TestVisitsAndLimitsGoByTheAddressBehindTheProxy(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		c.OpenRate, c.OpenBurst = 1, 1
	})
	link := ts.create("")
	path := "/v1/share/" + link["token"].(string) + "/sessions"
	for _, c := range []struct {
		visitor string
		status  int
	}{{"198.51.100.1", 201}, {"203.0.113.1", 201}, {"198.51.100.1", 429}} {
		if w := ts.from("10.0.0.1", "POST", path, c.visitor); w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.visitor, w.Code, c.status)
		}
	}
	var addresses []string
	for _, v := range ts.visitsTo(link) {
		addresses = append(addresses, v["address"].(string))
	}
	if got := strings.Join(addresses, " "); !strings.Contains(got, "203.0.113.0/24") || !strings.Contains(got, "198.51.100.0/24") {
		t.Error(got)
	}
}

// However many addresses there are, what is kept of them is bounded, and the newest are kept.
func TestBucketsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBuckets[int](1, 1)
	for i := range maxBuckets + 1000 {
		b.take(i, day)
	}
	if n := b.byKey.Len(); n != maxBuckets {
		t.Errorf("%d buckets", n)
	}
	if b.take(maxBuckets+999, day) == 0 {
		t.Error("the newest was forgotten")
	}
}
