package server

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5/static"
	"github.com/swaggest/swgui/v5emb"
)

// docs shows the contract as a page on which it can be tried. All it loads is embedded in the binary.
func (s *Server) docs() echo.HandlerFunc {
	// Made on the first request: the prefix of the public URL is known only when the server listens.
	made := sync.OnceValue(func() (d struct {
		page   []byte
		policy string
		files  http.Handler
	},
	) {
		prefix := s.publicPath()
		d.files = v5emb.NewHandlerWithConfig(swgui.Config{
			Title:            "Share links",
			SwaggerJSON:      prefix + "/openapi.json",
			BasePath:         prefix + "/docs/",
			InternalBasePath: "/docs/",
			SettingsUI:       map[string]string{"tryItOutEnabled": "true"},
		})
		index := &heldResponse{header: http.Header{}}
		d.files.ServeHTTP(index, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/docs/"}})
		d.page = index.body.Bytes()
		d.policy = docsPolicy(d.page)
		return d
	})
	return func(c echo.Context) error {
		docs, header := made(), c.Response().Header()
		header.Set("Content-Security-Policy", docs.policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "public, max-age=300") // as embed.js: its files have no version in their names
		switch file := c.Param("*"); {
		case file == "":
			return c.HTMLBlob(http.StatusOK, docs.page)
		case !isDocsFile(file):
			return echo.ErrNotFound
		}
		docs.files.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

var inline = regexp.MustCompile(`(?s)<(script|style)>(.*?)</(?:script|style)>`)

// docsPolicy returns the Content-Security-Policy of the page on which people type API keys: it runs what is in it and what is
// beside it, talks to this service only, and is framed by nobody.
func docsPolicy(page []byte) string {
	sources := map[string]string{"script": "'self'", "style": "'self'"}
	for _, m := range inline.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(m[2])
		sources[string(m[1])] += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return strings.Join([]string{
		"default-src 'none'", "script-src " + sources["script"], "style-src " + sources["style"], "img-src 'self' data:", "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
}

func isDocsFile(name string) bool {
	for _, stored := range []string{name, name + ".gz"} {
		if f, err := static.FS.Open(stored); err == nil {
			return f.Close() == nil
		}
	}
	return false
}
