package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"
)

// hostileBodies seed the fuzzer, and run as tests in every ordinary run.
var hostileBodies = []string{
	`{"personaId":"00000000-0000-0000-0000-000000000000","expiresInHours":168,"usageLimit":10}`,
	`{"personaId":"00000000-0000-0000-0000-000000000000","usageLimit":1e1,"expiresInHours":null}`,
	`{"personaId":"00000000-0000-0000-0000-000000000000","allowedOrigins":["https://bücher.example:443","*","null","http://[::1]:80","http://1.2.3"]}`,
	`{"usageLimit":1e400,"expiresInHours":-0,"type":"\ud800"}`,
	`{"a":{"b":[{"c":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}]}}`,
	`{"usageLimit":5,"usageLimit":6}`, `{"":"","\u0000":0,"~1/":1}`, "{\"\xff\":1}", "[", "{", `"`, "", "null", "\ufeff{}", `{}{}`, `0`, `-`, `1e`, `{"enabled":tru`,
}

// No body gives a 5xx, on create or update, and what is refused makes nothing.
func FuzzBody(f *testing.F) {
	for _, body := range hostileBodies {
		f.Add(body)
	}
	ts := start(f, nil)
	id := ts.create("")["id"].(string)
	f.Fuzz(func(t *testing.T, body string) {
		for _, target := range [][2]string{{"POST", "/v1/share-links"}, {"PUT", "/v1/share-links/" + id}} {
			r := httptest.NewRequestWithContext(t.Context(), target[0], target[1], strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+ts.key)
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			ts.Handler().ServeHTTP(w, r)
			if w.Code >= 500 || !utf8.Valid(w.Body.Bytes()) {
				t.Errorf("%s %q: %d %s", target[0], body, w.Code, w.Body)
			}
		}
	})
}

// No path, query or header gives a 5xx.
func FuzzRequest(f *testing.F) {
	f.Add("/v1/share-links", "page=1&perPage=100&search=%00%ff&personaId=x", "Bearer x", "key", "", "")
	f.Add("/v1/share-links/00000000-0000-0000-0000-000000000000", "", "bearer", "\x7f", "null", "192.0.2.1")
	f.Add("/v1/share-links/%7Bx%7D/..//%2e%2e", "a=b;c", "", "", "", "")
	f.Add("/v1/share/sh_%2e%2e%00%ff/sessions", "", "", "", "https://b\u00fccher.example", "1.2.3.4, [::1]:80")
	f.Add("/v1/share/../share-links", "x=1", "", "", "*", ",")
	f.Add("/docs/../../etc/passwd", "?", "Basic x", strings.Repeat("k", 300), "\xff", "\xff")
	f.Add("/problems/%00", "page=%", "Bearer", "ü", "", "")
	ts := start(f, nil)
	link := ts.token(`"usageLimit":null`)
	f.Add("/v1/share/"+link+"/sessions", "", "", "", "https://a@b", "::ffff:1.2.3.4%eth0")
	f.Add("/share/"+link+"%E3%80%82", "theme=x", "", "", "http://[::1", "")
	f.Fuzz(func(t *testing.T, path, query, authorization, idempotencyKey, origin, forwarded string) {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			for _, auth := range []string{"Bearer " + ts.key, authorization} {
				r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(`{"personaId":"`+cara+`"}`))
				r.URL.RawQuery = query
				if u, err := r.URL.Parse(path); err == nil {
					r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
				}
				r.Header["Authorization"] = []string{auth}
				r.Header["Idempotency-Key"] = []string{idempotencyKey}
				r.Header["Origin"], r.Header["X-Forwarded-For"] = []string{origin}, []string{forwarded}
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				ts.Handler().ServeHTTP(w, r)
				if w.Code >= 500 {
					t.Errorf("%s %q?%q: %d %s", method, path, query, w.Code, w.Body)
				}
			}
		}
	})
}

// A key is 1 to 255 visible ASCII characters, and with it a create makes one link. With any other it makes none.
func FuzzIdempotencyKey(f *testing.F) {
	for _, key := range []string{"key", "", " ", "a b", "\x00", "\x7f", "~!", "ü", "\xff", "k,k", "0-'\"%", strings.Repeat("k", 255), strings.Repeat("k", 256)} {
		f.Add(key)
	}
	ts := start(f, nil)
	f.Fuzz(func(t *testing.T, key string) {
		var answers [2]*httptest.ResponseRecorder
		for i := range answers {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/share-links", strings.NewReader(`{"personaId":"`+cara+`"}`))
			r.Header.Set("Authorization", "Bearer "+ts.key)
			r.Header.Set("Content-Type", "application/json")
			r.Header["Idempotency-Key"] = []string{key}
			answers[i] = httptest.NewRecorder()
			ts.Handler().ServeHTTP(answers[i], r)
		}
		want := 400
		if len(key) >= 1 && len(key) <= 255 && !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			want = 201
		}
		first, repeat := answers[0], answers[1]
		if first.Code != want || want == 201 && (repeat.Code != 201 || repeat.Body.String() != first.Body.String()) {
			t.Errorf("%q: %d %s, then %d %s", key, first.Code, first.Body, repeat.Code, repeat.Body)
		}
	})
}

// Who is behind a trusted proxy is whom it names last, whatever the visitor made up before. From anybody else it counts for nothing.
func FuzzForwardedAddress(f *testing.F) {
	for _, s := range []string{"", ",", "192.0.2.1", "10.0.0.1, 10.0.0.2", "[2001:db8::1]:80", "::ffff:10.0.0.1", "fe80::1%eth0", "unknown", "\x00", strings.Repeat("10.0.0.1,", 100)} {
		f.Add(s, s)
	}
	trusting := &Server{
		config: Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		logger: slog.New(slog.DiscardHandler), strangers: strangers{seen: map[string]bool{}},
	}
	from := func(peer string, forwarded ...string) netip.Addr {
		return trusting.addressOf(&http.Request{RemoteAddr: peer + ":4711", Header: http.Header{"X-Forwarded-For": forwarded}})
	}
	visitor, stranger := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("203.0.113.9")
	f.Fuzz(func(t *testing.T, header, list string) {
		if got := from("203.0.113.9", header, list); got != stranger {
			t.Errorf("from a stranger: %v", got)
		}
		for _, got := range []netip.Addr{from("10.0.0.1", header, list+",198.51.100.7"), from("10.0.0.1", header, list, "198.51.100.7, 10.9.9.9")} {
			if got != visitor {
				t.Errorf("from a visitor who sent %q and %q: %v", header, list, got)
			}
		}
		if got := from("10.0.0.1", header, list); !got.IsValid() || got != plain(got) {
			t.Errorf("%q and %q: %v", header, list, got)
		}
	})
}
