package contract

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// document is a contract of another service, with what ours has not: other media types, patterns, a required name that is no
// property.
const document = `
openapi: 3.0.3
info: { title: Boats, version: 1.0.0 }
security: [{ Key: [] }]
paths:
  /boats:
    get:
      operationId: listBoats
      security: []
      parameters:
        - { name: since, in: query, schema: { type: integer, minimum: 1 } }
        - { name: X-Fleet, in: header, required: true, schema: { type: string, pattern: '^[a-z]+$' } }
      responses: { '204': { description: None } }
    post:
      operationId: createBoat
      requestBody:
        required: true
        content:
          application/json: { schema: { $ref: '#/components/schemas/Boat' } }
          text/csv: {}
      responses:
        '201':
          description: A boat
          headers: { Location: { required: true, schema: { type: string } } }
          content: { application/json: { schema: { $ref: '#/components/schemas/Boat' } } }
  /boats/mine:
    get: { operationId: getMine, responses: { '200': { description: Mine } } }
  /boats/{id}/photo:
    parameters: [{ name: id, in: path, required: true, schema: { type: string, format: uuid } }]
    put:
      operationId: putPhoto
      requestBody: { content: { image/png: { schema: { type: string, format: binary } } } }
      responses: { '200': { description: Kept } }
  /boats/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: string, format: uuid } }]
    get: { operationId: getBoat, responses: { default: { description: A boat } } }
components:
  securitySchemes: { Key: { type: http, scheme: bearer } }
  schemas:
    Sail: { type: string, enum: [GENOA, SPINNAKER] }
    Boat:
      type: object
      required: [name, keel]
      additionalProperties: false
      properties:
        name: { type: string, minLength: 2, maxLength: 5, pattern: '^[a-z]+$', x-also-called: [title] }
        length: { type: number, multipleOf: 0.5, minimum: 0, exclusiveMinimum: true, nullable: true }
        crew: { type: integer, maximum: 12 }
        sails: { type: array, minItems: 1, uniqueItems: true, items: { $ref: '#/components/schemas/Sail' } }
        built: { type: string, format: date }
        sunk: { type: boolean }
`

func load(t *testing.T) *Contract {
	t.Helper()
	c, err := Load([]byte(document), Options{MaxBody: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check checks a request of an operation. Headers are "Name: value".
func check(t *testing.T, id, target, body string, headers ...string) error {
	t.Helper()
	o := load(t).Operation(id)
	r := httptest.NewRequest(o.Method, target, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return o.CheckRequest(r, func(string) string { return strings.Split(target, "/")[2] })
}

const isJSON = "Content-Type: application/json"

func TestMatch(t *testing.T) {
	t.Parallel()
	c := load(t)
	for request, want := range map[string]string{
		"GET /boats":             "listBoats",
		"HEAD /boats":            "listBoats",
		"POST /boats":            "createBoat",
		"GET /boats/mine":        "getMine",
		"GET /boats/a%2Fb":       "getBoat id=a/b",
		"PUT /boats/7/photo?x=1": "putPhoto id=7",
		"DELETE /boats":          "",
		"GET /boats/":            "",
		"GET /Boats":             "",
		"GET /boats/7/photo/8":   "",
	} {
		method, target, _ := strings.Cut(request, " ")
		got := ""
		if o, params := c.Match(httptest.NewRequest(method, target, nil)); o != nil {
			got = o.ID
			for name, value := range params {
				got += " " + name + "=" + value
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}
	if c.Operation("sinkBoat") != nil || !c.Operation("listBoats").Public || c.Operation("getBoat").Public {
		t.Error("there is an operation too many, or one for too many")
	}
}

func TestBodyInWords(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"name":"ab","keel":1}`:                             "/keel: unknown field keel; known are built, crew, length, name, sails, sunk",
		`{"keel":1}`:                                         "/name: is required: text of 2 to 5 characters that matches ^[a-z]+$",
		`{"name":"ab"}`:                                      "/keel: is required",
		`{"name":"A"}`:                                       "/name: must be text of 2 to 5 characters that matches ^[a-z]+$, not this text",
		`{"name":"ab","length":0.3}`:                         "/length: must be a number above 0, a multiple of 0.5, or null, not 0.3",
		`{"name":"ab","crew":13}`:                            "/crew: must be a whole number of at most 12, not 13",
		`{"name":"ab","crew":1e400}`:                         "/crew: must be a whole number of at most 12, not a number so large",
		`{"name":"ab","sails":[]}`:                           "/sails: must be a list of at least 1 items, each once, not a list of 0",
		`{"name":"ab","sails":["GENOA","JIB"]}`:              "/sails/1: must be one of GENOA, SPINNAKER, not this text",
		`{"name":"ab","built":"soon"}`:                       "/built: must be text in the format date, not this text",
		`{"name":"ab","sunk":null}`:                          "/sunk: must be true or false, not null",
		`{"name":"ab","TITLE":1}`:                            "/TITLE: unknown field TITLE; did you mean name?",
		`{"name":"ab","sh_2kL9pQxYzR4vN8mBwHfJc\u0000":1}`:   "/sh_...\uFFFD: unknown field sh_...\uFFFD",
		`{"name":"ab","` + strings.Repeat("x", 100) + `":1}`: "unknown field " + strings.Repeat("x", 64) + "...",
		`{"name":"ab","name":"cd"}`:                          "/name: the field is given twice; give it once",
		`{"name":"ab"`:                                       "the body is not one well-formed JSON value at byte 12",
		`{"name":"ab"} {}`:                                   "the body is not one well-formed JSON value at byte 14",
		"{\"name\":\"\xff\"}":                                "the body is not UTF-8 at byte 9",
		`{"name":"\ud800"}`:                                  "the body has half of a surrogate pair at byte 9",
		" ":                                                  "the body is empty; send a JSON object",
		`[1]`:                                                "must be an object, not a list of 1",
		`{` + strings.Repeat(`"a`+"\u0000", 1) + `":1}`:      "the body is not one well-formed JSON value",
		`{"name":"ab","crew":` + strings.Repeat("[", 400) + `}`:                                       "the body is nested more than 64 levels deep",
		`{"name":"ab","crew":"` + strings.Repeat(`[\"`, 100) + `"}`:                                   "must be a whole number",
		`{"name":"ab","crew":"` + strings.Repeat(`[\\`, 100) + `","crew":` + strings.Repeat("[", 100): "the body is nested more than 64 levels deep",
		`{"name":"ab","keel":1,"length":-1,"crew":99,"sunk":"true"}`:                                  "the request has 4 violations: ",
	} {
		if err := check(t, "createBoat", "/boats/x", body, isJSON); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestBodyCanBeReadAfterTheCheck(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]any{"text/csv": nil, "image/png": nil} {
		o := load(t).Operation("createBoat")
		if content == "image/png" {
			o = load(t).Operation("putPhoto")
		}
		r := httptest.NewRequest(o.Method, "/", strings.NewReader("bytes"))
		r.Header.Set("Content-Type", content)
		if err := o.CheckRequest(r, func(string) string { return "00000000-0000-0000-0000-000000000000" }); err != nil {
			t.Errorf("%s: %v", content, err)
		}
		b := make([]byte, 10)
		n, _ := r.Body.Read(b)
		if got := r.Body.(interface{ ValidatedValue() any }).ValidatedValue(); string(b[:n]) != "bytes" || got != want {
			t.Errorf("%s: read %q, value %v", content, b[:n], got)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	for headers, ok := range map[string]bool{
		isJSON: true,
		"Content-Type: Application/JSON; charset=UTF-8":  true,
		"Content-Type: text/csv":                         true,
		"Content-Type: application/json; charset=latin1": false,
		"Content-Type: text/plain":                       false,
		"Accept: */*":                                    false,
		isJSON + "|" + isJSON:                            false,
		isJSON + "|Content-Encoding: gzip":               false,
		isJSON + "|Content-Encoding: identity":           true,
	} {
		err := check(t, "createBoat", "/boats/x", `{"name":"ab"}`, strings.Split(headers, "|")...)
		e, refused := errors.AsType[*MediaTypeError](err)
		if refused == ok || refused && (e.Header == "Content-Encoding") != strings.Contains(headers, "gzip") {
			t.Errorf("%s: %v", headers, err)
		}
	}
	_, tooLarge := errors.AsType[*http.MaxBytesError](check(t, "createBoat", "/boats/x", strings.Repeat(" ", 1001), isJSON))
	_, unused := errors.AsType[*http.MaxBytesError](check(t, "listBoats", "/boats/x", strings.Repeat(" ", 1001), "X-Fleet: a"))
	if !tooLarge || !unused {
		t.Error("a body that is too large was read")
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]string{
		"/boats/x?since=1|X-Fleet: red":               "",
		"/boats/x?since=0|X-Fleet: red":               "since: must be a whole number of at least 1",
		"/boats/x?since=1&since=2|X-Fleet: red":       "since: is given 2 times; give it once",
		"/boats/x?since=%ff|X-Fleet: red":             "since: must be UTF-8",
		"/boats/x?Since=1|X-Fleet: red":               "Since: unknown query parameter Since; did you mean since?",
		"/boats/x?since=1;x=2|X-Fleet: red":           "the query is not well-formed",
		"/boats/x":                                    "X-Fleet: must be text that matches ^[a-z]+$",
		"/boats/x?until=2|X-Fleet: RED":               "the request has 2 violations: until: unknown query parameter until; known are since; X-Fleet: must be",
		"/boats/x?since=x|X-Fleet: red|X-Fleet: blue": "the request has 2 violations",
	} {
		target, headers, _ := strings.Cut(request, "|")
		var given []string
		if headers != "" {
			given = strings.Split(headers, "|")
		}
		if err := check(t, "listBoats", target, "", given...); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", request, err, want)
		}
	}
	for id, ok := range map[string]bool{"0197AA55-2500-73e6-bede-75f926d0d51e": true, "0197aa55250073e6bede75f926d0d51e": false, "x": false} {
		if err := check(t, "getBoat", "/boats/"+id, ""); (err == nil) != ok {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestCheckResponse(t *testing.T) {
	t.Parallel()
	o := load(t).Operation("createBoat")
	good := http.Header{"Location": {"/boats/1"}, "Content-Type": {"application/json; charset=utf-8"}}
	for name, c := range map[string]struct {
		status int
		header http.Header
		body   string
		want   string
	}{
		"status":       {200, good, "{}", "200 is not a status of createBoat"},
		"header":       {201, http.Header{"Content-Type": {"application/json"}}, `{"name":"ab"}`, "Location: is missing"},
		"content type": {201, http.Header{"Location": {"/"}, "Content-Type": {"text/html"}}, `<p>`, `Content-Type: "text/html" is not a content type of status 201`},
		"syntax":       {201, good, "{", "not one well-formed JSON value"},
		"body":         {201, good, `{"name":"ab","crew":13}`, "/crew: must be a whole number of at most 12, not 13"},
	} {
		if got := o.CheckResponse(c.status, c.header, []byte(c.body)); len(got) == 0 || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
	if got := load(t).Operation("listBoats").CheckResponse(204, http.Header{}, nil); got != nil {
		t.Errorf("a response without a body: %v", got)
	}
	if got := o.CheckResponse(201, good, nil); got != nil {
		t.Errorf("a response to HEAD: %v", got)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for _, document := range []string{"[", strings.Replace(document, "#/components/", "#/nowhere/", 1)} {
		if _, err := Load([]byte(document), Options{}); err == nil {
			t.Errorf("%.20q was accepted", document)
		}
	}
}

// fleet is a contract of an upstream with additions, and with objects that are open, closed, or do not say.
const fleet = `
openapi: 3.0.3
info: { title: Fleets, version: 1.0.0 }
paths:
  /fleet:
    get:
      operationId: getFleet
      parameters: [{ name: captain, in: query, x-secret: true, schema: { type: string } }]
      responses:
        '200':
          description: The fleet
          headers:
            Trace: { x-addition: true, schema: { type: string } }
            Etag: { required: true, schema: { type: string } }
          content:
            application/json:
              schema:
                allOf:
                  - type: object
                    required: [name]
                    properties:
                      name: { type: string }
                      page: { type: string, x-addition: true }
                      password: { type: string, x-secret: true }
                  - type: object
                    properties:
                      boats: { type: array, items: { type: object, required: [id], properties: { id: { type: integer } } } }
                      notes: { type: object, properties: { a: {} }, additionalProperties: true }
                      rules: { type: object, properties: { a: {} }, additionalProperties: false }
                      other: { type: object }
        '404':
          description: None
          headers: { Etag: { required: true, schema: { type: string } } }
          content: { application/problem+json: { schema: { type: object, x-addition: true } } }
`

func TestProfiles(t *testing.T) {
	t.Parallel()
	const traced, untraced = "Trace: 1|Etag: 2|Content-Type: application/json", "Etag: 2|Content-Type: application/json"
	for _, test := range []struct {
		name           string
		upstream       bool
		closed         bool
		status         int
		headers, body  string
		wantViolations []string
	}{
		{"all there", false, true, 200, traced, `{"name":"a","page":"p"}`, nil},
		{"an addition is missing", false, false, 200, untraced, `{"name":"a"}`, []string{"Trace: is missing", "/page: is required: text"}},
		{"that is forgiven", true, true, 200, untraced, `{"name":"a"}`, nil},
		{"not if it is wrong", true, false, 200, untraced, `{"name":"a","page":1}`, []string{"/page: must be text, not 1"}},
		{
			"nor what else is missing", true, false, 200, "Content-Type: application/json", `{"boats":[{}]}`,
			[]string{"Etag: is missing", "/name: is required: text", "/boats/0/id: is required: a whole number"},
		},
		{"another error", false, false, 404, untraced, `{"statusCode":404}`, []string{`Content-Type: "application/json" is not a content type of status 404`}},
		{"any error will do", true, true, 404, untraced, `{"statusCode":404}`, nil},
		{"but for its headers", true, true, 404, "Content-Type: text/html", `<p>`, []string{"Etag: is missing"}},
		{"others are ignored", false, false, 200, traced, `{"name":"a","page":"p","x":1,"boats":[{"id":1,"x":1}]}`, nil},
		{
			"others are seen", false, true, 200, traced, `{"name":"a","page":"p","x/y":1,"boats":[{"id":1},{"id":1,"x":1}]}`,
			[]string{"/boats/1/x: the field is not declared", "/x~1y: the field is not declared"},
		},
		{"open objects", false, true, 200, traced, `{"name":"a","page":"p","notes":{"x":1},"other":{"x":1}}`, nil},
		{"once where the document says it", false, true, 200, traced, `{"name":"a","page":"p","rules":{"x":1}}`, []string{"/rules/x: unknown field x; known are a"}},
	} {
		c, err := Load([]byte(fleet), Options{Upstream: test.upstream, Closed: test.closed})
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		for h := range strings.SplitSeq(test.headers, "|") {
			name, value, _ := strings.Cut(h, ": ")
			header.Set(name, value)
		}
		var got []string
		for _, v := range c.Operation("getFleet").CheckResponse(test.status, header, []byte(test.body)) {
			got = append(got, Violations{v}.Error())
		}
		if diff := cmp.Diff(test.wantViolations, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	c, err := Load([]byte(fleet), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"captain": true, "password": true}, c.Secrets()); diff != "" {
		t.Error(diff)
	}
}
