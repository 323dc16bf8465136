package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/memstore"
	"github.com/sharelinks-dev/sharelinks/internal/pages"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
	"github.com/sharelinks-dev/sharelinks/server/internal/wire"
)

const documentedBody = `{"personaId":"` + cara + `","expiresInHours":168,"usageLimit":10}`

// instant is a store that does nothing: what is left of a request is the handler stack.
type instant struct{ sharelink.Store }

var instantLink = sharelink.Link{
	ID: uuid.MustParse("019daa55-2500-73e6-bede-75f926d0d51e"), Token: "sh_2kL9pQxYzR4vN8mBwHfJc", CreatedAt: day, PersonaName: "Cara",
	Terms: sharelink.DefaultTerms(day),
}

func (instant) CreateLink(_ context.Context, l sharelink.Link, _ *sharelink.Idempotency) (sharelink.Link, error) {
	return l, nil
}

func (instant) Link(context.Context, uuid.UUID, uuid.UUID) (sharelink.Link, error) {
	return instantLink, nil
}

func (instant) Links(context.Context, uuid.UUID, sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	links := make([]sharelink.Link, 20)
	for i := range links {
		links[i] = instantLink
	}
	return sharelink.Page[sharelink.Link]{Items: links, Total: 20}, nil
}

func (instant) Persona(_ context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	return sharelink.Persona{ID: id, OrganizationID: organization, Name: "Cara"}, nil
}

func (instant) HolderOfKey(context.Context, sharelink.Hash) (sharelink.Holder, error) {
	return sharelink.Holder{Organization: sharelink.Organization{Name: "default"}}, nil
}

// BenchmarkBareEcho is what the others are compared with: Echo, one decode, one encode of the same JSON, nothing else.
func BenchmarkBareEcho(b *testing.B) {
	e := echo.New()
	l := operations{&Server{pages: pages.New(pages.Config{PublicURL: func() string { return "http://links.test" }})}}
	e.POST("/v1/share-links", func(c echo.Context) error {
		var body api.CreateShareLinkRequest
		if err := json.NewDecoder(c.Request().Body).Decode(&body); err != nil {
			return err
		}
		return c.JSON(http.StatusCreated, l.shareLink(instantLink))
	})
	e.GET("/v1/share-links/:id", func(c echo.Context) error { return c.JSON(http.StatusOK, l.personaShareLink(instantLink)) })
	e.GET("/v1/share-links", func(c echo.Context) error {
		page, _ := instant{}.Links(c.Request().Context(), uuid.Nil, sharelink.Filter{})
		data := make([]api.PersonaShareLink, len(page.Items))
		for i, link := range page.Items {
			data[i] = l.personaShareLink(link)
		}
		return c.JSON(http.StatusOK, api.ShareLinkPage{Data: data})
	})
	benchmark(b, e, "key")
}

// BenchmarkInstantStore is the whole handler stack on a store that does nothing.
func BenchmarkInstantStore(b *testing.B) {
	benchmarkServer(b, func(b sharelink.Store) sharelink.Store { return instant{b} })
}

// BenchmarkStrictHandler is the generated handler of create on a store that does nothing, with and without the contract in
// front of it: the difference is what validation costs.
func BenchmarkStrictHandler(b *testing.B) {
	m := newMetrics("bench")
	s, err := newServer(b.Context(), DefaultConfig(), service.Options{Store: instant{memstore.New()}}, m)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	authenticated := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			c.SetRequest(r.WithContext(context.WithValue(r.Context(), holderKey{}, sharelink.Holder{})))
			return next(c)
		}
	}
	for name, front := range map[string][]echo.MiddlewareFunc{
		"not validated": {authenticated},
		"validated":     {authenticated, checkRequest(s.contract.Operation("createShareLink"))},
	} {
		b.Run(name, func(b *testing.B) {
			e := echo.New()
			wire.RegisterHandlersWithOptions(e, wire.NewStrictHandler(operations{s}, nil), wire.RegisterHandlersOptions{
				OperationMiddlewares: map[string][]echo.MiddlewareFunc{"createShareLink": front},
			})
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "/v1/share-links", strings.NewReader(documentedBody))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				if e.ServeHTTP(w, r); w.Code != 201 {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}

// BenchmarkSQLite is the whole handler stack on SQLite with durable commits, one caller: each create waits for the disk.
func BenchmarkSQLite(b *testing.B) {
	benchmarkServer(b, func(b sharelink.Store) sharelink.Store { return b })
}

func benchmarkServer(b *testing.B, wrap func(sharelink.Store) sharelink.Store) {
	config := DefaultConfig()
	config.RateLimit = 0
	config.Database = "sqlite:" + filepath.Join(b.TempDir(), "bench.db")
	config.PublicURL = "http://links.test"
	m := newMetrics("bench")
	db, err := store.Open(b.Context(), config.Database, store.Options{Observe: m.stored, ObserveBatch: m.batched})
	if err != nil {
		b.Fatal(err)
	}
	s, err := newServer(b.Context(), config, service.Options{Store: wrap(db)}, m)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	benchmark(b, s.Handler(), s.firstKey)
}

func benchmark(b *testing.B, h http.Handler, key string) {
	id := uuid.Nil.String()
	send := func(b *testing.B, want int, method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
		return w
	}
	b.Run("create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, 201, "POST", "/v1/share-links", documentedBody)
		}
	})
	var link struct{ ID string }
	if err := json.Unmarshal(send(b, 201, "POST", "/v1/share-links", documentedBody).Body.Bytes(), &link); err == nil {
		id = link.ID
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, 200, "GET", "/v1/share-links/"+id, "")
		}
	})
	b.Run("list", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b, 200, "GET", "/v1/share-links", "")
		}
	})
}

// BenchmarkOpen is an open of one unlimited link that many callers ask for, on SQLite: signed session and durable visit
// included.
func BenchmarkOpen(b *testing.B) {
	ts := start(b, nil, onSQLite(b), func(c *Config) { c.ValidateResponses, c.Logger = false, nil })
	path := "/v1/share/" + ts.token(`"usageLimit":null`) + "/sessions"
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w := httptest.NewRecorder()
			ts.Handler().ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), "POST", path, nil))
			if w.Code != http.StatusCreated {
				b.Errorf("%d %s", w.Code, w.Body)
			}
		}
	})
}
