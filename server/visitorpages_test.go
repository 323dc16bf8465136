package server

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const embedded = "Sec-Fetch-Dest: iframe"

// seen fails the test unless the page first shows this state, and is as every page for visitors is.
func (a answer) seen(state string) answer {
	a.t.Helper()
	page := string(a.body)
	if !strings.Contains(page, `data-state="`+state+`"`) || !strings.Contains(page, `data-for="`+state+`"`) ||
		strings.Contains(page, `data-for="`+state+`" hidden`) {
		a.t.Fatalf("not in the state %s: %s", state, page)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=UTF-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff",
	} {
		if got := a.header.Get(name); got != want {
			a.t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	microphone := "microphone=()"
	if state == "ready" {
		microphone = "microphone=(self)"
	}
	if p := a.header.Get("Permissions-Policy"); !strings.HasPrefix(p, microphone+",") || !strings.Contains(p, "camera=()") {
		a.t.Errorf("Permissions-Policy: %s", p)
	}
	return a
}

// policy is the answer's Content-Security-Policy by directive.
func (a answer) policy() map[string]string {
	a.t.Helper()
	policy := map[string]string{}
	for directive := range strings.SplitSeq(a.header.Get("Content-Security-Policy"), "; ") {
		name, value, _ := strings.Cut(directive, " ")
		policy[name] = value
	}
	if policy["default-src"] != "'none'" || policy["base-uri"] != "'none'" || policy["form-action"] != "'none'" {
		a.t.Errorf("the policy lets too much in: %v", policy)
	}
	return policy
}

// look loads a page as a browser without a key does.
func (ts *testServer) look(path string, headers ...string) answer {
	ts.t.Helper()
	return ts.send("GET", path, "", append([]string{"Authorization: "}, headers...)...)
}

func TestVisitorPageOfEveryState(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	active := ts.token()
	ts.look("/share/" + active).want(200).seen("ready")
	embed := ts.token(`"type":"PLAYER_EMBED"`)
	frame := ts.look("/frame/" + embed).want(200).seen("ready")
	if frame.header.Get("Cross-Origin-Resource-Policy") != "cross-origin" || frame.header.Get("Cross-Origin-Embedder-Policy") != "require-corp" {
		t.Errorf("an isolated site cannot show %v", frame.header)
	}

	used := ts.token(`"usageLimit":1`)
	ts.open(used).want(201)
	for token, state := range map[string]string{
		used:                                   "exhausted",
		ts.token(`"enabled":false`):            "disabled",
		ts.token(`"expiresInHours":0.0000001`): "expired",
	} {
		ts.advance(time.Second)
		a := ts.look("/share/" + token).want(410).seen(state)
		if strings.Contains(string(a.body), "Cara") || strings.Contains(string(a.body), "<script") || strings.Contains(string(a.body), token) {
			t.Errorf("the page of a link that is %s says too much: %s", state, a.body)
		}
	}
	ts.look("/share/sh_222222222222222222222").want(404).seen("unknown")
	ts.look("/frame/sh_222222222222222222222").want(404).seen("unknown")
}

func TestVisitorPageChangesWithItsLink(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	link := ts.create("")
	path, manage := "/share/"+link["token"].(string), "/v1/share-links/"+link["id"].(string)
	ts.look(path).want(200)
	ts.send("PUT", manage, `{"enabled":false}`).want(200)
	ts.look(path).want(410).seen("disabled")
	ts.send("PUT", manage, `{"enabled":true,"expiresInHours":1}`).want(200)
	ts.advance(time.Hour - time.Millisecond)
	ts.look(path).want(200)
	ts.advance(time.Millisecond)
	ts.look(path).want(410).seen("expired")
	ts.send("DELETE", manage, "").want(200)
	ts.look(path).want(404).seen("unknown")
}

// A link has one address. Where its type says another, that is where one is led.
func TestVisitorPageHasOnePlace(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.PublicURL = "https://example.com/links" })
	link, embed := ts.token(), ts.token(`"type":"ORB_EMBED"`)
	for from, to := range map[string]string{
		"/frame/" + link:                 "/links/share/" + link,
		"/frame/" + link + "?theme=dark": "/links/share/" + link + "?theme=dark",
		"/share/" + embed + "?theme=x":   "/links/frame/" + embed,
	} {
		a := ts.look(from).want(302)
		if got := a.header.Get("Location"); got != to {
			t.Errorf("%s leads to %s, want %s", from, got, to)
		}
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%v", a.header)
		}
	}
}

func TestVisitorPagePolicy(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for members, want := range map[string]string{
		``: "'none'",
		`"allowAllOrigins":true,"allowedOrigins":["https://a.example"]`: "'none'", // a LINK is for no frame
		`"type":"PLAYER_EMBED"`: "'none'",
		`"type":"PLAYER_EMBED","allowedOrigins":["https://A.example:443","http://b.example:8080"]`:       "https://a.example http://b.example:8080",
		`"type":"ORB_EMBED","allowAllOrigins":true,"allowedOrigins":["https://a.example"]`:               "*",
		`"type":"ORB_EMBED","allowedOrigins":["https://b\u00fccher.example","http://127.0.0.1:3000"]`:    "https://xn--bcher-kva.example http://127.0.0.1:3000",
		`"type":"PLAYER_EMBED","allowedOrigins":["https://a.example"],"usageLimit":1,"enabled":false`:    "https://a.example",
		`"type":"PLAYER_EMBED","allowedOrigins":["https://a.example"],"expiresInHours":0.00000000000001`: "https://a.example",
	} {
		link := ts.create(members)
		u, _ := url.Parse(link["url"].(string))
		first, second := ts.look(u.Path).policy(), ts.look(u.Path, embedded).policy()
		if first["frame-ancestors"] != want || second["frame-ancestors"] != want {
			t.Errorf("%s: %q and %q, want %q", members, first["frame-ancestors"], second["frame-ancestors"], want)
		}
		if first["style-src"] == second["style-src"] || !regexp.MustCompile(`^'nonce-[A-Z2-7]{26}'$`).MatchString(first["style-src"]) {
			t.Errorf("nonces: %s, %s", first["style-src"], second["style-src"])
		}
	}
	a := ts.look("/share/" + ts.token())
	policy := a.policy()
	if policy["connect-src"] != "'self'" || policy["script-src"] != policy["style-src"] || policy["media-src"] != "" {
		t.Errorf("local mode needs less than %v", policy)
	}
	// All that runs or dresses the page carries the nonce, and nothing is inline beside it.
	nonce := strings.Trim(strings.TrimPrefix(policy["script-src"], "'nonce-"), "'")
	for _, tag := range regexp.MustCompile(`<(script|style)[^>]*>`).FindAllString(string(a.body), -1) {
		if !strings.Contains(tag, `nonce="`+nonce+`"`) {
			t.Errorf("without the nonce: %s", tag)
		}
	}
	if m := regexp.MustCompile(`<[^>]+ (on[a-z]+|style)=`).Find(a.body); m != nil {
		t.Errorf("inline: %s", m)
	}
	if a.header.Get("Cross-Origin-Opener-Policy") != "same-origin" {
		t.Errorf("%v", a.header)
	}
}

// A site that may not show the link would see a blank. Where the browser names the site, it is told why instead, by a page
// that is for this site alone and has nothing of the link.
func TestVisitorPageOnASiteThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.token(`"type":"PLAYER_EMBED","allowedOrigins":["https://a.example"]`)
	a := ts.look("/frame/"+token, embedded, "Referer: https://B.example/page?x").want(403).seen("site")
	if got := a.policy()["frame-ancestors"]; got != "https://b.example" {
		t.Errorf("frame-ancestors %s", got)
	}
	page := string(a.body)
	if !strings.Contains(page, "https://b.example") || strings.Contains(page, "Cara") || strings.Contains(page, token) {
		t.Errorf("the page: %s", page)
	}
	ts.look("/frame/"+ts.token(), embedded, "Referer: https://a.example/").want(403).seen("site") // a LINK is for no frame

	ts.look("/frame/"+token, embedded, "Referer: https://a.example/page").want(200).seen("ready")
	ts.look("/frame/"+token, "Referer: https://b.example/page").want(200).seen("ready") // a tab, not a frame
	for _, referer := range []string{"", "null", "https://a.example;script-src *", "https://a.example, https://b.example", "%%", "javascript:alert(1)"} {
		a := ts.look("/frame/"+token, embedded, "Referer: "+referer).want(200).seen("ready")
		if got := a.policy()["frame-ancestors"]; got != "https://a.example" {
			t.Errorf("%q made frame-ancestors %s", referer, got)
		}
	}
	if got := ts.look("/frame/nope", embedded, "Referer: https://b.example/").want(404).policy()["frame-ancestors"]; got != "https://b.example" {
		t.Errorf("a wrong token in an embed cannot say so: frame-ancestors %s", got)
	}
}

func TestVisitorPageWithAPlayer(t *testing.T) {
	t.Parallel()
	withEngine := func(url string) *testServer {
		return start(t, nil, func(c *Config) { c.AnamAPIKey, c.AnamURL, c.Personas = "key", url, PersonasLocal })
	}
	ts := withEngine("https://api.anam.ai")
	a := ts.look("/share/" + ts.token()).want(200).seen("ready")
	policy := a.policy()
	if policy["connect-src"] != "'self' https://*.anam.ai wss://*.anam.ai" || !strings.HasPrefix(policy["script-src"], "'nonce-") {
		t.Errorf("%v", policy)
	}
	for _, want := range []string{
		`data-player="` + defaultPlayerScript + `"`, `data-integrity="` + defaultPlayerIntegrity + `"`,
		`data-engine="https://api.anam.ai"`, `<video id="persona"`,
	} {
		if !strings.Contains(html.UnescapeString(string(a.body)), want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	ts = withEngine("http://127.0.0.1:9999")
	if got := ts.look("/share/" + ts.token()).policy()["connect-src"]; got != "'self' https://*.anam.ai wss://*.anam.ai http://127.0.0.1:9999 ws://127.0.0.1:9999" {
		t.Errorf("%s", got)
	}
}

// Whoever looks, with whatever method and however often, spends nothing.
func TestVisitorPagesSpendNothing(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	link, embed := ts.token(`"usageLimit":1`), ts.token(`"usageLimit":1,"type":"PLAYER_EMBED"`)
	for _, agent := range []string{
		"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "facebookexternalhit/1.1", "Twitterbot/1.0",
		"WhatsApp/2.23.20.0", "TelegramBot (like TwitterBot)", "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
		"LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)", "Googlebot/2.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
		"Mozilla/5.0 (compatible; bingbot/2.0) SkypeUriPreview", "Microsoft Office/16.0 (Microsoft Outlook)", "curl/8.0",
	} {
		for _, path := range []string{"/share/" + link, "/frame/" + link, "/share/" + embed, "/frame/" + embed, "/v1/share/" + link} {
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				ts.send(method, path, "", "Authorization: ", "User-Agent: "+agent, "Sec-Purpose: prefetch", "Purpose: prefetch")
			}
		}
	}
	if a := ts.send("HEAD", "/share/"+link, "", "Authorization: ").want(200); len(a.body) != 0 || a.policy()["frame-ancestors"] != "'none'" {
		t.Errorf("HEAD: %v %s", a.header, a.body)
	}
	ts.send("POST", "/share/"+link, "", "Authorization: ").want(405)
	if n := ts.uses(link) + ts.uses(embed); n != 0 {
		t.Errorf("%d uses were spent", n)
	}
}

func TestVisitorPageTellsPreviewsWhatItIs(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	link := ts.create("")
	page := string(ts.look("/share/" + link["token"].(string)).body)
	for _, want := range []string{
		`<title>Talk to Cara</title>`, `property="og:title" content="Talk to Cara"`,
		`property="og:url" content="` + link["url"].(string) + `"`, `property="og:description"`, `lang="en"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestVisitorPageTheme(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	path := "/share/" + ts.token()
	for query, want := range map[string]string{
		"": `<html lang="en">`, "?theme=dark": `<html lang="en" data-theme="dark">`, "?theme=light": `<html lang="en" data-theme="light">`,
		"?theme=%22%3E%3Cscript%3E": `<html lang="en">`, "?theme=DARK": `<html lang="en">`,
	} {
		if page := string(ts.look(path + query).want(200).body); !strings.Contains(page, want) {
			t.Errorf("%s: no %s", query, want)
		}
	}
}

func TestVisitorPageWatermark(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.token()
	if !strings.Contains(string(ts.look("/share/"+token).body), "<footer>") {
		t.Error("no watermark")
	}
	if _, err := ts.service.SetWatermarkRemoval(t.Context(), service.DefaultOrganization, true); err != nil {
		t.Fatal(err)
	}
	token = ts.token(`"removeWatermark":true`)
	if strings.Contains(string(ts.look("/share/"+token).body), "<footer>") {
		t.Error("the watermark was to be removed")
	}
}

// personaNamed is a store in which every link's persona has this name.
type personaNamed struct {
	sharelink.Store
	name string
}

func (n personaNamed) Persona(ctx context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	p, err := n.Store.Persona(ctx, organization, id)
	p.Name = n.name
	return p, err
}

func TestVisitorPageEscapesNames(t *testing.T) {
	t.Parallel()
	const name = `</title></style><script>alert(1)</script>"onload='x' {{.Nonce}} &amp; Zoë`
	ts := start(t, func(b sharelink.Store) sharelink.Store { return personaNamed{b, name} })
	a := ts.look("/share/" + ts.token()).want(200).seen("ready")
	page := string(a.body)
	if strings.Contains(page, "<script>alert") || strings.Contains(page, `"onload`) || strings.Count(page, "</title>") != 1 {
		t.Errorf("%s", page)
	}
	if !strings.Contains(page, "Talk to &lt;/title&gt;") || !strings.Contains(page, "Zoë") {
		t.Errorf("the name is not there: %s", page)
	}
}

// What is not a token is a link that does not exist, and is not repeated, in the page or in the log.
func TestVisitorPageOfHostileTokens(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.UnknownTokenRate = 0 })
	for _, token := range []string{
		"..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e", "a/b/c", "%3Cscript%3Ealert(1)%3C%2Fscript%3E", strings.Repeat("hostile", 1500),
		"%00", "%ff%fe", "sh_%27%20OR%201%3D1--", "%22%3E%3Cimg%20src%3Dx%3E", "sh_hostile1hostile2hostile%0d%0aSet-Cookie:x", "%20",
	} {
		for _, place := range []string{"/share/", "/frame/"} {
			a := ts.look(place + token).want(404).seen("unknown")
			plain, _ := url.PathUnescape(token)
			for _, part := range []string{token, plain} {
				if len(part) > 3 && strings.Contains(string(a.body), part) {
					t.Errorf("the page repeats %.40q", part)
				}
			}
			if a.header.Get("Set-Cookie") != "" {
				t.Error("a header was injected")
			}
		}
	}
	for _, word := range []string{"passwd", "alert(1)", "hostile"} {
		if strings.Contains(ts.log.String(), word) {
			t.Errorf("%s is in the log", word)
		}
	}
}

// A chat, a mail or a sentence leaves its full stop or bracket at the end of a link. That is no other link, and no guess.
func TestVisitorPageWithSomethingBehindTheToken(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) {
		c.UnknownTokenRate, c.UnknownTokenBurst = 1, 1
		c.PublicURL = "http://links.test/of/ours"
	})
	for _, place := range []string{"/share/", "/frame/"} {
		for _, token := range []string{ts.token(), noToken} {
			for _, tail := range []string{"/", "//", ".", ")", ").", ",", "%20", "%0d%0a", "%E3%80%82", "%E2%80%8B", "%22%3E", "?utm_source=chat", "%3F"} {
				if strings.HasPrefix(tail, "?") {
					tail = "." + tail
				}
				a := ts.look(place + token + tail).want(http.StatusFound)
				if l := a.header.Get("Location"); l != "/of/ours"+place+token {
					t.Errorf("%s%s leads to %q", place, tail, l)
				}
				if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Referrer-Policy") != "no-referrer" || a.policy()["frame-ancestors"] != "'none'" {
					t.Errorf("%v", a.header)
				}
			}
			if l := ts.look(place + token + ".?theme=dark").want(http.StatusFound).header.Get("Location"); !strings.HasSuffix(l, token+"?theme=dark") {
				t.Errorf("the theme is lost: %q", l)
			}
		}
	}
	ts.look("/share/" + noToken + "x.").want(404)
	ts.look("/share/" + noToken + "./x").want(429) // the second guess
}

// What trackers append to an address is ignored where people are. The preview is for programs: there it is a mistake, and is
// said to be one.
func TestForeignQueryParameters(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.token()
	const query = "?utm_source=newsletter&fbclid=IwAR0&utm_campaign=%zz"
	ts.look("/share/" + token + query).want(200).seen("ready")
	ts.send("GET", "/v1/share/"+token+query, "", "Authorization: ").want(400).wantViolation("utm_source", "unknown query parameter")
}

func TestVisitorPageOfTooManyUnknownTokens(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.UnknownTokenRate, c.UnknownTokenBurst = 1, 2 })
	good := ts.token()
	for range 2 {
		ts.look("/share/sh_nope").want(404)
	}
	a := ts.look("/share/sh_nope").want(http.StatusTooManyRequests).seen("unavailable")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("%v", a.header)
	}
	ts.look("/share/" + good).want(200).seen("ready")
}

func TestVisitorPageWithoutAStore(t *testing.T) {
	t.Parallel()
	down := &sharelink.Error{Code: sharelink.Unavailable, Detail: "the store is down", RetryAfter: 3 * time.Second}
	ts := start(t, func(b sharelink.Store) sharelink.Store { return failing{b, down} })
	a := ts.look("/share/sh_2kL9pQxYzR4vN8mBwHfJc").want(503).seen("unavailable")
	if a.header.Get("Retry-After") != "3" {
		t.Errorf("%v", a.header)
	}
	ts = start(t, func(b sharelink.Store) sharelink.Store { return failing{b, errors.New("disk on fire")} })
	a = ts.look("/share/sh_2kL9pQxYzR4vN8mBwHfJc").want(500).seen("unavailable")
	if strings.Contains(string(a.body), "fire") || !strings.Contains(ts.log.String(), "disk on fire") {
		t.Errorf("the cause belongs in the log only: %s", ts.log)
	}
}

func TestEmbedScript(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	a := ts.look("/embed.js").want(200)
	for name, want := range map[string]string{
		"Content-Type": "text/javascript; charset=utf-8", "Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, want := range []string{`customElements.define('share-link'`, `allow: 'microphone; autoplay'`} {
		if !strings.Contains(string(a.body), want) {
			t.Errorf("no %s", want)
		}
	}
	ts.look("/embed.js", "If-None-Match: "+a.header.Get("ETag")).want(304)
	if a := ts.send("HEAD", "/embed.js", "").want(200); len(a.body) != 0 {
		t.Error("HEAD has a body")
	}
}

// Each state is said in the language of the visitor. An embed's place is kept for the language that was asked for.
func TestVisitorPageSpeaksLanguages(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	active, off := ts.token(), ts.token(`"enabled":false`)
	for path, want := range map[string]string{
		"/share/" + active + "?lang=de": "Mit Cara sprechen",
		"/share/" + active + "?lang=ja": "開始",
		"/share/" + off + "?lang=es":    "Este enlace está desactivado",
		"/share/nope?lang=fr":           "Ce lien n&#39;existe pas",
	} {
		a := ts.look(path)
		if lang := path[len(path)-2:]; !strings.Contains(string(a.body), `<html lang="`+lang+`">`) || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: no %q in %s", path, want, a.body)
		}
	}
	a := ts.look("/share/"+active, "Accept-Language: pt-BR, en;q=0.5")
	if !strings.Contains(string(a.body), `<html lang="pt">`) || !slices.Contains(a.header.Values("Vary"), "Accept-Language") {
		t.Errorf("%v %s", a.header, a.body)
	}
	embed := ts.token(`"type":"PLAYER_EMBED"`)
	if to := ts.look("/share/" + embed + "?lang=de&theme=dark").want(302).header.Get("Location"); to != "/frame/"+embed+"?lang=de&theme=dark" {
		t.Errorf("the language is lost on the way to %s", to)
	}
}

// Pages, and the files beside them, are compressed for those who take that.
func TestCompression(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for _, path := range []string{"/share/" + ts.token(), "/frame/" + ts.token(`"type":"ORB_EMBED","allowAllOrigins":true`), "/embed.js"} {
		plain := ts.look(path, "Accept-Encoding: identity").want(200)
		zipped := ts.look(path, "Accept-Encoding: gzip, br").want(200)
		if zipped.header.Get("Content-Encoding") != "gzip" || plain.header.Get("Content-Encoding") != "" || !slices.Contains(zipped.header.Values("Vary"), "Accept-Encoding") {
			t.Errorf("%s: %v and %v", path, plain.header, zipped.header)
		}
		if len(zipped.body)*2 > len(plain.body) {
			t.Errorf("%s: %d bytes compressed, %d plain", path, len(zipped.body), len(plain.body))
		}
		if plain.header.Get("ETag") != "" && plain.header.Get("ETag") == zipped.header.Get("ETag") {
			t.Errorf("%s: other bytes have the same ETag", path)
		}
	}
}

// Browsers, crawlers and chats find what they look for beside the pages.
func TestAssets(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	page := string(ts.look("/share/" + ts.token()).body)
	if want := `property="og:image" content="http://links.test/preview.png"`; !strings.Contains(page, want) {
		t.Errorf("no %s in %s", want, page)
	}
	for path, c := range map[string]struct{ kind, starts string }{
		"/favicon.ico": {"image/svg+xml", "<svg "},
		"/preview.png": {"image/png", "\x89PNG"},
		"/robots.txt":  {"text/plain; charset=utf-8", "User-agent: *"},
		"/embed.d.ts":  {"text/plain; charset=utf-8", "// The element <share-link>"},
	} {
		a := ts.look(path).want(200)
		if a.header.Get("Content-Type") != c.kind || !strings.HasPrefix(string(a.body), c.starts) {
			t.Errorf("%s: %v, %.40q", path, a.header, a.body)
		}
	}
	if got := ts.look("/docs").want(200).header.Get("Cache-Control"); got != "public, max-age=300" {
		t.Errorf("/docs: Cache-Control %q", got)
	}
}

func TestPlayerSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ script, integrity, fault string }{
		{defaultPlayerScript, "", ""},
		{"https://cdn.example/anam.js", "sha384-" + strings.Repeat("A", 64), ""},
		{"https://cdn.example/anam.js", "", "PlayerIntegrity: must say"},
		{defaultPlayerScript, "sha384-AAAA", "PlayerIntegrity: must be sha256-"},
		{defaultPlayerScript, "md5-" + strings.Repeat("A", 64), "PlayerIntegrity: must be sha256-"},
		{"", "", "PlayerScript: must be"},
		{"javascript:alert(1)", "", "PlayerScript: must be"},
		{"//cdn.example/anam.js", "", "PlayerScript: must be"},
	} {
		config := DefaultConfig()
		config.PlayerScript, config.PlayerIntegrity = c.script, c.integrity
		err := config.Validate()
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
