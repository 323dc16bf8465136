package server

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5/static"
	"github.com/swaggest/swgui/v5emb"

	sharelinks "github.com/sharelinks-dev/sharelinks"
)

//go:embed problem.html
var problemHTML string

// page registers a handler for GET and HEAD.
func page(e *echo.Echo, path string, h echo.HandlerFunc) {
	e.GET(path, h)
	e.HEAD(path, h)
}

// servePages registers what the server shows besides the contract's operations.
func (s *Server) servePages(e *echo.Echo) error {
	page(e, "/", func(c echo.Context) error { return c.Redirect(http.StatusFound, pathOf(s.publicURL())+"/docs") })
	page(e, "/openapi.yaml", blob("application/yaml; charset=utf-8", sharelinks.Spec))
	page(e, "/openapi.json", blob("application/json", s.contract.json))
	page(e, "/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	page(e, "/readyz", s.ready)
	page(e, "/metrics", echo.WrapHandler(s.metrics.handler()))
	page(e, "/.well-known/jwks.json", s.keySet)
	if err := s.serveVisitorPages(e); err != nil {
		return err
	}
	docs := s.docs()
	page(e, "/docs", docs)
	page(e, "/docs/*", docs)
	return s.serveProblems(e)
}

func blob(contentType string, body []byte) echo.HandlerFunc {
	return func(c echo.Context) error { return c.Blob(http.StatusOK, contentType, body) }
}

// keySet shows the key that sessions are signed with. Anybody may read it, a page of another site too.
func (s *Server) keySet(c echo.Context) error {
	header := c.Response().Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cache-Control", "public, max-age=300")
	return c.Blob(http.StatusOK, "application/jwk-set+json", s.signer.KeySet())
}

// ready asks the store. A server that is stopping is no longer ready, so that a balancer stops sending.
func (s *Server) ready(c echo.Context) error {
	if s.stopping.Load() {
		return &problem{kind: kindUnavailable, detail: "the server is stopping"}
	}
	if err := s.ping(c.Request().Context()); err != nil {
		return &problem{kind: kindUnavailable, detail: "the store does not answer", cause: err}
	}
	return c.String(http.StatusOK, "ready\n")
}

// docs shows the contract as a page on which it can be tried. All it loads is embedded in the binary.
func (s *Server) docs() echo.HandlerFunc {
	// Made on the first visit: the prefix of the public URL is known only when the server listens.
	handler := sync.OnceValue(func() http.Handler {
		prefix := pathOf(s.publicURL())
		return v5emb.NewHandlerWithConfig(swgui.Config{
			Title:            "Share links",
			SwaggerJSON:      prefix + "/openapi.json",
			BasePath:         prefix + "/docs/",
			InternalBasePath: "/docs/",
			SettingsUI:       map[string]string{"tryItOutEnabled": "true"},
		})
	})
	return func(c echo.Context) error {
		if file := c.Param("*"); file != "" && !isDocsFile(file) {
			return echo.ErrNotFound
		}
		handler().ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

func isDocsFile(name string) bool {
	for _, stored := range []string{name, name + ".gz"} {
		if f, err := static.FS.Open(stored); err == nil {
			return f.Close() == nil
		}
	}
	return false
}

// serveProblems registers a page for each kind of problem, where its type URL leads.
func (s *Server) serveProblems(e *echo.Echo) error {
	tmpl, err := template.New("problem").Parse(problemHTML)
	if err != nil {
		return err
	}
	served := map[string]bool{}
	for _, k := range problemKinds {
		if served[k.code] { // a code with two statuses has one page
			continue
		}
		served[k.code] = true
		var b bytes.Buffer
		if err := tmpl.Execute(&b, map[string]any{
			"Code": k.code, "Status": k.status, "StatusText": http.StatusText(k.status),
			"Title": k.title, "Meaning": k.meaning, "Remedy": k.remedy,
		}); err != nil {
			return err
		}
		page(e, "/problems/"+k.code, func(c echo.Context) error {
			c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
			return c.HTMLBlob(http.StatusOK, b.Bytes())
		})
	}
	return nil
}

// pathOf is the path prefix of a public URL, "" for none.
func pathOf(publicURL string) string {
	_, rest, _ := strings.Cut(publicURL, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return ""
}
