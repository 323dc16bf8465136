package sharelinkstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

// testPersona is any persona: by default a server accepts every id.
const testPersona = "30fa96d0-26c4-4e55-94a0-517025942e18"

// create makes a link on the server.
func create(t *testing.T, srv *sharelinkstest.Server, r client.CreateRequest) client.ShareLink {
	t.Helper()
	if r.PersonaID == "" {
		r.PersonaID = testPersona
	}
	link, err := srv.Client().Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// recorder is a TB that keeps what a test would print.
type recorder struct {
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

type fatal struct{}

func (*recorder) Helper()            {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(fatal{})
}

// fails returns what a test prints that does this to a server.
func fails(t *testing.T, do func(srv *sharelinkstest.Server), opts ...sharelinkstest.Option) string {
	t.Helper()
	r := &recorder{}
	func() {
		defer func() {
			if e := recover(); e != nil && e != (fatal{}) {
				panic(e)
			}
		}()
		do(sharelinkstest.NewServer(r, opts...))
	}()
	for _, f := range r.cleanups {
		f()
	}
	return strings.Join(r.failures, "\n")
}

// Two hundred servers at the same time, each with its own links, clock and faults.
func TestServersAreIsolated(t *testing.T) {
	t.Parallel()
	const n = 200
	servers := make([]*sharelinkstest.Server, n)
	together(n, func(i int) { servers[i] = sharelinkstest.NewServer(t) })
	together(n, func(i int) {
		srv, lifetime := servers[i], time.Duration(i+1)*time.Hour
		link, err := srv.Client().Create(t.Context(), client.CreateRequest{PersonaID: testPersona, ExpiresInHours: client.Hours(lifetime.Hours())})
		if err != nil {
			t.Error(err)
			return
		}
		srv.Advance(lifetime - time.Millisecond)
		if _, err := srv.Client().Open(t.Context(), link.Token); err != nil {
			t.Error(err)
		}
		srv.Advance(time.Millisecond)
		if _, err := srv.Client().Open(t.Context(), link.Token); !errors.Is(err, client.ErrGone) {
			t.Errorf("%v", err)
		}
	})
	for i, srv := range servers {
		if page, err := srv.Client().List(t.Context(), client.Filter{}); err != nil || page.Meta.Total != 1 || len(srv.Calls("")) != 4 {
			t.Errorf("server %d: %v, %v, %d calls", i, page.Meta, err, len(srv.Calls("")))
		}
	}
}

// together calls f n times at once.
func together(n int, f func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}

func TestServerIsAsStrictAsTheContract(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithLocalPersonas())
	if _, err := srv.Client(client.WithKey("another")).List(t.Context(), client.Filter{}); !errors.Is(err, client.ErrUnauthorized) {
		t.Errorf("another key: %v", err)
	}
	r := client.CreateRequest{PersonaID: srv.AddPersona("Ada")}
	r.UsageLimit.Set(-3)
	if _, err := srv.Client().Create(t.Context(), r); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("a limit of -3: %v", err)
	}
	r.UsageLimit.Set(3)
	link := create(t, srv, r)
	if err := srv.Client().Delete(t.Context(), link.ID); err != nil {
		t.Error(err)
	}
	if _, err := srv.Client().Get(t.Context(), link.ID); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("get a deleted link: %v", err)
	}
	if _, err := srv.Client().Create(t.Context(), client.CreateRequest{PersonaID: testPersona}); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("a persona that was not added: %v", err)
	}
	want := []sharelinkstest.Violation{{In: "body", Pointer: "/usageLimit", Detail: "must be a whole number from 1 to 2147483647, or null, not -3"}}
	if diff := cmp.Diff(want, srv.Violations()); diff != "" {
		t.Error(diff)
	}
	if _, err := sharelinkstest.NewServer(t, sharelinkstest.WithAnyKey()).Client(client.WithKey("another")).List(t.Context(), client.Filter{}); err != nil {
		t.Errorf("any key: %v", err)
	}
}

func TestReadOnlyKey(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithReadOnlyKey("may-only-read"))
	reader := srv.Client(client.WithKey("may-only-read"))
	for range 2 { // the key is there after a reset, too
		if _, err := reader.List(t.Context(), client.Filter{}); err != nil {
			t.Error(err)
		}
		if _, err := reader.Create(t.Context(), client.CreateRequest{PersonaID: testPersona}); !errors.Is(err, client.ErrForbidden) || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("create: %v", err)
		}
		srv.Reset()
	}
}

// What Anam's MCP server sends, whose names are none of the API: in a create all but isActive, in an update all.
func TestBodyOfAnamsMCPServer(t *testing.T) {
	t.Parallel()
	const names = `"maxUses":5,"isActive":true,"name":"Demo","expiresAt":"2026-04-27T10:00:00Z"`
	const body = `{"personaId":"` + testPersona + `",` + names + `}`
	srv := sharelinkstest.NewServer(t)
	for request, sent := range map[string]string{"POST /v1/share-links": body, "PUT /v1/share-links/" + testPersona: `{` + names + `}`} {
		method, path, _ := strings.Cut(request, " ")
		status, answer, _ := send(t, srv, method, path, sent)
		for _, hint := range []string{
			"/maxUses: unknown field maxUses; did you mean usageLimit?", "/isActive: unknown field isActive; did you mean enabled?",
			"/expiresAt: unknown field expiresAt; did you mean expiresInHours?", "/name: unknown field name; did you mean label?",
		} {
			if status != 400 || !strings.Contains(answer, hint) {
				t.Errorf("%s: %d %s, want %s", request, status, answer, hint)
			}
		}
	}
	if n := len(srv.Violations()); n != 8 {
		t.Errorf("%d violations", n)
	}
	lenient := sharelinkstest.NewServer(t, sharelinkstest.WithLenient())
	status, answer, header := send(t, lenient, "POST", "/v1/share-links?x=1", body)
	if status != 201 || header.Get("Sharelinks-Stub-Ignored") != "x, /expiresAt, /isActive, /maxUses, /name" || len(lenient.Violations()) != 5 {
		t.Errorf("lenient: %d %s, ignored %s, violations %v", status, answer, header.Get("Sharelinks-Stub-Ignored"), lenient.Violations())
	}
	status, answer, _ = send(t, lenient, "POST", "/v1/share-links", `{"personaId":"`+testPersona+`","maxUses":5,"usageLimit":0}`)
	if status != 400 || !strings.Contains(answer, "/usageLimit") || strings.Contains(answer, "maxUses") {
		t.Errorf("lenient, with another violation: %d %s", status, answer)
	}
	// More than are described, and so more than can be taken out.
	var many strings.Builder
	for i := range 60 {
		fmt.Fprintf(&many, `,"x%d":1`, i)
	}
	status, answer, _ = send(t, lenient, "POST", "/v1/share-links", `{"personaId":"`+testPersona+`"`+many.String()+`}`)
	if status != 400 || !strings.Contains(answer, "unknown field") {
		t.Errorf("lenient, with 60 unknown fields: %d %s", status, answer)
	}
}

func TestOrganizations(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithLocalPersonas())
	org := srv.AddOrganization()
	link, err := org.Client().Create(t.Context(), client.CreateRequest{PersonaID: org.AddPersona("Ada")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.Client().Get(t.Context(), link.ID); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("another's link: %v", err)
	}
	r := client.CreateRequest{PersonaID: srv.AddPersona("Bea"), RemoveWatermark: new(true)}
	if _, err := srv.Client().Create(t.Context(), r); !errors.Is(err, client.ErrForbidden) {
		t.Errorf("watermark: %v", err)
	}
	srv.AllowWatermarkRemoval()
	create(t, srv, r)
}

// Advancing sweeps: the idempotency keys that are past their window, and the visits that are past their retention.
func TestAdvancingSweeps(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithTime(time.Date(2030, 1, 1, 0, 0, 0, 1, time.UTC)))
	if now := srv.Now(); !now.Equal(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the clock says %v", now)
	}
	r := client.CreateRequest{}
	r.ExpiresInHours.SetNull()
	link := create(t, srv, r)
	if _, err := srv.Client().Open(t.Context(), link.Token); err != nil {
		t.Fatal(err)
	}
	visits := func() int {
		t.Helper()
		page, err := srv.Client().Visits(t.Context(), link.ID, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		return page.Meta.Total
	}
	srv.Advance(90 * 24 * time.Hour)
	if n := visits(); n != 1 {
		t.Errorf("%d visits after 90 days", n)
	}
	srv.Advance(time.Millisecond)
	if n := visits(); n != 0 {
		t.Errorf("%d visits after more than 90 days", n)
	}
	if text := fails(t, func(srv *sharelinkstest.Server) { srv.Advance(-1) }); !strings.Contains(text, "must not be negative") {
		t.Errorf("%q", text)
	}
}

func TestRunningClock(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithRunningClock(), sharelinkstest.WithTime(time.Unix(0, 0)))
	first := srv.Now()
	for !srv.Now().After(first) { // it is the suite's time-out that notices a clock which stands
		time.Sleep(time.Millisecond)
	}
	if first.Year() != 1970 {
		t.Errorf("%v", first)
	}
}

func TestSnapshotAndReset(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithRandomSeed(1))
	links := func() (ids []string) {
		t.Helper()
		for link, err := range srv.Client().All(t.Context(), client.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, link.ID)
		}
		return ids
	}
	first := create(t, srv, client.CreateRequest{})
	snapshot, at := srv.Snapshot(), srv.Now()
	srv.Advance(time.Hour)
	second := create(t, srv, client.CreateRequest{})
	if diff := cmp.Diff([]string{second.ID, first.ID}, links()); diff != "" {
		t.Error(diff)
	}
	srv.Restore(snapshot)
	if diff := cmp.Diff([]string{first.ID}, links()); diff != "" || !srv.Now().Equal(at) {
		t.Errorf("%v %s", srv.Now(), diff)
	}
	srv.Advance(time.Hour)
	if again := create(t, srv, client.CreateRequest{}); again.ID != second.ID || again.Token != second.Token {
		t.Errorf("after a snapshot comes %v, want %v", again, second)
	}
	srv.FailNext("createShareLink", 503)
	srv.Reset()
	if len(links()) != 0 || len(srv.Calls("createShareLink")) != 0 || !srv.Now().Equal(at) {
		t.Errorf("%v, %v, %v", links(), srv.Calls("createShareLink"), srv.Now())
	}
	if again := create(t, srv, client.CreateRequest{}); again.ID != first.ID {
		t.Errorf("after a reset comes %v, want %v", again, first)
	}
}

func TestRandomSeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (string, string) {
		srv := sharelinkstest.NewServer(t, sharelinkstest.WithRandomSeed(seed))
		link := create(t, srv, client.CreateRequest{})
		return link.ID, link.Token
	}
	id, token := run(7)
	again, tokenAgain := run(7)
	other, otherToken := run(8)
	if id != again || token != tokenAgain || id == other || token == otherToken {
		t.Errorf("%s %s, %s %s, %s %s", id, token, again, tokenAgain, other, otherToken)
	}
}

func TestSeed(t *testing.T) {
	t.Parallel()
	const document = `
time: 2031-02-03T04:05:06Z
random: 3
watermarkRemoval: true
personas:
  - { id: ` + testPersona + `, name: Ada }
  - { name: Bea }
links:
  - { personaId: ` + testPersona + `, usageLimit: 1, removeWatermark: true, token: sh_once }
`
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithSeed([]byte(document)), sharelinkstest.WithLocalPersonas())
	preview, err := srv.Client().Preview(t.Context(), "sh_once")
	if err != nil || preview.PersonaName != "Ada" || !preview.RemoveWatermark || srv.Now().Year() != 2031 {
		t.Errorf("%+v, %v, %v", preview, err, srv.Now())
	}
	srv.Advance(time.Hour)
	srv.Reset()
	if _, err := srv.Client().Open(t.Context(), "sh_once"); err != nil {
		t.Errorf("after a reset: %v", err)
	}
	for document, want := range map[string]string{
		"people: []":                    `unknown field "people"`,
		"links: [{personaId: x}]":       "links/0 of the seed: 400 /personaId: must be a UUID",
		"personas: [{name: ''}]":        "personas/0 of the seed: a name must not be empty",
		"personas: [{id: 7, name: Ada}": "not YAML",
		"time: yesterday":               "yesterday",
	} {
		if _, err := sharelinkstest.Start(sharelinkstest.WithAnam(), sharelinkstest.WithSeed([]byte(document))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", document, err, want)
		}
	}
}

// A whole open with Anam as the upstream, offline.
func TestAnam(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithAnam())
	r := client.CreateRequest{PersonaID: srv.AddPersona("Ada")}
	link := create(t, srv, r)
	srv.Anam().Fail(sharelinkstest.Fault{Status: 402}, sharelinkstest.Fault{Status: 429, RetryAfter: 7}, sharelinkstest.Fault{Status: 503})
	once := client.WithRetry(client.Retry{Attempts: 1})
	for i, want := range []int{502, 503, 503, 201} {
		session, err := srv.Client().Open(t.Context(), link.Token, once)
		e, failed := errors.AsType[*client.Error](err)
		if got := status(err); got != want || failed != (want != 201) || !failed && session.SessionToken != "session-1" {
			t.Errorf("%d %v, want %d", got, err, want)
		}
		if i == 1 && e.RetryAfter != 7*time.Second {
			t.Errorf("Anam's Retry-After became %v", e.RetryAfter)
		}
	}
	if link, err := srv.Client().Get(t.Context(), link.ID); err != nil || link.UsageCount != 1 || srv.Anam().Sessions() != 1 {
		t.Errorf("%d uses, %d sessions, %v", link.UsageCount, srv.Anam().Sessions(), err)
	}
	want := `POST /v1/auth/session-token {"clientLabel":"sharelinks","personaConfig":{"personaId":"` + r.PersonaID + `"}}`
	if requests := srv.Anam().Requests(); requests[0] != "GET /v1/personas/"+r.PersonaID+" " || requests[1] != want {
		t.Errorf("%v", requests)
	}
	srv.Reset()
	if srv.Anam().Sessions() != 0 || len(srv.Anam().Requests()) != 0 {
		t.Error("a reset leaves what Anam was asked")
	}
	if _, err := srv.Client().Create(t.Context(), r); err != nil {
		t.Errorf("a reset takes Anam's personas: %v", err)
	}
	if text := fails(t, func(srv *sharelinkstest.Server) { srv.Anam() }); !strings.Contains(text, "WithAnam()") {
		t.Errorf("%q", text)
	}
}

// Anam lists its account's personas by pages of at most 100, as it documents, and refuses what is out of range.
func TestAnamListsPersonas(t *testing.T) {
	t.Parallel()
	anam := sharelinkstest.NewAnam(t)
	for _, name := range []string{"Ada", "Bea", "Adam"} {
		anam.AddPersona(name)
	}
	for query, want := range map[string]string{
		"": "200 3 of 3", "?perPage=2": "200 2 of 3", "?page=2&perPage=2": "200 1 of 3", "?page=9": "200 0 of 3", "?search=aDA": "200 2 of 2",
		"?page=0": "400 0 of 0", "?page=x": "400 0 of 0", "?perPage=0": "400 0 of 0", "?perPage=101": "400 0 of 0",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, anam.URL+"/v1/personas"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+anam.Key)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Data []struct{ ID, Name string }
			Meta struct{ Total int }
		}
		if err := errors.Join(json.NewDecoder(resp.Body).Decode(&page), resp.Body.Close()); err != nil {
			t.Error(err)
		}
		if got := fmt.Sprintf("%d %d of %d", resp.StatusCode, len(page.Data), page.Meta.Total); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// status returns the HTTP status of a call of the client.
func status(err error) int {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Status
	}
	return 201
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for want, do := range map[string]func(srv *sharelinkstest.Server){
		`no operation "makeLink"; it has createShareLink, `: func(srv *sharelinkstest.Server) { srv.FailNext("makeLink", 500) },
		`no operation "x"`:                       func(srv *sharelinkstest.Server) { srv.Calls("x") },
		"status must be from 200 to 599, not 99": func(srv *sharelinkstest.Server) { srv.FailNext("getShareLink", 99) },
		`body must be nest, empty, html or absent`: func(srv *sharelinkstest.Server) {
			srv.Fail("getShareLink", sharelinkstest.Fault{Status: 500, Body: "x"})
		},
		"body and retryAfter need a status": func(srv *sharelinkstest.Server) { srv.Fail("getShareLink", sharelinkstest.Fault{RetryAfter: 1}) },
		"retryAfter must not be negative": func(srv *sharelinkstest.Server) {
			srv.Fail("getShareLink", sharelinkstest.Fault{Status: 500, RetryAfter: -1})
		},
		"delay must be from 0 to 5m0s":        func(srv *sharelinkstest.Server) { srv.Fail("getShareLink", sharelinkstest.Fault{Delay: -1}) },
		`break must be truncate, reset, hang`: func(srv *sharelinkstest.Server) { srv.Fail("getShareLink", sharelinkstest.Fault{Break: "x"}) },
		"at most 10000 faults":                func(srv *sharelinkstest.Server) { srv.Fail("getShareLink", make([]sharelinkstest.Fault, 10_001)...) },
		"AddPersona":                          func(srv *sharelinkstest.Server) { srv.AddPersona("") },
		"the base URL must be":                func(srv *sharelinkstest.Server) { srv.Client(client.WithURL("x")) },
	} {
		if text := fails(t, do); !strings.Contains(text, want) {
			t.Errorf("%q, want %s", text, want)
		}
	}
	if text := fails(t, func(*sharelinkstest.Server) {}, sharelinkstest.WithAddr("256.0.0.1:0")); text == "" {
		t.Error("a server that cannot listen does not fail the test")
	}
	if text := fails(t, func(*sharelinkstest.Server) {}, sharelinkstest.WithKey("a b")); !strings.Contains(text, "APIKey") {
		t.Errorf("%q", text)
	}
}

func BenchmarkNewServer(b *testing.B) {
	for b.Loop() {
		srv, err := sharelinkstest.Start()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := srv.Client().Create(context.Background(), client.CreateRequest{PersonaID: testPersona}); err != nil {
			b.Fatal(err)
		}
		if err := srv.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
