// Package pages is what people see: the page of a share link, the frame and the script of an embed, and the pages that
// explain problems. It works on net/http, and decides nothing about a link.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed link embed.js problem.html
var files embed.FS

// Pages serves pages. It is safe for concurrent use.
type Pages struct {
	config  Config
	link    *template.Template
	css     template.CSS
	js      template.JS
	script  string // embed.js
	version string // its ETag
}

// Config is what the pages need to know of the service.
type Config struct {
	// PublicURL returns where people reach the service.
	PublicURL func() *url.URL
	// Player is the URL of the script that shows a persona, and Integrity the hash of its bytes (W3C Subresource Integrity).
	Player, Integrity string
	// Engine is the base URL of the API that the player talks to. Without one, "", pages are in local mode and load no player.
	Engine string
}

// New returns the pages of a service.
func New(config Config) (*Pages, error) {
	link, err := template.ParseFS(files, "link/link.html")
	if err != nil {
		return nil, err
	}
	css, cssErr := files.ReadFile("link/link.css")
	js, jsErr := files.ReadFile("link/link.js")
	script, scriptErr := files.ReadFile("embed.js")
	for _, err := range []error{cssErr, jsErr, scriptErr} {
		if err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256(script)
	return &Pages{
		config: config, link: link, css: template.CSS(css), js: template.JS(js), //nolint:gosec // embedded above
		script: string(script), version: `"` + hex.EncodeToString(sum[:8]) + `"`,
	}, nil
}

// EmbedScript serves the script that defines <share-link>. Sites load it, so it may be cached for a while, but not for
// long: a fault in it is on all of them.
func (p *Pages) EmbedScript(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("ETag", p.version)
	http.ServeContent(w, r, "embed.js", time.Time{}, strings.NewReader(p.script))
}

// Problem is what a page says about one kind of problem.
type Problem struct {
	Code       string
	Status     int
	StatusText string
	Title      string
	Meaning    string
	Remedy     string
}

// Problem returns the handler of the page that explains a kind of problem.
func (*Pages) Problem(problem Problem) (http.HandlerFunc, error) {
	page, err := template.ParseFS(files, "problem.html")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := page.Execute(&b, problem); err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		writeHTML(w, http.StatusOK, b.Bytes())
	}, nil
}

func writeHTML(w http.ResponseWriter, status int, page []byte) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(page) // a caller that hung up needs no answer
}
