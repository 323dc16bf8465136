package session

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
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/sony/gobreaker/v2"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Bounds of what is asked of Anam.
const (
	maxInFlight    = 64               // calls at a time
	maxWait        = 2 * time.Second  // for one's turn among them
	personaTimeout = 5 * time.Second  // for a look at a persona; a session's is the caller's
	personaKept    = 30 * time.Second // how long a persona that was looked up is believed to be there
	maxPersonas    = 4096             // of those at a time
	maxReply       = 1 << 20          // bytes
	tripAfter      = 5                // failures in a row, and nothing is asked for a while
	restFor        = 10 * time.Second // that while
	refusedFor     = time.Minute      // told to visitors where only an operator can help
	busyFor        = 5 * time.Second  // told to visitors where Anam did not say how long
	longestWait    = time.Hour        // of what Anam says is passed on
)

// Anam has its personas, and makes its sessions, at an account with Anam. Its API key is in the header of what is sent
// there and nowhere else.
type Anam struct {
	url     string
	key     string
	client  *http.Client
	turns   chan struct{}
	breaker *gobreaker.CircuitBreaker[reply]
	now     func() time.Time

	mu       sync.Mutex
	personas *lru.LRU[uuid.UUID, known]
}

var (
	_ sharelink.Sessions = (*Anam)(nil)
	_ sharelink.Personas = (*Anam)(nil)
)

// known is a persona's name, as it was at an instant.
type known struct {
	name string
	at   time.Time
}

// reply is what Anam answered.
type reply struct {
	status     int
	retryAfter string
	body       []byte
}

// NewAnam returns the account at the Anam at this URL that the key belongs to.
func NewAnam(url, key string, now func() time.Time) *Anam {
	personas, err := lru.NewLRU[uuid.UUID, known](maxPersonas, nil)
	if err != nil {
		panic(err) // of a size that is not positive
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = maxInFlight
	transport.IdleConnTimeout = 30 * time.Second
	return &Anam{
		url: strings.TrimRight(url, "/"),
		key: key,
		client: &http.Client{
			Transport: transport,
			// The key is for Anam, not for wherever an answer leads.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		turns: make(chan struct{}, maxInFlight),
		breaker: gobreaker.NewCircuitBreaker[reply](gobreaker.Settings{
			Name:        "anam",
			Timeout:     restFor,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
			// A caller that hung up says nothing about Anam.
			IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		}),
		now:      now,
		personas: personas,
	}
}

// Persona asks Anam for a persona, unless it did so a moment ago. The account's personas are there for every organization.
// Errors: NotFound, Unavailable.
func (a *Anam) Persona(ctx context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	persona := sharelink.Persona{ID: id, OrganizationID: organization}
	a.mu.Lock()
	k, ok := a.personas.Get(id)
	a.mu.Unlock()
	if ok && a.now().Sub(k.at) < personaKept {
		persona.Name = k.name
		return persona, nil
	}
	ctx, cancel := context.WithTimeout(ctx, personaTimeout)
	defer cancel()
	r, err := a.ask(ctx, http.MethodGet, "/v1/personas/"+id.String(), nil)
	switch {
	case errors.Is(err, context.Canceled):
		return sharelink.Persona{}, err
	case err != nil:
		return sharelink.Persona{}, &sharelink.Error{Code: sharelink.Unavailable, Detail: "Anam, where the personas are, does not answer", RetryAfter: busyFor, Err: err}
	case r.status == http.StatusNotFound || r.status == http.StatusBadRequest:
		return sharelink.Persona{}, &sharelink.Error{Code: sharelink.NotFound, Detail: "the organization has no persona with this id"}
	case r.status != http.StatusOK:
		return sharelink.Persona{}, &sharelink.Error{Code: sharelink.Unavailable, Detail: "Anam, where the personas are, does not answer as it should", RetryAfter: r.wait(busyFor), Err: r.problem()}
	}
	var answer struct{ Name string }
	if err := json.Unmarshal(r.body, &answer); err != nil {
		return sharelink.Persona{}, &sharelink.Error{Code: sharelink.Unavailable, Detail: "Anam, where the personas are, does not answer as it should", RetryAfter: busyFor, Err: errors.New("the answer of Anam is not a persona")}
	}
	persona.Name = personaName(answer.Name)
	a.mu.Lock()
	a.personas.Add(id, known{name: persona.Name, at: a.now()})
	a.mu.Unlock()
	return persona, nil
}

// personaName is a name as links keep it: without control characters, and not without end.
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

const (
	unavailableDetail = "the persona cannot be talked to at the moment; the visit was not counted"
	timeoutDetail     = "the persona did not answer in time; the visit may have been counted"
)

// Session implements sharelink.Sessions. An answer without a session is a refusal, whatever its status; only no answer,
// one that cannot be read, and a gateway's word that it had none, leave it open whether Anam made one.
func (a *Anam) Session(ctx context.Context, link sharelink.Link, visit sharelink.Visit) (sharelink.Session, error) {
	body, err := json.Marshal(map[string]any{
		"personaConfig": map[string]any{"personaId": link.PersonaID},
		"clientLabel":   "sharelinks",
	})
	if err != nil {
		return sharelink.Session{}, unmade(sharelink.PersonaUnavailable, busyFor, err)
	}
	r, err := a.ask(ctx, http.MethodPost, "/v1/auth/session-token", body)
	if err != nil {
		if neverSent(err) {
			return sharelink.Session{}, unmade(sharelink.PersonaUnavailable, waitAfter(err), err)
		}
		return sharelink.Session{}, &sharelink.Error{Code: sharelink.PersonaTimeout, Detail: timeoutDetail, Err: err}
	}
	switch {
	case r.status == http.StatusGatewayTimeout:
		return sharelink.Session{}, &sharelink.Error{Code: sharelink.PersonaTimeout, Detail: timeoutDetail, Err: r.problem()}
	case r.status == http.StatusTooManyRequests || r.status >= 500:
		return sharelink.Session{}, unmade(sharelink.PersonaUnavailable, r.wait(busyFor), r.problem())
	case r.status >= 300:
		return sharelink.Session{}, unmade(sharelink.PersonaRefused, r.wait(refusedFor), r.problem())
	}
	var answer struct{ SessionToken string }
	if err := json.Unmarshal(r.body, &answer); err != nil || answer.SessionToken == "" {
		return sharelink.Session{}, &sharelink.Error{Code: sharelink.PersonaTimeout, Detail: timeoutDetail, Err: errors.New("the answer of Anam has no session token")}
	}
	return sharelink.Session{Token: answer.SessionToken, ExpiresAt: visit.At.Add(Lifetime)}, nil
}

// unmade is the error of a session that for sure was not made.
func unmade(code sharelink.Code, wait time.Duration, cause error) error {
	return &sharelink.Error{Code: code, Detail: unavailableDetail, RetryAfter: wait, Err: cause}
}

// unsent is why there was no connection that a request could have been sent on.
type unsent struct{ error }

func (u unsent) Unwrap() error { return u.error }

// errBusy is that nobody's turn came.
var errBusy = errors.New("too many calls to Anam are in flight")

// neverSent tells whether an error means that Anam was not even asked.
func neverSent(err error) bool {
	_, ok := errors.AsType[unsent](err)
	return ok || errors.Is(err, errBusy) || errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

func waitAfter(err error) time.Duration {
	if errors.Is(err, gobreaker.ErrOpenState) {
		return restFor
	}
	return busyFor
}

// ask sends a request once, or twice if the first never left. Failures in a row, which are no answer and answers of 5xx,
// keep further ones from being tried: a dead upstream then costs nobody a wait.
func (a *Anam) ask(ctx context.Context, method, path string, body []byte) (reply, error) {
	turn, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	case <-turn.Done():
		if ctx.Err() != nil {
			return reply{}, fmt.Errorf("%w: %w", errBusy, ctx.Err())
		}
		return reply{}, errBusy
	}
	r, err := a.breaker.Execute(func() (reply, error) {
		r, err := a.send(ctx, method, path, body)
		if err != nil && neverSent(err) && ctx.Err() == nil {
			r, err = a.send(ctx, method, path, body)
		}
		if err == nil && r.status >= 500 {
			err = failed{r}
		}
		return r, err
	})
	if f, ok := errors.AsType[failed](err); ok {
		return f.reply, nil
	}
	return r, err
}

// failed is an answer that counts as a failure of Anam.
type failed struct{ reply }

func (f failed) Error() string { return f.problem().Error() }

func (a *Anam) send(ctx context.Context, method, path string, body []byte) (reply, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.client.Do(req)
	if err != nil && !connected.Load() {
		return reply{}, unsent{err}
	}
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}
	if r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply)); err != nil && r.status < 300 {
		return reply{}, err // a refusal is one without its body too
	}
	return r, nil
}

// problem is what the log is told: the body is not, because nobody knows what is in it.
func (r reply) problem() error {
	return fmt.Errorf("answer of Anam: %d %s", r.status, http.StatusText(r.status))
}

// wait is how long Anam says to wait, within reason, or the other where it says nothing.
func (r reply) wait(other time.Duration) time.Duration {
	seconds, err := strconv.ParseUint(r.retryAfter, 10, 31)
	if err != nil {
		return other
	}
	return min(max(time.Duration(seconds)*time.Second, time.Second), longestWait)
}
