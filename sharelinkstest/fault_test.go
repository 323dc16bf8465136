package sharelinkstest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

// send sends a request with the server's key and a JSON body, as no client of ours does. Headers are "Name: value".
func send(t *testing.T, srv *sharelinkstest.Server, method, path, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+srv.Key)
	r.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Sharelinks-Stub") != "dev" {
		t.Errorf("%s %s: the answer does not say that it is the stub's", method, path)
	}
	return resp.StatusCode, string(got), resp.Header
}

// quick retries at once.
var quick = client.WithRetry(client.Retry{Backoff: time.Nanosecond, MaxWait: time.Nanosecond})

// Each fault, and what the client makes of it.
func TestFaults(t *testing.T) {
	t.Parallel()
	const get, post = "getShareLink", "createShareLink"
	for name, c := range map[string]struct {
		operation string
		faults    []sharelinkstest.Fault
		check     func(e *client.Error) bool // what the client returns, nil for success
		requests  int                        // that arrive
		links     int                        // that there are in the end
	}{
		"declared status": {get, []sharelinkstest.Fault{{Status: 404}}, func(e *client.Error) bool {
			return errors.Is(e, client.ErrNotFound) && strings.HasSuffix(e.Type, "/problems/not-found") && e.RequestID != "" && len(e.Violations) == 1
		}, 1, 1},
		"undeclared status": {get, []sharelinkstest.Fault{{Status: 418}}, func(e *client.Error) bool {
			return e.Status == 418 && e.Detail == "I'm a teapot" && e.Type == "about:blank"
		}, 1, 1},
		"a redirect": {get, []sharelinkstest.Fault{{Status: 302}}, func(e *client.Error) bool {
			return e.Status == 302 && strings.Contains(e.Detail, "redirects")
		}, 1, 1},
		"an error as Anam words it": {get, []sharelinkstest.Fault{{Status: 403, Body: sharelinkstest.BodyNest}}, func(e *client.Error) bool {
			return errors.Is(e, client.ErrForbidden) && e.Detail == "Forbidden" && e.Type == "" && e.RequestID == ""
		}, 1, 1},
		"no body": {get, []sharelinkstest.Fault{{Status: 401, Body: sharelinkstest.BodyEmpty}}, func(e *client.Error) bool {
			return errors.Is(e, client.ErrUnauthorized) && e.Detail == "Unauthorized" && len(e.Body) == 0
		}, 1, 1},
		"a gateway's page": {get, []sharelinkstest.Fault{{Status: 500, Body: sharelinkstest.BodyHTML}}, func(e *client.Error) bool {
			return e.Status == 500 && strings.Contains(string(e.Body), "<h1>Internal Server Error</h1>")
		}, 1, 1},
		"a success that is no link": {get, []sharelinkstest.Fault{{Status: 200, Body: sharelinkstest.BodyHTML}}, func(e *client.Error) bool {
			return e.Status == 200 && e.Err != nil
		}, 1, 1},
		"Retry-After": {get, []sharelinkstest.Fault{{Status: 400, RetryAfter: 7}}, func(e *client.Error) bool {
			return e.RetryAfter == 7*time.Second
		}, 1, 1},
		"too busy twice": {get, []sharelinkstest.Fault{{Status: 429}, {Status: 503}}, nil, 3, 1},
		"too busy always": {get, []sharelinkstest.Fault{{Status: 503}, {Status: 503}, {Status: 503}, {Status: 503}}, func(e *client.Error) bool {
			return e.Status == 503 && e.Attempts == 4
		}, 4, 1},
		"late":                      {get, []sharelinkstest.Fault{{Delay: time.Millisecond}}, nil, 1, 1},
		"truncated":                 {get, []sharelinkstest.Fault{{Break: sharelinkstest.BreakTruncate}}, nil, 2, 1},
		"reset":                     {get, []sharelinkstest.Fault{{Break: sharelinkstest.BreakReset}}, nil, 2, 1},
		"a create that is refused":  {post, []sharelinkstest.Fault{{Status: 503}}, nil, 2, 2},
		"a create, answer cut":      {post, []sharelinkstest.Fault{{Break: sharelinkstest.BreakTruncate}}, nil, 2, 2},
		"a create, answer lost":     {post, []sharelinkstest.Fault{{Break: sharelinkstest.BreakReset}}, nil, 2, 2},
		"a create that is not done": {post, []sharelinkstest.Fault{{Status: 503, Break: sharelinkstest.BreakReset}}, nil, 2, 2},
		"in order":                  {get, []sharelinkstest.Fault{{}, {Status: 404}}, nil, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := sharelinkstest.NewServer(t)
			c := c
			link := create(t, srv, client.CreateRequest{})
			caller := srv.Client(quick)
			if _, err := caller.Get(t.Context(), link.ID); err != nil { // it learns that the server honours an Idempotency-Key
				t.Fatal(err)
			}
			before := len(srv.Calls(c.operation))
			srv.Fail(c.operation, c.faults...)
			var err error
			if c.operation == get {
				_, err = caller.Get(t.Context(), link.ID)
			} else {
				_, err = caller.Create(t.Context(), client.CreateRequest{PersonaID: testPersona})
			}
			e, _ := errors.AsType[*client.Error](err)
			if c.check == nil && err != nil || c.check != nil && (e == nil || !c.check(e)) {
				t.Errorf("%#v", err)
			}
			if n := len(srv.Calls(c.operation)) - before; n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
			page, err := srv.Client().List(t.Context(), client.Filter{})
			if err != nil || page.Meta.Total != c.links {
				t.Errorf("%d links, want %d, %v", page.Meta.Total, c.links, err)
			}
		})
	}
}

// An answer that never comes: the caller gives up, and a create that has no answer was carried out.
func TestHang(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t)
	srv.Fail("createShareLink", sharelinkstest.Fault{Break: sharelinkstest.BreakHang})
	ctx, giveUp := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := srv.Client().Create(ctx, client.CreateRequest{PersonaID: testPersona})
		done <- err
	}()
	for {
		if page, err := srv.Client().List(t.Context(), client.Filter{}); err != nil || page.Meta.Total == 1 {
			break
		}
	}
	giveUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if calls := srv.Calls("createShareLink"); len(calls) != 1 || calls[0].Status != 0 {
		t.Errorf("%v", calls)
	}
}

// A server that closes ends what hangs and what is late.
func TestCloseEndsWhatHangs(t *testing.T) {
	t.Parallel()
	srv, err := sharelinkstest.Start()
	if err != nil {
		t.Fatal(err)
	}
	srv.Fail("listShareLinks", sharelinkstest.Fault{Break: sharelinkstest.BreakHang}, sharelinkstest.Fault{Delay: sharelinkstest.MaxDelay})
	done := make(chan error)
	for range 2 {
		go func() {
			_, err := srv.Client(client.WithRetry(client.Retry{Attempts: 1})).List(context.Background(), client.Filter{})
			done <- err
		}()
	}
	for len(srv.Calls("listShareLinks")) < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-done; err == nil {
			t.Error("a call that hung was answered")
		}
	}
}

func TestPrefer(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t)
	srv.FailNext("listShareLinks", 500)
	for prefer, want := range map[string]struct {
		status  int
		applied string
		says    string
	}{
		"code=429":                   {429, "code=429", "too many requests"},
		`Code="418"; x=1, wait=0.01`: {418, "code=418, wait=0.01", "teapot"},
		"code=soon":                  {400, "", "code must be an HTTP status"},
		"code=99":                    {400, "", "status must be from 200 to 599"},
		"wait=-1":                    {400, "", "wait must be a number of seconds from 0 to 300"},
		"wait=NaN":                   {400, "", "wait must be"},
	} {
		status, body, header := send(t, srv, "GET", "/v1/share-links", "", "Prefer: "+prefer)
		if status != want.status || header.Get("Preference-Applied") != want.applied || !strings.Contains(body, want.says) {
			t.Errorf("%s: %d %s, applied %q", prefer, status, body, header.Get("Preference-Applied"))
		}
	}
	// A preference that is not ours leaves the queue its turn.
	if status, _, _ := send(t, srv, "GET", "/v1/share-links", "", "Prefer: respond-async"); status != 500 {
		t.Errorf("%d", status)
	}
	if status, _, header := send(t, srv, "GET", "/v1/share-links", "", "Prefer: wait=0.001"); status != 200 || header.Get("Preference-Applied") != "wait=0.001" {
		t.Errorf("%d %v", status, header)
	}
}
