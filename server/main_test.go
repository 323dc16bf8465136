package server

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
	"github.com/sharelinks-dev/sharelinks/internal/contracttest"
	"github.com/sharelinks-dev/sharelinks/internal/memstore"
	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
	"github.com/sharelinks-dev/sharelinks/internal/proxy"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
)

// checker sees every exchange of every test in this package.
var checker = contracttest.New()

// TestMain demands, once all tests have run, that together they have shown every status, every parameter and every value of an
// enumeration that the contract declares.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" &&
		flag.Lookup("test.fuzz").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" && !testing.Short()
	if code == 0 && whole {
		unseen := checker.Unseen()
		fmt.Printf("contract coverage: %d of %d statuses, parameters and values of enumerations\n", checker.Declared()-len(unseen), checker.Declared())
		if len(unseen) > 0 {
			fmt.Println("never seen:", strings.Join(unseen, ", "))
			code = 1
		}
	}
	os.Exit(code)
}

// day is when the tests' clock starts: the instant of the documentation's example.
var day = time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)

const cara = "00000000-0000-0000-0000-000000000000"

// testServer is a server on a database of its own, whose every exchange is checked against the contract.
type testServer struct {
	*Server
	t    testing.TB
	http *httptest.Server
	key  string
	log  *lockedBuffer

	mu    sync.Mutex
	clock time.Time
}

// start starts a server. The changes are made to its configuration, and wrap, if not nil, to its store.
func start(t testing.TB, wrap func(sharelink.Store) sharelink.Store, changes ...func(*Config)) *testServer {
	t.Helper()
	ts := &testServer{t: t, clock: day, log: &lockedBuffer{}}
	config := DefaultConfig()
	config.Database = inMemory
	config.ValidateResponses = true
	config.PublicURL = "http://links.test"
	config.Logger = slog.New(slog.NewJSONHandler(ts.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	config.Now = ts.now
	config.RateLimit, config.OpenRate, config.LinkOpenRate, config.UnknownTokenRate = 0, 0, 0, 0 // tests of them set them: the clock stands still
	for _, change := range changes {
		change(&config)
	}
	m := newMetrics("test")
	var b sharelink.Store = memstore.New()
	if config.Database == inMemory {
		config.Database = DefaultConfig().Database // which is not opened
	} else {
		db, err := store.Open(t.Context(), config.Database, store.Options{Logger: config.Logger, Observe: m.stored, ObserveBatch: m.batched, Volatile: true})
		if err != nil {
			t.Fatal(err)
		}
		b = db
	}
	if wrap != nil {
		b = wrap(b)
	}
	err := config.Validate()
	if err == nil {
		ts.Server, err = newServer(t.Context(), config, service.Options{Store: b}, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	ts.key = ts.firstKey
	ts.serve()
	return ts
}

// inMemory is the database of a server whose test is not about databases.
const inMemory = "memory"

// onSQLite puts the database into a file.
func onSQLite(t testing.TB) func(*Config) {
	return func(c *Config) { c.Database = "sqlite:" + filepath.Join(t.TempDir(), "test.db") }
}

// engines are the databases that there can be, by name.
var engines = map[string]func(t testing.TB) func(*Config){
	"memory":     func(testing.TB) func(*Config) { return func(*Config) {} },
	"SQLite":     onSQLite,
	"PostgreSQL": func(t testing.TB) func(*Config) { return func(c *Config) { c.Database = pgtest.NewDatabase(t) } },
}

// loadClosed reads the contract as the proxy holds servers to it: without a field beyond it.
var loadClosed = sync.OnceValues(func() (*contract.Contract, error) {
	return contract.Load(sharelinks.SpecJSON(), contract.Options{MaxBody: maxBody, Formats: formats, Closed: true})
})

// serve serves behind a strict proxy, which must find nothing in what the server answers.
func (ts *testServer) serve() {
	ts.t.Helper()
	closed, err := loadClosed()
	if err != nil {
		ts.t.Fatal(err)
	}
	behind := httptest.NewServer(ts.Handler())
	upstream, err := url.Parse(behind.URL)
	if err != nil {
		ts.t.Fatal(err)
	}
	front, err := proxy.New(proxy.Options{Upstream: upstream, Contract: closed, Transport: behind.Client().Transport})
	if err != nil {
		ts.t.Fatal(err)
	}
	ts.http = httptest.NewServer(front)
	ts.http.Client().Transport = checker.Transport(ts.t, ts.http.Client().Transport)
	ts.t.Cleanup(func() {
		ts.http.Close()
		behind.Close()
		for _, d := range front.Drifts() {
			if d.Direction == proxy.Response {
				ts.t.Errorf("the proxy reports a drift of the server: %s", d)
			}
		}
		if err := ts.Close(); err != nil {
			ts.t.Error(err)
		}
	})
}

func (ts *testServer) now() time.Time {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.clock
}

func (ts *testServer) advance(d time.Duration) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.clock = ts.clock.Add(d)
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// send sends a request with the server's key and a JSON body, unless the headers, "Name: value", say otherwise; a header
// with an empty value is left out.
func (ts *testServer) send(method, path, body string, headers ...string) answer {
	ts.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, ts.http.URL+path, strings.NewReader(body))
	if err != nil {
		ts.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+ts.key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		switch {
		case value == "":
			r.Header.Del(name)
		case name == "Host":
			r.Host = value // the client sends no other
		default:
			r.Header.Set(name, value)
		}
	}
	return ts.do(r)
}

func (ts *testServer) do(r *http.Request) answer {
	ts.t.Helper()
	client := *ts.http.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(r)
	if err != nil {
		ts.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		ts.t.Fatal(err)
	}
	return answer{t: ts.t, status: resp.StatusCode, header: resp.Header, body: b}
}

// create makes a link from the members of a JSON object, without its braces, in addition to the persona's id.
func (ts *testServer) create(members string, headers ...string) map[string]any {
	ts.t.Helper()
	body := `{"personaId":"` + cara + `"`
	if members != "" {
		body += "," + members
	}
	return ts.send("POST", "/v1/share-links", body+"}", headers...).want(201).object()
}

// token makes a link as create does and returns its token.
func (ts *testServer) token(members ...string) string {
	ts.t.Helper()
	return ts.create(strings.Join(members, ","))["token"].(string)
}

// uses is how often the link with this token was opened.
func (ts *testServer) uses(token string) int {
	ts.t.Helper()
	found := ts.send("GET", "/v1/share-links?search="+token, "").want(200).object()["data"].([]any)
	if len(found) != 1 {
		ts.t.Fatalf("%d links have the token", len(found))
	}
	return int(found[0].(map[string]any)["usageCount"].(float64))
}

// open opens a link as a program does that sends no Origin, unless the headers say otherwise.
func (ts *testServer) open(token string, headers ...string) answer {
	ts.t.Helper()
	return ts.send("POST", "/v1/share/"+token+"/sessions", "", append([]string{"Authorization: "}, headers...)...)
}

// want fails the test unless the answer has this status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (a answer) object() map[string]any {
	a.t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return m
}

// wantViolation fails the test unless one of the problem's violations is at this place and says this, in its detail or hint.
func (a answer) wantViolation(place, says string) answer {
	a.t.Helper()
	violations, _ := a.object()["errors"].([]any)
	for _, f := range violations {
		f := f.(map[string]any)
		at := f["name"]
		if f["in"] == "body" {
			at = f["pointer"]
		}
		if at == place && strings.Contains(fmt.Sprint(f["detail"], "; ", f["hint"]), says) {
			return a
		}
	}
	a.t.Fatalf("no violation at %q that says %q: %s", place, says, a.body)
	return a
}

// lockedBuffer is a log that requests write to at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// failing is a store in which everything that has to do with links, or is listed, fails with err, or panics when err is nil.
type failing struct {
	sharelink.Store
	err error
}

func (f failing) fail() error {
	if f.err == nil {
		panic("the store lost its head over sh_2kL9pQxYzR4vN8mBwHfJc")
	}
	return f.err
}

func (f failing) CreateLink(context.Context, sharelink.Link, *sharelink.Idempotency) (sharelink.Link, error) {
	return sharelink.Link{}, f.fail()
}

func (f failing) Link(context.Context, uuid.UUID, uuid.UUID) (sharelink.Link, error) {
	return sharelink.Link{}, f.fail()
}

func (f failing) Links(context.Context, uuid.UUID, sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	return sharelink.Page[sharelink.Link]{}, f.fail()
}

func (f failing) UpdateLink(context.Context, uuid.UUID, uuid.UUID, sharelink.Change, time.Time) (sharelink.Link, error) {
	return sharelink.Link{}, f.fail()
}

func (f failing) DeleteLink(context.Context, uuid.UUID, uuid.UUID) (sharelink.Link, error) {
	return sharelink.Link{}, f.fail()
}

func (f failing) LinkByToken(context.Context, string) (sharelink.Link, error) {
	return sharelink.Link{}, f.fail()
}

func (f failing) Visits(context.Context, uuid.UUID, uuid.UUID, sharelink.Paging) (sharelink.Page[sharelink.Visit], error) {
	return sharelink.Page[sharelink.Visit]{}, f.fail()
}

func (f failing) PersonasOf(context.Context, uuid.UUID) ([]sharelink.Persona, error) {
	return nil, f.fail()
}

func (f failing) Ping(context.Context) error { return f.fail() }

// badLinks is a store whose links the contract does not allow.
type badLinks struct{ sharelink.Store }

func (b badLinks) Link(context.Context, uuid.UUID, uuid.UUID) (sharelink.Link, error) {
	return sharelink.Link{Token: "sh_", Terms: sharelink.Terms{Type: api.ShareLinkTypeLink, UsageLimit: -1}}, nil
}
