// Package anam is Anam's API as the service uses it: its personas, and the sessions that it makes.
package anam

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/sony/gobreaker/v2"

	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	maxInFlight    = 64               // calls at a time
	maxQueueWait   = 2 * time.Second  // of a call for its place among them
	personaTimeout = 5 * time.Second  // of a persona look-up; the caller bounds a session
	personaTTL     = 30 * time.Second // how long a persona look-up is cached
	maxPersonas    = 4096             // cached at a time
	maxReply       = 1 << 20          // bytes
	breakAfter     = 5                // consecutive failures open the breaker
	breakFor       = 10 * time.Second // how long it stays open

	sessionLifetime = time.Hour // of Anam's sessions

	retryRefused = time.Minute     // Retry-After where only an operator can help
	retryBusy    = 5 * time.Second // where Anam did not say how long
	maxRetry     = time.Hour       // the longest that is passed on
)

// Client has the personas of an account with Anam and makes sessions there. Its API key is in the header of what is sent
// to Anam, and nowhere else.
type Client struct {
	url     string
	key     string
	http    *http.Client
	slots   chan struct{}
	breaker *gobreaker.CircuitBreaker[reply]
	now     func() time.Time

	personas *lru.Cache[uuid.UUID, cachedPersona]
}

var (
	_ service.Sessions = (*Client)(nil)
	_ service.Personas = (*Client)(nil)
)

// cachedPersona is the result of a persona look-up.
type cachedPersona struct {
	name string
	at   time.Time
}

// reply is a response of Anam.
type reply struct {
	status     int
	retryAfter string
	body       []byte
}

// New returns a client of the API at this URL, for the account that the key belongs to.
func New(url, key string, now func() time.Time) *Client {
	personas, err := lru.New[uuid.UUID, cachedPersona](maxPersonas)
	if err != nil {
		panic(err) // the size is positive
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = maxInFlight
	transport.IdleConnTimeout = 30 * time.Second
	return &Client{
		url: strings.TrimRight(url, "/"),
		key: key,
		http: &http.Client{
			Transport: transport,
			// The key is for Anam, not for the target of a redirect.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		slots: make(chan struct{}, maxInFlight),
		breaker: gobreaker.NewCircuitBreaker[reply](gobreaker.Settings{
			Name:        "anam",
			Timeout:     breakFor,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter },
			// A caller that hung up says nothing about Anam.
			IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		}),
		now:      now,
		personas: personas,
	}
}

// Persona returns a persona of the account, which is there for every organization. A look-up is cached for personaTTL.
// Errors: NotFound, Unavailable.
func (c *Client) Persona(ctx context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	persona := sharelink.Persona{ID: id, OrganizationID: organization}
	if cached, ok := c.personas.Get(id); ok && c.now().Sub(cached.at) < personaTTL {
		persona.Name = cached.name
		return persona, nil
	}
	ctx, cancel := context.WithTimeout(ctx, personaTimeout)
	defer cancel()
	r, err := c.call(ctx, http.MethodGet, "/v1/personas/"+id.String(), nil)
	var answer struct{ Name string }
	switch {
	case errors.Is(err, context.Canceled):
		return sharelink.Persona{}, err
	case err != nil:
		return sharelink.Persona{}, unavailable("does not answer", retryBusy, err)
	case r.status == http.StatusNotFound || r.status == http.StatusBadRequest:
		return sharelink.Persona{}, service.ErrNoPersona
	case r.status != http.StatusOK:
		return sharelink.Persona{}, unavailable("does not answer as it should", r.wait(retryBusy), r.problem())
	case json.Unmarshal(r.body, &answer) != nil:
		return sharelink.Persona{}, unavailable("does not answer as it should", retryBusy, errors.New("the answer of Anam is not a persona"))
	}
	persona.Name = personaName(answer.Name)
	c.personas.Add(id, cachedPersona{name: persona.Name, at: c.now()})
	return persona, nil
}

func unavailable(what string, wait time.Duration, cause error) error {
	return &sharelink.Error{Code: sharelink.Unavailable, Detail: "Anam, where the personas are, " + what, RetryAfter: wait, Err: cause}
}

// personaName returns a name as links keep it: without control characters, of at most 100 characters.
func personaName(name string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, name))
	if runes := []rune(name); len(runes) > 100 {
		name = string(runes[:100])
	}
	if name == "" {
		return "Persona"
	}
	return name
}

// Session implements service.Sessions. A response without a session is a refusal, whatever its status. Only no response,
// one that cannot be read and a gateway's timeout leave it open whether Anam made one.
func (c *Client) Session(ctx context.Context, link sharelink.Link, visit sharelink.Visit) (sharelink.Session, error) {
	body := `{"clientLabel":"sharelinks","personaConfig":{"personaId":"` + link.PersonaID.String() + `"}}`
	r, err := c.call(ctx, http.MethodPost, "/v1/auth/session-token", []byte(body))
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		return sharelink.Session{}, refused(sharelink.PersonaUnavailable, breakFor, err)
	case err != nil && neverSent(err):
		return sharelink.Session{}, refused(sharelink.PersonaUnavailable, retryBusy, err)
	case err != nil:
		return sharelink.Session{}, timedOut(err)
	case r.status == http.StatusGatewayTimeout:
		return sharelink.Session{}, timedOut(r.problem())
	case r.status == http.StatusTooManyRequests || r.status >= 500:
		return sharelink.Session{}, refused(sharelink.PersonaUnavailable, r.wait(retryBusy), r.problem())
	case r.status >= 300:
		return sharelink.Session{}, refused(sharelink.PersonaRefused, r.wait(retryRefused), r.problem())
	}
	var answer struct{ SessionToken string }
	if err := json.Unmarshal(r.body, &answer); err != nil || answer.SessionToken == "" {
		return sharelink.Session{}, timedOut(errors.New("the answer of Anam has no session token"))
	}
	return sharelink.Session{Token: answer.SessionToken, ExpiresAt: visit.At.Add(sessionLifetime)}, nil
}

// refused returns the error of a session that for sure was not made.
func refused(code sharelink.Code, wait time.Duration, cause error) error {
	return &sharelink.Error{Code: code, Detail: "the persona is not available at the moment; no use was spent", RetryAfter: wait, Err: cause}
}

// timedOut returns the error of a session that may have been made.
func timedOut(cause error) error {
	return &sharelink.Error{Code: sharelink.PersonaTimeout, Detail: "the persona did not answer in time; the use may have been spent", Err: cause}
}

var (
	// errUnsent is returned when there was no connection that a request could have been sent on.
	errUnsent = errors.New("no connection to Anam")
	// errBusy is returned when no slot frees up within maxQueueWait.
	errBusy = errors.New("too many calls to Anam are in flight")
)

// neverSent returns whether an error means that the request never left.
func neverSent(err error) bool {
	return errors.Is(err, errUnsent) || errors.Is(err, errBusy) ||
		errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

// call sends a request once, or twice if the first never left. Consecutive failures, which are no response and statuses of
// 5xx, open the breaker: then calls fail at once instead of waiting for a dead upstream.
func (c *Client) call(ctx context.Context, method, path string, body []byte) (reply, error) {
	queue, cancel := context.WithTimeout(ctx, maxQueueWait)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-queue.Done():
		return reply{}, errors.Join(errBusy, ctx.Err())
	}
	r, err := c.breaker.Execute(func() (reply, error) {
		r, err := c.send(ctx, method, path, body)
		if err != nil && neverSent(err) && ctx.Err() == nil {
			r, err = c.send(ctx, method, path, body)
		}
		if err == nil && r.status >= 500 {
			err = failedReply{r}
		}
		return r, err
	})
	if failed, ok := errors.AsType[failedReply](err); ok {
		return failed.reply, nil
	}
	return r, err
}

// failedReply is a reply that counts as a failure of Anam.
type failedReply struct{ reply }

func (f failedReply) Error() string { return f.problem().Error() }

func (c *Client) send(ctx context.Context, method, path string, body []byte) (reply, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil && !connected.Load() {
		return reply{}, fmt.Errorf("%w: %w", errUnsent, err)
	}
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}
	if r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply)); err != nil && r.status < 300 {
		return reply{}, err // a refusal needs no body
	}
	return r, nil
}

// problem is the reply as the log has it, without the body: its content is not known.
func (r reply) problem() error {
	return fmt.Errorf("answer of Anam: %d %s", r.status, http.StatusText(r.status))
}

// wait returns how long Anam says to wait, within bounds, or byDefault where it says nothing.
func (r reply) wait(byDefault time.Duration) time.Duration {
	seconds, err := strconv.ParseUint(r.retryAfter, 10, 31)
	if err != nil {
		return byDefault
	}
	return min(max(time.Duration(seconds)*time.Second, time.Second), maxRetry)
}
