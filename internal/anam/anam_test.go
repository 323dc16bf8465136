package anam_test

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/anam"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

var (
	persona = uuid.MustParse("30fa96d0-26c4-4e55-94a0-517025942e18")
	link    = sharelink.Link{PersonaID: persona, Token: "sh_secret"}
	visit   = sharelink.Visit{At: day}
	day     = time.Date(2026, 4, 20, 10, 0, 0, 123e6, time.UTC)
)

func now() time.Time { return day }

const testKey = "anam-key-that-stays-on-the-server"

func TestAnamMakesSessions(t *testing.T) {
	t.Parallel()
	fake := sharelinkstest.NewAnam(t)
	a := anam.New(fake.URL+"/", fake.Key, now)
	got, err := a.Session(t.Context(), link, visit)
	if err != nil || got != (sharelink.Session{Token: "session-1", ExpiresAt: day.Add(time.Hour)}) {
		t.Errorf("%v, %v", got, err)
	}
	want := []string{`POST /v1/auth/session-token {"clientLabel":"sharelinks","personaConfig":{"personaId":"` + persona.String() + `"}}`}
	if diff := cmp.Diff(want, fake.Requests()); diff != "" {
		t.Error(diff)
	}
}

func TestAnamsRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		code   sharelink.Code
		wait   time.Duration
	}{
		"bad request":   {status(400, ""), sharelink.PersonaRefused, time.Minute},
		"unauthorized":  {status(401, ""), sharelink.PersonaRefused, time.Minute},
		"out of credit": {status(402, ""), sharelink.PersonaRefused, time.Minute},
		"forbidden":     {status(403, "120"), sharelink.PersonaRefused, 2 * time.Minute},
		"redirect":      {status(302, ""), sharelink.PersonaRefused, time.Minute},
		"too many":      {status(429, "7"), sharelink.PersonaUnavailable, 7 * time.Second},
		"at once":       {status(429, "0"), sharelink.PersonaUnavailable, time.Second},
		"too long":      {status(429, "999999"), sharelink.PersonaUnavailable, time.Hour},
		"nonsense":      {status(429, "tomorrow"), sharelink.PersonaUnavailable, 5 * time.Second},
		"broken":        {status(500, ""), sharelink.PersonaUnavailable, 5 * time.Second},
		"down":          {status(503, "9"), sharelink.PersonaUnavailable, 9 * time.Second},
		"gateway":       {status(504, ""), sharelink.PersonaTimeout, 0},
		"no token":      {success("application/json", `{}`), sharelink.PersonaTimeout, 0},
		"HTML":          {success("text/html", `<html>`), sharelink.PersonaTimeout, 0},
		"not as JSON":   {success("text/plain", `{"sessionToken":"a-secret"}`), sharelink.PersonaTimeout, 0},
		"too large":     {success("application/json", `{"sessionToken":"a-secret"}`+strings.Repeat(" ", anam.MaxReply)), sharelink.PersonaTimeout, 0},
		"compressed":    {bomb, sharelink.PersonaTimeout, 0},
		"another way":   {raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), sharelink.PersonaTimeout, 0},
		"my key back":   {raw("HTTP/1.1 200 OK\r\nAuthorization Bearer " + testKey + "\r\n\r\n"), sharelink.PersonaTimeout, 0},
		"a head of it":  {raw("Bearer " + testKey + "\r\n\r\n"), sharelink.PersonaTimeout, 0},
		"a large head":  {raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), sharelink.PersonaTimeout, 0},
		"endless":       {endless(402), sharelink.PersonaRefused, time.Minute},
		"cut off":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, sharelink.PersonaTimeout, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the other end is gone
				c.answer(w, r)
			}))
			t.Cleanup(server.Close)
			_, err := anam.New(server.URL, testKey, now).Session(t.Context(), link, visit)
			var e *sharelink.Error
			if sharelink.CodeOf(err) != c.code {
				t.Fatalf("%v, want %s", err, c.code)
			}
			if e = err.(*sharelink.Error); e.RetryAfter != c.wait {
				t.Errorf("wait %v, want %v", e.RetryAfter, c.wait)
			}
			if calls.Load() != 1 {
				t.Errorf("asked %d times: it may have been spent", calls.Load())
			}
			if strings.Contains(err.Error(), testKey) || strings.Contains(err.Error(), "secret") {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
}

func success(mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = io.WriteString(w, body)
	}
}

// bomb answers more than is read, in a few bytes.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	zip := gzip.NewWriter(w)
	_, _ = zip.Write(make([]byte, 4*anam.MaxReply))
	_ = zip.Close()
}

// endless answers a body that does not end before its reader does.
func endless(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// raw writes to the connection, and leaves it open.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, answer)
			_, _ = io.Copy(io.Discard, conn) // until the other end closes it
			_ = conn.Close()
		}
	}
}

func status(code int, retryAfter string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte("a secret of Anam's"))
	}
}

// A call that no connection was there for is tried once more, and is no visit.
func TestAnamIsAskedAgainOnlyIfItWasNotAsked(t *testing.T) {
	t.Parallel()
	fake := sharelinkstest.NewAnam(t)
	a := anam.New(fake.URL, fake.Key, now)
	var dials atomic.Int32
	dial := (&net.Dialer{}).DialContext
	a.Transport().DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1)%2 == 1 {
			return nil, &net.OpError{Op: "dial", Err: net.UnknownNetworkError("refused")}
		}
		return dial(ctx, network, address)
	}
	if s, err := a.Session(t.Context(), link, visit); err != nil || s.Token != "session-1" || dials.Load() != 2 {
		t.Errorf("%v, %v after %d dials", s, err, dials.Load())
	}
	a = anam.New("http://127.0.0.1:1", testKey, now)
	if _, err := a.Session(t.Context(), link, visit); sharelink.CodeOf(err) != sharelink.PersonaUnavailable {
		t.Errorf("%v", err)
	}
}

func TestAnamThatDoesNotAnswerIsATimeout(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"no head":     func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no end":      endless(200),
		"half a head": raw("HTTP/1.1 200 OK\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the other end is gone
				time.AfterFunc(10*time.Millisecond, cancel)
				answer(w, r)
			}))
			t.Cleanup(server.Close)
			if _, err := anam.New(server.URL, testKey, now).Session(ctx, link, visit); sharelink.CodeOf(err) != sharelink.PersonaTimeout {
				t.Errorf("%v", err)
			}
		})
	}
}

// After a few failures in a row a dead Anam is not asked, and visitors are told at once.
func TestBreaker(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(server.Close)
	a := anam.New(server.URL, testKey, now)
	for range anam.BreakAfter + 10 {
		if _, err := a.Session(t.Context(), link, visit); sharelink.CodeOf(err) != sharelink.PersonaUnavailable {
			t.Fatalf("%v", err)
		}
	}
	if n := calls.Load(); n != anam.BreakAfter {
		t.Errorf("asked %d times, want %d", n, anam.BreakAfter)
	}
	if _, err := a.Persona(t.Context(), uuid.Nil, persona); sharelink.CodeOf(err) != sharelink.Unavailable {
		t.Errorf("%v", err)
	}
}

// A refusal is Anam's right, not its failure: the breaker stays closed however many there are.
func TestRefusalsDoNotTripTheBreaker(t *testing.T) {
	t.Parallel()
	fake := sharelinkstest.NewAnam(t)
	a := anam.New(fake.URL, fake.Key, now)
	for range 2 * anam.BreakAfter {
		fake.Fail(sharelinkstest.Fault{Status: 402})
		if _, err := a.Session(t.Context(), link, visit); sharelink.CodeOf(err) != sharelink.PersonaRefused {
			t.Fatal(err)
		}
	}
	if _, err := a.Session(t.Context(), link, visit); err != nil {
		t.Error(err)
	}
}

func TestPersonas(t *testing.T) {
	t.Parallel()
	fake := sharelinkstest.NewAnam(t)
	persona := uuid.MustParse(fake.AddPersona("Ada <b>of</b> Anam"))
	at := day
	a := anam.New(fake.URL, fake.Key, func() time.Time { return at })
	for range 3 {
		p, err := a.Persona(t.Context(), uuid.Max, persona)
		if err != nil || p != (sharelink.Persona{ID: persona, OrganizationID: uuid.Max, Name: "Ada <b>of</b> Anam"}) {
			t.Fatalf("%v, %v", p, err)
		}
	}
	if n := len(fake.Requests()); n != 1 {
		t.Errorf("asked %d times for one persona", n)
	}
	at = at.Add(anam.PersonaTTL)
	if _, err := a.Persona(t.Context(), uuid.Max, persona); err != nil || len(fake.Requests()) != 2 {
		t.Errorf("%v, asked %d times", err, len(fake.Requests()))
	}
	if _, err := a.Persona(t.Context(), uuid.Max, uuid.Nil); sharelink.CodeOf(err) != sharelink.NotFound {
		t.Errorf("%v", err)
	}
	if _, err := anam.New(fake.URL, "wrong", now).Persona(t.Context(), uuid.Max, persona); sharelink.CodeOf(err) != sharelink.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestPersonaName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ada": "Ada", "": "Persona", " \x00\n ": "Persona", "A\x00d\ra\xff": "Ada", strings.Repeat("é", 200): strings.Repeat("é", 100),
	} {
		if got := anam.PersonaName(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}
