package client

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Retry says how failed attempts are retried. The zero value is the default.
//
// Retried are broken connections, incomplete answers, and the statuses 429, 502, 503 and 504. GET, PUT and DELETE are
// always retried. POST is retried only with an Idempotency-Key and only at a server that is known to honour it: an
// earlier answer of it had the header Idempotency-Key-Window, or Creates is set. An attempt is not made if it could
// only start after the context's deadline.
//
// The wait before an attempt is the answer's Retry-After, or else a random part of Backoff, which doubles each time.
type Retry struct {
	Attempts int           // the maximum, including the first; 0 is 4, 1 disables retries
	Backoff  time.Duration // the upper bound of the first wait; 0 is 250 ms
	MaxWait  time.Duration // the upper bound of every wait, Retry-After included; 0 is 10 s
	Creates  bool          // the server is known to honour an Idempotency-Key even if it does not announce that
}

// Transport returns a round tripper that retries what fails in next, http.DefaultTransport if nil. It gives the raw
// client of package wire the retries of this package. An answer is read to its end before it is returned; one of more
// than 4 MiB, decompressed, is an error.
func (r Retry) Transport(next http.RoundTripper) http.RoundTripper {
	return r.transport(next, &sync.Map{}, nil)
}

func (r Retry) transport(next http.RoundTripper, idempotent *sync.Map, c *call) *transport {
	if next == nil {
		next = http.DefaultTransport
	}
	r.Attempts = cmp.Or(r.Attempts, 4)
	r.Backoff = cmp.Or(r.Backoff, 250*time.Millisecond)
	r.MaxWait = cmp.Or(r.MaxWait, 10*time.Second)
	return &transport{Retry: r, next: next, idempotent: idempotent, call: c}
}

// transport makes the attempts of a request.
type transport struct {
	Retry
	next       http.RoundTripper
	idempotent *sync.Map // the base URLs of servers that honour an Idempotency-Key
	call       *call     // nil for requests of the raw client
}

const (
	windowHeader = "Idempotency-Key-Window" // announces that a server honours keyHeader
	keyHeader    = "Idempotency-Key"
)

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c := cmp.Or(t.call, &call{})
	for attempt := 1; ; attempt++ {
		c.attempts++
		began := time.Now()
		resp, err := t.try(r, attempt)
		c.log(r, resp, err, time.Since(began))
		if err == nil && resp.Header.Get(windowHeader) != "" {
			c.announced = true
			t.idempotent.Store(baseURL(r), true)
		}
		wait, ok := t.nextWait(r, resp, err, attempt)
		if !ok {
			return resp, err
		}
		if resp != nil {
			resp.Body.Close()
		}
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// try makes one attempt. A retry sends a copy of the request, with its body from the start.
func (t *transport) try(r *http.Request, attempt int) (*http.Response, error) {
	if attempt > 1 {
		r = r.Clone(r.Context())
		if r.GetBody != nil {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			r.Body = body
		}
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return bufferBody(resp)
}

// errTooLarge is the error of an answer that has no end, or a far one. It is not retried.
var errTooLarge = fmt.Errorf("the answer has more than %d bytes, which is all that is read", maxAnswer)

// bufferBody reads the body of an answer, so that an incomplete answer fails here, where it can be retried. An
// incomplete error is returned as it is, and so is the beginning of one that is too large.
func bufferBody(resp *http.Response) (*http.Response, error) {
	defer resp.Body.Close()
	var b bytes.Buffer
	if resp.StatusCode != http.StatusSwitchingProtocols { // its body is the connection, which no deadline ends
		n, err := io.Copy(&b, io.LimitReader(resp.Body, maxAnswer+1))
		if err == nil && n > maxAnswer {
			err = errTooLarge
		}
		if err != nil && resp.StatusCode < 300 {
			return nil, err
		}
	}
	resp.Body = io.NopCloser(&b)
	return resp, nil
}

// nextWait returns how long to wait before the next attempt, and whether to make one.
func (t *transport) nextWait(r *http.Request, resp *http.Response, err error, attempt int) (time.Duration, bool) {
	if attempt >= t.Attempts || !t.isRepeatable(r) || errors.Is(err, errTooLarge) {
		return 0, false
	}
	wait := t.backoff(attempt)
	if err == nil {
		switch resp.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		default:
			return 0, false
		}
		if after, ok := retryAfter(resp.Header); ok {
			wait = min(after, t.MaxWait)
		}
	}
	deadline, ok := r.Context().Deadline()
	return wait, !ok || time.Until(deadline) > wait
}

// isRepeatable reports whether a request can be sent again, and may arrive twice.
func (t *transport) isRepeatable(r *http.Request) bool {
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return false
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPost:
		_, announced := t.idempotent.Load(baseURL(r))
		return r.Header.Get(keyHeader) != "" && (announced || t.Creates)
	}
	return false
}

// baseURL returns the base URL of a request. One host may have several servers under different paths.
func baseURL(r *http.Request) string {
	path := r.URL.Path
	return r.URL.Scheme + "://" + r.URL.Host + path[:max(strings.LastIndex(path, "/v1/share"), 0)]
}

// backoff returns a random wait after an attempt. Clients that failed together return one by one ("full jitter").
func (t *transport) backoff(attempt int) time.Duration {
	bound := min(t.Backoff, t.MaxWait)
	for range attempt - 1 {
		bound += min(bound, t.MaxWait-bound)
	}
	return rand.N(bound)
}

// retryAfter reads a Retry-After of seconds or a date. A date is compared with the server's clock, if it sends Date.
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
