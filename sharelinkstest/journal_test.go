package sharelinkstest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

func TestCalls(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithRandomSeed(1))
	send(t, srv, "POST", "/v1/share-links", `{"personaId":1}`, "X-Request-Id: mine")
	send(t, srv, "GET", "/v1/share-links?page=0", "")
	send(t, srv, "HEAD", "/v1/share-links", "")
	send(t, srv, "POST", "/v1/share-links", "text", "Content-Type: text/plain")
	send(t, srv, "POST", "/v1/share-links", strings.Repeat(" ", 70<<10))
	send(t, srv, "GET", "/docs", "")
	type call struct {
		Call       string
		Status     int
		Violations string
	}
	var got []call
	for _, c := range srv.Calls("") {
		violations := ""
		for _, v := range c.Violations {
			violations += v.In + " " + v.Pointer + v.Name + ": " + v.Detail + ";"
		}
		got = append(got, call{c.Operation + " " + c.Method + " " + c.Path, c.Status, violations})
		if strings.Contains(c.Header.Get("Authorization"), srv.Key) || len(c.Body) > 64<<10+1 || !c.At.Equal(srv.Now()) {
			t.Errorf("%v, %d bytes, %v", c.Header, len(c.Body), c.At)
		}
	}
	if diff := cmp.Diff([]call{
		{"createShareLink POST /v1/share-links", 400, "body /personaId: must be a UUID such as 00000000-0000-0000-0000-000000000000, not 1;"},
		{"listShareLinks GET /v1/share-links?page=0", 400, "query page: must be a whole number from 1 to 2147483647;"},
		{"listShareLinks HEAD /v1/share-links", 200, ""},
		{"createShareLink POST /v1/share-links", 415, `header Content-Type: the body must be sent as "Content-Type: application/json", in UTF-8;`},
		{"createShareLink POST /v1/share-links", 413, "body : http: request body too large;"},
	}, got); diff != "" {
		t.Error(diff)
	}
	if calls := srv.Calls("createShareLink"); len(calls) != 3 || calls[0].Header.Get("X-Request-Id") != "mine" || calls[0].Body != `{"personaId":1}` {
		t.Errorf("%v", calls)
	}
}

// However many calls come, and however large, the journal does not grow beyond its bounds.
func TestJournalIsBounded(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t)
	for range 70 { // 64 of these bodies are the most that is kept
		send(t, srv, "POST", "/v1/share-links", strings.Repeat("x", 64<<10))
	}
	if n := len(srv.Calls("")); n != 64 {
		t.Errorf("%d calls with large bodies", n)
	}
	for range 1001 {
		send(t, srv, "GET", "/v1/share-links/x", "")
	}
	if n := len(srv.Calls("")); n != 1000 || len(srv.Calls("createShareLink")) != 0 || len(srv.Violations()) != 1000 {
		t.Errorf("%d calls, %d violations", n, len(srv.Violations()))
	}
}
