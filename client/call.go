package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/redact"
)

// Routes name requests in logs. The path itself would show tokens.
const (
	routeLinks    = "/v1/share-links"
	routeLink     = "/v1/share-links/{id}"
	routeVisits   = "/v1/share-links/{id}/visits"
	routePersonas = "/v1/personas"
	routePreview  = "/v1/share/{token}"
	routeSessions = "/v1/share/{token}/sessions"
)

// call is one call of a method of Client with all its attempts.
type call struct {
	settings
	operation  string
	route      string
	visitor    bool      // the API key is not sent
	token      string    // a secret, as is the API key; "" if the call has none
	idempotent *sync.Map // see transport
	request    *http.Request
	err        *Error // why nothing is sent: what is wrong with the settings or the arguments
	attempts   int
	announced  bool // an answer had the header windowHeader, so the server is a sharelinks server
}

func (c *Client) newCall(operation, route string, opts []Option) *call {
	s, err := c.settings.with(opts)
	call := &call{settings: s, operation: operation, route: route, idempotent: c.idempotent}
	if err != nil {
		call.err = invalid(operation, err.Error())
	}
	return call
}

// need stops the call if an id or token would change the path of the request to that of another resource.
func (c *call) need(name, value string) *call {
	if c.err == nil && (value == "" || value == "." || value == "..") {
		c.err = invalid(c.operation, fmt.Sprintf("the %s must not be %q", name, value))
	}
	return c
}

// prepare sets the request, as the generated code returns it. An error is a value that JSON does not have: NaN hours.
func (c *call) prepare(r *http.Request, err error) {
	c.request = r
	if c.err == nil && err != nil {
		c.err = invalid(c.operation, c.redact(err.Error()))
	}
}

// fetchLink sends the request, whose answer is a link.
func (c *call) fetchLink(ctx context.Context) (ShareLink, error) {
	return fetch(ctx, c, "a share link", func(l ShareLink) bool { return l.ID != "" && l.Token != "" })
}

// fetch sends the request and decodes the answer. Errors call the answer what. complete reports whether it has the
// fields without which it is something else.
func fetch[T any](ctx context.Context, c *call, what string, complete func(T) bool) (T, error) {
	var none, v T
	resp, body, err := c.send(ctx)
	if err != nil {
		return none, err
	}
	err = json.Unmarshal(body, &v)
	if err == nil && complete(v) {
		return v, nil
	}
	err = cmp.Or(err, errors.New("required fields are missing"))
	e := c.newError("the answer is not "+what+": "+err.Error(), err)
	e.Status, e.RequestID = resp.StatusCode, c.redact(resp.Header.Get("X-Request-Id"))
	if !c.visitor { // the answer to a visitor may have a session token
		e.Body = c.excerpt(body)
	}
	return none, e
}

// send sends the request and returns its answer, which has a status of 2xx, and the body. Every error is an *Error.
func (c *call) send(ctx context.Context) (*http.Response, []byte, error) {
	if c.err != nil {
		return nil, nil, c.err
	}
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	hc := *c.httpClient
	hc.Transport = c.retry.transport(hc.Transport, c.idempotent, c)
	if hc.CheckRedirect == nil {
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	r := c.request.WithContext(ctx)
	r.Header.Set("User-Agent", c.agent)
	r.Header.Set("Accept", "application/json")
	if !c.visitor {
		r.Header.Set("Authorization", "Bearer "+c.key())
	}
	resp, err := hc.Do(r)
	if err != nil {
		return nil, nil, c.transportError(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, nil, c.statusError(resp)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, c.transportError(err)
	}
	return resp, body, nil
}

// redact replaces the API key and tokens in a text that comes from elsewhere. The text may be JSON or have a URL in it.
func (c *call) redact(s string) string {
	return redact.Known(s, c.key(), c.token)
}

// log logs one attempt.
func (c *call) log(r *http.Request, resp *http.Response, err error, elapsed time.Duration) {
	if c.logger == nil {
		return
	}
	level := slog.LevelDebug
	if err != nil || resp.StatusCode >= 300 {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("route", c.route),
		slog.Int("attempt", c.attempts), slog.Duration("elapsed", elapsed),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", c.redact(err.Error())))
	} else {
		id := cmp.Or(c.redact(resp.Header.Get("X-Request-Id")), "-")
		attrs = append(attrs, slog.Int("status", resp.StatusCode), slog.String("request_id", id))
	}
	c.logger.LogAttrs(r.Context(), level, "share links request", attrs...)
}
