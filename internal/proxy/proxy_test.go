package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	id    = "0197aa55-2500-73e6-bede-75f926d0d51e"
	token = "V1StGXR8_Z5jdHi6B-myT" // as those of Anam: it has no prefix
	key   = "a-key-of-anam-0123456789"
)

// load returns the contract of this module, as sharelinks proxy loads it.
func load(t *testing.T, upstream bool) *contract.Contract {
	t.Helper()
	c, err := contract.Load(sharelinks.SpecJSON(), contract.Options{
		Formats: map[string]contract.Format{"origin": sharelink.CheckOrigin}, Closed: true, Upstream: upstream,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reply is what a server answers.
type reply struct {
	status int
	header string // "Name: value|Name: value", in front of those of an honest server
	body   string
}

// link returns a share link as our server shows it, with other or no fields.
func link(changes ...string) string {
	fields := map[string]any{
		"id": id, "token": token, "type": "LINK", "expiresAt": nil, "usageLimit": 10, "usageCount": 0, "allowedOrigins": []string{},
		"allowAllOrigins": false, "removeWatermark": false, "enabled": true, "isPrimary": false, "createdAt": "2026-04-20T10:00:00.000Z",
		"url": "https://links.example.com/share/" + token, "label": "",
	}
	for _, c := range changes {
		name, value, given := strings.Cut(c, ": ")
		if fields[name] = json.RawMessage(value); !given {
			delete(fields, name)
		}
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const personal = `personaId: "` + id + `"`

// withPersona returns a link as a list shows it.
func withPersona(changes ...string) string {
	return link(append([]string{personal, `personaName: "Cara"`, `organizationId: "` + id + `"`}, changes...)...)
}

func page(links ...string) string {
	return `{"data":[` + strings.Join(links, ",") + `],"meta":{"total":2,"lastPage":1,"currentPage":1,"perPage":20,"prev":null,"next":null}}`
}

// server answers every request with the reply, and what our server adds to each unless bare.
func (r reply) server(t *testing.T, bare bool) *url.URL {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		if !bare {
			h.Set("X-Request-Id", "1")
			h.Set("Idempotency-Key-Window", "86400")
			h.Set("Location", "/v1/share-links/"+id)
			h.Set("Allow", "GET, HEAD, POST")
		}
		for line := range strings.SplitSeq(r.header, "|") {
			if name, value, ok := strings.Cut(line, ": "); ok && value == "" {
				h.Del(name)
			} else if ok {
				h.Set(name, value)
			}
		}
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, r.body)
	}))
	t.Cleanup(s.Close)
	return parse(t, s.URL)
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// start returns a proxy and a client of it.
func start(t *testing.T, o Options) (*Proxy, *httptest.Server) {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return p, s
}

// ask sends "METHOD path" with a body of JSON and returns the response with its body.
func ask(t *testing.T, s *httptest.Server, request, body string) (*http.Response, string) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(got)
}

const (
	create = "POST /v1/share-links"
	get    = "GET /v1/share-links/" + id
	list   = "GET /v1/share-links?perPage=20"
	people = "GET /v1/personas?search=ada"
	wanted = `{"personaId":"` + id + `"}`
	nest   = `{"statusCode":404,"message":"Share link not found","error":"Not Found"}`
)

// A lying server, and a careless client: each drift is planted alone, and is all that is reported.
func TestPlantedDrifts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request, sent string
		reply         reply
		want          string // of the profile strict; nothing is reported if it is ""
		upstream      string // of the profile upstream, if it is another; "-" is nothing
	}{
		"honest create":   {create, wanted, reply{201, "", link()}, "", ""},
		"honest list":     {list, "", reply{200, "", page(withPersona(), withPersona())}, "", ""},
		"honest personas": {people, "", reply{200, "", page(`{"id":"` + id + `","name":"Ada"}`)}, "", ""},
		"more of a persona": {
			people, "",
			reply{200, "", page(`{"id":"` + id + `","name":"Ada","brain":{}}`)},
			"response listPersonas 200 /data/*/brain: the field is not declared", "",
		},
		"a list that does not say what the key may": {
			list, "",
			reply{200, "Allow: ", page()},
			"response listShareLinks 200 header Allow: is missing", "-",
		},
		"undeclared field": {
			create, wanted,
			reply{201, "", link(`views: 3`)},
			"response createShareLink 201 /views: the field is not declared", "",
		},
		"undeclared field in a list": {
			list, "",
			reply{200, "", page(withPersona(`persona: {"id":1}`), withPersona(`persona: 2`))},
			"response listShareLinks 200 /data/*/persona: the field is not declared", "",
		},
		"undeclared status": {
			create, wanted,
			reply{202, "", link()},
			"response createShareLink 202: 202 is not a status of createShareLink", "",
		},
		"wrong type": {
			create, wanted,
			reply{201, "", link(`usageCount: "3"`)},
			"response createShareLink 201 /usageCount: must be a whole number of at least 0, not this text", "",
		},
		"out of range": {
			create, wanted,
			reply{201, "", link(`usageCount: -1`)},
			"response createShareLink 201 /usageCount: must be a whole number of at least 0, not -1", "",
		},
		"missing field": {
			create, wanted,
			reply{201, "", link(`token`)},
			"response createShareLink 201 /token: is required: text", "",
		},
		"missing field behind a missing addition": {
			list, "",
			reply{200, "", page(withPersona(`url`, `personaName`))},
			"response listShareLinks 200 /data/*/personaName: is required: text\nresponse listShareLinks 200 /data/*/url: is required: text in the format uri",
			"response listShareLinks 200 /data/*/personaName: is required: text",
		},
		"missing header": {
			"GET /v1/share-links/" + id, "",
			reply{429, "Content-Type: application/problem+json", `{"type":"about:blank","title":"t","status":429,"detail":"d","instance":"1","error":"e","message":"d"}`},
			"response getShareLink 429 header Retry-After: is missing", "",
		},
		"missing headers of ours": {
			create, wanted,
			reply{201, "X-Request-Id: |Idempotency-Key-Window: |Location: ", link()},
			"response createShareLink 201 header Idempotency-Key-Window: is missing\nresponse createShareLink 201 header Location: is missing\nresponse createShareLink 201 header X-Request-Id: is missing", "-",
		},
		"missing url": {
			create, wanted,
			reply{201, "", link(`url`)},
			"response createShareLink 201 /url: is required: text in the format uri", "-",
		},
		"error that is no problem": {
			get, "",
			reply{404, "", nest},
			`response getShareLink 404 header Content-Type: "application/json" is not a content type of status 404`, "-",
		},
		"problem with a field missing": {
			get, "",
			reply{404, "Content-Type: application/problem+json", `{"type":"about:blank","title":"T","status":404,"detail":"D","error":"E","message":"D"}`},
			"response getShareLink 404 /instance: is required: text", "-",
		},
		"content type": {
			create, wanted,
			reply{201, "Content-Type: text/html; charset=utf-8", "<p>"},
			`response createShareLink 201 header Content-Type: "text/html" is not a content type of status 201`, "",
		},
		"unknown enum value": {
			create, wanted,
			reply{201, "", link(`type: "WIDGET"`)},
			"response createShareLink 201 /type: must be one of LINK, PLAYER_EMBED, ORB_EMBED, not this text", "",
		},
		"date that is none": {
			create, wanted,
			reply{201, "", link(`createdAt: "yesterday"`)},
			"response createShareLink 201 /createdAt: must be text in the format date-time, not this text", "",
		},
		"id that is none": {
			create, wanted,
			reply{201, "", link(`id: "7"`)},
			"response createShareLink 201 /id: must be a UUID such as 00000000-0000-0000-0000-000000000000, not this text", "",
		},
		"null": {
			create, wanted,
			reply{201, "", link(`allowedOrigins: null`)},
			"response createShareLink 201 /allowedOrigins: must be a list, not null", "",
		},
		"not JSON": {
			create, wanted,
			reply{201, "", `{"id":`},
			"response createShareLink 201 body: the body is not one well-formed JSON value at byte 6", "",
		},
		"no body": {
			create, wanted,
			reply{201, "", ""},
			"response createShareLink 201 body: the body is not one well-formed JSON value at byte 0", "",
		},
		"undeclared operation": {
			"PATCH /v1/personas/" + id + "/" + token, "",
			reply{200, "", `{}`},
			"request PATCH /v1/personas/*/*: is not an operation of the contract", "",
		},
		"request with an unknown field": {
			create, `{"personaId":"` + id + `","maxUses":3}`,
			reply{201, "", link()},
			"request createShareLink /maxUses: unknown field maxUses; did you mean usageLimit?", "",
		},
		"request without a field": {
			create, `{}`,
			reply{201, "", link()},
			"request createShareLink /personaId: is required: a UUID such as 00000000-0000-0000-0000-000000000000", "",
		},
		"request with an unknown parameter": {
			"GET /v1/share-links?limit=5", "",
			reply{200, "", page()},
			"request listShareLinks query limit: unknown query parameter limit; did you mean perPage?", "",
		},
		"request with an id that is none": {
			"GET /v1/share-links/7", "",
			reply{200, "", withPersona()},
			"request getShareLink path id: must be a UUID such as 00000000-0000-0000-0000-000000000000", "",
		},
		"request that is too large": {
			create, `{"personaId":"` + id + `"` + strings.Repeat(" ", 64<<10) + `}`,
			reply{201, "", link()},
			"request createShareLink body: is larger than 65536 bytes", "",
		},
	} {
		for _, upstream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/upstream=%v", name, upstream), func(t *testing.T) {
				t.Parallel()
				var out, log bytes.Buffer
				p, s := start(t, Options{Upstream: test.reply.server(t, false), Contract: load(t, upstream), Out: &out, Log: &log})
				for range 2 { // the second time prints nothing
					if response, got := ask(t, s, test.request, test.sent); response.StatusCode != test.reply.status || got != test.reply.body {
						t.Errorf("the answer was changed: %d %s", response.StatusCode, got)
					}
				}
				want := test.want
				if upstream && test.upstream != "" {
					want = strings.TrimPrefix(test.upstream, "-")
				}
				if diff := cmp.Diff(want, strings.TrimSpace(out.String())); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				for _, d := range p.Drifts() {
					if d.Count != 2 || d.Operation == "" || (d.Direction == Request) == (d.Status != 0) {
						t.Errorf("%+v", d)
					}
				}
				if log.Len() > 0 {
					t.Errorf("not checked: %s", &log)
				}
			})
		}
	}
}

// What Anam answers, by its documentation, is no drift: no headers of ours, no url, no label, organizations whose ids are no UUIDs,
// errors as NestJS has them.
func TestAnswersOfAnam(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request, sent string
		reply         reply
		strict        int // drifts
	}{
		"create": {create, wanted, reply{201, "", link("url", "label")}, 5},
		"list":   {list, "", reply{200, "", page(withPersona("url", "label", `organizationId: "Uakgb_J5m9g-0JDMbcJqL"`))}, 5},
		"delete": {"DELETE /v1/share-links/" + id, "", reply{200, "", `{"message":"Share link deleted"}`}, 2},
		"error":  {get, "", reply{404, "", nest}, 3},
		"HEAD":   {"HEAD /v1/share-links/" + id, "", reply{200, "", ""}, 2},
	} {
		for _, upstream := range []bool{true, false} {
			p, s := start(t, Options{Upstream: test.reply.server(t, true), Contract: load(t, upstream)})
			ask(t, s, test.request, test.sent)
			if got := p.Drifts(); upstream && len(got) != 0 || !upstream && len(got) != test.strict {
				t.Errorf("%s, upstream %v: %v", name, upstream, got)
			}
		}
	}
}

// boats is the contract of another service: what the proxy knows of operations is in the document alone.
const boats = `
openapi: 3.0.3
info: { title: Boats, version: 1.0.0 }
paths:
  /boats/{key}:
    put:
      operationId: paintBoat
      parameters: [{ name: key, in: path, required: true, x-secret: true, schema: { type: string } }]
      requestBody: { content: { application/json: { schema: { type: object, properties: { color: { type: string } } } } } }
      responses:
        '200': { description: Painted, content: { application/json: { schema: { type: object, properties: { coats: { type: integer } } } } } }
        '204': { description: It was }
        '304': { description: Not painted }
`

func loadBoats(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Load([]byte(boats), contract.Options{Closed: true, MaxBody: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnyContract(t *testing.T) {
	t.Parallel()
	for r, want := range map[reply]string{
		{200, "", `{"coats":2}`}:                           "",
		{200, "", `{"coats":"two","day":1}`}:               "response paintBoat 200 /coats: must be a whole number, not this text\nresponse paintBoat 200 /day: the field is not declared",
		{204, "Content-Type: |Content-Encoding: gzip", ""}: "",
		{304, "Content-Type: |Content-Encoding: gzip", ""}: "",
	} {
		var out, log bytes.Buffer
		_, s := start(t, Options{Upstream: r.server(t, true), Contract: loadBoats(t), Out: &out, Log: &log})
		ask(t, s, "PUT /boats/7", `{"color":"red"}`)
		if got := strings.TrimSpace(out.String()); got != want || log.Len() > 0 {
			t.Errorf("%v: %s, want %s; not checked: %s", r, got, want, &log)
		}
	}
}

// raw sends bytes to an address and returns the bytes that come back until the connection is closed.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// listen answers each connection with these bytes once it has read a request that ends so, and keeps what it read.
func listen(t *testing.T, end, answer string) (*url.URL, func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	var read strings.Builder
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 1)
			mu.Lock()
			for !strings.HasSuffix(read.String(), end) {
				if _, err := conn.Read(b); err != nil {
					break
				}
				read.Write(b)
			}
			mu.Unlock()
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	return parse(t, "http://"+l.Addr().String()+"/base"), func() string {
		mu.Lock()
		defer mu.Unlock()
		return read.String()
	}
}

// sorted returns the lines of a message with its headers in one order: Go sends them in another.
func sorted(message string) string {
	head, body, _ := strings.Cut(message, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n") + "\n\n" + body
}

// Everything arrives as it was sent, and nothing is added: not even what httputil and net/http add on their own.
func TestForwardsUntouched(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ sent, arrived, answer, got string }{
		"bare": {
			"GET /v1/share/a%2Fb?x=1;y=%zz&&z HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n",
			"GET /base/v1/share/a%2Fb?x=1;y=%zz&&z HTTP/1.1\r\nHost: HOST\r\n\r\n",
			"HTTP/1.1 299 Hm\r\nContent-Length: 15\r\n\r\n<html>odd</html",
			"HTTP/1.1 299 status code 299\r\nConnection: close\r\nContent-Length: 15\r\n\r\n<html>odd</html",
		},
		"headers": {
			"POST /v1/share-links HTTP/1.1\r\nHost: p\r\nConnection: close\r\nAccept-Encoding: gzip, br\r\nAuthorization: Bearer k\r\n" +
				"Content-Length: 11\r\nContent-Type: text/odd\r\nCookie: a=b\r\nForwarded: for=1\r\nX-Forwarded-For: 1, 2\r\nX-Forwarded-Host: h\r\n" +
				"X-Forwarded-Proto: p\r\nUser-Agent: me\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n{\"a\": 1.0 }",
			"POST /base/v1/share-links HTTP/1.1\r\nHost: HOST\r\nAccept-Encoding: gzip, br\r\nAuthorization: Bearer k\r\n" +
				"Content-Length: 11\r\nContent-Type: text/odd\r\nCookie: a=b\r\nForwarded: for=1\r\nX-Forwarded-For: 1, 2\r\nX-Forwarded-Host: h\r\n" +
				"X-Forwarded-Proto: p\r\nUser-Agent: me\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n{\"a\": 1.0 }",
			"HTTP/1.1 500 Internal Server Error\r\nContent-Encoding: odd\r\nContent-Length: 3\r\nContent-Type: a/b\r\nDate: today\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n\x00\xff\n",
			"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Encoding: odd\r\nContent-Length: 3\r\nContent-Type: a/b\r\nDate: today\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n\x00\xff\n",
		},
		"chunked": {
			"POST /v1/share-links HTTP/1.1\r\nHost: p\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			"POST /base/v1/share-links HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			"HTTP/1.1 201 Created\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		},
		"HEAD": {
			"HEAD /v1/share-links HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n",
			"HEAD /base/v1/share-links HTTP/1.1\r\nHost: HOST\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 7000\r\n\r\n",
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7000\r\n\r\n",
		},
		"early hints": {
			"GET /v1/share-links HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n",
			"GET /base/v1/share-links HTTP/1.1\r\nHost: HOST\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, end, _ := strings.Cut(test.arrived, "\r\n\r\n")
			upstream, read := listen(t, "\r\n\r\n"+end, test.answer)
			_, s := start(t, Options{Upstream: upstream, Contract: load(t, false)})
			got := raw(t, s.Listener.Addr().String(), test.sent)
			if diff := cmp.Diff(sorted(test.got), sorted(got)); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(sorted(strings.Replace(test.arrived, "HOST", upstream.Host, 1)), sorted(read())); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// A body is forwarded whole, whatever its size, and one that breaks off breaks off.
func TestLargeAndBrokenBodies(t *testing.T) {
	t.Parallel()
	large := `"` + strings.Repeat("x", maxChecked) + `"`
	var arrived string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		arrived = string(b)
		w.Header().Set("Content-Type", "application/json")
		if r.URL.RawQuery != "" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"coats":`)
			return
		}
		_, _ = w.Write(b)
	}))
	t.Cleanup(upstream.Close)
	var log bytes.Buffer
	p, s := start(t, Options{Upstream: parse(t, upstream.URL), Contract: loadBoats(t), Log: &log})
	for range 2 {
		if _, got := ask(t, s, "PUT /boats/7", large); got != large || arrived != large {
			t.Errorf("%d bytes arrived and %d came back of %d", len(arrived), len(got), len(large))
		}
	}
	if d := p.Drifts(); d != nil {
		t.Errorf("it was checked: %v", d)
	}
	want := "request paintBoat body: is larger than 1048576 bytes, or broke off, and is not checked\n" +
		"response paintBoat 200 body: is larger than 1048576 bytes, or broke off, and is not checked\n"
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Error(diff)
	}

	response, err := s.Client().Get(s.URL + "/boats/7?broken")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if !errors.Is(err, io.ErrUnexpectedEOF) || string(got) != `{"coats":` {
		t.Errorf("%q, %v", got, err)
	}
}

func TestEncodedBodies(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(w, `{"coats":"two"}`)
	_ = w.Close()
	var bomb bytes.Buffer
	w.Reset(&bomb)
	_, _ = w.Write(make([]byte, maxChecked+1))
	_ = w.Close()
	for _, test := range []struct{ encoding, body, drift, unchecked string }{
		{"gzip", zipped.String(), "response paintBoat 200 /coats: must be a whole number, not this text\n", ""},
		{"gzip", bomb.String(), "", "response paintBoat 200 body: is larger than 1048576 bytes, or broke off, and is not checked\n"},
		{"gzip", "no", "", "response paintBoat 200 body: is not gzip, as it says, and is not checked\n"},
		{"br", "no", "", `response paintBoat 200 body: is encoded as "br" and is not checked` + "\n"},
	} {
		var out, log bytes.Buffer
		_, s := start(t, Options{
			Upstream: reply{200, "Content-Encoding: " + test.encoding, test.body}.server(t, true), Contract: loadBoats(t), Out: &out, Log: &log,
		})
		r, _ := http.NewRequestWithContext(t.Context(), "PUT", s.URL+"/boats/7", nil)
		r.Header.Set("Accept-Encoding", "br") // or the client takes the gzip off
		response, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if string(got) != test.body || out.String() != test.drift || log.String() != test.unchecked {
			t.Errorf("%s: %d bytes, drift %s, unchecked %s", test.encoding, len(got), &out, &log)
		}
	}
}

func TestUpstreamIsUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	p, s := start(t, Options{Upstream: parse(t, "http://"+l.Addr().String()), Contract: load(t, true)})
	response, body := ask(t, s, get, "")
	var problem struct {
		Status          int
		Detail, Message string
	}
	if err := json.Unmarshal([]byte(body), &problem); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 502 || response.Header.Get("Content-Type") != "application/problem+json" || problem.Status != 502 ||
		problem.Message != problem.Detail || !strings.HasPrefix(problem.Detail, "this is sharelinks proxy: "+l.Addr().String()+" did not answer: ") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if got := p.Drifts(); got != nil || !strings.Contains(p.Summary(), "exchanges: 1, of which the upstream did not answer 1\n") {
		t.Errorf("%v, %s", got, p.Summary())
	}
}

// An upstream that hands its connection over, or repeats a header where none should be, did not answer.
func TestUpstreamDoesNotAnswerAsItShould(t *testing.T) {
	t.Parallel()
	for answer, says := range map[string]string{
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n": "it switches to another protocol",
		"HTTP/1.1 200 OK\r\nAuthorization KEY\r\n\r\n":                                  `missing colon: \"Authorization Bearer ...\"`,
	} {
		closed := make(chan struct{})
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, strings.ReplaceAll(answer, "KEY", r.Header.Get("Authorization")))
			_, _ = io.Copy(io.Discard, conn) // until the proxy closes it
			_ = conn.Close()
			close(closed)
		}))
		t.Cleanup(upstream.Close)
		_, s := start(t, Options{Upstream: parse(t, upstream.URL), Contract: load(t, true)})
		r, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/v1/share-links", nil)
		r.Header.Set("Authorization", "Bearer a-key-of-the-client")
		response, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 502 || !strings.Contains(string(body), says) || strings.Contains(string(body), "a-key-of") {
			t.Errorf("%d %s", response.StatusCode, body)
		}
		<-closed
	}
}

// What differs in a value only is one drift, and counts once a message.
func TestDriftsAreToldApart(t *testing.T) {
	t.Parallel()
	r := newReport(nil)
	for range 2 {
		for _, detail := range []string{"must be A, not 1", "must be A, not this text", "is missing", "broken at byte 7", "broken at byte 81"} {
			r.add(Drift{Place: "/a", Detail: detail}, Drift{Place: "/a", Detail: detail})
		}
		r.add(Drift{Place: "/b", Detail: "is missing"})
	}
	got := []string{}
	list, _ := r.kept()
	for _, d := range list {
		got = append(got, fmt.Sprintf("%d %s: %s", d.Count, d.Place, d.Detail))
	}
	want := []string{"4 /a: must be A, not 1", "2 /a: is missing", "4 /a: broken at byte 7", "2 /b: is missing"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReportIsBounded(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := newReport(&out)
	for i := range maxDrifts + 5 {
		r.add(Drift{Direction: Response, Operation: "o", Place: "/" + strings.Repeat("x", i), Detail: "d"})
		r.add(Drift{Direction: Response, Operation: "o", Place: "/", Detail: "d"})
	}
	list, more := r.kept()
	if len(list) != maxDrifts || more != 5 || strings.Count(out.String(), "\n") != maxDrifts || len(r.index) != maxDrifts {
		t.Errorf("%d kept, %d more, %d printed", len(list), more, strings.Count(out.String(), "\n"))
	}
	summary := (&Proxy{drifts: r, unchecked: newReport(nil)}).Summary()
	for _, want := range []string{
		"exchanges: 0, of which the upstream did not answer 0\ndrifts: 0 of requests, 1000 of responses\n",
		"\n  1006 x response o /: d\n", "\n     1 x response o /x: d\n", "\n     5 x drifts beyond the first 1000, not told apart\n",
	} {
		if !strings.Contains(summary, want) {
			t.Errorf("%q is missing in the summary", want)
		}
	}
}

func TestFoldPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/":                             "/",
		"/v1/auth/session-token":        "/v1/auth/session-token",
		"/v1/personas/" + id:            "/v1/personas/*",
		"/share/" + token + "/x":        "/share/*/x",
		"/share/abcdefghijklmnopqrstu":  "/share/*",
		strings.Repeat("/a\n", 1000):    strings.Repeat("/*", 9),
		"/v1/share-links/sh_2kL9pQxYzR": "/v1/share-links/*",
	} {
		if got := foldPath(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

// Many clients at once: for the race detector, and the counts must be right.
func TestConcurrentExchanges(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "a.har"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	p, s := start(t, Options{Upstream: reply{201, "", link("views: 1")}.server(t, false), Contract: load(t, false), Record: file})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				ask(t, s, create, wanted)
			}
		})
	}
	all.Wait()
	if got := p.Drifts(); len(got) != 1 || got[0].Count != 80 || len(readHAR(t, file.Name()).Log.Entries) != 80 {
		t.Errorf("%v", got)
	}
}

// A client that hangs up is no failure of the proxy.
func TestClientHangsUp(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	t.Cleanup(upstream.Close)
	p, s := start(t, Options{Upstream: parse(t, upstream.URL), Contract: load(t, true)})
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/v1/share-links", nil)
	go func() { <-asked; cancel() }()
	if _, err := s.Client().Do(r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.Close() // waits for the handler
	if got := p.Drifts(); got != nil {
		t.Error(got)
	}
}

var epoch = time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)
