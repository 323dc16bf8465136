// Package anam is Anam's API as the service uses it: its personas, and the sessions that it makes.
package anam

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
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
	maxSessions    = 64               // in the making at a time
	maxLookups     = 16               // of personas at a time
	personaTimeout = 5 * time.Second  // of a persona look-up; the caller bounds a session
	personaTTL     = 30 * time.Second // how long a persona look-up is cached
	maxPersonas    = 4096             // cached at a time

	sessionLifetime = time.Hour // of Anam's sessions

	retryRefused = time.Minute     // Retry-After where only an operator can help
	retryBusy    = 5 * time.Second // where Anam did not say how long
	maxRetry     = time.Hour       // the longest that is passed on
)

// Client has the personas of an account with Anam and makes sessions there. Its API key is in the header of what is sent
// to Anam, and nowhere else.
type Client struct {
	url  string
	key  string
	http *http.Client
	now  func() time.Time

	sessions, lookups *lane // look-ups that wait do not keep a visitor from a session, nor the other way round
	personas          *lru.Cache[uuid.UUID, cachedPersona]
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

// New returns a client of the API at this URL, for the account that the key belongs to.
func New(url, key string, now func() time.Time) *Client {
	personas, err := lru.New[uuid.UUID, cachedPersona](maxPersonas)
	if err != nil {
		panic(err) // the size is positive
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = maxSessions
	transport.IdleConnTimeout = 30 * time.Second
	transport.MaxResponseHeaderBytes = maxHead
	return &Client{
		url: strings.TrimRight(url, "/"),
		key: key,
		http: &http.Client{
			Transport: transport,
			// The key is for Anam, not for the target of a redirect.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		now:      now,
		sessions: newLane(maxSessions),
		lookups:  newLane(maxLookups),
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
	r, err := c.lookups.call(ctx, id, func(ctx context.Context) (reply, error) {
		return c.send(ctx, http.MethodGet, "/v1/personas/"+id.String(), nil)
	})
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
	r, err := c.sessions.call(ctx, link.PersonaID, func(ctx context.Context) (reply, error) {
		return c.send(ctx, http.MethodPost, "/v1/auth/session-token", []byte(body))
	})
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
