package server

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/memstore"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
)

func TestConfigFaultsComeTogetherAndShowNoSecret(t *testing.T) {
	t.Parallel()
	config := Config{
		Addr: "nowhere", Database: "postgres://user:hunter2@host:port/db", PublicURL: "ftp://x", APIKey: "hunter2 hunter2",
		Personas: "some", SessionAlgorithm: "none", RateLimit: -1, OpenRate: math.NaN(), LinkOpenRate: 1, TrustedProxies: make([]netip.Prefix, 1), Drain: -1,
	}
	err := config.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Addr: must be HOST:PORT", "Database: ", "PublicURL: must be", "APIKey: must be", "Personas: must be local, any or anam", "AnamURL: must be", "SessionAlgorithm: must be EdDSA or ES256, not \"none\"", "RateLimit: must be", "LinkOpenBurst: must be", "OpenRate: must be", "TrustedProxies: must be", "VisitsRetention: must be", "Drain: must be", "ShutdownTimeout: must be"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is in:\n%v", err)
	}
	if _, err := New(t.Context(), config); err == nil {
		t.Error("New accepted what Validate refuses")
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
	for _, u := range []string{"https://links.example.com", "http://localhost:8080/", "https://example.com/links"} {
		config := DefaultConfig()
		config.PublicURL = u
		if err := config.Validate(); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
	for _, u := range []string{"https://", "links.example.com", "https://u:p@x", "https://x?y", "https://x/#y", "https://x?"} {
		config := DefaultConfig()
		config.PublicURL = u
		if config.Validate() == nil {
			t.Errorf("%s was accepted", u)
		}
	}
}

func testConfig(t *testing.T) Config {
	config := DefaultConfig()
	config.Addr = "127.0.0.1:0"
	config.Database = "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	return config
}

// A stop lets the request in flight finish, takes no more, and closes the database.
func TestRunStopsGracefully(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	db, err := store.Open(t.Context(), config.Database, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	slow := slowLinks{db, make(chan struct{}), make(chan struct{})}
	s, err := newServer(t.Context(), config, service.Options{Store: slow}, newMetrics("test"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	url := make(chan string, 1)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, func(u string) { url <- u }) }()
	base := <-url
	if s.PublicURL() != base {
		t.Errorf("public URL %s, listening on %s", s.PublicURL(), base)
	}

	status := make(chan int, 1)
	go func() {
		r, _ := http.NewRequest("GET", base+"/v1/share-links/"+cara, nil)
		r.Header.Set("Authorization", "Bearer "+s.firstKey)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-slow.asked
	stop()
	// The listener closes first: new connections are refused while the old request still runs.
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server goes on taking connections")
		}
	}
	select {
	case err := <-done:
		t.Fatalf("stopped before the request in flight was done: %v", err)
	default:
	}
	close(slow.release)
	if got := <-status; got != 404 {
		t.Errorf("the request in flight got %d", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := db.Ping(t.Context()); err == nil {
		t.Error("the database is still open")
	}
}

func TestRunGivesUpOnARequestThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	config.ShutdownTimeout = time.Millisecond
	db, err := store.Open(t.Context(), config.Database, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	slow := slowLinks{db, make(chan struct{}), make(chan struct{})}
	defer close(slow.release)
	s, err := newServer(t.Context(), config, service.Options{Store: slow}, newMetrics("test"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	err = s.Run(ctx, func(u string) {
		go func() {
			r, _ := http.NewRequest("GET", u+"/v1/share-links/"+cara, nil)
			r.Header.Set("Authorization", "Bearer "+s.firstKey)
			if resp, err := http.DefaultClient.Do(r); err == nil {
				resp.Body.Close()
			}
		}()
		go func() { <-slow.asked; stop() }()
	})
	if err == nil || !strings.Contains(err.Error(), "still in flight") {
		t.Errorf("got %v", err)
	}
}

func TestRunSaysWhatKeepsItFromListening(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := testConfig(t)
	config.Addr = taken.Addr().String()
	s, err := New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "listen") {
		t.Errorf("got %v", err)
	}
}

// The first start makes a key, the next one finds the database in use.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	for _, want := range []bool{true, false} {
		s, err := New(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if key, first := s.FirstStart(); first != want || (key != "") != want {
			t.Errorf("first start %v, with a key %v, want both %v", first, key != "", want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	configured := testConfig(t)
	configured.APIKey = "some-key"
	s, err := New(t.Context(), configured)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if key, first := s.FirstStart(); !first || key != "" {
		t.Errorf("with a configured key: first start %v, key made %v", first, key != "")
	}

	empty := testConfig(t)
	empty.Bootstrap = false
	empty.APIKey = "some-key"
	if _, err := New(t.Context(), empty); err == nil || !strings.Contains(err.Error(), `organization "default"`) || strings.Contains(err.Error(), "some-key") {
		t.Errorf("a key that belongs to nobody: %v", err)
	}
}

// Idempotency keys and visits past their time are swept from New on, however the server is served, and the ones also when the others fail.
func TestServerSweeps(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	db, err := store.Open(t.Context(), config.Database, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys, visits := make(chan time.Time, 1), make(chan time.Time, 1)
	config.Now = func() time.Time { return day }
	s, err := newServer(t.Context(), config, service.Options{Store: sweeping{db, keys, visits}}, newMetrics("test"))
	if err != nil {
		t.Fatal(err)
	}
	if before := <-keys; !before.Equal(day.Add(-24 * time.Hour)) {
		t.Errorf("swept keys older than %v", before)
	}
	if before := <-visits; !before.Equal(day.Add(-90 * 24 * time.Hour)) {
		t.Errorf("swept visits older than %v", before)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

type sweeping struct {
	sharelink.Store
	keys, visits chan time.Time
}

func (s sweeping) ForgetKeys(_ context.Context, before time.Time) (int, error) {
	s.keys <- before
	return 0, errors.New("not today")
}

func (s sweeping) ForgetVisits(_ context.Context, before time.Time) (int, error) {
	s.visits <- before
	return 0, nil
}

// slowLinks is a store that waits before it looks a link up.
type slowLinks struct {
	sharelink.Store
	asked, release chan struct{}
}

func (s slowLinks) Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	close(s.asked)
	<-s.release
	return s.Store.Link(ctx, organization, id)
}

// A store that does not answer is not waited for without an end: the answer is a 503 that says when to come again.
func TestStoreThatHangsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := NewOn(t.Context(), DefaultConfig(), service.Options{Store: hanging{memstore.New()}})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/readyz", "/share/" + sharelink.NewToken(), "/v1/share/" + sharelink.NewToken()} {
			answer := httptest.NewRecorder()
			caller, cancel := context.WithTimeout(t.Context(), 30*time.Second) // net/http sends nothing later than that
			s.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(caller, "GET", path, nil))
			waits := caller.Err() == nil
			cancel()
			if !waits || answer.Code != 503 || answer.Header().Get("Retry-After") == "" {
				t.Errorf("%s: in time %t, %d, %v", path, waits, answer.Code, answer.Header())
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// hanging is a store that looks for links and answers pings as long as somebody waits.
type hanging struct{ *memstore.Store }

func (hanging) LinkByToken(ctx context.Context, _ string) (sharelink.Link, error) {
	<-ctx.Done()
	return sharelink.Link{}, ctx.Err()
}

func (hanging) Ping(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
