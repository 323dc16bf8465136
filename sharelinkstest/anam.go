package sharelinkstest

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Anam is a stand-in for https://api.anam.ai as the service uses it: the personas of one account, and session tokens. It is
// safe for concurrent use.
type Anam struct {
	URL string // such as http://127.0.0.1:41234
	Key string // the API key of the account; any other is a 401

	closing chan struct{}
	close   func() error

	mu       sync.Mutex
	personas map[string]string // names by id
	faults   []Fault
	requests []string
	sessions int
	token    string
}

// NewAnam starts an Anam that is closed when the test ends. Its account has no personas.
func NewAnam(tb TB) *Anam {
	tb.Helper()
	a, err := startAnam()
	if err != nil {
		tb.Fatalf("sharelinkstest: NewAnam: %v", err)
	}
	tb.Cleanup(func() {
		if err := a.close(); err != nil {
			tb.Errorf("sharelinkstest: %v", err)
		}
	})
	return a
}

func startAnam() (*Anam, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &Anam{
		URL: "http://" + listener.Addr().String(), Key: "anam-key-that-stays-on-the-server",
		closing: make(chan struct{}), personas: map[string]string{},
	}
	stop := serve(listener, a, slog.New(slog.DiscardHandler))
	a.close = func() error {
		close(a.closing)
		return stop()
	}
	return a, nil
}

// AddPersona adds a persona to the account and returns its id.
func (a *Anam) AddPersona(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := uuid.NewString()
	a.personas[id] = name
	return id
}

// Fail queues faults for the session tokens that are asked for next, such as Fault{Status: 402} for an account that is used
// up, 429 for one that is too busy, and 503 for an Anam that is down. The zero Fault is a call with which nothing goes wrong.
func (a *Anam) Fail(faults ...Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, faults...)
}

// SetSessionToken sets what every session token is from now on, such as one that Anam's player can read. "" is session-1,
// session-2 and so on.
func (a *Anam) SetSessionToken(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = token
}

// Requests returns what was asked for since the start, as "POST /v1/auth/session-token {body}", oldest first.
func (a *Anam) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// Sessions returns how many session tokens were handed out.
func (a *Anam) Sessions() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions
}

// reset forgets faults, requests and sessions, and keeps the personas.
func (a *Anam) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults, a.requests, a.sessions = nil, nil, 0
}

// ServeHTTP answers as Anam does, with faults where some are queued.
func (a *Anam) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return // the caller is gone
	}
	result, fault := a.carryOut(r, body)
	fault.send(w, r, result, a.closing)
}

// carryOut returns the answer to a request, and the fault to send it with.
func (a *Anam) carryOut(r *http.Request, body []byte) (*answer, Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, fmt.Sprintf("%s %s %s", r.Method, r.URL, body))
	id, isPersona := strings.CutPrefix(r.URL.Path, "/v1/personas/")
	_, known := a.personas[id]
	switch {
	case r.Header.Get("Authorization") != "Bearer "+a.Key:
		return nest(Fault{Status: http.StatusUnauthorized}), Fault{}
	case r.Method == http.MethodGet && isPersona && known:
		return ok(a.persona(id)), Fault{}
	case r.Method == http.MethodGet && r.URL.Path == "/v1/personas":
		return a.list(r.URL.Query()), Fault{}
	case r.Method != http.MethodPost || r.URL.Path != "/v1/auth/session-token":
		return nest(Fault{Status: http.StatusNotFound}), Fault{}
	}
	fault := Fault{}
	if len(a.faults) > 0 {
		fault, a.faults = a.faults[0], a.faults[1:]
	}
	if fault.Status != 0 {
		return nest(fault), fault
	}
	a.sessions++
	return ok(map[string]any{"sessionToken": cmp.Or(a.token, fmt.Sprintf("session-%d", a.sessions))}), fault
}

func ok(value any) *answer {
	result := &answer{header: http.Header{}, status: http.StatusOK}
	result.json("application/json", value)
	return result
}

func (a *Anam) persona(id string) map[string]any {
	return map[string]any{"id": id, "name": a.personas[id], "createdAt": "2026-04-20T10:00:00.000Z"}
}

// list answers GET /v1/personas, in the shape of Anam's list of share links.
func (a *Anam) list(query url.Values) *answer {
	p := sharelink.DefaultPaging()
	for name, field := range map[string]*int{"page": &p.Page, "perPage": &p.PerPage} {
		if text := query.Get(name); text != "" {
			*field, _ = strconv.Atoi(text)
		}
	}
	if p.Page < 1 || p.PerPage < 1 || p.PerPage > 100 {
		return nest(Fault{Status: http.StatusBadRequest})
	}
	found := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(a.personas)) {
		if strings.Contains(sharelink.Fold(a.personas[id]), sharelink.Fold(query.Get("search"))) {
			found = append(found, a.persona(id))
		}
	}
	return ok(map[string]any{
		"data": sharelink.PageOf(found, p).Items,
		"meta": map[string]any{"total": len(found), "currentPage": p.Page, "perPage": p.PerPage, "lastPage": p.LastPage(len(found))},
	})
}

// nest returns the answer of a fault with a status, by default as Anam's API words it.
func nest(f Fault) *answer {
	f.Body = cmp.Or(f.Body, BodyNest)
	return f.madeUp(nil, nil, "")
}
