package server

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

//go:embed visitor
var visitorFiles embed.FS

// visitorPages are what a person sees of a share link: a page of its own, or the frame that an embed shows. To look at
// them spends nothing, however often it is done and by whom; only the button's POST does.
type visitorPages struct {
	server *Server
	page   *template.Template
	css    template.CSS
	js     template.JS
	// engine is the base URL of the API that the player talks to with a session token. Without one, "", the page is in
	// local mode, and loads no player.
	engine string
}

// The places that a link can be seen at. They are paths and classes of the page.
const (
	sharePlace = "share"
	framePlace = "frame"
)

// visitorView is what the page's template is told.
type visitorView struct {
	Place    string // sharePlace or framePlace
	State    string // the section that is seen first
	Active   bool   // whether the link can be opened, as far as is known
	Theme    string // "dark" or "light"; "" is the visitor's choice
	Nonce    string // what the page's own style and script show to be let in
	CSS      template.CSS
	JS       template.JS
	Persona  string
	URL      string // where the link is opened
	Sessions string // where to POST
	Site     string // the origin that shows the page in a frame and may not
	Page     bool   // whether the link opens in a page of its own only

	RemoveWatermark bool

	Player    string // URL of the player's script, "" in local mode
	Integrity string
	Engine    string
}

func (s *Server) serveVisitorPages(e *echo.Echo) error {
	p := &s.visitorPages
	p.server = s
	var err error
	if p.page, err = template.ParseFS(visitorFiles, "visitor/page.html"); err != nil {
		return err
	}
	text := func(name string) string {
		b, readErr := visitorFiles.ReadFile("visitor/" + name)
		err = errors.Join(err, readErr)
		return string(b)
	}
	p.css, p.js = template.CSS(text("visitor.css")), template.JS(text("visitor.js")) //nolint:gosec // ours
	embedJS := text("embed.js")
	page(e, "/share/:token", func(c echo.Context) error { return p.serve(c, sharePlace) })
	page(e, "/frame/:token", func(c echo.Context) error { return p.serve(c, framePlace) })
	page(e, "/embed.js", func(c echo.Context) error { return serveEmbedJS(c, embedJS) })
	return err
}

// serveEmbedJS serves the script that defines <share-link>. Pages of other sites load it, so it may be kept for a while,
// but not for long: a fault in it is on all of them.
func serveEmbedJS(c echo.Context, script string) error {
	h, sum := c.Response().Header(), sha256.Sum256([]byte(script))
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	http.ServeContent(c.Response(), c.Request(), "embed.js", time.Time{}, strings.NewReader(script))
	return nil
}

// serve shows the link that the token leads to, or says why it cannot be opened.
func (p *visitorPages) serve(c echo.Context, place string) error {
	k, h := callOf(c), c.Response().Header()
	err := p.server.findLink(c)
	k.err = err
	link, site := k.link, embedder(c.Request())
	v := visitorView{Place: place, Theme: themeOf(c), Nonce: rand.Text(), CSS: p.css, JS: p.js, RemoveWatermark: link.RemoveWatermark}
	status, ancestors := http.StatusOK, frameAncestors(link)
	switch {
	case sharelink.CodeOf(err) == sharelink.LinkNotFound:
		v.State, status, ancestors = "unknown", http.StatusNotFound, site
	case err != nil:
		problem := problemOf(err)
		v.State, status, ancestors = "unavailable", problem.kind.status, site
		if problem.retryAfter > 0 || status == http.StatusServiceUnavailable {
			h.Set("Retry-After", strconv.Itoa(retrySeconds(problem.retryAfter)))
		}
	case site != "" && !mayEmbed(link, site):
		// The browser would refuse to show the link's page there, and leave a blank. This page has nothing of the link in it,
		// so it can be shown instead, to the site that asked and to no other, and says what is missing.
		v.State, status, ancestors = "site", http.StatusForbidden, site
		v.Site, v.Page = site, placeOfLink(link) == sharePlace
	case place != placeOfLink(link):
		return p.redirect(c, link)
	default:
		v.State = string(p.server.visits.opening.Status(link))
		v.Active = v.State == string(sharelink.Active)
		v.State = strings.ToLower(v.State)
		if v.Active {
			p.invite(&v, link)
		} else {
			status = http.StatusGone
		}
	}
	p.guard(h, v, ancestors)
	var b bytes.Buffer
	if err := p.page.Execute(&b, v); err != nil {
		return err
	}
	return c.HTMLBlob(status, b.Bytes())
}

// invite says on the page what it takes to open the link.
func (p *visitorPages) invite(v *visitorView, link sharelink.Link) {
	v.State, v.Persona = "ready", link.PersonaName
	v.URL = p.server.links.url(link)
	// Relative, so that it is right behind any proxy and at any address that the page was loaded from.
	v.Sessions = "../v1/share/" + url.PathEscape(link.Token) + "/sessions"
	if p.engine != "" {
		v.Player, v.Integrity, v.Engine = p.server.config.PlayerScript, p.server.config.playerIntegrity(), p.engine
	}
}

// redirect leads to the one place of the link, which follows its type: an embed's own page would be framed by no site, and
// a LINK's frame would be one that nobody may show. The type can change, so it is not for ever.
func (p *visitorPages) redirect(c echo.Context, link sharelink.Link) error {
	p.guard(c.Response().Header(), visitorView{}, "'none'")
	to := pathOf(p.server.publicURL()) + "/" + placeOfLink(link) + "/" + url.PathEscape(link.Token)
	if theme := themeOf(c); theme != "" {
		to += "?theme=" + theme
	}
	return c.Redirect(http.StatusFound, to)
}

// guard sets the headers that hold the page to what it is for.
func (p *visitorPages) guard(h http.Header, v visitorView, ancestors string) {
	if ancestors == "" {
		ancestors = "'none'"
	}
	policy := []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "img-src data:", "frame-ancestors " + ancestors}
	if v.Nonce != "" {
		policy = append(policy, "style-src 'nonce-"+v.Nonce+"'")
	}
	features := "microphone=(), autoplay=()"
	if v.Active {
		features = "microphone=(self), autoplay=(self)"
		// The nonce lets in the player too: the page's script gives it to the one element that loads it.
		policy = append(policy, "script-src 'nonce-"+v.Nonce+"'", "connect-src "+strings.Join(append([]string{"'self'"}, engineSources(v.Engine)...), " "))
		if v.Engine != "" {
			policy = append(policy, "media-src blob: mediastream:")
		}
	}
	guardVisitor(h)
	h["Cache-Control"] = noStore
	h.Set("Content-Security-Policy", strings.Join(policy, "; "))
	h.Set("Permissions-Policy", features+", accelerometer=(), camera=(), display-capture=(), fullscreen=(self), geolocation=(), "+
		"gyroscope=(), magnetometer=(), midi=(), payment=(), usb=()")
	if v.Place == sharePlace {
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
}

// engineSources are what the player connects to: the API, by HTTP and WebSocket, and the hosts of Anam's engine, of which
// the API names one for each session.
func engineSources(engine string) []string {
	if engine == "" {
		return nil
	}
	sources := []string{"https://*.anam.ai", "wss://*.anam.ai"}
	u, err := url.Parse(engine)
	if err != nil || strings.HasSuffix(u.Host, ".anam.ai") && u.Scheme == "https" {
		return sources
	}
	return append(sources, u.Scheme+"://"+u.Host, strings.Replace(u.Scheme, "http", "ws", 1)+"://"+u.Host)
}

// placeOfLink is where a link is seen.
func placeOfLink(link sharelink.Link) string {
	if api.ShareLinkType(link.Type) == api.ShareLinkTypeLink {
		return sharePlace
	}
	return framePlace
}

// frameAncestors is the frame-ancestors of a link's page: which sites may show it in a frame.
func frameAncestors(link sharelink.Link) string {
	switch {
	case placeOfLink(link) != framePlace:
		return "'none'"
	case link.AllowAllOrigins:
		return "*"
	}
	return strings.Join(link.AllowedOrigins, " ")
}

// mayEmbed tells what frameAncestors tells the browser.
func mayEmbed(link sharelink.Link, site string) bool {
	return placeOfLink(link) == framePlace && (link.AllowAllOrigins || slices.Contains(link.AllowedOrigins, site))
}

// embedder is the origin of the page that shows the answer in a frame, "" when it is in none, or the site does not say. It
// serves for better words only: what decides is frame-ancestors, which needs nobody's word.
func embedder(r *http.Request) string {
	if !slices.Contains([]string{"iframe", "frame", "embed", "object"}, r.Header.Get("Sec-Fetch-Dest")) {
		return ""
	}
	u, err := url.Parse(r.Referer())
	if err != nil {
		return ""
	}
	origin, err := sharelink.ParseOrigin(u.Scheme + "://" + u.Host)
	if err != nil {
		return ""
	}
	return origin
}

// themeOf is the theme that the page was asked to have, as Anam's own frame is.
func themeOf(c echo.Context) string {
	if theme := c.QueryParam("theme"); theme == "dark" || theme == "light" {
		return theme
	}
	return ""
}
