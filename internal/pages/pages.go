// Package pages is what people see: the page of a share link, the frame and the script of an embed, and the pages that
// explain problems. It works on net/http, and decides nothing about a link.
package pages

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"
)

var (
	//go:embed link/link.html
	linkHTML string
	//go:embed link/link.css
	linkCSS string
	//go:embed link/link.js
	linkJS string
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

// Problem is what a page says about one kind of problem.
type Problem struct {
	Code       string
	Status     int
	StatusText string
	Title      string
	Meaning    string
	Remedy     string
}

// Problems returns the handlers of the pages that explain kinds of problems, by code; that of "" lists them all.
func (p *Pages) Problems(problems []Problem) map[string]http.Handler {
	handlers := map[string]http.Handler{"": p.explain(struct {
		Problem
		All []Problem
	}{All: problems})}
	for _, problem := range problems {
		handlers[problem.Code] = p.explain(problem)
	}
	return handlers
}

func (p *Pages) explain(problem any) http.Handler {
	var b bytes.Buffer
	if err := p.problem.Execute(&b, problem); err != nil {
		panic(err) // the template and the problem are ours, and a buffer takes all
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		writeHTML(w, http.StatusOK, b.Bytes())
	})
}

func writeHTML(w http.ResponseWriter, status int, page []byte) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(page) // a caller that hung up needs no answer
}
