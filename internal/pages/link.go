package pages

import (
	"bytes"
	"crypto/rand"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Place is where a link is seen: in a page of its own, or in the frame that an embed shows. It is a path and a class of
// the page.
type Place string

// The places.
const (
	Share Place = "share"
	Frame Place = "frame"
)

// placeOf returns the one place of a link.
func placeOf(link sharelink.Link) Place {
	switch link.Type {
	case api.ShareLinkTypeLink:
		return Share
	case api.ShareLinkTypePlayerEmbed, api.ShareLinkTypeOrbEmbed:
		return Frame
	}
	panic("no place for a link of type " + link.Type)
}

// URL returns where a person opens the link.
func (p *Pages) URL(link sharelink.Link) string {
	return p.config.PublicURL() + placeOf(link).of(link.Token)
}

// of returns the path of a token's place, below that of the service.
func (p Place) of(token string) string { return "/" + string(p) + "/" + url.PathEscape(token) }

// linkView is what the page's template shows.
type linkView struct {
	Place    Place
	State    string // the section that is seen first
	Active   bool   // whether the link can be opened, as far as is known
	Theme    string // "dark" or "light"; "" is the visitor's choice
	Language string // of the words
	Nonce    string // lets in the page's own style and script
	CSS      template.CSS
	JS       template.JS
	Persona  string
	URL      string // where the link is opened
	Preview  string // URL of a picture for previews in chats
	Sessions string // where to POST
	Left     int    // the uses that are left, 0 for any number
	Site     string // the origin that shows the page in a frame and may not
	ForOwner string // what the owner of that site is told in the browser's console

	RemoveWatermark bool

	Player    string // URL of the player's script, "" in local mode
	Integrity string
	Engine    string
}

// Script returns whether the page has a script: one that can be opened, and one in a frame, which tells its state to the site.
func (v linkView) Script() bool { return v.Active || v.Place == Frame }

// Link shows a link of this status, or leads to its place if that is another. To look at it spends nothing, however often;
// only the button's POST does.
func (p *Pages) Link(w http.ResponseWriter, r *http.Request, place Place, link sharelink.Link, status sharelink.Status) {
	v := p.view(r, place)
	v.RemoveWatermark = link.RemoveWatermark
	site, ancestors := embedder(r), frameAncestors(link)
	if isOfOwnSite(r) {
		site, ancestors = "", "'self'"
	}
	switch {
	case site != "" && !mayEmbed(link, site):
		// The browser would refuse to show the link's page there, and leave a blank. This page has nothing of the link in it,
		// so it can be shown instead, to the site that asked and to no other, and says what is missing.
		v.State, v.Site, v.ForOwner = "site", site, "add "+site+" to the allowedOrigins of this share link"
		if placeOf(link) == Share {
			v.ForOwner += ", and give it the type of an embed"
		}
		p.write(w, http.StatusForbidden, v, site)
	case place != placeOf(link):
		p.RedirectTo(w, r, placeOf(link), link.Token)
	case status == sharelink.Active:
		v.State, v.Active, v.Persona, v.URL = "ready", true, link.PersonaName, p.URL(link)
		// Relative, so that it is right behind any proxy and at any address that the page was loaded from.
		v.Sessions = "../v1/share/" + url.PathEscape(link.Token) + "/sessions"
		if link.UsageLimit > 0 {
			v.Left = link.UsageLimit - link.UsageCount
		}
		if p.config.Engine != "" {
			v.Player, v.Integrity, v.Engine = p.config.Player, p.config.Integrity, p.config.Engine
		}
		p.write(w, http.StatusOK, v, ancestors)
	default:
		v.State = strings.ToLower(string(status))
		p.write(w, http.StatusGone, v, ancestors)
	}
}

// NoLink says that there is no link to show, because of this HTTP status: 404 where the token is of none, any other where it
// could not be looked up.
func (p *Pages) NoLink(w http.ResponseWriter, r *http.Request, place Place, status int) {
	v := p.view(r, place)
	v.State = "unavailable"
	if status == http.StatusNotFound {
		v.State = "unknown"
	}
	p.write(w, status, v, embedder(r))
}

func (p *Pages) view(r *http.Request, place Place) linkView {
	return linkView{Place: place, Theme: themeOf(r), Language: languageOf(r), Nonce: rand.Text(), Preview: p.config.PublicURL() + "/preview.png", CSS: template.CSS(linkCSS), JS: template.JS(linkJS)} //nolint:gosec // embedded in pages.go
}

func (p *Pages) write(w http.ResponseWriter, status int, v linkView, ancestors string) {
	var b bytes.Buffer
	if err := p.link.Execute(&b, v); err != nil {
		panic(err) // the template and the view are ours, and a buffer takes all
	}
	p.restrict(w.Header(), v, ancestors)
	writeHTML(w, status, b.Bytes())
}

// RedirectTo leads to the place of a token. A link's follows its type: an embed's own page would be framed by no site, and a
// LINK's frame would be one that no site may show. The type can change, so it is not permanent.
func (p *Pages) RedirectTo(w http.ResponseWriter, r *http.Request, place Place, token string) {
	p.restrict(w.Header(), linkView{}, "")
	to := p.config.PublicPath() + place.of(token)
	query := url.Values{}
	for name, value := range map[string]string{"theme": themeOf(r), "lang": parameterOf(r, "lang")} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

// Protect sets the headers of every response about a token, errors included: it is indexed by no crawler, framed by no
// site, and its address is in no referrer.
func Protect(h http.Header) {
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
}

// restrict sets the headers that keep the page to what it is for.
func (p *Pages) restrict(h http.Header, v linkView, ancestors string) {
	if ancestors == "" {
		ancestors = "'none'"
	}
	policy := []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "img-src 'self'", "frame-ancestors " + ancestors}
	if v.Nonce != "" {
		policy = append(policy, "style-src 'nonce-"+v.Nonce+"'")
	}
	if v.Script() { // the nonce lets in the player too: the page's script gives it to the one element that loads it
		policy = append(policy, "script-src 'nonce-"+v.Nonce+"'")
	}
	features := "microphone=(), autoplay=()"
	if v.Active {
		features = "microphone=(self), autoplay=(self)"
		policy = append(policy, "connect-src "+p.sources)
		if v.Engine != "" {
			policy = append(policy, "media-src blob: mediastream:")
		}
	}
	Protect(h)
	h.Add("Vary", "Accept-Language")
	h.Set("Content-Security-Policy", strings.Join(policy, "; "))
	h.Set("Permissions-Policy", features+", accelerometer=(), camera=(), display-capture=(), fullscreen=(self), geolocation=(), "+
		"gyroscope=(), magnetometer=(), midi=(), payment=(), usb=()")
	switch v.Place {
	case Share:
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	case Frame: // for sites that are isolated themselves
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	}
}

// engineSources returns what the player connects to: the API, by HTTP and WebSocket, and the hosts of Anam's engine, of
// which the API names one for each session.
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

// frameAncestors returns the frame-ancestors of a link's page: which sites may show it in a frame.
func frameAncestors(link sharelink.Link) string {
	switch {
	case placeOf(link) == Share:
		return "'none'"
	case link.AllowAllOrigins:
		return "*"
	}
	return strings.Join(link.AllowedOrigins, " ")
}

// mayEmbed returns what frameAncestors says to the browser.
func mayEmbed(link sharelink.Link, site string) bool {
	return placeOf(link) == Frame && (link.AllowAllOrigins || slices.Contains(link.AllowedOrigins, site))
}

// isFramed returns whether a page shows the response in a frame, as far as the browser says it.
func isFramed(r *http.Request) bool {
	return slices.Contains([]string{"iframe", "frame", "embed", "object"}, r.Header.Get("Sec-Fetch-Dest"))
}

// isOfOwnSite returns whether a page of this server, which is the dashboard, shows the response in a frame. No other site can say
// so: browsers set the header themselves (W3C Fetch Metadata), and then hold the frame to 'self'.
func isOfOwnSite(r *http.Request) bool {
	return isFramed(r) && r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

// maxReferer is the longest Referer that is read, in bytes: of a longer address browsers send the origin only (W3C Referrer
// Policy).
const maxReferer = 4096

// embedder returns the origin of the page that shows the response in a frame, "" when it is in none, or the site does not
// say. It serves for better words only: frame-ancestors decides.
func embedder(r *http.Request) string {
	referer := r.Referer()
	if !isFramed(r) || len(referer) > maxReferer {
		return ""
	}
	u, err := url.Parse(referer)
	if err != nil {
		return ""
	}
	origin, _ := sharelink.ParseOrigin(u.Scheme + "://" + u.Host)
	return origin
}

// themeOf returns the theme that the page is asked to have, by the parameter that Anam's own frame has.
func themeOf(r *http.Request) string {
	switch theme := parameterOf(r, "theme"); theme {
	case "dark", "light":
		return theme
	}
	return ""
}

// maxParameter is the longest value of a query parameter that is read, in bytes, as RFC 5646 suggests for a language.
const maxParameter = 35

// parameterOf returns the value of a query parameter, "" if it is none of the plain words that pages take.
func parameterOf(r *http.Request, name string) string {
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") { // not decoded: it is of any length
		if value, ok := strings.CutPrefix(parameter, name+"="); ok && len(value) <= maxParameter {
			return value
		}
	}
	return ""
}
