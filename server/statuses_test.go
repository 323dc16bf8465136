package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// request is one good request.
type request struct{ method, path, body string }

// managing is one good request for each operation that needs a key, on a link with the id of the persona.
var managing = []request{
	{"GET", "/v1/share-links", ""},
	{"POST", "/v1/share-links", `{"personaId":"` + cara + `"}`},
	{"GET", "/v1/share-links/" + cara, ""},
	{"PUT", "/v1/share-links/" + cara, `{}`},
	{"GET", "/v1/share-links/" + cara + "/visits", ""},
	{"DELETE", "/v1/share-links/" + cara, ""},
	{"GET", "/v1/personas", ""},
}

// visiting is one good request for each operation of visitors.
func visiting(token string) []request {
	return []request{{"GET", "/v1/share/" + token, ""}, {"POST", "/v1/share/" + token + "/sessions", ""}}
}

// noToken is a token that no link has.
const noToken = "sh_2kL9pQxYzR4vN8mBwHfJc"

// wantProblem checks the members that every problem has.
func (a answer) wantProblem(code string, status int) answer {
	a.t.Helper()
	p := a.want(status).object()
	if ct := a.header.Get("Content-Type"); ct != "application/problem+json" {
		a.t.Errorf("Content-Type %q", ct)
	}
	if p["type"] != "http://links.test/problems/"+code || p["status"] != float64(status) || p["title"] == "" {
		a.t.Errorf("not a %s: %s", code, a.body)
	}
	if p["error"] != http.StatusText(status) || p["message"] != p["detail"] || p["detail"] == "" {
		a.t.Errorf("what Anam's clients read is wrong: %s", a.body)
	}
	if p["instance"] != a.header.Get("X-Request-Id") || p["instance"] == "" {
		a.t.Errorf("instance %v, X-Request-Id %q", p["instance"], a.header.Get("X-Request-Id"))
	}
	return a
}

func TestUnauthorizedEverywhere(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for _, o := range managing {
		ts.send(o.method, o.path, o.body, "Authorization: ").wantProblem("unauthorized", 401)
	}
}

// A read-only key sees what another sees, and every change is refused, whether it would have been a good one or not.
func TestReadOnlyKey(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	link := ts.create("")
	path := "/v1/share-links/" + link["id"].(string)
	key, _, err := ts.service.CreateKey(t.Context(), service.DefaultOrganization, "", true)
	if err != nil {
		t.Fatal(err)
	}
	readOnly := "Authorization: Bearer " + key
	for _, r := range []request{{"GET", "/v1/share-links", ""}, {"GET", path, ""}, {"HEAD", path, ""}, {"GET", path + "/visits", ""}, {"GET", "/v1/personas", ""}} {
		ts.send(r.method, r.path, r.body, readOnly).want(200)
	}
	for _, method := range []string{"GET", "HEAD"} { // the list says what a key may
		for key, want := range map[string]string{readOnly: "GET, HEAD", "Authorization: Bearer " + ts.key: "GET, HEAD, POST"} {
			if allow := ts.send(method, "/v1/share-links", "", key).want(200).header.Values("Allow"); !slices.Equal(allow, []string{want}) {
				t.Errorf("%s: Allow %q, want %q", method, allow, want)
			}
		}
	}
	for _, r := range append([]request{{"DELETE", path, ""}, {"PUT", path, `{"usageLimit":0}`}, {"POST", "/v1/share-links?x", "{"}}, managing...) {
		if r.method != "GET" {
			a := ts.send(r.method, r.path, r.body, readOnly).wantProblem("forbidden", 403)
			if detail := a.object()["detail"].(string); !strings.Contains(detail, "this API key is read-only") {
				t.Error(detail)
			}
		}
	}
	if got := ts.send("GET", path, "").want(200).object(); got["usageLimit"] != link["usageLimit"] {
		t.Errorf("the link was changed: %v", got)
	}
}

func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	fill := func(size int) string {
		body := `{"personaId":"` + cara + `"}`
		return body + strings.Repeat(" ", size-len(body))
	}
	ts.send("POST", "/v1/share-links", fill(maxBody)).want(201)
	for _, o := range slices.Concat(managing, visiting(ts.token())) {
		ts.send(o.method, o.path, fill(maxBody+1)).wantProblem("body-too-large", 413)
		// The same without a Content-Length that gives it away.
		r, err := http.NewRequestWithContext(t.Context(), o.method, ts.http.URL+o.path, io.NopCloser(strings.NewReader(fill(maxBody+1))))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = -1
		r.Header.Set("Authorization", "Bearer "+ts.key)
		r.Header.Set("Content-Type", "application/json")
		ts.do(r).wantProblem("body-too-large", 413)
	}
	ts.send("GET", "/v1/share-links", `a body that nobody asked for`).want(200)
}

func TestInvalidRequestsAreProblems(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for _, o := range slices.Concat(managing, visiting(ts.token())) {
		ts.send(o.method, o.path+"?nonsense=1", o.body).wantProblem("invalid-request", 400).wantViolation("nonsense", "unknown")
	}
}

func TestUnavailableStore(t *testing.T) {
	t.Parallel()
	ts := start(t, func(b sharelink.Store) sharelink.Store {
		return failing{b, &sharelink.Error{Code: sharelink.Unavailable, Detail: "the store is not available", RetryAfter: 1500 * time.Millisecond, Err: errors.New("dial /secret/place")}}
	})
	for _, o := range slices.Concat(managing, visiting(noToken)) {
		a := ts.send(o.method, o.path, o.body).wantProblem("unavailable", 503)
		if ra := a.header.Get("Retry-After"); ra != "2" {
			t.Errorf("Retry-After %q", ra)
		}
		if strings.Contains(string(a.body), "secret") {
			t.Errorf("the cause got out: %s", a.body)
		}
	}
	ts.send("GET", "/readyz", "").want(503)
	ts.send("GET", "/healthz", "").want(200)
	if !strings.Contains(ts.log.String(), "/secret/place") {
		t.Error("the log does not have the cause")
	}
}

func TestFailuresAreInternalOutsideAndWholeInTheLog(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"error": errors.New("table sh_2kL9pQxYzR4vN8mBwHfJc is gone"), "panic": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ts := start(t, func(b sharelink.Store) sharelink.Store { return failing{b, err} })
			for i, o := range slices.Concat(managing, visiting(noToken)) {
				id := fmt.Sprintf("failure-%d", i)
				a := ts.send(o.method, o.path, o.body, "X-Request-Id: "+id).wantProblem("internal", 500)
				if strings.Contains(string(a.body), "gone") || strings.Contains(string(a.body), "head") {
					t.Errorf("the cause got out: %s", a.body)
				}
				line := logLine(t, ts, id)
				if !strings.Contains(line, `"level":"ERROR"`) || !strings.Contains(line, "gone") && !strings.Contains(line, "lost its head") {
					t.Errorf("log: %s", line)
				}
				if strings.Contains(line, "2kL9pQxYzR4vN8mBwHfJc") {
					t.Errorf("a token is in the log: %s", line)
				}
			}
		})
	}
}

func logLine(t *testing.T, ts *testServer, id string) string {
	t.Helper()
	for line := range strings.Lines(ts.log.String()) {
		if strings.Contains(line, `"request":"`+id+`"`) {
			return line
		}
	}
	t.Fatalf("no line for request %s", id)
	return ""
}

func TestRateLimitOfAnOrganization(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.RateLimit = float64(len(managing)) })
	for _, o := range managing { // the bucket holds as many as one second brings
		if a := ts.send(o.method, o.path, o.body); a.status == 429 {
			t.Fatalf("too soon: %s", a.body)
		}
	}
	for _, o := range managing {
		a := ts.send(o.method, o.path, o.body).wantProblem("rate-limited", 429)
		if ra := a.header.Get("Retry-After"); ra != "1" {
			t.Errorf("Retry-After %q", ra)
		}
	}
	ts.advance(time.Second)
	for range managing {
		ts.send("GET", "/v1/share-links", "").want(200)
	}
	ts.send("GET", "/v1/share-links", "").want(429)
	ts.send("GET", "/healthz", "").want(200)
}

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for _, path := range []string{"/nothing", "/v1", "/v1/share-links/", "/v1/Share-Links", "/v1//share-links", "/v1/share-links%2f" + cara, "/problems/nope", "/docs/../v1"} {
		ts.send("GET", path, "").wantProblem("not-found", 404)
	}
	for _, c := range [][3]string{
		{"PATCH", "/v1/share-links", "GET, HEAD, POST"},
		{"HEAD", "/v1/share/sh_x/sessions", "POST"},
		{"POST", "/v1/share-links/" + cara, "DELETE, GET, PUT"},
		{"BREW", "/v1/share-links", "GET, POST"},
		{"POST", "/healthz", "GET, HEAD"},
	} {
		a := ts.send(c[0], c[1], "").want(405)
		for method := range strings.SplitSeq(c[2], ", ") {
			if !strings.Contains(a.header.Get("Allow"), method) {
				t.Errorf("%s %s: Allow %q lacks %s", c[0], c[1], a.header.Get("Allow"), method)
			}
		}
		if c[0] != "HEAD" {
			a.wantProblem("method-not-allowed", 405)
		}
	}
}

// HEAD answers wherever GET does, with the same status and headers.
func TestHeadAnswersAsGet(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	link := ts.create("")
	token := link["token"].(string)
	for _, path := range []string{
		"/v1/share-links", "/v1/share-links/" + link["id"].(string), "/v1/share-links/" + link["id"].(string) + "/visits", "/v1/share-links/" + cara,
		"/v1/share-links?page=0", "/v1/personas", "/v1/share/" + token, "/share/" + token, "/frame/" + token, "/embed.js", "/docs", "/healthz", "/readyz", "/openapi.yaml",
		"/problems/internal", "/.well-known/jwks.json", "/nothing",
	} {
		get, head := ts.send("GET", path, ""), ts.send("HEAD", path, "", "X-Request-Id: head")
		if head.status != get.status || len(head.body) != 0 || head.header.Get("Content-Type") != get.header.Get("Content-Type") {
			t.Errorf("HEAD %s: %d %s, %d bytes; GET: %d %s", path, head.status, head.header.Get("Content-Type"), len(head.body), get.status, get.header.Get("Content-Type"))
		}
	}
	if line := logLine(t, ts, "head"); !strings.Contains(line, `"method":"HEAD"`) {
		t.Error(line)
	}
}

// What the server itself answers is held to the contract when that is asked for.
func TestOwnAnswersAreChecked(t *testing.T) {
	t.Parallel()
	ts := start(t, func(b sharelink.Store) sharelink.Store { return badLinks{b} })
	a := ts.send("GET", "/v1/share-links/"+cara, "").wantProblem("internal", 500)
	if !strings.Contains(ts.log.String(), "breaks the contract") || strings.Contains(string(a.body), "sh_") {
		t.Errorf("%s", a.body)
	}
}

// A caller that does not wait for the answer is no failure of ours.
func TestHangingUpIsNotAnError(t *testing.T) {
	t.Parallel()
	ctx, hangUp := context.WithCancel(t.Context())
	ts := start(t, func(b sharelink.Store) sharelink.Store { return hangingUp{b, hangUp} })
	r := httptest.NewRequestWithContext(ctx, "GET", "/v1/share-links/"+cara, nil)
	r.Header.Set("Authorization", "Bearer "+ts.key)
	r.Header.Set("X-Request-Id", "gone")
	ts.Handler().ServeHTTP(httptest.NewRecorder(), r)
	if line := logLine(t, ts, "gone"); !strings.Contains(line, `"status":499`) || !strings.Contains(line, `"level":"INFO"`) {
		t.Error(line)
	}
	if m := ts.send("GET", "/metrics", "").body; !strings.Contains(string(m), `sharelinks_requests_total{operation="getShareLink",status="499"} 1`) {
		t.Errorf("%s", m)
	}
}

// hangingUp is a store whose caller hangs up while it looks for a link.
type hangingUp struct {
	sharelink.Store
	hangUp func()
}

func (h hangingUp) Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	h.hangUp()
	return h.Store.Link(ctx, organization, id)
}
