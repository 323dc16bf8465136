package server

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
)

// The request of the documentation page answers the shape of the documentation page.
func TestCreateAnswersTheDocumentedShape(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	a := ts.send("POST", "/v1/share-links", `
{
  "personaId": "00000000-0000-0000-0000-000000000000",
  "expiresInHours": 168,
  "usageLimit": 10
}
`).want(201)
	got := a.object()
	token, _ := got["token"].(string)
	if !regexp.MustCompile(`^sh_[1-9A-HJ-NP-Za-km-z]{21}$`).MatchString(token) {
		t.Errorf("token %q", token)
	}
	id, _ := got["id"].(string)
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("id %q is not a UUIDv7", id)
	}
	want := map[string]any{
		"id": id, "token": token, "type": "LINK", "expiresAt": "2026-04-27T10:00:00.000Z", "usageLimit": 10.0, "usageCount": 0.0,
		"allowedOrigins": []any{}, "allowAllOrigins": false, "removeWatermark": false, "enabled": true, "isPrimary": false, "label": "",
		"createdAt": "2026-04-20T10:00:00.000Z", "url": "http://links.test/share/" + token,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if l := a.header.Get("Location"); l != "/v1/share-links/"+id {
		t.Errorf("Location %q", l)
	}
	if ct := a.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q", ct)
	}
	// Fields in the order of meaning, as the documentation shows them.
	if !regexp.MustCompile(`^\{"id":.*"token":.*"type":.*"expiresAt":.*"usageLimit":.*"usageCount":.*"allowedOrigins":.*"createdAt":.*"url":`).Match(a.body) {
		t.Errorf("order of fields: %s", a.body)
	}
	full := ts.send("GET", "/v1/share-links/"+id, "").want(200).object()
	want["personaId"], want["personaName"], want["organizationId"] = cara, "Cara", full["organizationId"]
	if diff := cmp.Diff(want, full); diff != "" {
		t.Error(diff)
	}
}

func TestCreateDefaultsAndNulls(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for _, c := range []struct {
		members   string
		expiresAt any
		limit     any
	}{
		{``, "2026-04-27T10:00:00.000Z", 10.0},
		{`"expiresInHours":null`, nil, 10.0},
		{`"usageLimit":null`, "2026-04-27T10:00:00.000Z", nil},
		{`"expiresInHours":null,"usageLimit":null`, nil, nil},
		{`"usageLimit":10`, "2026-04-27T10:00:00.000Z", 10.0},
		{`"usageLimit":10.0`, "2026-04-27T10:00:00.000Z", 10.0},
		{`"usageLimit":1e1`, "2026-04-27T10:00:00.000Z", 10.0},
		{`"usageLimit":1`, "2026-04-27T10:00:00.000Z", 1.0},
		{`"usageLimit":2147483647`, "2026-04-27T10:00:00.000Z", 2147483647.0},
		{`"usageLimit":2147483647.0`, "2026-04-27T10:00:00.000Z", 2147483647.0},
		{`"usageLimit":1e1,"expiresInHours":null,"allowedOrigins":["https://a.example"]`, nil, 10.0},
		{`"expiresInHours":0.001`, "2026-04-20T10:00:03.600Z", 10.0},
		{`"expiresInHours":1.5`, "2026-04-20T11:30:00.000Z", 10.0},
		{`"expiresInHours":1e-300`, "2026-04-20T10:00:00.001Z", 10.0}, // never born expired
		{`"expiresInHours":87600`, "2036-04-17T10:00:00.000Z", 10.0},
	} {
		got := ts.create(c.members)
		if got["expiresAt"] != c.expiresAt || got["usageLimit"] != c.limit {
			t.Errorf("%s: expiresAt %v, usageLimit %v", c.members, got["expiresAt"], got["usageLimit"])
		}
	}
}

func TestCreateOptionalFields(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	got := ts.create(`"type":"ORB_EMBED","allowedOrigins":["HTTPS://Shop.Example:443","https://shop.example","http://bücher.example:8080"],"enabled":false,"isPrimary":true,"label":" Spring newsletter\u00a0"`)
	if diff := cmp.Diff([]any{"https://shop.example", "http://xn--bcher-kva.example:8080"}, got["allowedOrigins"]); diff != "" {
		t.Error(diff)
	}
	if got["enabled"] != false || got["isPrimary"] != true || got["type"] != "ORB_EMBED" || got["label"] != "Spring newsletter" {
		t.Error(got)
	}
	if got["url"] != "http://links.test/frame/"+got["token"].(string) {
		t.Errorf("an embed is opened in the frame, not at %v", got["url"])
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	const limit = "must be a whole number from 1 to 2147483647, or null"
	const hours = "must be a number above 0 and at most 87600, or null"
	const label = "must be at most 80 characters, no line breaks or other control characters"
	with := func(members string) string { return `{"personaId":"` + cara + `",` + members + `}` }
	for _, c := range []struct{ body, pointer, says string }{
		{with(`"usageLimit":10.5`), "/usageLimit", limit + ", not 10.5"},
		{with(`"usageLimit":0`), "/usageLimit", limit + ", not 0"},
		{with(`"usageLimit":-1`), "/usageLimit", limit},
		{with(`"usageLimit":2147483648`), "/usageLimit", limit},
		{with(`"usageLimit":1e400`), "/usageLimit", limit},
		{with(`"usageLimit":"10"`), "/usageLimit", limit},
		{with(`"usageLimit":true`), "/usageLimit", limit + ", not true"},
		{with(`"usageLimit":[]`), "/usageLimit", limit},
		{with(`"expiresInHours":0`), "/expiresInHours", hours},
		{with(`"expiresInHours":-0.5`), "/expiresInHours", hours},
		{with(`"expiresInHours":87600.1`), "/expiresInHours", hours},
		{with(`"expiresInHours":1e300`), "/expiresInHours", hours},
		{with(`"expiresInHours":1e400`), "/expiresInHours", hours},
		{with(`"expiresInHours":"24"`), "/expiresInHours", hours},
		{with(`"type":"link"`), "/type", "must be one of LINK, PLAYER_EMBED, ORB_EMBED"},
		{with(`"type":null`), "/type", "must be one of LINK, PLAYER_EMBED, ORB_EMBED, not null"},
		{with(`"enabled":"yes"`), "/enabled", "must be true or false"},
		{with(`"enabled":null`), "/enabled", "must be true or false, not null"},
		{with(`"allowedOrigins":null`), "/allowedOrigins", "must be a list of at most 50 items"},
		{with(`"allowedOrigins":"https://a.example"`), "/allowedOrigins", "must be a list of at most 50 items"},
		{with(`"allowedOrigins":[` + strings.Repeat(`"https://a.example",`, 50) + `"https://a.example"]`), "/allowedOrigins", "not a list of 51"},
		{with(`"allowedOrigins":["https://a.example",7]`), "/allowedOrigins/1", "must be text"},
		{with(`"allowedOrigins":["https://a.example","*"]`), "/allowedOrigins/1", "set allowAllOrigins"},
		{with(`"allowedOrigins":["null"]`), "/allowedOrigins/0", "set allowAllOrigins"},
		{with(`"allowedOrigins":["https://a.example/path"]`), "/allowedOrigins/0", "did you mean https://a.example?"},
		{with(`"allowedOrigins":["a.example"]`), "/allowedOrigins/0", "did you mean https://a.example?"},
		{with(`"label":"` + strings.Repeat("é", 81) + `"`), "/label", label + ", not this text"},
		{with(`"label":"two\nlines"`), "/label", label},
		{with(`"label":"\u0000"`), "/label", label},
		{with(`"label":"\u009b31m"`), "/label", label}, // to some terminals the beginning of an order
		{with(`"label":null`), "/label", label + ", not null"},
		{with(`"label":7`), "/label", label},
		{with(`"name":"Spring"`), "/name", "unknown field name; did you mean label?"},
		{with(`"title":"Spring"`), "/title", "unknown field title; did you mean label?"},
		{with(`"maxUses":5`), "/maxUses", "unknown field maxUses; did you mean usageLimit?"},
		{with(`"isActive":true`), "/isActive", "unknown field isActive; did you mean enabled?"},
		{with(`"USAGELIMIT":-7`), "/USAGELIMIT", "did you mean usageLimit?"},
		{with(`"usage_limit":7`), "/usage_limit", "did you mean usageLimit?"},
		{with(`"colour":"red"`), "/colour", "known are allowAllOrigins"},
		{with(`"a/b~c":1`), "/a~1b~0c", "unknown field"},
		{`{}`, "/personaId", "is required: a UUID such as"},
		{`{"personaId":null}`, "/personaId", "must be a UUID"},
		{`{"personaId":"cara"}`, "/personaId", "must be a UUID"},
		{`{"personaId":"{00000000-0000-0000-0000-000000000000}"}`, "/personaId", "must be a UUID"},
		{`{"personaId":"urn:uuid:00000000-0000-0000-0000-000000000000"}`, "/personaId", "must be a UUID"},
		{`{"personaId":"00000000000000000000000000000000"}`, "/personaId", "must be a UUID"},
		{with(`"usageLimit":5,"usageLimit":6`), "/usageLimit", "given twice"},
		{with(`"usageLimit":5,"usage\u004cimit":6`), "/usageLimit", "given twice"},
		{with(`"usageLimit":5`) + `x`, "", "not one well-formed JSON value"},
		{with(`"usageLimit":5`) + `{}`, "", "not one well-formed JSON value"},
		{with(`"usageLimit":05`), "", "not one well-formed JSON value"},
		{with(`"usageLimit":5,`), "", "not one well-formed JSON value"},
		{with(`"usageLimit":NaN`), "", "not one well-formed JSON value"},
		{with("\"a\":\"\xff\""), "", "not UTF-8"},
		{with(`"a":"\ud800"`), "", "half of a surrogate pair"},
		{strings.Repeat(`[`, 30000), "", "nested more than 64 levels"},
		{strings.Repeat(`{"a":`, 10000), "", "nested more than 64 levels"},
		{` `, "", "the body is empty"},
		{"\ufeff{}", "/personaId", "is required"}, // a byte-order mark is no fault
		{"\ufeff\ufeff{}", "", "not one well-formed JSON value"},
		{"\ufeff", "", "the body is empty"},
		{`[]`, "", "must be an object, not a list of 0"},
		{`null`, "", "must be an object, not null"},
		{`"x"`, "", "must be an object"},
		{`7`, "", "must be an object"},
	} {
		a := ts.send("POST", "/v1/share-links", c.body)
		if a.status != 400 {
			t.Errorf("%.80s: status %d: %s", c.body, a.status, a.body)
			continue
		}
		a.wantViolation(c.pointer, c.says)
	}
	if a := ts.send("POST", "/v1/share-links", "", "Content-Type: application/json").want(400); true {
		a.wantViolation("", "the body is empty")
	}
	if total := ts.send("GET", "/v1/share-links", "").want(200).object()["meta"].(map[string]any)["total"]; total != 0.0 {
		t.Errorf("%v links were made by refused requests", total)
	}
}

func TestSeveralFaultsComeBackTogether(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	a := ts.send("POST", "/v1/share-links?page=2&debug", `{"expiresInHours":0,"usageLimit":"x","maxUses":1,"isActive":1,"allowedOrigins":["*","https://ok.example","x y"]}`,
		"Idempotency-Key: has space").want(400)
	for _, f := range [][2]string{
		{"page", "unknown query parameter"},
		{"debug", "unknown query parameter"},
		{"Idempotency-Key", "must be 1 to 255 visible ASCII characters"},
		{"/personaId", "is required"},
		{"/expiresInHours", "must be a number"},
		{"/usageLimit", "must be a whole number"},
		{"/maxUses", "did you mean usageLimit?"},
		{"/isActive", "did you mean enabled?"},
		{"/allowedOrigins/0", "allowAllOrigins"},
		{"/allowedOrigins/2", "an origin is"},
	} {
		a.wantViolation(f[0], f[1])
	}
	if n := len(a.object()["errors"].([]any)); n != 10 {
		t.Errorf("%d violations, want 10: %s", n, a.body)
	}
	// A body that is no JSON does not hide what is wrong with the parameters.
	ts.send("POST", "/v1/share-links?x=1", `{`).want(400).wantViolation("x", "unknown").wantViolation("", "not one well-formed JSON value")
}

// Who sends thousands of faults gets an answer of a bearable size, in a bearable time.
func TestFaultsAreListedWithinReason(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	var b strings.Builder
	b.WriteString("{")
	for i := range 5000 {
		fmt.Fprintf(&b, `"f%d":1,`, i)
	}
	a := ts.send("POST", "/v1/share-links", b.String()+`"personaId":1}`).want(400)
	if n := len(a.object()["errors"].([]any)); n != contract.MaxViolations {
		t.Errorf("%d violations, want %d", n, contract.MaxViolations)
	}
	if !strings.Contains(string(a.body), "the request has 5001 violations") || !strings.Contains(string(a.body), "and 4951 more") {
		t.Errorf("%.200s", a.body)
	}
}

func TestUpperCaseUUIDIsTheSame(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.Personas = PersonasAny })
	got := ts.send("POST", "/v1/share-links", `{"personaId":"ABCDEF00-0000-0000-0000-000000000000"}`).want(201).object()
	full := ts.send("GET", "/v1/share-links/"+strings.ToUpper(got["id"].(string)), "").want(200).object()
	if full["personaId"] != "abcdef00-0000-0000-0000-000000000000" || full["personaName"] != "Persona" {
		t.Error(full)
	}
}

func TestCreateNeedsAPersonaAndAPlan(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	ts.send("POST", "/v1/share-links", `{"personaId":"11111111-1111-1111-1111-111111111111"}`).want(404).
		wantViolation("/personaId", "no persona with this id")
	ts.send("POST", "/v1/share-links", `{"personaId":"`+cara+`","removeWatermark":true}`).want(403).
		wantViolation("/removeWatermark", "may not remove the watermark")
	link := ts.create("")
	path := "/v1/share-links/" + link["id"].(string)
	ts.send("PUT", path, `{"removeWatermark":true}`).want(403)
	if _, err := ts.service.SetWatermarkRemoval(t.Context(), "default", true); err != nil {
		t.Fatal(err)
	}
	if ts.send("PUT", path, `{"removeWatermark":true}`).want(200).object()["removeWatermark"] != true {
		t.Error("the watermark stayed")
	}
	if ts.create(`"removeWatermark":true`)["removeWatermark"] != true {
		t.Error("the watermark stayed")
	}
}

// The fingerprints of yesterday are in databases: they must not change with the program, nor with a field that the contract
// gains.
func TestFingerprintIsStable(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"personaId":"00000000-0000-0000-0000-000000000000"}`:                  "e1b0cc289cfe1fc3c0d6b79901c078823dc50bd759a4822f28b9d0d34bee6ed4",
		`{"personaId":"00000000-0000-0000-0000-000000000000","label":"Spring"}`: "ff9584754b0bb9d7f5d963cc0d59cef2623bd251cc673997408331197db21f13",
		`{"personaId":"00000000-0000-0000-0000-000000000000","expiresInHours":null,"usageLimit":5,"type":"ORB_EMBED","allowedOrigins":["https://a.example"],"allowAllOrigins":false,"removeWatermark":true,"enabled":false,"isPrimary":true}`: "bed52a2cd94e5bc143b08cbdc71d90b749b03741c75c3699b16787c03c01a12e",
	} {
		var request api.CreateShareLinkRequest
		if err := json.Unmarshal([]byte(body), &request); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", fingerprint(&request)); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

func TestIdempotentCreate(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	body := `{"personaId":"` + cara + `","usageLimit":5}`
	send := func(body, key string) answer {
		return ts.send("POST", "/v1/share-links", body, "Idempotency-Key: "+key)
	}
	first := send(body, "order,47%2011").want(201)
	id := first.object()["id"].(string)

	same := func(a answer) {
		t.Helper()
		if string(a.want(201).body) != string(first.body) || a.header.Get("Location") != first.header.Get("Location") {
			t.Errorf("the repeat answered\n%s\nfirst was\n%s", a.body, first.body)
		}
	}
	same(send(body, "order,47%2011"))
	same(send(`{ "usageLimit": 5.0, "personaId": "`+cara+`" }`, "order,47%2011")) // spelled otherwise
	send(`{"personaId":"`+cara+`","usageLimit":6}`, "order,47%2011").want(422)
	ts.send("PUT", "/v1/share-links/"+id, `{"enabled":false}`).want(200)
	same(send(body, "order,47%2011")) // as it was then
	ts.send("DELETE", "/v1/share-links/"+id, "").want(200)
	same(send(body, "order,47%2011"))

	if other := send(body, "order-4712").want(201); string(other.body) == string(first.body) {
		t.Error("another key got the same link")
	}
	ts.advance(24*time.Hour + time.Millisecond)
	if later := send(body, "order,47%2011").want(201); string(later.body) == string(first.body) {
		t.Error("the key was remembered for more than 24 hours")
	}
	send(body, strings.Repeat("k", 255)).want(201)
	send(body, strings.Repeat("k", 256)).want(400).wantViolation("Idempotency-Key", "1 to 255")
	// A create that failed does not use its key up.
	send(`{"personaId":"22222222-2222-2222-2222-222222222222"}`, "retry").want(404)
	send(body, "retry").want(201)
}
