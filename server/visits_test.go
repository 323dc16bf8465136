package server

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

func TestPreviewSaysWhatAVisitorMayKnow(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.token(`"type":"PLAYER_EMBED"`)
	want := map[string]any{"type": "PLAYER_EMBED", "status": "ACTIVE", "personaName": "Cara", "removeWatermark": false, "expiresAt": "2026-04-27T10:00:00.000Z"}
	if diff := cmp.Diff(want, ts.send("GET", "/v1/share/"+token, "", "Authorization: ").want(200).object()); diff != "" {
		t.Error(diff)
	}
	token = ts.token(`"expiresInHours":null`, `"enabled":false`)
	if p := ts.send("GET", "/v1/share/"+token, "").want(200).object(); p["status"] != "DISABLED" || p["expiresAt"] != nil {
		t.Errorf("%v", p)
	}
}

func TestOpenSpendsOneUseAndAnswersASession(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.token(`"usageLimit":2`)
	for _, body := range []string{"", "{}"} {
		s := ts.send("POST", "/v1/share/"+token+"/sessions", body, "Authorization: ").want(201).object()
		if s["expiresAt"] != "2026-04-20T11:00:00.000Z" || s["personaId"] != cara || s["personaName"] != "Cara" || len(s) != 4 {
			t.Errorf("%v", s)
		}
	}
	ts.open(token).wantProblem("share-link-exhausted", 410)
	if n := ts.uses(token); n != 2 {
		t.Errorf("%d uses", n)
	}
	if p := ts.send("GET", "/v1/share/"+token, "").object(); p["status"] != "EXHAUSTED" {
		t.Errorf("%v", p)
	}
}

// An open has nothing to say. A body that says something is refused, in whatever form, and costs nothing.
func TestOpenTakesAnEmptyObjectOrNothing(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.token(`"usageLimit":100`)
	path := "/v1/share/" + token + "/sessions"
	for _, r := range []struct {
		contentType, body string
		status            int
	}{
		{"", "", 201},
		{"application/json", "", 201},
		{"application/x-www-form-urlencoded", "", 201}, // as curl --data '' says
		{"application/json", "{}", 201},
		{"application/json", "\ufeff {} ", 201},
		{"application/json", `{"a":1}`, 400},
		{"application/json", "[]", 400},
		{"application/json", "null", 400},
		{"application/json", "{", 400},
		{"application/json", "{}{}", 400},
		{"", "{}", 415},
		{"text/plain", "{}", 415},
		{"application/x-www-form-urlencoded", "a=b", 415},
		{"application/json|Content-Encoding: gzip", "{}", 415},
		{"multipart/form-data; boundary=x", "--x--", 415},
	} {
		headers := append([]string{"Authorization: "}, strings.Split("Content-Type: "+r.contentType, "|")...)
		before := ts.uses(token)
		ts.send("POST", path, r.body, headers...).want(r.status)
		if spent := ts.uses(token) - before; (spent == 1) != (r.status == 201) {
			t.Errorf("%q as %q: %d, and %d uses", r.body, r.contentType, r.status, spent)
		}
	}
}

// Whoever has the key set can check a session without asking the server.
func TestSessionsAreSignedWithTheKeyThatIsShown(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	link := ts.create("")
	session := ts.open(link["token"].(string)).want(201).object()["sessionToken"].(string)
	a := ts.send("GET", "/.well-known/jwks.json", "", "Authorization: ").want(200)
	if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("%v", a.header)
	}
	key := a.object()["keys"].([]any)[0].(map[string]any)
	if strings.Contains(string(a.body), `"d"`) {
		t.Fatal("the private key is shown")
	}
	x, err := base64.RawURLEncoding.DecodeString(key["x"].(string))
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(session, claims, func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != key["kid"] {
			t.Errorf("kid %v", token.Header["kid"])
		}
		return ed25519.PublicKey(x), nil
	}, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithTimeFunc(ts.now), jwt.WithIssuer("http://links.test")); err != nil {
		t.Fatal(err)
	}
	visit := ts.visitsTo(link)[0]
	if claims["sub"] != cara || claims["shareLinkId"] != link["id"] || claims["jti"] != visit["id"] {
		t.Errorf("%v", claims)
	}
}

// visitsTo are the visits of a link, newest first.
func (ts *testServer) visitsTo(link map[string]any) []map[string]any {
	ts.t.Helper()
	var visits []map[string]any
	for _, v := range ts.send("GET", "/v1/share-links/"+link["id"].(string)+"/visits?perPage=100", "").want(200).object()["data"].([]any) {
		visits = append(visits, v.(map[string]any))
	}
	return visits
}

// Expiry is on the instant, and what an owner changes holds from the next request on.
func TestEveryStateOfALinkHasItsAnswer(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	link := ts.create(`"expiresInHours":1,"usageLimit":100`)
	token, path := link["token"].(string), "/v1/share-links/"+link["id"].(string)
	state := func(status string) {
		t.Helper()
		if got := ts.send("GET", "/v1/share/"+token, "").want(200).object()["status"]; got != status {
			t.Errorf("status %v, want %s", got, status)
		}
	}
	ts.advance(time.Hour - time.Millisecond)
	state("ACTIVE")
	ts.open(token).want(201)
	ts.advance(time.Millisecond)
	state("EXPIRED")
	ts.open(token).wantProblem("share-link-expired", 410)
	for _, step := range []struct{ change, status, problem string }{
		{`{"expiresInHours":1}`, "ACTIVE", ""},
		{`{"usageLimit":2}`, "EXHAUSTED", "share-link-exhausted"}, // the open before was the second
		{`{"usageLimit":1}`, "EXHAUSTED", "share-link-exhausted"},
		{`{"usageLimit":null}`, "ACTIVE", ""},
		{`{"enabled":false}`, "DISABLED", "share-link-disabled"},
		{`{"enabled":true}`, "ACTIVE", ""},
	} {
		ts.send("PUT", path, step.change).want(200)
		state(step.status)
		if a := ts.open(token); step.problem == "" {
			a.want(201)
		} else {
			a.wantProblem(step.problem, 410)
		}
	}
	ts.open(token, "Origin: https://other.example").wantProblem("origin-not-allowed", 403)
	outcomes := map[string]int{}
	for _, v := range ts.visitsTo(link) {
		outcomes[v["outcome"].(string)]++
	}
	if diff := cmp.Diff(map[string]int{"OPENED": 4, "EXPIRED": 1, "EXHAUSTED": 2, "DISABLED": 1, "ORIGIN_REFUSED": 1}, outcomes); diff != "" {
		t.Error(diff)
	}
	ts.send("DELETE", path, "").want(200)
	ts.open(token).wantProblem("share-link-not-found", 404)
	ts.send("GET", "/v1/share/"+token, "").wantProblem("share-link-not-found", 404)
}

func TestVisits(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	link := ts.create(`"usageLimit":1`)
	token := link["token"].(string)
	ts.open(token, "User-Agent: Mozilla/5.0 Firefox/141.0", "Origin: http://LINKS.test:80").want(201)
	ts.advance(time.Second)
	ts.open(token, "User-Agent: curl/8").want(410)
	ts.open(ts.token("")).want(201) // another's
	var got []string
	for _, v := range ts.visitsTo(link) {
		got = append(got, fmt.Sprint(v["at"], " ", v["outcome"], " ", v["origin"], " ", v["client"], " ", v["address"]))
	}
	want := []string{
		"2026-04-20T10:00:01.000Z EXHAUSTED <nil> other 127.0.0.0/24",
		"2026-04-20T10:00:00.000Z OPENED http://links.test Firefox 127.0.0.0/24",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	page := ts.send("GET", "/v1/share-links/"+link["id"].(string)+"/visits?page=2&perPage=1", "").want(200).object()
	meta := map[string]any{"total": 2.0, "lastPage": 2.0, "currentPage": 2.0, "perPage": 1.0, "prev": 1.0, "next": nil}
	if diff := cmp.Diff(meta, page["meta"]); diff != "" || len(page["data"].([]any)) != 1 {
		t.Errorf("%v", page)
	}
	ts.send("GET", "/v1/share-links/"+cara+"/visits", "").wantProblem("not-found", 404)
	ts.send("GET", "/v1/share-links/"+link["id"].(string)+"/visits?perPage=101", "").wantProblem("invalid-request", 400)

	m := string(ts.send("GET", "/metrics", "").want(200).body)
	for _, want := range []string{`sharelinks_opens_total{outcome="OPENED"} 2`, `sharelinks_opens_total{outcome="EXHAUSTED"} 1`} {
		if !strings.Contains(m, want) {
			t.Errorf("no %s", want)
		}
	}
	log := ts.log.String()
	if strings.Contains(log, token) || strings.Contains(m, token) || !strings.Contains(log, link["id"].(string)) {
		t.Error("the token is in the log or the metrics, or the link's id is not in the log")
	}
	if strings.Contains(log, "127.0.0.") || strings.Contains(log, "Firefox") {
		t.Errorf("the log has more of a visitor than the visit:\n%s", log)
	}
}

// The list of crawlers is of those that real links meet. None of them spends a use, whatever it asks with, because only the
// POST does.
func TestLookingSpendsNothing(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.token(`"usageLimit":1`)
	for _, agent := range []string{
		"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
		"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
		"WhatsApp/2.23.20.0 A",
		"TelegramBot (like TwitterBot)",
		"Twitterbot/1.0",
		"Discordbot/2.0 (+https://discordapp.com)",
		"LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko; Microsoft; SkypeUriPreview) SkypeUriPreview/1.0",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0", // iMessage
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",                                                     // mail scanners
		"",
	} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			for _, path := range []string{"/v1/share/" + token, "/v1/share/" + token + "/sessions", "/share/" + token, "/frame/" + token} {
				ts.send(method, path, "", "Authorization: ", "User-Agent: "+agent)
				ts.send(method, path, "", "Authorization: ", "User-Agent: "+agent, "Sec-Purpose: prefetch;prerender", "Purpose: prefetch")
			}
		}
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "QUERY"} {
		ts.send(method, "/v1/share/"+token+"/sessions", "", "X-HTTP-Method-Override: POST").want(405)
	}
	if n := ts.uses(token); n != 0 {
		t.Errorf("%d uses", n)
	}
}

func TestOriginRuleAndCORS(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	listed, all, none := ts.token(`"usageLimit":null`, `"allowedOrigins":["https://shop.example"]`), ts.token(`"usageLimit":null`, `"allowAllOrigins":true`), ts.token(`"usageLimit":null`)
	for _, c := range []struct {
		token, origin string
		opens         bool
		shared        string
	}{
		{none, "", true, ""},
		{none, "http://links.test", true, "http://links.test"},
		{none, "https://links.test", false, ""},
		{none, "https://shop.example", false, ""},
		{none, "null", false, ""},
		{listed, "https://shop.example", true, "https://shop.example"},
		{listed, "https://SHOP.example:443", true, ""}, // from no browser: it would have sent the line above
		{listed, "https://shop.example.", false, ""},
		{listed, "https://user@shop.example", false, ""},
		{listed, "https://shop.example.evil.test", false, ""},
		{listed, "http://shop.example", false, ""},
		{listed, "null", false, ""},
		{all, "https://anywhere.example", true, "*"},
		{all, "null", true, "*"},
	} {
		// Neither the host that a request names nor what a proxy might add decides whose origin is our own.
		for _, games := range [][]string{nil, {"Host: shop.example"}, {"X-Forwarded-Host: shop.example", "Forwarded: host=shop.example", "Referer: https://shop.example/"}} {
			headers := append([]string{"Origin: " + c.origin}, games...)
			a := ts.open(c.token, headers...)
			if c.opens {
				a.want(201)
			} else {
				a.wantProblem("origin-not-allowed", 403)
			}
			preview := ts.send("GET", "/v1/share/"+c.token, "", headers...).want(200)
			preflight := ts.send("OPTIONS", "/v1/share/"+c.token+"/sessions", "", append(headers, "Access-Control-Request-Method: POST")...).want(204)
			for what, a := range map[string]answer{"open": a, "preview": preview, "preflight": preflight} {
				if got := a.header.Get("Access-Control-Allow-Origin"); got != c.shared || a.header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s from %q: shared with %q, want %q", what, c.origin, got, c.shared)
				}
				if !strings.Contains(a.header.Get("Vary"), "Origin") {
					t.Errorf("%s: Vary %q", what, a.header.Get("Vary"))
				}
			}
			if got := preflight.header.Get("Access-Control-Allow-Methods"); (got == "POST") != (c.shared != "") {
				t.Errorf("preflight from %q allows %q", c.origin, got)
			}
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", ts.http.URL+"/v1/share/"+listed+"/sessions", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Origin"] = []string{"https://shop.example", "https://evil.test"}
	ts.do(r).wantProblem("origin-not-allowed", 403)
	ts.send("OPTIONS", "/v1/share/"+noToken, "").wantProblem("share-link-not-found", 404)
}

func TestHeadersOfVisitorsAnswers(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.token(`"usageLimit":1`)
	for name, a := range map[string]answer{
		"preview": ts.send("GET", "/v1/share/"+token, ""), "open": ts.open(token), "used up": ts.open(token), "not found": ts.open(noToken),
		"invalid": ts.send("GET", "/v1/share/"+token+"?x=1", ""),
	} {
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s %q", name, header, got)
			}
		}
	}
}

func TestHostileTokens(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.token("")
	for _, hostile := range []string{
		"x", "sh_", token[:23], token + "x", strings.ToUpper(token), "%2e%2e", "%2e%2e%2fshare-links", "..%2f..%2fetc%2fpasswd", token + "%2f", token + "%00",
		"%00", "%ff%fe", "'%20OR%201=1--", "%25", "%3Cscript%3E", strings.Repeat("a", 10<<10), token + "%20", "%20" + token, cara, "null", "%F0%9F%98%80",
	} {
		a := ts.send("GET", "/v1/share/"+hostile, "")
		b := ts.open(hostile)
		for _, a := range []answer{a, b} {
			if a.want(404); a.object()["error"] != "Not Found" || strings.Contains(string(a.body), "script") {
				t.Errorf("%.50q: %s", hostile, a.body)
			}
		}
	}
	ts.send("GET", "/v1/share/../share-links", "").want(404)
	ts.send("GET", "/v1/share/", "").want(404)
	ts.send("GET", "/v1/share/"+token+"/", "").want(404)
	ts.send("GET", "/v1/share/"+strings.ReplaceAll(token, "sh_", "%73h%5F"), "").want(200) // the same token, spelled oddly
	ts.send("GET", "/v1/share/"+token+"/sessions", "").want(405)
	if n := ts.uses(token); n != 0 {
		t.Errorf("%d uses", n)
	}
}

// 500 callers at once open a link of 50 uses through the whole server: one on SQLite, and two on one PostgreSQL.
func TestOpenNeverOverspends(t *testing.T) {
	t.Parallel()
	const callers, limit = 500, 50
	open := func(t *testing.T, servers ...*testServer) {
		token := servers[0].token(fmt.Sprintf(`"usageLimit":%d`, limit))
		var mu sync.Mutex
		var group sync.WaitGroup
		got := map[int]int{}
		for i := range callers {
			group.Go(func() {
				a := servers[i%len(servers)].open(token)
				mu.Lock()
				defer mu.Unlock()
				got[a.status]++
			})
		}
		group.Wait()
		if diff := cmp.Diff(map[int]int{201: limit, 410: callers - limit}, got); diff != "" || servers[0].uses(token) != limit {
			t.Errorf("%d uses, %s", servers[0].uses(token), diff)
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		open(t, start(t, nil))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		database := pgtest.NewDatabase(t)
		first := start(t, nil, func(c *Config) { c.Database = database })
		open(t, first, start(t, nil, func(c *Config) { c.Database, c.APIKey = database, first.key }))
	})
}
