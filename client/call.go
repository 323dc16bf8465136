package client

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sharelinks-dev/sharelinks/client/wire"
	"github.com/sharelinks-dev/sharelinks/internal/redact"
)

// The routes, as logs name them: an id in each would make as many routes as there are links.
const (
	routeLinks = "/v1/share-links"
	routeLink  = "/v1/share-links/{id}"

	routeVisits = routeLink + "/visits"
)

// call is one call of a method, with all its attempts. The transport finds it in the request's context.
type call struct {
	settings
	client    *Client
	operation string
	route     string
	token     string // another secret that must not be shown
	attempts  int
	announced bool // whether an answer said that the server honours an Idempotency-Key: so it is one of ours
}

type callKey struct{}

// callOf returns the call that a request belongs to, an empty one for the raw client's.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

// begin starts a call, unless its settings or its input have faults.
func (c *Client) begin(operation string, opts []Option, faults []Fault) (*call, error) {
	s, err := c.settings.with(opts)
	call := &call{settings: s, client: c, operation: operation}
	if err != nil {
		return nil, &Error{Operation: operation, Detail: err.Error(), kind: ErrInvalid}
	}
	return call, call.refuse(faults)
}

// refuse returns what is wrong with the input, in the words in which the server would say it, nil if nothing is.
func (c *call) refuse(faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &Error{Operation: c.operation, Detail: summary(faults), Faults: faults, kind: ErrInvalid}
}

// answer is a good answer, read to its end.
type answer struct {
	call   *call
	status int
	header http.Header
	body   []byte
}

// do sends a request with the generated client and returns the answer if it is a good one. Any error is an *Error.
func (c *call) do(ctx context.Context, route string, send func(context.Context, *wire.Client) (*http.Response, error)) (answer, error) {
	c.route = route
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	hc := *c.httpClient
	hc.Transport = &transport{Retry: c.retry, next: hc.Transport, known: c.client.known}
	if hc.CheckRedirect == nil {
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	raw := &wire.Client{
		Server: strings.TrimRight(c.url, "/") + "/",
		Client: &hc,
		RequestEditors: []wire.RequestEditorFn{func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+c.key())
			r.Header.Set("User-Agent", c.agent)
			r.Header.Set("Accept", "application/json")
			return nil
		}},
	}
	resp, err := send(context.WithValue(ctx, callKey{}, c), raw)
	if err != nil {
		return answer{}, c.failure(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return answer{}, c.refusal(resp)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, c.failure(err)
	}
	return answer{call: c, status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// failure is the error of a call that got no answer. A *url.Error is taken off: it shows the URL with its query.
func (c *call) failure(err error) *Error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return &Error{Operation: c.operation, Detail: c.hidden(err.Error()), Attempts: c.attempts, Err: err}
}

// unreadable is the error of an answer that is not what it should be.
func (a answer) unreadable(what string, err error) *Error {
	return &Error{
		Operation: a.call.operation,
		Status:    a.status,
		Detail:    a.call.hidden("the answer is not " + what + ": " + err.Error()),
		RequestID: a.call.hidden(a.header.Get("X-Request-Id")),
		Attempts:  a.call.attempts,
		Body:      a.call.excerpt(a.body),
		Err:       err,
	}
}

// hidden is a text that others had a hand in, without the key and without tokens.
func (c *call) hidden(s string) string {
	for _, secret := range []string{c.key(), c.token} {
		if secret == "" {
			continue
		}
		s = strings.ReplaceAll(s, secret, "...")
		s = strings.ReplaceAll(s, url.QueryEscape(secret), "...")
	}
	return redact.Secrets(s)
}

// log tells of one attempt.
func (c *call) log(r *http.Request, resp *http.Response, err error, elapsed time.Duration) {
	if c.logger == nil {
		return
	}
	level := slog.LevelDebug
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("route", c.route),
		slog.Int("attempt", c.attempts), slog.Duration("elapsed", elapsed),
	}
	if err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", c.hidden(err.Error())))
	} else {
		if resp.StatusCode >= 300 {
			level = slog.LevelWarn
		}
		id := cmp.Or(c.hidden(resp.Header.Get("X-Request-Id")), "-")
		attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.String("request_id", id))
	}
	c.logger.LogAttrs(r.Context(), level, "share links request", attrs...)
}
