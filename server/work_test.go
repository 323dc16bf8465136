package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// What a stranger sends is bounded before it is read: the longest of it costs about as much as a short one, in bytes that are
// allocated. This test is alone while it runs, because they are those of the whole process.
func TestWorkDoesNotGrowWithWhatStrangersSend(t *testing.T) { //nolint:paralleltest // see above
	ts := start(t, nil, func(c *Config) { c.Logger, c.ValidateResponses = nil, false })
	token := ts.token(`"usageLimit":null`)
	ideographs := func(n int) string { // each another one
		var b strings.Builder
		for i := range n {
			b.WriteRune(rune(0x4e00 + i))
		}
		return b.String()
	}
	many := func(n int) string { return strings.Repeat("x", n) }
	site := func(n int) string { return "https://" + ideographs(n) }
	names := func(n int) string { // each another one
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%x&", i)
		}
		return b.String()
	}
	const short, long = 8, 9_000
	preview, open, page := "/v1/share/"+token, "/v1/share/"+token+"/sessions", "/share/"+token
	for name, c := range map[string]struct {
		method, path string
		header       string // whose value is of any length; or query, path, body
		text         func(n int) string
	}{
		"origin of an unknown token": {"GET", "/v1/share/" + noToken, "Origin", site},
		"origin of a preview":        {"GET", preview, "Origin", site},
		"origin of an open":          {"POST", open, "Origin", site},
		"origin of labels":           {"POST", open, "Origin", func(n int) string { return site(1) + strings.Repeat(".x", n) }},
		"referer":                    {"GET", page, "Referer", site},
		"preferred languages":        {"GET", page, "Accept-Language", site},
		"referer, unknown token":     {"GET", "/share/" + noToken, "Referer", site},
		"user agent":                 {"POST", open, "User-Agent", many},
		"forwarded addresses":        {"GET", preview, "X-Forwarded-For", func(n int) string { return strings.Repeat("10.0.0.1,", n/3) + "10.0.0.1" }},
		"forwarded commas":           {"GET", preview, "X-Forwarded-For", func(n int) string { return strings.Repeat(",", n) }},
		"request id":                 {"GET", preview, "X-Request-Id", many},
		"query of a preview":         {"GET", preview, "query", names},
		"query of a page":            {"GET", page, "query", names},
		"search":                     {"GET", "/v1/share-links", "query", func(n int) string { return "search=" + many(n) }},
		"query of a list":            {"GET", "/v1/share-links", "query", names},
		"idempotency key":            {"POST", "/v1/share-links", "Idempotency-Key", many},
		"API key":                    {"GET", "/v1/share-links", "Authorization", func(n int) string { return "Bearer " + many(n) }},
		"content type":               {"POST", "/v1/share-links", "Content-Type", many},
		"body, nested":               {"POST", "/v1/share-links", "body", func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }},
		"token":                      {"GET", "/v1/share/", "path", many},
		"token of a page":            {"GET", "/share/", "path", many},
	} {
		send := func(n int) func() {
			text := c.text(n)
			return func() {
				r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, http.NoBody)
				r.RemoteAddr = "192.0.2.1:4711"
				r.Header.Set("Authorization", "Bearer "+ts.key)
				r.Header.Set("Sec-Fetch-Dest", "iframe")
				switch c.header {
				case "query":
					r.URL.RawQuery = text
				case "body":
					r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
					r.Header.Set("Content-Type", "application/json")
				case "path":
					r.URL.Path += text
				default:
					r.Header.Set(c.header, text)
				}
				w := httptest.NewRecorder()
				if ts.Handler().ServeHTTP(w, r); w.Code >= 500 {
					t.Errorf("%s of %d: %d %s", name, n, w.Code, w.Body)
				}
			}
		}
		most := 2*allocated(send(short)) + uint64(2*len(c.text(long))) // some of it is copied, by this test too
		if got := allocated(send(long)); got > most {
			t.Errorf("%s: %d bytes are allocated for one of %d characters, %d for one of %d", name, got, long, most, short)
		}
	}
}

// allocated returns how many bytes one call allocates.
func allocated(f func()) uint64 {
	const calls = 10
	f() // what is made once
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / calls
}
