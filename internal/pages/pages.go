// Package pages is what people see: the page of a share link, the frame and the script of an embed, and the pages that
// explain problems. It works on net/http, and decides nothing about a link.
package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

var (
	//go:embed link/link.html
	linkHTML string
	//go:embed link/link.css
	linkCSS string
	//go:embed link/link.js
	linkJS string
	//go:embed embed.js
	embedScript string
	//go:embed problem.html
	problemHTML string
)

// Pages serves pages. It is safe for concurrent use.
type Pages struct {
	config        Config
	link, problem *template.Template
	sources       string // what a page that can be opened connects to, as a Content-Security-Policy lists it
}

// Config is what the pages need to know of the service.
type Config struct {
	// PublicURL returns where people reach the service, without a slash at its end, and PublicPath the path of that.
	PublicURL, PublicPath func() string
	// Player is the URL of the script that shows a persona, and Integrity the hash of its bytes (W3C Subresource Integrity).
	Player, Integrity string
	// Engine is the base URL of the API that the player talks to. Without one, "", pages are in local mode and load no player.
	Engine string
}

// New returns the pages of a service.
func New(config Config) *Pages {
	return &Pages{
		config:  config,
		link:    template.Must(template.New("link").Parse(linkHTML)),
		problem: template.Must(template.New("problem").Parse(problemHTML)),
		sources: strings.Join(append([]string{"'self'"}, engineSources(config.Engine)...), " "),
	}
}

var embedETag = fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(embedScript)))

// EmbedScript serves the script that defines <share-link>. Sites load it, so it may be cached for a while, but not for
// long: a fault in it is on all of them.
func (*Pages) EmbedScript(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("ETag", embedETag)
	http.ServeContent(w, r, "embed.js", time.Time{}, strings.NewReader(embedScript))
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
func (p *Pages) Problem(problem Problem) http.HandlerFunc {
	var b bytes.Buffer
	if err := p.problem.Execute(&b, problem); err != nil {
		panic(err) // the template and the problem are ours, and a buffer takes all
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		writeHTML(w, http.StatusOK, b.Bytes())
	}
}

func writeHTML(w http.ResponseWriter, status int, page []byte) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(page) // a caller that hung up needs no answer
}
