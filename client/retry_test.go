package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client/wire"
)

const announcement = windowHeader + ": 86400"

// bubble runs a subtest on a fake clock.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestRetries(t *testing.T) {
	t.Parallel()
	create := func(ctx context.Context, c *Client) error {
		return second(c.Create(ctx, CreateRequest{PersonaID: cara}))
	}
	get := func(ctx context.Context, c *Client) error { return second(c.Get(ctx, unknown)) }
	personas := func(ctx context.Context, c *Client) error { return second(c.Personas(ctx, PersonaFilter{})) }
	update := func(ctx context.Context, c *Client) error { return second(c.Update(ctx, unknown, UpdateRequest{})) }
	del := func(ctx context.Context, c *Client) error { return c.Delete(ctx, unknown) }
	open := func(ctx context.Context, c *Client) error { return second(c.Open(ctx, "sh_1")) }
	announced := []string{announcement}
	good := reply{status: 200, body: aLink}
	cut := reply{status: 200, body: aLink, cut: true}
	broken := errors.New("broken")
	for _, test := range []struct {
		name     string
		call     func(context.Context, *Client) error
		retry    Retry
		replies  []reply
		requests int
		status   int   // of the error; 0 is no error or one without a status
		is       error // what the error is; nil is no error, or any if there is a status
	}{
		{"429", get, Retry{}, []reply{{status: 429}, good}, 2, 0, nil},
		{"500", get, Retry{}, []reply{{status: 500}, good}, 1, 500, nil},
		{"502, with HTML", get, Retry{}, []reply{{status: 502, body: "<html>Bad gateway"}, good}, 2, 0, nil},
		{"503 twice", get, Retry{}, []reply{{status: 503}, {status: 503}, good}, 3, 0, nil},
		{"503 to a list of personas", personas, Retry{}, []reply{{status: 503}, {status: 200, body: emptyPage}}, 2, 0, nil},
		{"no list of personas", personas, Retry{}, []reply{{status: 404}}, 1, 404, ErrNotFound},
		{"504 to an update", update, Retry{}, []reply{{status: 504}, good}, 2, 0, nil},
		{"503 forever", get, Retry{}, []reply{{status: 503}}, 4, 503, nil},
		{"503 five times", get, Retry{Attempts: 5}, []reply{{status: 503}}, 5, 503, nil},
		{"retries disabled", get, Retry{Attempts: 1}, []reply{{status: 503}, good}, 1, 503, nil},
		{"a broken connection", get, Retry{}, []reply{{err: broken}}, 4, 0, broken},
		{"an incomplete answer", get, Retry{}, []reply{cut, good}, 2, 0, nil},
		{"an incomplete 404", get, Retry{}, []reply{{status: 404, body: `{"detail": "ha`, cut: true}}, 1, 404, ErrNotFound},
		{"a delete without an answer", del, Retry{}, []reply{{status: 504}, {status: 404}}, 2, 0, nil},
		{"a delete of nothing", del, Retry{}, []reply{{status: 404}}, 1, 404, ErrNotFound},
		{"a create", create, Retry{}, []reply{{status: 503}, good}, 1, 503, nil},
		{"a create on a broken connection", create, Retry{}, []reply{{err: broken}, good}, 1, 0, broken},
		{"a create with an incomplete answer", create, Retry{}, []reply{cut, good}, 1, 0, io.ErrUnexpectedEOF},
		{"a create, announced", create, Retry{}, []reply{{status: 503, header: announced}, {status: 503}, good}, 3, 0, nil},
		{"a create, known", create, Retry{Creates: true}, []reply{{status: 502}, cut, good}, 3, 0, nil},
		{"an open", open, Retry{Creates: true}, []reply{{status: 503, header: announced}, good}, 1, 503, nil},
	} {
		bubble(t, test.name, func(t *testing.T) {
			server := play(test.replies...)
			err := test.call(t.Context(), dial(t, server, WithRetry(test.retry)))
			if test.status == 0 && test.is == nil {
				if err != nil {
					t.Error(err)
				}
			} else if e, ok := errors.AsType[*Error](err); !ok || e.Status != test.status || e.Attempts != test.requests ||
				test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%#v", err)
			}
			if len(server.requests) != test.requests || len(slices.Compact(slices.Clone(server.requests))) != 1 {
				t.Errorf("want the same request %d times:\n%s", test.requests, strings.Join(server.requests, "\n"))
			}
		})
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	const date = "Date: Mon, 20 Apr 2026 10:00:00 GMT"
	for _, test := range []struct {
		name           string
		header         []string
		shortest, most time.Duration
	}{
		{"no Retry-After", nil, 0, 250 * time.Millisecond},
		{"no number", []string{"Retry-After: soon"}, 0, 250 * time.Millisecond},
		{"seconds", []string{"Retry-After: 3"}, 3 * time.Second, 3 * time.Second},
		{"more than MaxWait", []string{"Retry-After: 86400"}, 10 * time.Second, 10 * time.Second},
		{"a date", []string{"Retry-After: Mon, 20 Apr 2026 10:00:07 GMT", date}, 7 * time.Second, 7 * time.Second},
		{"a date in the past", []string{"Retry-After: Mon, 20 Apr 2026 09:00:00 GMT", date}, 0, 0},
		{"a date, no Date", []string{"Retry-After: Sat, 01 Jan 2000 00:00:09 GMT"}, 9 * time.Second, 9 * time.Second},
	} {
		bubble(t, test.name, func(t *testing.T) { // the fake clock starts at the beginning of 2000
			began := time.Now()
			must(dial(t, play(reply{status: 503, header: test.header}, reply{status: 200, body: aLink})).Get(t.Context(), unknown))(t)
			if got := time.Since(began); got < test.shortest || got > test.most {
				t.Errorf("waited %v, want %v to %v", got, test.shortest, test.most)
			}
		})
	}
}

// The waits are spread over a range that doubles up to MaxWait.
func TestBackoff(t *testing.T) {
	t.Parallel()
	retry := Retry{Backoff: 2 * time.Second, MaxWait: 5 * time.Second}.transport(nil, nil, nil)
	for i, bound := range []time.Duration{2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		shortest, longest := bound, time.Duration(0)
		for range 1000 {
			d := retry.backoff(i + 1)
			shortest, longest = min(shortest, d), max(longest, d)
		}
		if shortest < 0 || shortest > bound/10 || longest > bound || longest < bound*9/10 {
			t.Errorf("attempt %d: waits from %v to %v, want 0 to %v", i+1, shortest, longest, bound)
		}
	}
	if d := (Retry{MaxWait: 1<<63 - 1}).transport(nil, nil, nil).backoff(1000); d < 0 {
		t.Errorf("a wait of %v", d)
	}
}

// One answer tells how a server treats the Idempotency-Key for all calls with its base URL, and no other.
func TestAnnouncementIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := play(
			reply{status: 200, body: emptyPage, header: []string{announcement}},
			reply{status: 503}, reply{status: 503}, // the creates at other base URLs
			reply{status: 503}, reply{status: 201, body: aLink}, reply{status: 201, body: aLink},
		)
		c := dial(t, server, WithURL(testURL+"/a"))
		must(c.List(t.Context(), Filter{}))(t)
		for _, other := range []string{testURL + "/b", "http://other.test/a"} {
			if _, err := c.Create(t.Context(), CreateRequest{PersonaID: cara}, WithURL(other)); err == nil {
				t.Errorf("a create was retried at %s, which announced nothing", other)
			}
		}
		must(c.Create(t.Context(), CreateRequest{PersonaID: cara}))(t)
		must(c.Create(t.Context(), CreateRequest{PersonaID: cara}))(t)
		if got := server.requests; len(got) != 6 || got[3] != got[4] || got[4] == got[5] {
			t.Errorf("each call has its own key, the same for all attempts:\n%s", strings.Join(got, "\n"))
		}
	})
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	slow := reply{status: 503, header: []string{"Retry-After: 10"}}
	for _, test := range []struct {
		name    string
		replies []reply
		timeout time.Duration // the option
		cancel  time.Duration // when the context is cancelled; 0 is never
		err     error         // nil is the 503
		took    time.Duration
	}{
		{"the timeout ends a request", []reply{{hang: true}}, defaultTimeout, 0, context.DeadlineExceeded, defaultTimeout},
		{"the timeout ends a body", []reply{{status: 200, body: aLink, stall: true}}, 3 * time.Second, 0, context.DeadlineExceeded, 3 * time.Second},
		{"the context ends a request", []reply{{hang: true}}, 0, time.Second, context.Canceled, time.Second},
		{"the context ends a wait", []reply{slow}, 0, time.Second, context.Canceled, time.Second},
		{"no wait for an attempt after the deadline", []reply{slow}, 5 * time.Second, 0, nil, 0},
		{"no attempt after the deadline", []reply{slow}, 25 * time.Second, 0, nil, 20 * time.Second},
	} {
		bubble(t, test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.cancel > 0 {
				time.AfterFunc(test.cancel, cancel)
			}
			began := time.Now()
			err := second(dial(t, play(test.replies...), WithTimeout(test.timeout)).Get(ctx, unknown))
			e, ok := errors.AsType[*Error](err)
			if !ok || test.err == nil && (e.Status != 503 || e.RetryAfter != 10*time.Second) || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("%v", err)
			}
			if got := time.Since(began); got != test.took {
				t.Errorf("took %v, want %v", got, test.took)
			}
		})
	}
}

// The raw client gets the same retries.
func TestRawClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := play(reply{status: 503, header: []string{announcement}}, reply{status: 201, body: aLink}, reply{status: 503})
		hc := &http.Client{Transport: Retry{}.Transport(server)}
		raw := must(wire.NewClient(testURL, wire.WithHTTPClient(hc)))(t)
		r := api.CreateShareLinkRequest{PersonaID: cara}
		resp := must(raw.CreateShareLink(t.Context(), &api.CreateShareLinkParams{IdempotencyKey: new("order-4711")}, r))(t)
		if got := server.requests; resp.StatusCode != 201 || len(got) != 2 || got[0] != got[1] {
			t.Errorf("%d %q", resp.StatusCode, got)
		}
		// A create without a key and a body that can be read only once are not retried.
		must(raw.CreateShareLink(t.Context(), nil, r))(t)
		must(raw.UpdateShareLinkWithBody(t.Context(), unknown, "application/json", io.MultiReader(strings.NewReader("{}"))))(t)
		if got := server.requests; len(got) != 4 {
			t.Errorf("%q", got)
		}
	})
}

// No answer is read further than maxAnswer, no answer of 101 at all, and every body is closed.
func TestBodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status, size int // what the server sends
		read, gets   int // what is read of it, and what the caller gets
		err          error
	}{
		{200, 0, 0, 0, nil},
		{200, maxAnswer, maxAnswer, maxAnswer, nil},
		{200, maxAnswer + 1, maxAnswer + 1, 0, errTooLarge},
		{200, 1 << 40, maxAnswer + 1, 0, errTooLarge},
		{500, 1 << 40, maxAnswer + 1, maxAnswer + 1, nil},
		{101, 1 << 40, 0, 0, nil},
	} {
		body := &endless{left: c.size}
		attempts := 0
		rt := Retry{}.Transport(roundTrip(func(*http.Request) (*http.Response, error) {
			attempts++
			return &http.Response{StatusCode: c.status, Header: http.Header{}, Body: body}, nil
		}))
		var got []byte
		resp, err := rt.RoundTrip(httptest.NewRequest("GET", "/", nil))
		if err == nil {
			got = must(io.ReadAll(resp.Body))(t)
		}
		if !errors.Is(err, c.err) || len(got) != c.gets || body.read != c.read || !body.closed || attempts != 1 {
			t.Errorf("%+v: %v, read %d, got %d, closed %v, %d attempts", c, err, body.read, len(got), body.closed, attempts)
		}
	}
}

// endless is a body of zeros.
type endless struct {
	left, read int
	closed     bool
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	e.left -= n
	e.read += n
	return n, nil
}

func (e *endless) Close() error {
	e.closed = true
	return nil
}
