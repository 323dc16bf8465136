// Package anamtest is an Anam on loopback, for tests: it has one API key, one persona, and remembers what it was asked.
package anamtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// The account that there is.
const (
	Key         = "anam-key-that-stays-on-the-server"
	Persona     = "30fa96d0-26c4-4e55-94a0-517025942e18"
	PersonaName = "Ada <b>of</b> Anam"
)

// Anam is a stand-in for https://api.anam.ai.
type Anam struct {
	URL string
	// Refuse, unless nil, answers a session token request in Anam's stead when it returns true.
	Refuse func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	requests []string
	sessions int
}

// Start starts an Anam that ends with the test.
func Start(tb testing.TB) *Anam {
	a := &Anam{}
	server := httptest.NewServer(a)
	tb.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// Requests are those that came, as "POST /path body", oldest first.
func (a *Anam) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.requests...)
}

// Sessions is how many session tokens were handed out: session-1, session-2 and so on.
func (a *Anam) Sessions() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions
}

func (a *Anam) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.requests = append(a.requests, fmt.Sprintf("%s %s %s", r.Method, r.URL, body))
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+Key:
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet && r.URL.Path == "/v1/personas/"+Persona:
		fmt.Fprintf(w, `{"id":%q,"name":%q,"description":"x","createdAt":"2026-04-20T10:00:00.000Z"}`, Persona, PersonaName)
	case r.Method == http.MethodPost && r.URL.Path == "/v1/auth/session-token":
		if a.Refuse != nil && a.Refuse(w, r) {
			return
		}
		a.mu.Lock()
		a.sessions++
		n := a.sessions
		a.mu.Unlock()
		w.WriteHeader(http.StatusOK)
		fmt.Fprintf(w, `{"sessionToken":"session-%d"}`, n)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
