package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/client/wire"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

const cara = "00000000-0000-0000-0000-000000000000"

var (
	ctx     = context.Background()
	started = time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)

	srv        *sharelinkstest.Server // of the examples
	exampleURL string                 // its base URL
)

func TestMain(m *testing.M) {
	var err error
	srv, err = sharelinkstest.Start(sharelinkstest.WithKey("a-key"), sharelinkstest.WithTime(started))
	check(err)
	exampleURL = srv.URL
	m.Run()
	check(srv.Close())
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// dial returns a client for an example. The server has nothing that an example before has left, and each request comes a
// second after the one before.
func dial(opts ...client.Option) *client.Client {
	srv.Reset()
	c, err := client.New(append([]client.Option{client.WithURL(exampleURL), client.WithKey("a-key"), client.WithHTTPClient(later)}, opts...)...)
	check(err)
	return c
}

var later = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
	srv.Advance(time.Second)
	return http.DefaultTransport.RoundTrip(r)
})}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func ExampleNew() {
	_, err := client.New(client.WithURL("links.example.com"), client.WithKey("a-key"))
	fmt.Println(err)
	// Output: sharelinks: the base URL must be http://HOST or https://HOST, optionally with a path, such as https://api.anam.ai
}

func ExampleClient_Create() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{
		PersonaID:      cara,
		ExpiresInHours: client.Hours(24),
		UsageLimit:     client.Uses(5),
		Type:           client.PlayerEmbed,
		AllowedOrigins: client.Origins("https://www.example.com"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(link.Type, link.ExpiresAt.Sub(link.CreatedAt.Time), *link.UsageLimit, link.AllowedOrigins)
	// Output: PLAYER_EMBED 24h0m0s 5 [https://www.example.com]
}

func ExampleClient_Get() {
	c := dial()
	created, err := c.Create(ctx, client.CreateRequest{PersonaID: cara})
	check(err)
	link, err := c.Get(ctx, created.ID)
	check(err)
	fmt.Println(link.PersonaName, link.UsageCount, "of", *link.UsageLimit)
	// Output: Cara 0 of 10
}

func ExampleClient_Update() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{PersonaID: cara})
	check(err)
	link, err = c.Update(ctx, link.ID, client.UpdateRequest{UsageLimit: client.Unlimited(), Enabled: new(false)})
	check(err)
	fmt.Println(link.UsageLimit == nil, link.Enabled, link.ExpiresAt != nil)
	// Output: true false true
}

func ExampleClient_Delete() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{PersonaID: cara})
	check(err)
	fmt.Println(c.Delete(ctx, link.ID))
	fmt.Println(errors.Is(c.Delete(ctx, link.ID), client.ErrNotFound))
	// Output:
	// <nil>
	// true
}

func ExampleClient_List() {
	c := dial()
	for range 3 {
		_, err := c.Create(ctx, client.CreateRequest{PersonaID: cara})
		check(err)
	}
	page, err := c.List(ctx, client.Filter{PersonaID: cara, PerPage: 2})
	check(err)
	fmt.Println(len(page.Data), "of", page.Meta.Total, "on page", page.Meta.CurrentPage, "of", page.Meta.LastPage)
	// Output: 2 of 3 on page 1 of 2
}

func ExampleClient_Visits() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{PersonaID: cara, UsageLimit: client.Uses(1)})
	check(err)
	for range 2 {
		_, _ = c.Open(ctx, link.Token)
	}
	page, err := c.Visits(ctx, link.ID, 1, 20)
	check(err)
	for _, visit := range page.Data {
		fmt.Println(visit.Outcome)
	}
	// Output:
	// EXHAUSTED
	// OPENED
}

func ExampleClient_All() {
	c := dial()
	for _, hours := range []float64{24, 1, 24} {
		_, err := c.Create(ctx, client.CreateRequest{PersonaID: cara, ExpiresInHours: client.Hours(hours)})
		check(err)
	}
	now := started.Add(2 * time.Hour)
	for link, err := range c.All(ctx, client.Filter{Search: "cara"}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(link.PersonaName, client.Status(link, now))
	}
	// Output:
	// Cara ACTIVE
	// Cara EXPIRED
	// Cara ACTIVE
}

func ExampleClient_Personas() {
	c := dial()
	page, err := c.Personas(ctx, client.PersonaFilter{Search: "cara"})
	check(err)
	for _, persona := range page.Data {
		fmt.Println(persona.ID, persona.Name)
	}
	// Output: 00000000-0000-0000-0000-000000000000 Cara
}

func ExampleClient_AllPersonas() {
	c := dial()
	for persona, err := range c.AllPersonas(ctx, client.PersonaFilter{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(persona.Name)
	}
	// Output: Cara
}

func ExampleClient_FindByToken() {
	c := dial()
	created, err := c.Create(ctx, client.CreateRequest{PersonaID: cara})
	check(err)
	found, err := c.FindByToken(ctx, created.Token)
	fmt.Println(found.ID == created.ID, err)
	_, err = c.FindByToken(ctx, "sh_unknown")
	fmt.Println(err)
	// Output:
	// true <nil>
	// sharelinks: find by token: there is no share link with this token
}

func ExampleClient_Preview() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{PersonaID: cara})
	check(err)
	preview, err := c.Preview(ctx, link.Token)
	fmt.Println(preview.PersonaName, preview.Status, err)
	// Output: Cara ACTIVE <nil>
}

func ExampleClient_Open() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{PersonaID: cara, UsageLimit: client.Uses(1)})
	check(err)
	session, err := c.Open(ctx, link.Token)
	check(err)
	fmt.Println(session.PersonaName, session.SessionToken != "")
	_, err = c.Open(ctx, link.Token)
	fmt.Println(errors.Is(err, client.ErrGone))
	// Output:
	// Cara true
	// true
}

func ExampleHours() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{PersonaID: cara, ExpiresInHours: client.Hours(0.5)})
	check(err)
	fmt.Println(link.ExpiresAt.Sub(link.CreatedAt.Time))
	// Output: 30m0s
}

func ExampleNever() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{PersonaID: cara, ExpiresInHours: client.Never()})
	check(err)
	fmt.Println(link.ExpiresAt)
	// Output: <nil>
}

func ExampleUses() {
	c := dial()
	_, err := c.Create(ctx, client.CreateRequest{PersonaID: cara, UsageLimit: client.Uses(0)})
	var e *client.Error
	if errors.As(err, &e) {
		for _, v := range e.Violations {
			fmt.Println(*v.Pointer, v.Detail)
		}
	}
	// Output: /usageLimit must be a whole number from 1 to 2147483647, or null, not 0
}

func ExampleUnlimited() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{PersonaID: cara, UsageLimit: client.Unlimited()})
	check(err)
	fmt.Println(link.UsageLimit == nil)
	// Output: true
}

func ExampleOrigins() {
	c := dial()
	link, err := c.Create(ctx, client.CreateRequest{
		PersonaID: cara, Type: client.OrbEmbed,
		AllowedOrigins: client.Origins("https://www.example.com", "http://localhost:3000"),
	})
	check(err)
	fmt.Println(link.AllowedOrigins)
	link, err = c.Update(ctx, link.ID, client.UpdateRequest{AllowedOrigins: client.Origins()})
	check(err)
	fmt.Println(link.AllowedOrigins)
	// Output:
	// [https://www.example.com http://localhost:3000]
	// []
}

func ExampleStatus() {
	link := client.ShareLink{Enabled: true, ExpiresAt: &client.Timestamp{Time: started}, UsageLimit: new(10), UsageCount: 3}
	fmt.Println(client.Status(link, started.Add(-time.Hour)), client.Status(link, started))
	// Output: ACTIVE EXPIRED
}

func ExampleURL() {
	fmt.Println(client.URL(client.ShareLink{Type: client.Link, Token: "sh_2kL9pQxYzR4vN8mBwHfJc"}))
	fmt.Println(client.URL(client.ShareLink{URL: "https://links.example.com/share/sh_2kL9pQxYzR4vN8mBwHfJc"}))
	// Output:
	// https://lab.anam.ai/share/sh_2kL9pQxYzR4vN8mBwHfJc
	// https://links.example.com/share/sh_2kL9pQxYzR4vN8mBwHfJc
}

func ExampleEmbedHTML() {
	html, err := client.EmbedHTML(client.ShareLink{Type: client.PlayerEmbed, Token: "sh_2kL9pQxYzR4vN8mBwHfJc", PersonaName: "Cara"})
	fmt.Print(html, err)
	// Output: <iframe src="https://lab.anam.ai/frame/sh_2kL9pQxYzR4vN8mBwHfJc" title="Cara" allow="microphone; autoplay" referrerpolicy="origin" width="720" height="480" style="border: 0; max-width: 100%"></iframe>
	// <nil>
}

func ExampleError_Error() {
	c := dial()
	_, err := c.Get(ctx, "11111111-1111-4111-8111-111111111111")
	var e *client.Error
	if errors.As(err, &e) {
		fmt.Println(e.Status, strings.TrimPrefix(e.Type, exampleURL), e.RequestID != "", e.Attempts)
	}
	// Output: 404 /problems/not-found true 1
}

func ExampleError_Is() {
	c := dial()
	_, err := c.Get(ctx, "sh_2kL9pQxYzR4vN8mBwHfJc") // a token is not an id
	fmt.Println(errors.Is(err, client.ErrInvalid), errors.Is(err, client.ErrNotFound))
	// Output: true false
}

func ExampleError_Unwrap() {
	c := dial()
	soon, cancel := context.WithCancel(ctx)
	cancel()
	_, err := c.List(soon, client.Filter{})
	fmt.Println(errors.Is(err, context.Canceled))
	// Output: true
}

func ExampleWithURL() {
	c, err := client.New(client.WithURL(exampleURL), client.WithKey("a-key"))
	check(err)
	_, err = c.List(ctx, client.Filter{})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithKey() {
	c := dial()
	_, err := c.List(ctx, client.Filter{}, client.WithKey("another-key")) // for this call only
	fmt.Println(errors.Is(err, client.ErrUnauthorized))
	// Output: true
}

func ExampleWithHTTPClient() {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	defer transport.CloseIdleConnections()
	c := dial(client.WithHTTPClient(&http.Client{Transport: transport}))
	_, err := c.List(ctx, client.Filter{})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithTimeout() {
	c := dial(client.WithTimeout(time.Minute))
	_, err := c.List(ctx, client.Filter{}, client.WithTimeout(time.Nanosecond))
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExampleWithRetry() {
	c := dial(client.WithRetry(client.Retry{Attempts: 6, MaxWait: time.Minute}))
	_, err := c.List(ctx, client.Filter{}, client.WithRetry(client.Retry{Attempts: 1})) // without retries
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithUserAgent() {
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.UserAgent()) }))
	defer h.Close()
	c, err := client.New(client.WithURL(h.URL), client.WithKey("a-key"), client.WithUserAgent("myapp/1.2"))
	check(err)
	check(c.Delete(ctx, cara))
	// Output: sharelinks-go myapp/1.2
}

func ExampleWithLogger() {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := dial(client.WithLogger(logger))
	_, err := c.List(ctx, client.Filter{Search: "sh_2kL9pQxYzR4vN8mBwHfJc"})
	check(err)
	fmt.Println(strings.Contains(log.String(), "method=GET route=/v1/share-links attempt=1"))
	fmt.Println(strings.Contains(log.String(), "sh_"))
	// Output:
	// true
	// false
}

func ExampleWithIdempotencyKey() {
	c := dial()
	first, err := c.Create(ctx, client.CreateRequest{PersonaID: cara}, client.WithIdempotencyKey("order-4711"))
	check(err)
	again, err := c.Create(ctx, client.CreateRequest{PersonaID: cara}, client.WithIdempotencyKey("order-4711"))
	check(err)
	fmt.Println(first.ID == again.ID)
	// Output: true
}

func ExampleRetry_Transport() {
	raw, err := wire.NewClientWithResponses(exampleURL, wire.WithHTTPClient(&http.Client{Transport: client.Retry{}.Transport(nil)}))
	check(err)
	resp, err := raw.ListShareLinksWithResponse(ctx, nil)
	check(err)
	fmt.Println(resp.StatusCode(), resp.ApplicationProblemJSON401.Detail != "")
	// Output: 401 true
}
