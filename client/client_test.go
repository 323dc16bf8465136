package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/client/wire"
	"github.com/sharelinks-dev/sharelinks/internal/contracttest"
	"github.com/sharelinks-dev/sharelinks/server"
)

const (
	cara    = "00000000-0000-0000-0000-000000000000"
	nobody  = "11111111-1111-4111-8111-111111111111"
	testKey = "a-key-for-the-tests-of-the-client"
	prefix  = "/team/links"
)

// day is when the real server's clock stands.
var day = time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)

var checker = contracttest.New()

// serve starts the real server under a path prefix, every exchange held to the contract, and returns its base URL.
func serve(t testing.TB, changes ...func(*server.Config)) string {
	t.Helper()
	config := server.DefaultConfig()
	config.Database = "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	config.APIKey = testKey
	config.PublicURL = "https://links.example.com" + prefix
	config.Now = func() time.Time { return day }
	for _, change := range changes {
		change(&config)
	}
	s, err := server.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	checked := checker.Transport(t, inProcess{s.Handler()})
	h := httptest.NewServer(http.StripPrefix(prefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := checked.RoundTrip(r)
		if err != nil {
			panic(err)
		}
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})))
	t.Cleanup(func() {
		h.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return h.URL + prefix + "/" // a slash at the end is forgiven
}

// inProcess answers requests with a handler, without a network.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	return w.Result(), nil
}

// dial returns a client of a server, with the tests' key unless the options say otherwise.
func dial(t testing.TB, url string, opts ...Option) *Client {
	t.Helper()
	c, err := New(append([]Option{WithURL(url), WithKey(testKey)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestLifeOfALink(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := dial(t, serve(t))

	created := must(c.Create(ctx, CreateRequest{
		PersonaID:      cara,
		ExpiresInHours: Hours(1.5),
		UsageLimit:     Uses(5),
		Type:           PlayerEmbed,
		AllowedOrigins: Origins("https://Example.com:443", "http://localhost:3000"),
		Enabled:        No,
		IsPrimary:      Yes,
	}))(t)
	at, five := day.Add(90*time.Minute), 5
	want := ShareLink{
		ID: created.ID, Token: created.Token, Type: PlayerEmbed, ExpiresAt: &at, UsageLimit: &five,
		AllowedOrigins: []string{"https://example.com", "http://localhost:3000"}, IsPrimary: true, CreatedAt: day,
		URL: "https://links.example.com" + prefix + "/frame/" + created.Token,
	}
	if diff := cmp.Diff(want, created); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}

	got := must(c.Get(ctx, created.ID))(t)
	want.PersonaID, want.PersonaName, want.OrganizationID = cara, "Cara", got.OrganizationID
	if diff := cmp.Diff(want, got); diff != "" || got.OrganizationID == "" {
		t.Errorf("got (-want +got):\n%s", diff)
	}

	// What is left out stays, null lifts, a value sets, and an empty list is not an absent one.
	updated := must(c.Update(ctx, created.ID, UpdateRequest{ExpiresInHours: Never, AllowedOrigins: Origins()}))(t)
	want.PersonaID, want.PersonaName, want.OrganizationID = "", "", ""
	want.ExpiresAt, want.AllowedOrigins = nil, []string{}
	if diff := cmp.Diff(want, updated); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}
	updated = must(c.Update(ctx, created.ID, UpdateRequest{UsageLimit: Unlimited, Enabled: Yes, Type: OrbEmbed, AllowAllOrigins: Yes}))(t)
	if updated.UsageLimit != nil || !updated.Enabled || updated.Type != OrbEmbed || !updated.AllowAllOrigins || !updated.IsPrimary {
		t.Errorf("updated again: %+v", updated)
	}

	plain := must(c.Create(ctx, CreateRequest{PersonaID: cara}))(t)
	if plain.ExpiresAt == nil || !plain.ExpiresAt.Equal(day.Add(168*time.Hour)) || plain.UsageLimit == nil || *plain.UsageLimit != 10 || !plain.Enabled {
		t.Errorf("left to the server's defaults: %+v", plain)
	}
	if plain.URL != "https://links.example.com"+prefix+"/share/"+plain.Token || URL(plain) != plain.URL {
		t.Errorf("url %s, %s", plain.URL, URL(plain))
	}

	found := must(c.FindByToken(ctx, created.Token))(t)
	if found.ID != created.ID {
		t.Errorf("found %+v", found)
	}
	if _, err := c.FindByToken(ctx, created.Token[:10]); !errors.Is(err, ErrNotFound) {
		t.Errorf("found by the start of a token: %v", err)
	}

	if err := c.Delete(ctx, created.ID); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"get":    second(c.Get(ctx, created.ID)),
		"update": second(c.Update(ctx, created.ID, UpdateRequest{Enabled: No})),
		"delete": c.Delete(ctx, created.ID),
		"create": second(c.Create(ctx, CreateRequest{PersonaID: nobody})),
	} {
		var e *Error
		if !errors.Is(err, ErrNotFound) || !errors.As(err, &e) || e.Status != 404 || e.RequestID == "" || e.Attempts != 1 ||
			!strings.HasSuffix(e.Type, "/problems/not-found") || e.Operation != name {
			t.Errorf("%s: %#v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestListAndAll(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var ticks atomic.Int64
	c := dial(t, serve(t, func(config *server.Config) {
		config.Personas = server.PersonasAny
		config.Now = func() time.Time { return day.Add(time.Duration(ticks.Add(1)) * time.Millisecond) }
	}))
	var ids []string
	for i := range 7 {
		persona := cara
		if i >= 5 {
			persona = nobody
		}
		ids = append(ids, must(c.Create(ctx, CreateRequest{PersonaID: persona}))(t).ID)
	}
	slices.Reverse(ids)

	page := must(c.List(ctx, Filter{PersonaID: cara, Page: 2, PerPage: 2}))(t)
	if len(page.Data) != 2 || page.Data[0].ID != ids[4] || page.Meta.Total != 5 || page.Meta.LastPage != 3 || *page.Meta.Prev != 1 || *page.Meta.Next != 3 {
		t.Errorf("page 2: %+v", page)
	}
	if page := must(c.List(ctx, Filter{Search: ids[3]}))(t); len(page.Data) != 1 || page.Data[0].ID != ids[3] {
		t.Errorf("search: %+v", page)
	}

	filter := Filter{PerPage: 3}
	all := c.All(ctx, filter)
	for range 2 { // it can be ranged over again
		var got []string
		for link, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, link.ID)
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
	}
	for range c.All(ctx, Filter{PersonaID: "22222222-2222-4222-8222-222222222222"}) {
		t.Error("a link to nobody")
	}
}

// A request that is refused here is refused there, in the same words.
func TestRefusedInTheServersWords(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := serve(t)
	c := dial(t, url)
	raw := must(wire.NewClientWithResponses(url, wire.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+testKey)
		return nil
	})))(t)
	many := make([]string, 51)
	for i := range many {
		many[i] = "https://example.com"
	}
	long := strings.Repeat("x", 256)

	for _, r := range []CreateRequest{
		{},
		{PersonaID: "cara"},
		{PersonaID: "{0000000-0000-0000-0000-000000000000"},
		{PersonaID: cara, UsageLimit: Uses(0)},
		{PersonaID: cara, UsageLimit: Uses(-1)},
		{PersonaID: cara, UsageLimit: Uses(2147483648)},
		{PersonaID: cara, ExpiresInHours: Hours(0)},
		{PersonaID: cara, ExpiresInHours: Hours(-0.5)},
		{PersonaID: cara, ExpiresInHours: Hours(87600.5)},
		{PersonaID: cara, AllowedOrigins: Origins(many...)},
	} {
		_, err := c.Create(ctx, r)
		sent := must(raw.CreateShareLinkWithResponse(ctx, nil, r))(t)
		sameWords(t, err, sent.StatusCode(), sent.ApplicationProblemJSON400)
	}
	link := must(c.Create(ctx, CreateRequest{PersonaID: cara}))(t)
	for _, r := range []UpdateRequest{{UsageLimit: Uses(0)}, {ExpiresInHours: Hours(1e6)}} {
		_, err := c.Update(ctx, link.ID, r)
		sent := must(raw.UpdateShareLinkWithResponse(ctx, link.ID, r))(t)
		sameWords(t, err, sent.StatusCode(), sent.ApplicationProblemJSON400)
	}
	for _, id := range []string{link.Token, "00000000-0000-0000-0000-00000000000g", "0000000000000-0000-0000-0000-0000000"} {
		sent := must(raw.GetShareLinkWithResponse(ctx, id))(t)
		sameWords(t, second(c.Get(ctx, id)), sent.StatusCode(), sent.ApplicationProblemJSON400)
		sameWords(t, c.Delete(ctx, id), sent.StatusCode(), sent.ApplicationProblemJSON400)
		sameWords(t, second(c.Update(ctx, id, UpdateRequest{})), sent.StatusCode(), sent.ApplicationProblemJSON400)
	}
	for _, f := range []Filter{{Page: -1}, {PerPage: -1}, {PerPage: 101}, {PersonaID: "cara"}, {Search: long}, {Page: 1 << 31}} {
		sent := must(raw.ListShareLinksWithResponse(ctx, &wire.ListShareLinksParams{
			Page: said(f.Page), PerPage: said(f.PerPage), PersonaID: said(f.PersonaID), Search: said(f.Search),
		}))(t)
		sameWords(t, second(c.List(ctx, f)), sent.StatusCode(), sent.ApplicationProblemJSON400)
		for _, err := range c.All(ctx, f) {
			sameWords(t, err, sent.StatusCode(), sent.ApplicationProblemJSON400)
		}
	}
	for _, key := range []string{long, "two words"} {
		_, err := c.Create(ctx, CreateRequest{PersonaID: cara}, WithIdempotencyKey(key))
		sent := must(raw.CreateShareLinkWithResponse(ctx, &wire.CreateShareLinkParams{IdempotencyKey: &key}, CreateRequest{PersonaID: cara}))(t)
		sameWords(t, err, sent.StatusCode(), sent.ApplicationProblemJSON400)
	}

	// Several faults come at once. The order is ours.
	_, err := c.Create(ctx, CreateRequest{ExpiresInHours: Hours(0), UsageLimit: Uses(0)})
	var e *Error
	if !errors.As(err, &e) || len(e.Faults) != 3 || !strings.HasPrefix(e.Detail, "the request has 3 faults: /personaId: must be") {
		t.Errorf("three faults: %v", err)
	}
	// What has no counterpart: an empty id is another path, an empty token no filter, an empty key no key.
	for _, err := range []error{
		second(c.Get(ctx, "")), c.Delete(ctx, ""), second(c.FindByToken(ctx, "")), second(c.FindByToken(ctx, long)),
		second(c.Create(ctx, CreateRequest{PersonaID: cara}, WithIdempotencyKey(""))),
	} {
		if !errors.Is(err, ErrInvalid) || !errors.As(err, &e) || e.Status != 0 || e.Attempts != 0 {
			t.Errorf("nothing at all: %v", err)
		}
	}
}

func sameWords(t *testing.T, err error, status int, problem *wire.Problem) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrInvalid) || e.Status != 0 || e.Attempts != 0 {
		t.Errorf("not refused before it was sent: %v", err)
		return
	}
	if status != 400 || problem == nil {
		t.Errorf("the server answers %d to what is refused here: %v", status, err)
		return
	}
	if diff := cmp.Diff(problem.Errors, e.Faults); diff != "" {
		t.Errorf("other words (-server +client):\n%s", diff)
	}
	if problem.Detail != e.Detail {
		t.Errorf("other words: server %q, client %q", problem.Detail, e.Detail)
	}
}

func TestRefusalsOfTheServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := dial(t, serve(t))
	_, err := c.Get(ctx, nobody, WithKey("another-key"))
	if !errors.Is(err, ErrUnauthorized) {
		t.Errorf("with another key: %v", err)
	}
	if _, err := c.Create(ctx, CreateRequest{PersonaID: cara, RemoveWatermark: Yes}); !errors.Is(err, ErrForbidden) {
		t.Errorf("without the watermark: %v", err)
	}
	_, err = c.Create(ctx, CreateRequest{PersonaID: cara, AllowedOrigins: Origins("example.com")})
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, ErrInvalid) || len(e.Faults) != 1 || *e.Faults[0].Pointer != "/allowedOrigins/0" || *e.Faults[0].Hint == "" {
		t.Errorf("an origin that is none: %v", err)
	}
	first := must(c.Create(ctx, CreateRequest{PersonaID: cara}, WithIdempotencyKey("order-4711")))(t)
	again, err := c.Create(ctx, CreateRequest{PersonaID: cara}, WithIdempotencyKey("order-4711"))
	if err != nil || again.ID != first.ID {
		t.Errorf("under one key: %s and %s, %v", first.ID, again.ID, err)
	}
	_, err = c.Create(ctx, CreateRequest{PersonaID: cara, UsageLimit: Uses(3)}, WithIdempotencyKey("order-4711"))
	if !errors.Is(err, ErrConflict) {
		t.Errorf("another request under one key: %v", err)
	}
	c = dial(t, serve(t, func(config *server.Config) { config.RateLimit = 0.001 }), WithRetry(Retry{Attempts: 1}))
	for err = nil; err == nil; {
		_, err = c.List(ctx, Filter{})
	}
	if !errors.Is(err, ErrRateLimited) || !errors.As(err, &e) || e.RetryAfter < time.Second || e.Attempts != 1 {
		t.Errorf("too many: %#v", err)
	}
}

func TestSettings(t *testing.T) {
	url := serve(t)
	for _, test := range []struct {
		name, envURL, envKey string
		opts                 []Option
		want                 string // part of the error; "" is none
	}{
		{"all from the environment", url, testKey, nil, ""},
		{"options win", "http://127.0.0.1:1", "wrong", []Option{WithURL(url), WithKey(testKey)}, ""},
		{"no key", url, "", nil, "the API key is empty"},
		{"an empty key is not the environment's", url, testKey, []Option{WithKey("")}, "the API key is empty"},
		{"an empty URL is not the environment's", url, testKey, []Option{WithURL("")}, "the base URL must be"},
		{"relative", "", testKey, []Option{WithURL("/v1")}, "the base URL must be"},
		{"no scheme", "", testKey, []Option{WithURL("links.example.com")}, "the base URL must be"},
		{"another scheme", "", testKey, []Option{WithURL("ftp://links.example.com")}, "the base URL must be"},
		{"bad in the environment", "links.example.com", testKey, nil, "the base URL must be"},
		{"a password", "", testKey, []Option{WithURL("https://me:s3cret@links.example.com")}, "no user, query"},
		{"a query", "", testKey, []Option{WithURL("https://links.example.com/?x=1")}, "no user, query"},
		{"a key with a line break", "", "", []Option{WithKey("s3cret\n")}, "visible ASCII"},
		{"timeout", "", testKey, []Option{WithTimeout(-1)}, "the timeout"},
		{"agent", "", testKey, []Option{WithUserAgent("a\r\nb: c")}, "user agent"},
		{"retry", "", testKey, []Option{WithRetry(Retry{Attempts: -1})}, "retry"},
		{"a key for all creates", "", testKey, []Option{WithIdempotencyKey("k")}, "for one Create"},
		{"nothing that nothing is", url, testKey, []Option{nil, WithHTTPClient(nil), WithLogger(nil), WithTimeout(0)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("ANAM_API_URL", test.envURL)
			t.Setenv("ANAM_API_KEY", test.envKey)
			c, err := New(test.opts...)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("error %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.List(t.Context(), Filter{}); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("default", func(t *testing.T) {
		t.Setenv("ANAM_API_URL", "")
		t.Setenv("ANAM_API_KEY", testKey)
		c := must(New(WithHTTPClient(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.String() != "https://api.anam.ai/v1/share-links" || r.Header.Get("Authorization") != "Bearer "+testKey {
				t.Errorf("asked %s", r.URL)
			}
			return nil, errors.New("no network")
		})}), WithRetry(Retry{Attempts: 1})))(t)
		if _, err := c.List(t.Context(), Filter{}); err == nil {
			t.Error("an answer without a network")
		}
	})
	t.Run("every fault", func(t *testing.T) {
		_, err := New(WithURL("x"), WithKey(""), WithTimeout(-1))
		if err == nil || strings.Count(err.Error(), "\n") != 2 {
			t.Errorf("%v", err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An option of a call holds for that call alone.
func TestOptionsOfACall(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var agents []string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		agents = append(agents, r.UserAgent()+" "+r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, `{"data":[],"meta":{}}`)
	}))
	defer h.Close()
	c := dial(t, h.URL, WithUserAgent("myapp/1.2"))
	must(c.List(t.Context(), Filter{}, WithKey("other"), WithUserAgent("")))(t)
	must(c.List(t.Context(), Filter{}))(t)
	if _, err := c.List(t.Context(), Filter{}, WithURL("nowhere")); !errors.Is(err, ErrInvalid) {
		t.Errorf("with a bad option: %v", err)
	}
	if diff := cmp.Diff([]string{"sharelinks-go Bearer other", "sharelinks-go myapp/1.2 Bearer " + testKey}, agents); diff != "" {
		t.Error(diff)
	}
}

// What a newer server sends is read, kept and written again.
func TestNewerServer(t *testing.T) {
	t.Parallel()
	const sent = `{"allowAllOrigins":false,"allowedOrigins":[],"burst":{"perDay":12345678901234567890},"createdAt":"2026-04-20T10:00:00Z",` +
		`"enabled":true,"expiresAt":null,"id":"one","isPrimary":false,"organizationId":"o","personaId":"p","personaName":"Cara",` +
		`"removeWatermark":false,"token":"sh_1","type":"HOLOGRAM","url":"https://x.example/h/1","usageCount":0,"usageLimit":null}`
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"data":[`+sent+`],"meta":{"total":1,"lastPage":1,"currentPage":1,"perPage":20,"prev":null,"next":null,"cursor":"c"},"links":{}}`)
	}))
	defer h.Close()
	page := must(dial(t, h.URL).List(t.Context(), Filter{}))(t)
	link := page.Data[0]
	if link.Type != "HOLOGRAM" || string(link.AdditionalProperties["burst"]) != `{"perDay":12345678901234567890}` ||
		string(page.Meta.AdditionalProperties["cursor"]) != `"c"` || string(page.AdditionalProperties["links"]) != "{}" {
		t.Errorf("%+v", page)
	}
	if got := must(json.Marshal(link))(t); string(got) != sent {
		t.Errorf("written again:\n%s\nwas\n%s", got, sent)
	}
	if must(EmbedHTML(link))(t) == "" {
		t.Error("a type that is new cannot be embedded")
	}
}

// Neither the key nor a token shows in an error, a log or a client that is printed.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const key, token, odd = "s3cret-key/+=", "sh_2kL9pQxYzR4vN8mBwHfJc", "an-odd+token"
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := r.Header.Get("Authorization") + " " + r.URL.String() + " " + token + " " + r.URL.Query().Get("search")
		w.Header().Set("X-Request-Id", said)
		w.WriteHeader(http.StatusTeapot)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"type": said, "detail": said, "instance": said, "errors": []map[string]string{{"in": said, "detail": said, "hint": said}},
			"pad": strings.Repeat("x", maxExcerpt-900) + said,
		})
	}))
	defer echo.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	odder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"id": 5, "token": "`+token+`", "data": "`+key+`"}`)
	}))
	defer odder.Close()
	for _, url := range []string{echo.URL, closed.URL, odder.URL} {
		c := dial(t, url, WithKey(key), WithLogger(logger), WithRetry(Retry{Attempts: 2, sleep: func(context.Context, time.Duration) error { return nil }}))
		for _, err := range []error{
			second(c.FindByToken(t.Context(), token)), second(c.FindByToken(t.Context(), odd)), second(c.List(t.Context(), Filter{Search: token})),
			second(c.Create(t.Context(), CreateRequest{PersonaID: cara})), second(c.Get(t.Context(), token)),
		} {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%v", err)
			}
			text := err.Error() + string(e.Body) + string(must(json.Marshal(e))(t))
			for _, secret := range []string{"s3cret", token[3:], "odd+token", "odd%2Btoken"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s shows %q: %s", url, secret, text)
				}
			}
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(strings.Repeat(format, 2), c, *c); strings.Contains(text, "s3cret") {
				t.Errorf("%s shows the key: %s", format, text)
			}
		}
	}
	for _, secret := range []string{"s3cret", token[3:], "odd"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q:\n%s", secret, &log)
		}
	}
	for _, want := range []string{"level=WARN", "method=GET", "route=/v1/share-links ", "status=418", "attempt=1", "elapsed=", "request_id=", "attempt=2"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, &log)
		}
	}
}
