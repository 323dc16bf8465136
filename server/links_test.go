package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestUpdateChangesWhatIsSent(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	link := ts.create(`"allowedOrigins":["https://a.example"]`)
	path := "/v1/share-links/" + link["id"].(string)
	ts.advance(time.Hour)
	for _, c := range []struct {
		body string
		set  map[string]any
	}{
		{`{}`, nil},
		{`{"expiresInHours":24}`, map[string]any{"expiresAt": "2026-04-21T11:00:00.000Z"}}, // from now
		{`{"usageLimit":1e2}`, map[string]any{"usageLimit": 100.0}},
		{`{"expiresInHours":null}`, map[string]any{"expiresAt": nil}},
		{`{"usageLimit":null}`, map[string]any{"usageLimit": nil}},
		{`{"enabled":false}`, map[string]any{"enabled": false}},
		{`{"allowedOrigins":["HTTP://B.example:80"]}`, map[string]any{"allowedOrigins": []any{"http://b.example"}}},
		{`{"allowedOrigins":[]}`, map[string]any{"allowedOrigins": []any{}}},
		{`{"allowAllOrigins":true,"isPrimary":true}`, map[string]any{"allowAllOrigins": true, "isPrimary": true}},
		{`{"label":" Spring  newsletter "}`, map[string]any{"label": "Spring  newsletter"}},
		{`{"enabled":true}`, map[string]any{"enabled": true}}, // and the label stays
		{`{"label":"` + strings.Repeat("🎭", 80) + `"}`, map[string]any{"label": strings.Repeat("🎭", 80)}},
		{`{"label":" "}`, map[string]any{"label": ""}},
		{`{"type":"PLAYER_EMBED"}`, map[string]any{"type": "PLAYER_EMBED", "url": "http://links.test/frame/" + link["token"].(string)}},
	} {
		for k, v := range c.set {
			link[k] = v
		}
		if diff := cmp.Diff(link, ts.send("PUT", path, c.body).want(200).object()); diff != "" {
			t.Errorf("%s:\n%s", c.body, diff)
		}
	}
	ts.send("PUT", path, `{"personaId":"`+cara+`"}`).want(400).wantViolation("/personaId", "unknown field")
	ts.send("PUT", path, `{"usageLimit":0,"enabled":null}`).want(400).wantViolation("/usageLimit", "must be").wantViolation("/enabled", "must be")
	ts.send("PUT", "/v1/share-links/nope", `{"usageLimit":0}`).want(400).wantViolation("id", "must be a UUID").wantViolation("/usageLimit", "must be")
	ts.send("PUT", "/v1/share-links/"+cara, `{"removeWatermark":true}`).want(404)
}

func TestAtMostOnePrimaryLink(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	a := ts.create(`"isPrimary":true`)["id"].(string)
	b := ts.create(`"isPrimary":true`)["id"].(string)
	isPrimary := func(id string) bool {
		return ts.send("GET", "/v1/share-links/"+id, "").want(200).object()["isPrimary"].(bool)
	}
	if isPrimary(a) || !isPrimary(b) {
		t.Error("the second primary link did not demote the first")
	}
	ts.send("PUT", "/v1/share-links/"+a, `{"isPrimary":true}`).want(200)
	if !isPrimary(a) || isPrimary(b) {
		t.Error("the update did not demote the other")
	}
}

// The document does not require the URL, because Anam's API does not send it. This server always does.
func TestEveryLinkHasItsURL(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	created := ts.create("")
	path := "/v1/share-links/" + created["id"].(string)
	listed := ts.send("GET", "/v1/share-links", "").want(200).object()["data"].([]any)[0].(map[string]any)
	for _, link := range []map[string]any{created, listed, ts.send("GET", path, "").object(), ts.send("PUT", path, "{}").object()} {
		if link["url"] != "http://links.test/share/"+created["token"].(string) {
			t.Errorf("url is %v in %v", link["url"], link)
		}
	}
}

func TestDeleteOnce(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	path := "/v1/share-links/" + ts.create("")["id"].(string)
	if diff := cmp.Diff(map[string]any{"message": "the share link was deleted"}, ts.send("DELETE", path, "").want(200).object()); diff != "" {
		t.Error(diff)
	}
	for _, method := range []string{"GET", "DELETE"} {
		ts.send(method, path, "").want(404)
	}
	ts.send("PUT", path, "{}").want(404)
}

func TestList(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	if _, err := ts.service.AddPersona(t.Context(), "default", new(uuid.MustParse("33333333-3333-3333-3333-333333333333")), "Ærø 100%"); err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	labels := [5]string{0: "Søndag, 5%", 4: "CARA's own"}
	for i := range 5 {
		persona := cara
		if i == 3 {
			persona = "33333333-3333-3333-3333-333333333333"
		}
		link := ts.send("POST", "/v1/share-links", `{"personaId":"`+persona+`","label":"`+labels[i]+`"}`).want(201).object()
		all = append(all, link)
		ts.advance(time.Millisecond)
	}
	slices.Reverse(all) // newest first
	ids := func(links ...map[string]any) []string {
		list := []string{}
		for _, l := range links {
			list = append(list, l["id"].(string))
		}
		return list
	}
	token := all[2]["token"].(string)
	for _, c := range []struct {
		query string
		want  []string
		meta  string
	}{
		{"", ids(all...), "total:5 lastPage:1 currentPage:1 perPage:20 prev:<nil> next:<nil>"},
		{"?perPage=2", ids(all[:2]...), "total:5 lastPage:3 currentPage:1 perPage:2 prev:<nil> next:2"},
		{"?perPage=2&page=2", ids(all[2:4]...), "total:5 lastPage:3 currentPage:2 perPage:2 prev:1 next:3"},
		{"?perPage=2&page=3", ids(all[4:]...), "total:5 lastPage:3 currentPage:3 perPage:2 prev:2 next:<nil>"},
		{"?perPage=2&page=9", ids(), "total:5 lastPage:3 currentPage:9 perPage:2 prev:8 next:<nil>"},
		{"?page=2147483647&perPage=100", ids(), "total:5 lastPage:1 currentPage:2147483647 perPage:100 prev:2147483646 next:<nil>"},
		{"?personaId=33333333-3333-3333-3333-333333333333", ids(all[1]), "total:1 lastPage:1 currentPage:1 perPage:20 prev:<nil> next:<nil>"},
		{"?search=æRØ", ids(all[1]), ""},
		{"?search=0%25", ids(all[1]), ""},
		{"?search=s%C3%98nDAG", ids(all[4]), ""},
		{"?search=%25", ids(all[1], all[4]), ""}, // of a name, and of a label
		{"?search=%20cara's", ids(all[0]), ""},
		{"?search=%25%25", ids(), "total:0 lastPage:0 currentPage:1 perPage:20 prev:<nil> next:<nil>"},
		{"?search=_", ids(), ""}, // a token has an underscore, but does not begin with it
		{"?search=sh_", ids(all...), ""},
		{"?search=", ids(all...), ""},
		{"?search=%20car%20", ids(all[0], all[2], all[3], all[4]), ""},
		{"?search=" + token, ids(all[2]), ""},
		{"?search=" + token[:12], ids(all[2]), ""},
		{"?search=" + token[1:], ids(), ""},
		{"?search=" + all[2]["id"].(string), ids(all[2]), ""},
		{"?search=" + strings.ToUpper(all[2]["id"].(string)), ids(all[2]), ""},
		{"?search=cara&personaId=33333333-3333-3333-3333-333333333333", ids(), ""},
		{"?search=%00", ids(), ""},
		{"?search='%3B--", ids(), ""},
	} {
		got := ts.send("GET", "/v1/share-links"+strings.ReplaceAll(c.query, "æRØ", url.QueryEscape("æRØ")), "").want(200).object()
		found := []string{}
		for _, l := range got["data"].([]any) {
			found = append(found, l.(map[string]any)["id"].(string))
		}
		if diff := cmp.Diff(c.want, found); diff != "" {
			t.Errorf("%s: %s", c.query, diff)
		}
		m := got["meta"].(map[string]any)
		meta := fmt.Sprintf("total:%v lastPage:%v currentPage:%.0f perPage:%v prev:%v next:%v", m["total"], m["lastPage"], m["currentPage"], m["perPage"], whole(m["prev"]), whole(m["next"]))
		if c.meta != "" && meta != c.meta {
			t.Errorf("%s: %s, want %s", c.query, meta, c.meta)
		}
	}
}

func whole(v any) any {
	if f, ok := v.(float64); ok {
		return int(f)
	}
	return v
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for _, c := range []struct{ query, name, says string }{
		{"page=0", "page", "must be a whole number from 1 to 2147483647"},
		{"page=-1", "page", "must be a whole number"},
		{"page=1.5", "page", "must be a whole number"},
		{"page=x", "page", "must be a whole number"},
		{"page=99999999999999999999", "page", "must be a whole number"},
		{"page=", "page", "must be a whole number"},
		{"page", "page", "must be a whole number"},
		{"page=1&page=2", "page", "is given 2 times; give it once"},
		{"perPage=0", "perPage", "must be a whole number from 1 to 100"},
		{"perPage=101", "perPage", "must be a whole number from 1 to 100"},
		{"personaId=cara", "personaId", "must be a UUID"},
		{"personaId=", "personaId", "must be a UUID"},
		{"personaId=%7B00000000-0000-0000-0000-000000000000%7D", "personaId", "must be a UUID"},
		{"search=" + strings.Repeat("x", 201), "search", "must be text of at most 200 characters"},
		{"search=%FF", "search", "must be UTF-8"},
		{"limit=5", "limit", "did you mean perPage?"},
		{"perpage=5", "perpage", "did you mean perPage?"},
		{"per_page=5", "per_page", "did you mean perPage?"},
		{"colour=red", "colour", "known are page, perPage, personaId, search"},
	} {
		a := ts.send("GET", "/v1/share-links?"+c.query, "")
		if a.status != 400 {
			t.Errorf("%s: status %d", c.query, a.status)
			continue
		}
		a.wantViolation(c.name, c.says)
	}
	for _, query := range []string{"page=%zz", "page=1;perPage=2"} {
		if a := ts.send("GET", "/v1/share-links?"+query, "").want(400); !strings.Contains(string(a.body), "the query is not well-formed") {
			t.Errorf("%s: %s", query, a.body)
		}
	}
	ts.send("GET", "/v1/share-links?page=0&perPage=0&x=1", "").want(400).
		wantViolation("page", "must be").wantViolation("perPage", "must be").wantViolation("x", "unknown")
	ts.send("GET", "/v1/share-links/"+cara+"?page=1", "").want(400).wantViolation("page", "there are none here")
}

// The ways to write an id in a path: one is right, in either case, whether or not it is percent-encoded.
func TestIDsInPaths(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	id := ts.create("")["id"].(string)
	encoded := ""
	for i := range len(id) {
		encoded += fmt.Sprintf("%%%02X", id[i])
	}
	for path, status := range map[string]int{
		id:                                      200,
		strings.ToUpper(id):                     200,
		encoded:                                 200,
		url.PathEscape("{" + id + "}"):          400,
		"urn:uuid:" + id:                        400,
		strings.ReplaceAll(id, "-", ""):         400,
		id + "%20":                              400,
		"%25" + id[1:]:                          400,
		strings.Replace(encoded, "%", "%25", 1): 400, // encoded twice is not encoded once
		"..%2f..%2fhealthz":                     400,
		"%00":                                   400,
		"%ff":                                   400,
		strings.Repeat("a", 10000):              400,
		cara:                                    404,
		id + "/":                                404,
		id + "/x":                               404,
	} {
		if a := ts.send("GET", "/v1/share-links/"+path, ""); a.status != status {
			t.Errorf("%.60s: status %d, want %d: %s", path, a.status, status, a.body)
		} else if status == 400 {
			a.wantViolation("id", "must be")
		}
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for ct, status := range map[string]int{
		"application/json":                     201,
		"application/json; charset=utf-8":      201,
		"application/json;charset=UTF-8":       201,
		"Application/JSON":                     201,
		"application/json; charset=\"utf-8\"":  201,
		"application/json; profile=x":          201,
		"application/json; charset=iso-8859-1": 415,
		"application/x-www-form-urlencoded":    415,
		"text/plain":                           415,
		"text/json":                            415,
		"application/problem+json":             415,
		"application/jsonx":                    415,
		"application/json, application/json":   415,
		"multipart/form-data; boundary=x":      415,
		";":                                    415,
		"":                                     415,
	} {
		if a := ts.send("POST", "/v1/share-links", `{"personaId":"`+cara+`"}`, "Content-Type: "+ct); a.status != status {
			t.Errorf("%q: status %d, want %d: %s", ct, a.status, status, a.body)
		}
	}
	for header, accepts := range map[string]string{"Content-Encoding: gzip": "identity", "Content-Type: text/plain": ""} {
		for _, r := range []request{{"POST", "/v1/share-links", `{"personaId":"` + cara + `"}`}, {"PUT", "/v1/share-links/" + cara, `{}`}} {
			a := ts.send(r.method, r.path, r.body, header).wantProblem("unsupported-media-type", 415)
			if got := a.header.Get("Accept-Encoding"); got != accepts {
				t.Errorf("%s: Accept-Encoding %q, want %q", header, got, accepts)
			}
		}
	}
	ts.send("POST", "/v1/share-links", "\ufeff"+`{"personaId":"`+cara+`"}`).want(201)
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for _, c := range []struct {
		header string
		status int
		says   string
	}{
		{"Bearer " + ts.key, 200, ""},
		{"bearer " + ts.key, 200, ""},
		{"BEARER  " + ts.key, 200, ""},
		{"", 401, "is missing"},
		{"Bearer", 401, "is malformed"},
		{"Bearer ", 401, "is malformed"},
		{ts.key, 401, "is malformed"},
		{"Basic " + ts.key, 401, "is malformed"},
		{"Bearer " + ts.key + " x", 401, "is malformed"},
		{"Bearer " + ts.key[:len(ts.key)-1], 401, "is unknown or was revoked"},
		{"Bearer " + ts.key + "x", 401, "is unknown or was revoked"},
		{"Bearer x", 401, "is unknown or was revoked"},
		{"Bearer \xff\xfe", 401, "is unknown or was revoked"},
	} {
		// With faults everywhere else: who has no key learns nothing of them.
		path := "/v1/share-links"
		if c.status != 200 {
			path += "?nonsense=1"
		}
		a := ts.send("GET", path, "", "Authorization: "+c.header)
		if a.status != c.status || !strings.Contains(string(a.body), c.says) {
			t.Errorf("%q: %d %s", c.header, a.status, a.body)
		}
		if c.status == 401 && (a.header.Get("WWW-Authenticate") != "Bearer" || a.object()["errors"] != nil || strings.Contains(string(a.body), ts.key)) {
			t.Errorf("%q: %v %s", c.header, a.header, a.body)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", ts.http.URL+"/v1/share-links", nil)
	r.Header["Authorization"] = []string{"Bearer " + ts.key, "Bearer " + ts.key}
	ts.do(r).want(401)

	keys, err := ts.service.Keys(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ts.service.RevokeKey(t.Context(), keys[0].Prefix); err != nil {
		t.Fatal(err)
	}
	ts.send("GET", "/v1/share-links", "").want(401)
}

func TestConfiguredKeyIsOneOfTheDefaultOrganization(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.APIKey = "a-key-of-my-own" })
	if ts.firstKey != "" {
		t.Error("a key was made though one was configured")
	}
	ts.send("GET", "/v1/share-links", "", "Authorization: Bearer a-key-of-my-own").want(200)
	ts.send("GET", "/v1/share-links", "", "Authorization: Bearer a-key-of-my-owN").want(401)
	ts.send("GET", "/v1/share-links", "", "Authorization: Bearer "+sha256OfEmpty).want(401)
}

// sha256OfEmpty would be accepted by a comparison that mistakes "no key configured" for a key.
const sha256OfEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
