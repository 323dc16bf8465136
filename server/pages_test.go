package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

func TestContractIsServed(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	if a := ts.send("GET", "/openapi.yaml", "", "Authorization: ").want(200); !bytes.Equal(a.body, sharelinks.Spec()) {
		t.Error("/openapi.yaml is not the file that was embedded")
	}
	a := ts.send("GET", "/openapi.json", "", "Authorization: ").want(200)
	if a.object()["openapi"] != "3.0.3" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %.100s", a.header, a.body)
	}
	if a := ts.send("HEAD", "/openapi.json", "").want(200); len(a.body) != 0 {
		t.Error("HEAD has a body")
	}
}

// The docs page and all it loads come from the server itself: it works without a network.
func TestDocsWorkOffline(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	if l := ts.send("GET", "/", "").want(302).header.Get("Location"); l != "/docs" {
		t.Errorf("/ leads to %q", l)
	}
	a := ts.send("GET", "/docs", "").want(200)
	if !strings.Contains(string(a.body), "/openapi.json") {
		t.Error("the page does not load the contract")
	}
	policy := a.policy()
	for name, want := range map[string]string{
		"frame-ancestors": "'none'", "connect-src": "'self'", "img-src": "'self' data:",
		"script-src": `'self'( 'sha256-[^' ]+')+`, "style-src": `'self'( 'sha256-[^' ]+')+`,
	} {
		if !regexp.MustCompile("^" + want + "$").MatchString(policy[name]) {
			t.Errorf("%s %s, want %s", name, policy[name], want)
		}
	}
	if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", a.header)
	}
	loaded := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(a.body, -1)
	if len(loaded) < 3 {
		t.Fatalf("the page loads nothing: %s", a.body)
	}
	for _, m := range loaded {
		src := string(m[1])
		if !strings.HasPrefix(src, "/docs/") {
			t.Errorf("the page loads %s from elsewhere", src)
			continue
		}
		if a := ts.send("GET", src, "").want(200); a.policy()["frame-ancestors"] != "'none'" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", src, a.header)
		}
	}
}

// Every code has its row, and every row its response in the contract, which has no others. A 405 is no operation's.
func TestEveryKindIsInTheContract(t *testing.T) {
	t.Parallel()
	declared := map[string]bool{}
	for _, path := range loadDocument(t).Paths.Map() {
		for _, op := range path.Operations() {
			for status, response := range op.Responses.Map() {
				if content := response.Value.Content["application/problem+json"]; content != nil {
					example := content.Example.(map[string]any)["type"].(string)
					declared[status+" "+example[strings.LastIndexByte(example, '/')+1:]] = true
					for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(*response.Value.Description, -1) {
						declared[status+" "+m[1]] = true
					}
				}
			}
		}
	}
	codes := map[sharelink.Code]bool{}
	for _, k := range kinds {
		codes[k.code] = true
		row := fmt.Sprint(k.status, " ", k.name)
		if !declared[row] && k.code != methodNotAllowed {
			t.Errorf("no response in openapi.yaml has the status and the problem type %s", row)
		}
		delete(declared, row)
	}
	for row := range declared {
		t.Errorf("openapi.yaml has the response %s, and the table kinds in problem.go has no such row", row)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/sharelink/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	commandOnly := sharelink.Conflict
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			code := sharelink.Code(strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
			if !codes[code] && code != commandOnly {
				t.Errorf("sharelink.%s has no row in the table kinds in problem.go", spec.Names[0].Name)
			}
		}
		return true
	})
}

func TestEveryProblemHasAPage(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	index := string(ts.send("GET", "/problems", "").want(200).body)
	for _, k := range kinds {
		if !strings.Contains(index, `href="problems/`+k.name+`"`) {
			t.Errorf("%s is not in the list", k.name)
		}
		a := ts.send("GET", "/problems/"+k.name, "").want(200)
		if !strings.Contains(string(a.body), k.title) || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %v", k.name, a.header)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, onSQLite(t))
	token := ts.create("")["token"].(string)
	ts.send("GET", "/v1/share-links?search="+token, "").want(200)
	ts.send("GET", "/v1/share-links/nope", "").want(400)
	ts.send("GET", "/nothing/"+token, "").want(404)
	m := string(ts.send("GET", "/metrics", "").want(200).body)
	for _, want := range []string{
		`sharelinks_requests_total{operation="createShareLink",status="201"} 1`,
		`sharelinks_requests_total{operation="getShareLink",status="400"} 1`,
		`sharelinks_requests_total{operation="none",status="404"} 1`,
		`sharelinks_request_duration_seconds_count{operation="listShareLinks"} 1`,
		`sharelinks_store_duration_seconds_count{operation="create_link"} 1`,
		`sharelinks_store_batch_writes_count`,
		`sharelinks_build_info{go="go1.`,
		`go_goroutines`,
	} {
		if !strings.Contains(m, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(m, token) || strings.Contains(m, ts.key) {
		t.Error("a metric has a secret")
	}
}

// A token in a path, a query, a body or a header's place, a key in the wrong one: none of them reaches the log.
func TestSecretsStayOutOfTheLogAndAnswers(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	token := ts.create("")["token"].(string)
	ts.send("GET", "/v1/share-links?search="+token, "").want(200)
	ts.send("GET", "/v1/share-links?"+token+"=1", "").want(400)
	ts.send("GET", "/v1/share-links/"+token, "").want(400)
	ts.send("GET", "/"+token, "").want(404)
	ts.send("GET", "/share/"+token+"/x", "").want(404)
	ts.send("POST", "/v1/share-links", `{"`+token+`":1,"usageLimit":"`+ts.key+`"}`).want(400)
	ts.send("GET", "/v1/share-links", "", "Authorization: "+ts.key).want(401)
	ts.send("GET", "/v1/share-links", "", "X-Request-Id: "+ts.key).want(200)
	ts.send("POST", "/v1/share-links", `{"personaId":"`+cara+`"}`, "Idempotency-Key: "+token).want(201)
	for _, a := range []answer{
		ts.send("POST", "/v1/share-links", `{"`+token+`":1}`),
		ts.send("GET", "/v1/share-links?"+token+"=1", ""),
	} {
		if bytes.Contains(a.body, []byte(token)) {
			t.Errorf("an error repeats a token: %s", a.body)
		}
	}
	log := ts.log.String()
	if strings.Contains(log, token) || strings.Contains(log, ts.key) {
		t.Errorf("a secret is in the log:\n%s", log)
	}
	if lines := strings.Count(log, `"msg":"request"`); lines < 12 {
		t.Errorf("the log has only %d requests", lines)
	}
	line := map[string]any{}
	for l := range strings.Lines(log) {
		if strings.Contains(l, `"route":"/v1/share-links/:id"`) {
			if err := json.Unmarshal([]byte(l), &line); err != nil {
				t.Fatal(err)
			}
		}
	}
	if line["organization"] != "default" || line["method"] != "GET" || line["status"] != 400.0 || line["elapsed_ms"] == nil {
		t.Errorf("a line of the log: %v", line)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	if id := ts.send("GET", "/healthz", "", "X-Request-Id: my.own-id_7").header.Get("X-Request-Id"); id != "my.own-id_7" {
		t.Errorf("a good id was replaced by %q", id)
	}
	seen := map[string]bool{}
	for _, bad := range []string{"has space", strings.Repeat("x", 65), "quote\"", "é", ""} {
		id := ts.send("GET", "/healthz", "", "X-Request-Id: "+bad).header.Get("X-Request-Id")
		if !isRequestID(id) || id == bad || seen[id] {
			t.Errorf("%q became %q", bad, id)
		}
		seen[id] = true
	}
}
