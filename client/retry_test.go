package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/client/wire"
)

const aLink = `{"id":"` + nobody + `","token":"sh_2kL9pQxYzR4vN8mBwHfJc","type":"LINK","enabled":true}`

// reply is one answer of a hostile server; header is "Name: value".
type reply struct {
	status int
	body   string
	header []string
	cut    bool // hang up in the middle of the body
}

// hostile starts a server that gives these answers in turn, the last one for ever, and notes the requests.
func hostile(t testing.TB, replies ...reply) (url string, requests func() []string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, r.Method+" "+r.Header.Get(keyHeader)+" "+string(sent))
		reply := replies[min(len(got), len(replies))-1]
		mu.Unlock()
		for _, line := range reply.header {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Set(name, value)
		}
		if reply.cut {
			w.Header().Set("Content-Length", fmt.Sprint(len(reply.body)+1))
		}
		w.WriteHeader(reply.status)
		_, _ = io.WriteString(w, reply.body)
	}))
	t.Cleanup(h.Close)
	return h.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

// patient is a retry policy that notes its waits instead of waiting; the random part of a wait is all of it.
func patient(waits *[]time.Duration) Retry {
	return Retry{
		part: func(d time.Duration) time.Duration { return d },
		sleep: func(_ context.Context, d time.Duration) error {
			*waits = append(*waits, d)
			return nil
		},
	}
}

const ours = windowHeader + ": 86400"

func TestRetries(t *testing.T) {
	t.Parallel()
	create := func(c *Client, o ...Option) error {
		_, err := c.Create(context.Background(), CreateRequest{PersonaID: cara}, o...)
		return err
	}
	get := func(c *Client, o ...Option) error { return second(c.Get(context.Background(), nobody, o...)) }
	update := func(c *Client, o ...Option) error {
		return second(c.Update(context.Background(), nobody, UpdateRequest{Enabled: No}, o...))
	}
	del := func(c *Client, o ...Option) error { return c.Delete(context.Background(), nobody, o...) }
	const ms, s = time.Millisecond, time.Second
	for _, test := range []struct {
		name     string
		call     func(*Client, ...Option) error
		policy   Retry
		replies  []reply
		waits    []time.Duration
		status   int // of the error; 0 is none, -1 one without
		kind     error
		requests int
	}{
		{
			name: "503 twice, then 201", call: create,
			replies: []reply{{status: 503, header: []string{ours}}, {status: 503}, {status: 201, body: aLink}},
			waits:   []time.Duration{250 * ms, 500 * ms}, requests: 3,
		},
		{
			name: "a create at a server that promises nothing", call: create,
			replies: []reply{{status: 503}, {status: 201, body: aLink}}, status: 503, requests: 1,
		},
		{
			name: "a create at a server of which the caller knows", call: create, policy: Retry{Creates: true},
			replies: []reply{{status: 502}, {status: 201, body: aLink}}, waits: []time.Duration{250 * ms}, requests: 2,
		},
		{
			name: "a create that was cut off at a server that promises nothing", call: create,
			replies: []reply{{status: 201, body: aLink, cut: true}, {status: 201, body: aLink}}, status: -1, requests: 1,
		},
		{
			name: "an update", call: update,
			replies: []reply{{status: 504}, {status: 200, body: aLink}}, waits: []time.Duration{250 * ms}, requests: 2,
		},
		{
			name: "an answer that was cut off", call: get,
			replies: []reply{{status: 200, body: aLink, cut: true}, {status: 200, body: aLink}}, waits: []time.Duration{250 * ms}, requests: 2,
		},
		{
			name: "an error that was cut off is that error", call: get,
			replies: []reply{{status: 404, body: `{"detail": "ha`, cut: true}}, status: 404, kind: ErrNotFound, requests: 1,
		},
		{
			name: "Retry-After in seconds", call: get,
			replies: []reply{{status: 429, header: []string{"Retry-After: 3"}}, {status: 200, body: aLink}}, waits: []time.Duration{3 * s}, requests: 2,
		},
		{
			name: "Retry-After as a date", call: get,
			replies: []reply{
				{status: 429, header: []string{"Retry-After: Mon, 20 Apr 2026 10:00:07 GMT", "Date: Mon, 20 Apr 2026 10:00:00 GMT"}},
				{status: 503, header: []string{"Retry-After: Mon, 20 Apr 2026 09:00:00 GMT", "Date: Mon, 20 Apr 2026 10:00:00 GMT"}},
				{status: 200, body: aLink},
			}, waits: []time.Duration{7 * s, 0}, requests: 3,
		},
		{
			name: "a Retry-After that nobody can wait for", call: get,
			replies: []reply{{status: 429, header: []string{"Retry-After: 86400"}}, {status: 200, body: aLink}}, waits: []time.Duration{10 * s}, requests: 2,
		},
		{
			name: "a Retry-After that is none", call: get,
			replies: []reply{{status: 429, header: []string{"Retry-After: soon"}}, {status: 200, body: aLink}}, waits: []time.Duration{250 * ms}, requests: 2,
		},
		{
			name: "it gives up", call: get,
			replies: []reply{{status: 429}}, waits: []time.Duration{250 * ms, 500 * ms, 1000 * ms}, status: 429, kind: ErrRateLimited, requests: 4,
		},
		{
			name: "waits grow up to the most", call: get, policy: Retry{Attempts: 5, Backoff: 2 * s, MaxWait: 5 * s},
			replies: []reply{{status: 502}}, waits: []time.Duration{2 * s, 4 * s, 5 * s, 5 * s}, status: 502, requests: 5,
		},
		{name: "none wanted", call: get, policy: Retry{Attempts: 1}, replies: []reply{{status: 503}}, status: 503, requests: 1},
		{name: "a 500 may have done it", call: get, replies: []reply{{status: 500}}, status: 500, requests: 1},
		{
			name: "HTML from a gateway", call: get,
			replies: []reply{{status: 502, body: "<html>Bad gateway", header: []string{"Content-Type: text/html"}}, {status: 200, body: aLink}},
			waits:   []time.Duration{250 * ms}, requests: 2,
		},
		{
			name: "a delete whose answer was lost", call: del,
			replies: []reply{{status: 504}, {status: 404}}, waits: []time.Duration{250 * ms}, requests: 2,
		},
		{name: "a delete of nothing", call: del, replies: []reply{{status: 404}}, status: 404, kind: ErrNotFound, requests: 1},
		{name: "a delete that answers nothing", call: del, replies: []reply{{status: 204}}, requests: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, requests := hostile(t, test.replies...)
			var waits []time.Duration
			policy := patient(&waits)
			policy.Attempts, policy.Backoff, policy.MaxWait, policy.Creates = test.policy.Attempts, test.policy.Backoff, test.policy.MaxWait, test.policy.Creates
			err := test.call(dial(t, url), WithTimeout(0), WithRetry(policy))
			var e *Error
			switch {
			case test.status == 0 && err != nil:
				t.Errorf("error %v", err)
			case test.status != 0 && (!errors.As(err, &e) || e.Status != max(test.status, 0) || e.Attempts != test.requests):
				t.Errorf("error %#v", err)
			case test.kind != nil && !errors.Is(err, test.kind):
				t.Errorf("error %v is not %v", err, test.kind)
			}
			if diff := cmp.Diff(test.waits, waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			got := requests()
			if len(got) != test.requests || len(slices.Compact(slices.Clone(got))) != 1 {
				t.Errorf("requests, which should be %d times the same:\n%s", test.requests, strings.Join(got, "\n"))
			}
		})
	}
}

// What a server says of idempotency keys in one answer is known for all creates at that base URL, and at no other.
func TestPromiseIsRemembered(t *testing.T) {
	t.Parallel()
	var waits []time.Duration
	url, requests := hostile(t,
		reply{status: 200, body: `{"data":[],"meta":{}}`, header: []string{ours}}, // the list
		reply{status: 503}, reply{status: 503}, // the create under another prefix, which gives up; the first of ours
		reply{status: 201, body: aLink},
		reply{status: 201, body: aLink},
	)
	c := dial(t, url+"/a", WithRetry(patient(&waits)))
	must(c.List(t.Context(), Filter{}))(t)
	if _, err := c.Create(t.Context(), CreateRequest{PersonaID: cara}, WithURL(url+"/b")); err == nil {
		t.Error("a create was repeated at a server that promised nothing")
	}
	must(c.Create(t.Context(), CreateRequest{PersonaID: cara}))(t)
	must(c.Create(t.Context(), CreateRequest{PersonaID: cara}))(t)
	got := requests()
	if len(got) != 5 || got[2] != got[3] || got[3] == got[4] || got[1] == got[2] {
		t.Errorf("each call has a key of its own, and its attempts share it:\n%s", strings.Join(got, "\n"))
	}
}

// A connection that is refused, or breaks, is a failure like others.
func TestTransportErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var waits []time.Duration
	c := dial(t, "http://links.test", WithRetry(patient(&waits)), WithHTTPClient(&http.Client{
		Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, broken }),
	}))
	for _, test := range []struct {
		err      error
		attempts int
	}{
		{second(c.List(t.Context(), Filter{})), 4},
		{second(c.Create(t.Context(), CreateRequest{PersonaID: cara})), 1},
		{c.Delete(t.Context(), nobody), 4},
	} {
		var e *Error
		if !errors.Is(test.err, broken) || !errors.As(test.err, &e) || e.Attempts != test.attempts || strings.Contains(e.Error(), "links.test") {
			t.Errorf("%v, want %d attempts", test.err, test.attempts)
		}
	}
}

// hanging is a server that answers these statuses and then no more.
func hanging(statuses ...int) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if len(statuses) == 0 {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		resp := &http.Response{StatusCode: statuses[0], Header: http.Header{}, Body: http.NoBody, Request: r}
		statuses = statuses[1:]
		return resp, nil
	})}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	in := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	took := func(t *testing.T, began time.Time, want time.Duration) {
		t.Helper()
		if got := time.Since(began); got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	}
	in("the timeout ends a call that hangs", func(t *testing.T) {
		began := time.Now()
		err := second(dial(t, "http://links.test", WithHTTPClient(hanging())).Get(t.Context(), nobody))
		var e *Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || e.Attempts != 1 || e.Status != 0 {
			t.Errorf("%v", err)
		}
		took(t, began, defaultTimeout)
	})
	in("the context's deadline too", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		err := second(dial(t, "http://links.test", WithHTTPClient(hanging()), WithTimeout(0)).Get(ctx, nobody))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		took(t, began, 5*time.Second)
	})
	in("no wait for a deadline", func(t *testing.T) {
		began := time.Now()
		policy := Retry{Backoff: time.Minute, MaxWait: time.Minute, part: func(d time.Duration) time.Duration { return d }}
		err := second(dial(t, "http://links.test", WithHTTPClient(hanging(503, 503)), WithRetry(policy)).Get(t.Context(), nobody))
		var e *Error
		if !errors.As(err, &e) || e.Status != 503 {
			t.Errorf("%v", err)
		}
		took(t, began, 0)
	})
	in("waits are waited", func(t *testing.T) {
		began := time.Now()
		policy := Retry{part: func(d time.Duration) time.Duration { return d }}
		err := second(dial(t, "http://links.test", WithHTTPClient(hanging(503, 503, 404)), WithRetry(policy)).Get(t.Context(), nobody))
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
		took(t, began, 750*time.Millisecond)
	})
	in("a wait ends with the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		began := time.Now()
		policy := Retry{part: func(d time.Duration) time.Duration { return d }}
		err := second(dial(t, "http://links.test", WithHTTPClient(hanging(503)), WithRetry(policy)).Get(ctx, nobody))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		took(t, began, 100*time.Millisecond)
	})
	in("nobody waits for a call that was given up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var waits []time.Duration
		err := second(dial(t, "http://links.test", WithHTTPClient(hanging()), WithRetry(patient(&waits))).Get(ctx, nobody))
		var e *Error
		if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Attempts != 1 || waits != nil {
			t.Errorf("%v after waits of %v", err, waits)
		}
	})
	in("jitter is full", func(t *testing.T) {
		var sum time.Duration
		for range 200 {
			d := (&transport{}).backoff(3, time.Minute)
			if d < 0 || d >= time.Second {
				t.Fatalf("a wait of %v", d)
			}
			sum += d
		}
		if mean := sum / 200; mean < 350*time.Millisecond || mean > 650*time.Millisecond {
			t.Errorf("waits of %v in the mean, want about 500ms", mean)
		}
	})
	in("a date without the server's clock", func(t *testing.T) {
		h := http.Header{"Retry-After": {time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat)}}
		if d, ok := retryAfter(h); !ok || d != 9*time.Second {
			t.Errorf("%v, %v", d, ok)
		}
	})
}

// The raw client has the same retries.
func TestRawClientRetries(t *testing.T) {
	t.Parallel()
	url, requests := hostile(t, reply{status: 503, header: []string{ours}}, reply{status: 201, body: aLink, header: []string{"Content-Type: application/json"}})
	var waits []time.Duration
	raw := must(wire.NewClientWithResponses(url, wire.WithHTTPClient(&http.Client{Transport: patient(&waits).Transport(nil)})))(t)
	key := "order-4711"
	resp := must(raw.CreateShareLinkWithResponse(t.Context(), &wire.CreateShareLinkParams{IdempotencyKey: &key}, wire.CreateShareLinkRequest{PersonaID: cara}))(t)
	if got := requests(); resp.JSON201 == nil || len(got) != 2 || got[0] != got[1] {
		t.Errorf("%d %q", resp.StatusCode(), got)
	}
	// Without a key it is not repeated, nor is what cannot be sent twice.
	url, requests = hostile(t, reply{status: 503, header: []string{ours}})
	raw = must(wire.NewClientWithResponses(url, wire.WithHTTPClient(&http.Client{Transport: patient(&waits).Transport(nil)})))(t)
	must(raw.CreateShareLinkWithResponse(t.Context(), nil, wire.CreateShareLinkRequest{PersonaID: cara}))(t)
	must(raw.UpdateShareLinkWithBodyWithResponse(t.Context(), nobody, "application/json", io.MultiReader(strings.NewReader("{}"))))(t)
	if got := requests(); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// A body that is larger than what is held arrives whole, and every body is closed.
func TestBodies(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, maxHeld, maxHeld + 5} {
		body := &closing{Reader: bytes.NewReader(make([]byte, size))}
		rt := Retry{}.Transport(roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body}, nil
		}))
		resp := must(rt.RoundTrip(httptest.NewRequest("GET", "/", nil)))(t)
		got := must(io.ReadAll(resp.Body))(t)
		if err := resp.Body.Close(); err != nil || len(got) != size || !body.closed {
			t.Errorf("%d of %d bytes, closed %v, %v", len(got), size, body.closed, err)
		}
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}
