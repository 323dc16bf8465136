// Package anam is Anam's API as the service uses it: its personas, and the sessions that it makes.
package anam

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
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
func New(baseURL, key string, now func() time.Time) *Client {
	personas, err := lru.New[uuid.UUID, cachedPersona](maxPersonas)
	if err != nil {
		panic(err) // the size is positive
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = maxSessions
	transport.IdleConnTimeout = 30 * time.Second
	transport.MaxResponseHeaderBytes = maxHead
	return &Client{
		url: strings.TrimRight(baseURL, "/"),
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
	r, err := c.lookUp(ctx, id, "/v1/personas/"+id.String())
	var answer struct{ Name string }
	switch {
	case err != nil:
		return sharelink.Persona{}, err
	case r.status == http.StatusNotFound || r.status == http.StatusBadRequest:
		return sharelink.Persona{}, service.ErrNoPersona
	case r.status != http.StatusOK || json.Unmarshal(r.body, &answer) != nil:
		return sharelink.Persona{}, r.unusable("a persona")
	}
	persona.Name = personaName(answer.Name)
	c.personas.Add(id, cachedPersona{name: persona.Name, at: c.now()})
	return persona, nil
}

// listOfPersonas stands for a persona where the list of all is asked for: when that fails, look-ups of one go on.
var listOfPersonas = uuid.Max

// Personas returns one page of the account's personas, which are there for every organization. Order and search are Anam's. Error:
// Unavailable.
//
// Anam's reference has the operation with page, perPage (1 to 100) and search. That it answers as its list of share links does,
// {"data": [...], "meta": {"total": ...}}, is inferred. A persona in it that has no UUID is left out.
func (c *Client) Personas(ctx context.Context, organization uuid.UUID, search string, p sharelink.Paging) (sharelink.Page[sharelink.Persona], error) {
	query := url.Values{"page": {strconv.Itoa(p.Page)}, "perPage": {strconv.Itoa(p.PerPage)}}
	if search != "" {
		query.Set("search", search)
	}
	page := sharelink.Page[sharelink.Persona]{}
	r, err := c.lookUp(ctx, listOfPersonas, "/v1/personas?"+query.Encode())
	if err != nil {
		return page, err
	}
	var answer struct {
		Data []json.RawMessage
		Meta struct{ Total *int32 }
	}
	if r.status != http.StatusOK || json.Unmarshal(r.body, &answer) != nil || answer.Data == nil ||
		answer.Meta.Total == nil || int(*answer.Meta.Total) < len(answer.Data) {
		return page, r.unusable("a list of personas")
	}
	page.Total = int(*answer.Meta.Total)
	for _, listed := range answer.Data {
		var persona struct{ ID, Name string }
		if json.Unmarshal(listed, &persona) != nil {
			continue
		}
		if id, ok := sharelink.ParseID(persona.ID); ok {
			page.Items = append(page.Items, sharelink.Persona{ID: id, OrganizationID: organization, Name: personaName(persona.Name)})
		}
	}
	return page, nil
}

// lookUp asks Anam for what is at a path, for the sake of a persona. Error: Unavailable when there is no answer.
func (c *Client) lookUp(ctx context.Context, persona uuid.UUID, path string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, personaTimeout)
	defer cancel()
	r, err := c.lookups.call(ctx, persona, func(ctx context.Context) (reply, error) {
		return c.send(ctx, http.MethodGet, path, nil)
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		err = unavailable("does not answer", retryBusy, err)
	}
	return r, err
}

// unusable returns the error for a reply that is not what was asked for.
func (r reply) unusable(want string) error {
	cause := r.problem()
	if r.status == http.StatusOK {
		cause = errors.New("the answer of Anam is not " + want)
	}
	return unavailable("does not answer as it should", r.wait(retryBusy), cause)
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
