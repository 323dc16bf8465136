package anam_test

import (
	"compress/gzip"
	"context"
	"errors"
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

func TestListOfPersonas(t *testing.T) {
	t.Parallel()
	fake := sharelinkstest.NewAnam(t)
	ids := map[string]uuid.UUID{}
	for _, name := range []string{"Ada & <b>co</b>", "Adam", "Bea", " \x00Ada\n "} {
		ids[name] = uuid.MustParse(fake.AddPersona(name))
	}
	a := anam.New(fake.URL, fake.Key, now)
	page, err := a.Personas(t.Context(), uuid.Max, "aDA & <b>", sharelink.Paging{Page: 1, PerPage: 5})
	want := sharelink.Page[sharelink.Persona]{Total: 1, Items: []sharelink.Persona{
		{ID: ids["Ada & <b>co</b>"], OrganizationID: uuid.Max, Name: "Ada & <b>co</b>"},
	}}
	if diff := cmp.Diff(want, page); diff != "" || err != nil {
		t.Error(err, diff)
	}
	page, err = a.Personas(t.Context(), uuid.Max, "", sharelink.Paging{Page: 2, PerPage: 3})
	if err != nil || page.Total != 4 || len(page.Items) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	page, err = a.Personas(t.Context(), uuid.Max, "\x00", sharelink.DefaultPaging())
	if err != nil || page.Total != 1 || page.Items[0].Name != "Ada" {
		t.Errorf("%+v, %v", page, err)
	}
	if diff := cmp.Diff([]string{
		"GET /v1/personas?page=1&perPage=5&search=aDA+%26+%3Cb%3E ", "GET /v1/personas?page=2&perPage=3 ", "GET /v1/personas?page=1&perPage=20&search=%00 ",
	}, fake.Requests()); diff != "" {
		t.Error(diff)
	}
}

// What comes instead of a list is Anam's fault, and what is of no use in one is left out.
func TestWhatIsNoListOfPersonas(t *testing.T) {
	t.Parallel()
	const good = `{"id":"30FA96D0-26c4-4e55-94a0-517025942e18","name":"Ada"}`
	list := func(data, total string) http.HandlerFunc {
		return success("application/json", `{"data":[`+data+`],"meta":{"total":`+total+`}}`)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		wait   time.Duration // of the error; 0 is none
	}{
		"unauthorized":    {status(401, ""), 5 * time.Second},
		"not there":       {status(404, ""), 5 * time.Second},
		"bad request":     {status(400, ""), 5 * time.Second},
		"redirect":        {status(302, ""), 5 * time.Second},
		"too many":        {status(429, "7"), 7 * time.Second},
		"down":            {status(503, "9"), 9 * time.Second},
		"no content":      {status(204, ""), 5 * time.Second},
		"HTML":            {success("text/html", `<html>`), 5 * time.Second},
		"too large":       {list(good, "1"+strings.Repeat(" ", anam.MaxReply)), 5 * time.Second},
		"compressed":      {bomb, 5 * time.Second},
		"my key back":     {raw("HTTP/1.1 200 OK\r\nAuthorization Bearer " + testKey + "\r\n\r\n"), 5 * time.Second},
		"no object":       {success("application/json", `[`+good+`]`), 5 * time.Second},
		"null":            {success("application/json", `null`), 5 * time.Second},
		"no data":         {success("application/json", `{"meta":{"total":0}}`), 5 * time.Second},
		"no meta":         {success("application/json", `{"data":[]}`), 5 * time.Second},
		"no total":        {list(``, `null`), 5 * time.Second},
		"negative":        {list(``, `-1`), 5 * time.Second},
		"fewer than are":  {list(good, `0`), 5 * time.Second},
		"a fraction":      {list(good, `1.5`), 5 * time.Second},
		"a text":          {list(good, `"1"`), 5 * time.Second},
		"beyond counting": {list(good, `9223372036854775807`), 5 * time.Second},

		"good":                {list(good, `1`), 0},
		"of many":             {list(good, `2147483647`), 0},
		"more than asked for": {success("application/json", `{"data":[`+good+`],"next":{},"meta":{"total":1,"lastPage":"x"}}`), 0},
		"others among them": {list(`null,7,"x",{},[`+good+`],{"id":7,"name":"Ada"},{"id":"x","name":"Ada"},{"id":null},{"name":"Ada"},`+
			`{"id":"{30fa96d0-26c4-4e55-94a0-517025942e18}","name":"Ada"},{"id":"30fa96d026c44e5594a0517025942e18","name":"Ada"},`+
			`{"id":"30fa96d0-26c4-4e55-94a0-517025942e18","name":7},`+good, `13`), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			t.Cleanup(server.Close)
			page, err := anam.New(server.URL, testKey, now).Personas(t.Context(), uuid.Max, "", sharelink.DefaultPaging())
			if c.wait == 0 {
				if err != nil || len(page.Items) != 1 || page.Items[0] != (sharelink.Persona{ID: persona, OrganizationID: uuid.Max, Name: "Ada"}) {
					t.Errorf("%+v, %v", page, err)
				}
				return
			}
			if e, ok := err.(*sharelink.Error); !ok || e.Code != sharelink.Unavailable || e.RetryAfter != c.wait || len(page.Items) > 0 {
				t.Errorf("%+v, %v", page, err)
			}
			if strings.Contains(err.Error(), testKey) || strings.Contains(err.Error(), "secret") {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := anam.New("http://127.0.0.1:1", testKey, now).Personas(ctx, uuid.Max, "", sharelink.DefaultPaging()); !errors.Is(err, context.Canceled) {
		t.Errorf("who hangs up gets %v", err)
	}
}

// A list that fails again and again is not asked for, and looking up one persona goes on.
func TestBreakerOfTheListOfPersonas(t *testing.T) {
	t.Parallel()
	var lists atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/personas" {
			lists.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		success("application/json", `{"name":"Ada"}`)(w, r)
	}))
	t.Cleanup(server.Close)
	a := anam.New(server.URL, testKey, now)
	for range anam.BreakAfter + 10 {
		if _, err := a.Personas(t.Context(), uuid.Max, "", sharelink.DefaultPaging()); sharelink.CodeOf(err) != sharelink.Unavailable {
			t.Fatal(err)
		}
	}
	if n := lists.Load(); n != anam.BreakAfter {
		t.Errorf("asked %d times, want %d", n, anam.BreakAfter)
	}
	if p, err := a.Persona(t.Context(), uuid.Max, persona); err != nil || p.Name != "Ada" {
		t.Errorf("%v, %v", p, err)
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
