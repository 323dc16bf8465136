package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	cara      = "00000000-0000-0000-0000-000000000000"
	unknown   = "11111111-1111-4111-8111-111111111111"
	testKey   = "a-key-for-the-tests-of-the-client"
	testURL   = "http://links.test"
	aLink     = `{"id":"` + unknown + `","token":"sh_2kL9pQxYzR4vN8mBwHfJc","type":"LINK","enabled":true}`
	emptyPage = `{"data":[],"meta":{}}`
)

// day is an instant.
var day = time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)

// dial returns a client whose requests go to a round tripper.
func dial(t testing.TB, to http.RoundTripper, opts ...Option) *Client {
	t.Helper()
	base := []Option{WithURL(testURL), WithKey(testKey), WithHTTPClient(&http.Client{Transport: to})}
	c, err := New(append(base, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// inProcess returns a round tripper that calls a handler, without a network.
func inProcess(h http.Handler) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		if r.Body == nil {
			r.Body = http.NoBody
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}

// reply is one answer of a script.
type reply struct {
	status int
	body   string
	header []string // each "Name: value"
	cut    bool     // the body ends too soon
	stall  bool     // the body does not end until the request is cancelled
	err    error    // there is no answer
	hang   bool     // there is no answer until the request is cancelled
}

// script is a server in memory. It gives its replies in turn, the last one forever, and records the requests.
type script struct {
	replies  []reply
	requests []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
	}
	s.requests = append(s.requests, fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get(keyHeader), " ", string(sent)))
	now := s.replies[min(len(s.requests), len(s.replies))-1]
	if now.hang {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if now.err != nil {
		return nil, now.err
	}
	var body io.Reader = strings.NewReader(now.body)
	if now.cut {
		body = io.MultiReader(body, failing{})
	}
	if now.stall {
		body = io.MultiReader(body, stalled{r.Context()})
	}
	resp := &http.Response{StatusCode: now.status, Header: http.Header{}, Body: io.NopCloser(body), Request: r}
	for _, line := range now.header {
		name, value, _ := strings.Cut(line, ": ")
		resp.Header.Set(name, value)
	}
	return resp, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func play(replies ...reply) *script { return &script{replies: replies} }

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func second[T any](_ T, err error) error { return err }

// Arguments that would make another request than was meant are not sent. All others are for the server to judge.
func TestArguments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := play(reply{status: 200, body: aLink})
	c := dial(t, server)
	var errs []error
	for _, segment := range []string{"", ".", ".."} {
		errs = append(errs, second(c.Get(ctx, segment)), second(c.Update(ctx, segment, UpdateRequest{})), c.Delete(ctx, segment),
			second(c.Visits(ctx, segment, 0, 0)), second(c.Preview(ctx, segment)), second(c.Open(ctx, segment)),
			second(c.FindByToken(ctx, segment)))
	}
	for _, key := range []string{"", "two words", "line\n"} {
		errs = append(errs, second(c.Create(ctx, CreateRequest{}, WithIdempotencyKey(key))))
	}
	errs = append(errs, second(c.Create(ctx, CreateRequest{ExpiresInHours: Hours(math.NaN())})),
		second(c.List(ctx, Filter{}, WithURL("nowhere"))))
	for i, err := range errs {
		var e *Error
		if !errors.Is(err, ErrInvalid) || !errors.As(err, &e) || e.Status != 0 || e.Attempts != 0 || e.Detail == "" {
			t.Errorf("%d: %#v", i, err)
		}
	}
	if server.requests != nil {
		t.Errorf("sent: %q", server.requests)
	}
	_ = second(c.Get(ctx, "../share?x=1 2"))
	_ = second(c.List(ctx, Filter{PersonaID: cara, Search: "a b", Page: 2, PerPage: 5}))
	_ = second(c.Visits(ctx, unknown, 2, 5))
	_ = second(c.Personas(ctx, PersonaFilter{Search: "a&b", Page: 2, PerPage: 5}))
	_ = second(c.Personas(ctx, PersonaFilter{}))
	want := []string{
		"GET " + testURL + "/v1/share-links/..%2Fshare%3Fx=1%202  ",
		"GET " + testURL + "/v1/share-links?page=2&perPage=5&personaId=" + cara + "&search=a+b  ",
		"GET " + testURL + "/v1/share-links/" + unknown + "/visits?page=2&perPage=5  ",
		"GET " + testURL + "/v1/personas?page=2&perPage=5&search=a%26b  ",
		"GET " + testURL + "/v1/personas  ",
	}
	if diff := cmp.Diff(want, server.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestSettings(t *testing.T) {
	const url = "https://env.example/p"
	for _, test := range []struct {
		name, envURL, envKey string
		opts                 []Option
		want                 string // the request, or a part of the error
	}{
		{"environment", url, "k", nil, "https://env.example/p/v1/share-links Bearer k sharelinks-go"},
		{"options win", url, "k", []Option{WithURL("http://o.example/"), WithKey("o")}, "http://o.example/v1/share-links Bearer o "},
		{"default URL", "", "k", nil, "https://api.anam.ai/v1/share-links Bearer k "},
		{"nil", url, "k", []Option{nil, WithLogger(nil)}, "Bearer k "},
		{"agent", url, "k", []Option{WithUserAgent("a/1")}, " sharelinks-go a/1"},
		{"no key", url, "", nil, "the API key is empty"},
		{"an empty key is not the environment's", url, "k", []Option{WithKey("")}, "the API key is empty"},
		{"an empty URL is not the environment's", url, "k", []Option{WithURL("")}, "the base URL must be"},
		{"relative", "", "k", []Option{WithURL("/v1")}, "the base URL must be"},
		{"no scheme", "links.example.com", "k", nil, "the base URL must be"},
		{"another scheme", "", "k", []Option{WithURL("ftp://links.example.com")}, "the base URL must be"},
		{"a password", "", "k", []Option{WithURL("https://me:s3cret@links.example.com")}, "a user, a query"},
		{"a query", "", "k", []Option{WithURL("https://links.example.com/?x=s3cret")}, "a user, a query"},
		{"a key with a line break", "", "", []Option{WithKey("s3cret\n")}, "visible ASCII"},
		{"timeout", "", "k", []Option{WithTimeout(-1)}, "the timeout"},
		{"agent with a line break", "", "k", []Option{WithUserAgent("a\r\nb: c")}, "user agent"},
		{"retry", "", "k", []Option{WithRetry(Retry{Attempts: -1})}, "retry"},
		{"one key for all creates", "", "k", []Option{WithIdempotencyKey("k")}, "for a single Create"},
		{"all that is wrong", "x", "", []Option{WithTimeout(-1)}, "; set ANAM_API_KEY or use WithKey\nthe timeout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("ANAM_API_URL", test.envURL)
			t.Setenv("ANAM_API_KEY", test.envKey)
			got := ""
			hc := &http.Client{Transport: inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.URL.String() + " " + r.Header.Get("Authorization") + " " + r.UserAgent()
				_, _ = io.WriteString(w, emptyPage)
			}))}
			c, err := New(append([]Option{WithHTTPClient(hc)}, test.opts...)...)
			if err == nil {
				_, err = c.List(t.Context(), Filter{})
			}
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) || strings.Contains(got, "s3cret") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if c := must(New(WithKey("k"), WithHTTPClient(nil)))(t); c.settings.httpClient != http.DefaultClient {
		t.Error("a nil client is not the default")
	}
}

// An option of a call applies to that call only.
func TestOptionsOfACall(t *testing.T) {
	t.Parallel()
	server := play(reply{status: 200, body: emptyPage})
	c := dial(t, server)
	must(c.List(t.Context(), Filter{}, WithURL("http://other.test")))(t)
	must(c.List(t.Context(), Filter{}))(t)
	want := []string{"GET http://other.test/v1/share-links  ", "GET " + testURL + "/v1/share-links  "}
	if diff := cmp.Diff(want, server.requests); diff != "" {
		t.Error(diff)
	}
}

// Fields and enum values that a newer server adds do no harm.
func TestNewerServer(t *testing.T) {
	t.Parallel()
	c := dial(t, play(reply{status: 200, body: `{"cursors":[],"data":[{"id":"1","token":"sh_1","type":"HOLOGRAM",` +
		`"burst":{"perDay":1},"url":"https://x.example/h/1"}],"meta":{"total":1,"cursor":"c"}}`}))
	page := must(c.List(t.Context(), Filter{}))(t)
	if len(page.Data) != 1 || page.Data[0].Type != "HOLOGRAM" || page.Meta.Total != 1 {
		t.Errorf("%+v", page)
	}
}

// An answer that lacks what makes it a link, a page and so on is an error.
func TestIncompleteAnswers(t *testing.T) {
	t.Parallel()
	c := dial(t, play(reply{status: 200, body: `{}`}))
	for what, err := range map[string]error{
		"a share link":          second(c.Get(t.Context(), unknown)),
		"a page of share links": second(c.List(t.Context(), Filter{})),
		"a page of personas":    second(c.Personas(t.Context(), PersonaFilter{})),
		"a page of visits":      second(c.Visits(t.Context(), unknown, 0, 0)),
		"a preview":             second(c.Preview(t.Context(), "sh_1")),
		"a session":             second(c.Open(t.Context(), "sh_1")),
	} {
		var e *Error
		if !errors.As(err, &e) || e.Status != 200 || e.Detail != "the answer is not "+what+": required fields are missing" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The API key and tokens are in no error, in no log, and not in a client that is printed.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const key, token, oddToken = `s3cret-"key&/+=`, "sh_2kL9pQxYzR4vN8mBwHfJc", "an-odd+token"
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	echo := inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := r.Header.Get("Authorization") + " " + r.URL.String() + " " + token + " " + r.URL.Query().Get("search")
		w.Header().Set("X-Request-Id", text)
		w.WriteHeader(http.StatusTeapot)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"type": text, "detail": text, "instance": text,
			"errors": []map[string]string{{"in": text, "detail": text, "hint": text}},
			"pad":    strings.Repeat("x", maxExcerpt-900) + text,
		})
	}))
	servers := []http.RoundTripper{
		echo,
		play(reply{err: errors.New("with " + key + " and " + token)}),
		play(reply{status: 200, body: `{"id": 5, "token": "` + token + `", "data": "` + token + `"}`}),
		play(reply{status: 201, cut: true, body: `{"sessionToken":"s3cret"`}),
		play(reply{status: 201, body: `{"sessionToken":"s3cret"`}),
	}
	for i, server := range servers {
		c := dial(t, server, WithKey(key), WithLogger(logger), WithRetry(Retry{Backoff: 1, Attempts: 2}))
		for _, err := range []error{
			second(c.FindByToken(t.Context(), token)), second(c.FindByToken(t.Context(), oddToken)),
			second(c.List(t.Context(), Filter{Search: token})), second(c.Get(t.Context(), token)),
			second(c.Preview(t.Context(), oddToken)), second(c.Open(t.Context(), oddToken)),
		} {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("server %d: %v", i, err)
			}
			if i > 2 && e.Operation != "open" {
				continue
			}
			text := err.Error() + string(e.Body) + string(must(json.Marshal(e))(t)) + fmt.Sprint(errors.Unwrap(err))
			for _, secret := range []string{"s3cret", token[3:], "odd+token", "odd%2Btoken"} {
				if strings.Contains(text, secret) {
					t.Errorf("server %d, %s shows %q: %s", i, e.Operation, secret, text)
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
	for _, want := range []string{
		"level=WARN", "level=DEBUG", "method=GET", "route=/v1/share-links ", "route=/v1/share/{token}/sessions", "status=418",
		"attempt=1", "attempt=2", "elapsed=", "request_id=", "error=",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, &log)
		}
	}
}

// A visitor's call has no API key.
func TestVisitorCallsHaveNoKey(t *testing.T) {
	t.Parallel()
	c := dial(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		if len(r.Header["Authorization"]) > 0 {
			t.Errorf("%s has the API key", r.URL)
		}
		return nil, errors.New("no network")
	}), WithRetry(Retry{Attempts: 1}))
	_, _ = c.Preview(t.Context(), "sh_1")
	_, _ = c.Open(t.Context(), "sh_1")
}
