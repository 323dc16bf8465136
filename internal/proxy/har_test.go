package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sharelinks "github.com/sharelinks-dev/sharelinks"
)

type pair struct{ Name, Value string }

// har is what the tests look at of a HAR file.
type har struct {
	Log struct {
		Version string
		Creator struct{ Name, Version string }
		Entries []struct {
			StartedDateTime time.Time
			Time            *float64
			Cache, Timings  map[string]any
			Request         struct {
				Method, URL, HTTPVersion string
				Cookies                  []any
				Headers, QueryString     []pair
				PostData                 struct{ MimeType, Text string }
				HeadersSize, BodySize    int
			}
			Response struct {
				Status                               int
				StatusText, HTTPVersion, RedirectURL string
				Cookies                              []any
				Headers                              []pair
				Content                              struct {
					Size           int
					MimeType, Text string
				}
			}
		}
	}
}

func readHAR(t *testing.T, path string) har {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var h har
	if err := json.Unmarshal(b, &h); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return h
}

func newFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "record.har"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// The record has the exchanges, and neither a key nor a token, wherever they were: in a path, a query, a header, under
// declared names, under others, within other texts.
func TestRecordHasNoSecrets(t *testing.T) {
	t.Parallel()
	const (
		session = "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl"
		cookie  = "0123456789-session-of-a-browser"
		other   = "a-secret-of-another-operation"
		partial = "V1StGXR8" // of the token
	)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Set-Cookie", "s="+cookie)
		h.Set("X-Link", "https://links.example.com/share/"+token)
		h.Set("X-Plain", "plain")
		body := `{"sessionToken":"` + session + `","expiresAt":"2026-04-20T11:00:00.000Z","personaId":"` + id + `","personaName":"Cara",` +
			`"extra":{"apiKey":"` + key + `","note":"with \u0056` + token[1:] + ` and sh_2kL9pQxYzR4vN8mBwHfJc","` + session + `":[1.50,null,true]}}`
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1/share-links"):
			body = page(withPersona())
		case strings.HasPrefix(r.URL.Path, "/other"):
			h.Set("Location", "/share/"+token)
			body = `{"anything":"` + other + `"}`
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(upstream.Close)
	file := newFile(t)
	_, s := start(t, Options{
		Upstream: parse(t, upstream.URL), Contract: load(t, true), Record: file, Now: func() time.Time { return epoch },
	})
	before := readHAR(t, file.Name())
	ask(t, s, "POST /v1/share/"+token+"/sessions", `{"note":"my key is `+key+`","password":12345678901,"secret":["`+other+`"]}`)
	ask(t, s, "GET /v1/share-links?search="+partial+"&page=1", "")
	ask(t, s, "GET /v1/share-links?page=1&x="+token, "")
	ask(t, s, "POST /other/"+other+"?x="+other, `{"x":"`+other+`"}`)
	ask(t, s, "POST /v1/share/"+token+"/sessions", "not JSON "+other)

	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, partial, key, session, cookie, other, "sh_2k", "12345678901"} {
		if i := strings.Index(string(text), secret); i >= 0 {
			t.Errorf("%s is in the record: ...%s", secret, text[max(0, i-100):i])
		}
	}
	h := readHAR(t, file.Name())
	if len(before.Log.Entries) != 0 || h.Log.Version != "1.2" || len(h.Log.Entries) != 5 {
		t.Fatalf("%+v", h)
	}
	first, other1 := h.Log.Entries[0], h.Log.Entries[3]
	for what, same := range map[string]string{
		first.Request.Method + " " + first.Request.URL: "POST " + upstream.URL + "/v1/share/.../sessions",
		first.Request.PostData.Text:                    `{"note":"my key is ...","password":"...","secret":["..."]}`,
		first.Response.Content.Text: `{"expiresAt":"2026-04-20T11:00:00.000Z","extra":{"...":[1.50,null,true],"apiKey":"...","note":"with ... and sh_..."},` +
			`"personaId":"` + id + `","personaName":"Cara","sessionToken":"..."}`,
		first.StartedDateTime.String():   epoch.String(),
		h.Log.Entries[1].Request.URL:     upstream.URL + "/v1/share-links?page=1&search=...",
		h.Log.Entries[2].Request.URL:     upstream.URL + "/v1/share-links?page=1&x=...",
		other1.Request.URL:               upstream.URL + "/other/*?x=...",
		other1.Response.Content.Text:     "",
		h.Log.Entries[4].Request.URL:     upstream.URL + "/v1/share/.../sessions",
		other1.Request.Headers[0].Name:   "Accept-Encoding",
		first.Response.Content.MimeType:  "application/json",
		first.Response.StatusText:        "OK",
		h.Log.Creator.Name:               "sharelinks proxy",
		headers(first.Response.Headers):  "Content-Length Content-Type=application/json Date Set-Cookie=... X-Link=https://links.example.com/share/... X-Plain=plain",
		headers(first.Request.Headers):   "Accept-Encoding Authorization=... Content-Length Content-Type=application/json User-Agent",
		headers(other1.Response.Headers): "Content-Length Content-Type=... Date Location=... Set-Cookie=... X-Link=... X-Plain=...",
	} {
		if diff := cmp.Diff(same, what); diff != "" {
			t.Error(diff)
		}
	}
	if first.Time == nil || first.Cache == nil || first.Timings["wait"] == nil || first.Request.Cookies == nil || first.Response.Content.Size == 0 {
		t.Errorf("not HAR 1.2: %+v", first)
	}
}

// headers returns names and values, without the values that differ from run to run.
func headers(pairs []pair) string {
	var words []string
	for _, p := range pairs {
		if word := p.Name; word == "Date" || word == "Content-Length" || word == "User-Agent" || word == "Accept-Encoding" {
			words = append(words, word)
		} else {
			words = append(words, word+"="+p.Value)
		}
	}
	return strings.Join(words, " ")
}

// The file is whole after each exchange, so that a process which is killed leaves a HAR.
// An exchange with very many secrets is recorded without any value: to look for each in every text takes too long.
func TestRecordOfManySecrets(t *testing.T) {
	t.Parallel()
	for n, kept := range map[int]bool{maxSecrets - 10: true, maxSecrets + 10: false} {
		var body strings.Builder
		for i := range n {
			fmt.Fprintf(&body, `"token%d":"a-secret-%d-a",`, i, i)
		}
		file := newFile(t)
		_, s := start(t, Options{
			Upstream: reply{200, "X-Plain: of a value", "{" + body.String() + `"plain":"` + strings.Repeat("a-secret-7-a", 2) + `"}`}.server(t, true),
			Contract: load(t, true), Record: file,
		})
		ask(t, s, get, "")
		got := readHAR(t, file.Name()).Log.Entries[0].Response
		if strings.Contains(fmt.Sprint(got), "a-secret") || (got.Content.Text != "") != kept || strings.Contains(fmt.Sprint(got.Headers), "of a value") != kept {
			t.Errorf("of %d secrets: %.300v", n, got)
		}
	}
}

func TestRecordIsAlwaysWhole(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	p, s := start(t, Options{Upstream: reply{201, "", link()}.server(t, false), Contract: load(t, false), Record: file})
	for i := range 3 {
		if got := len(readHAR(t, file.Name()).Log.Entries); got != i {
			t.Errorf("%d entries after %d exchanges", got, i)
		}
		ask(t, s, create, wanted)
	}
	p.recorder.max = 0
	ask(t, s, create, wanted)
	if got := len(readHAR(t, file.Name()).Log.Entries); got != 3 || !strings.Contains(p.Summary(), "     1 x no room in the record, which is at most 0 bytes\n") {
		t.Errorf("%d entries, %s", got, p.Summary())
	}
	if p.RecordError() != nil {
		t.Error(p.RecordError())
	}
}

// fullDisk takes a number of writes.
type fullDisk int

var errFull = errors.New("no space left")

func (f *fullDisk) WriteAt(b []byte, _ int64) (int, error) {
	if *f--; *f < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// A disk that is full is no reason not to forward. The first error is kept.
func TestRecordBreaksOff(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{Upstream: parse(t, "http://x"), Contract: load(t, true), Record: new(fullDisk)}); !errors.Is(err, errFull) {
		t.Error(err)
	}
	disk := fullDisk(1)
	p, s := start(t, Options{Upstream: reply{201, "", link()}.server(t, false), Contract: load(t, true), Record: &disk})
	for range 2 {
		if response, got := ask(t, s, create, wanted); response.StatusCode != 201 || got != link() {
			t.Errorf("%d %s", response.StatusCode, got)
		}
	}
	if !errors.Is(p.RecordError(), errFull) || disk != -1 {
		t.Errorf("%v after %d", p.RecordError(), disk)
	}
}

// Whatever has the name of a secret in the document is marked, and the search, in which people look for tokens.
func TestSecretsAreMarked(t *testing.T) {
	t.Parallel()
	c := load(t, true)
	names := map[string]bool{"search": true}
	var visit func(node any)
	visit = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, v := range node {
				visit(v)
			}
		case map[string]any:
			properties, _ := node["properties"].(map[string]any)
			for name := range properties {
				names[name] = names[name] || secretName.MatchString(name)
			}
			if name, isParam := node["name"].(string); isParam && node["in"] != "header" {
				names[name] = names[name] || secretName.MatchString(name)
			}
			for _, v := range node {
				visit(v)
			}
		}
	}
	visit(decode(sharelinks.SpecJSON()))
	maps.DeleteFunc(names, func(_ string, secret bool) bool { return !secret })
	if diff := cmp.Diff(names, c.Secrets()); diff != "" || len(names) < 3 {
		t.Errorf("%v: %s", names, diff)
	}
}
