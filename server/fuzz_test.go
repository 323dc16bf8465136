package server

import (
	"net/http"
	"net/http/httptest"
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
	f.Add("/v1/share-links", "page=1&perPage=100&search=%00%ff&personaId=x", "Bearer x", "key")
	f.Add("/v1/share-links/00000000-0000-0000-0000-000000000000", "", "bearer", "\x7f")
	f.Add("/v1/share-links/%7Bx%7D/..//%2e%2e", "a=b;c", "", "")
	f.Add("/v1/share/sh_%2e%2e%00%ff/sessions", "", "", "")
	f.Add("/v1/share/../share-links", "x=1", "", "")
	f.Add("/docs/../../etc/passwd", "?", "Basic x", strings.Repeat("k", 300))
	f.Add("/problems/%00", "page=%", "Bearer", "ü")
	ts := start(f, nil)
	f.Fuzz(func(t *testing.T, path, query, authorization, idempotencyKey string) {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			for _, auth := range []string{"Bearer " + ts.key, authorization} {
				r := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader(`{"personaId":"`+cara+`"}`))
				r.URL.RawQuery = query
				if u, err := r.URL.Parse(path); err == nil {
					r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
				}
				r.Header["Authorization"] = []string{auth}
				r.Header["Idempotency-Key"] = []string{idempotencyKey}
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
