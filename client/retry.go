package client

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Retry says how attempts that failed are repeated. Its zero value is the default.
//
// Repeated are failures of the connection, an answer that was cut off, and the statuses 429, 502, 503 and 504: of GET, PUT
// and DELETE always, of POST only under an Idempotency-Key and at a server that is known to honour it, because any answer
// of it so far had the header Idempotency-Key-Window. An attempt that could only begin after the context's deadline is not
// made.
type Retry struct {
	Attempts int           // at most so many, the first included; 0 is 4, 1 repeats nothing
	Backoff  time.Duration // the first wait is a random part of it, each later one of twice the last; 0 is 250 ms
	MaxWait  time.Duration // no wait is longer, not even for a Retry-After; 0 is 10 s
	Creates  bool          // whether the server is known to honour an Idempotency-Key although it does not say so

	// For tests; nil is the real thing.
	part  func(time.Duration) time.Duration // a random part of a duration
	sleep func(context.Context, time.Duration) error
}

// Transport returns a round tripper that repeats what next, or http.DefaultTransport if nil, fails at. It gives the raw
// client of package wire the retries of this one. An answer of up to 4 MiB is read to its end before it is returned.
func (r Retry) Transport(next http.RoundTripper) http.RoundTripper {
	return &transport{Retry: r, next: next, known: &sync.Map{}}
}

type transport struct {
	Retry
	next  http.RoundTripper
	known *sync.Map // of the base URLs of servers that honour an Idempotency-Key
}

const (
	windowHeader = "Idempotency-Key-Window"
	keyHeader    = "Idempotency-Key"
)

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := callOf(r.Context())
	for attempt := 1; ; attempt++ {
		c.attempts++
		began := time.Now()
		resp, err := t.try(r, attempt)
		c.log(r, resp, err, time.Since(began))
		if err == nil && resp.Header.Get(windowHeader) != "" {
			c.announced = true
			t.known.Store(baseOf(r), true)
		}
		wait, ok := t.again(r, resp, err, attempt)
		if !ok {
			return resp, err
		}
		if resp != nil {
			resp.Body.Close()
		}
		if err := t.pause(r.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// try makes one attempt. The request is only lent: from the second attempt on a copy is sent, with its body from the start.
func (t *transport) try(r *http.Request, attempt int) (*http.Response, error) {
	if attempt > 1 {
		again := r.Clone(r.Context())
		if r.GetBody != nil {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			again.Body = body
		}
		r = again
	}
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return held(resp)
}

// maxHeld is how much of an answer is read before it is returned, in bytes. A page of 100 links has about 60 KiB.
const maxHeld = 4 << 20

// held reads the body of an answer, so that one that is cut off is a failure here, where it can be repeated, and so that
// the connection can be used again. Of an error what did arrive is enough.
func held(resp *http.Response) (*http.Response, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(resp.Body, maxHeld+1))
	if err != nil && resp.StatusCode < 300 {
		resp.Body.Close()
		return nil, err
	}
	if n > maxHeld {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(&b, resp.Body), resp.Body}
		return resp, nil
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(&b)
	return resp, nil
}

// again tells whether to make another attempt, and after what wait.
func (t *transport) again(r *http.Request, resp *http.Response, err error, attempt int) (time.Duration, bool) {
	attempts, maxWait := t.Attempts, t.MaxWait
	if attempts == 0 {
		attempts = 4
	}
	if maxWait == 0 {
		maxWait = 10 * time.Second
	}
	if attempt >= attempts || r.Context().Err() != nil || !t.repeatable(r) {
		return 0, false
	}
	wait := t.backoff(attempt, maxWait)
	if err == nil {
		switch resp.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		default:
			return 0, false
		}
		if after, ok := retryAfter(resp.Header); ok {
			wait = min(after, maxWait)
		}
	}
	deadline, bounded := r.Context().Deadline()
	return wait, !bounded || time.Until(deadline) > wait
}

// repeatable tells whether a request may arrive twice, and can be sent twice.
func (t *transport) repeatable(r *http.Request) bool {
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return false
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPost:
		_, known := t.known.Load(baseOf(r))
		return r.Header.Get(keyHeader) != "" && (known || t.Creates)
	}
	return false
}

// baseOf is the base URL that a request was made from: one host can have several servers, by prefix.
func baseOf(r *http.Request) string {
	path := r.URL.Path
	return r.URL.Scheme + "://" + r.URL.Host + path[:max(strings.LastIndex(path, "/v1/share"), 0)]
}

// backoff is the wait after an attempt: full jitter, so that clients that failed together do not come back together.
func (t *transport) backoff(attempt int, most time.Duration) time.Duration {
	d := t.Backoff
	if d == 0 {
		d = 250 * time.Millisecond
	}
	for range attempt - 1 {
		if d >= most {
			break
		}
		d *= 2
	}
	d = min(d, most)
	if t.part != nil {
		return t.part(d)
	}
	return rand.N(d)
}

func (t *transport) pause(ctx context.Context, d time.Duration) error {
	if t.sleep != nil {
		return t.sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// retryAfter reads Retry-After, which is seconds or a date. A date counts from the server's own, if it sends one: the two
// clocks need not agree.
func retryAfter(h http.Header) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(at.Sub(now), 0), true
}
