package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/client"
)

const aPersona = "30fa96d0-26c4-4e55-94a0-517025942e18"

// ask runs a link command, without a terminal, against a server that answers with answer, whose n is the number of the request.
func ask(
	t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int), args ...string,
) (exit int, stdout, stderr string) {
	t.Helper()
	return askAt(t, 0, answer, args...)
}

// askAt is ask at a terminal of this width.
func askAt(
	t *testing.T, width int, answer func(w http.ResponseWriter, r *http.Request, n int), args ...string,
) (exit int, stdout, stderr string) {
	t.Helper()
	var n atomic.Int64
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, int(n.Add(1))) }))
	defer h.Close()
	var out, errs bytes.Buffer
	p := testProgram(&out, &errs)
	p.width = width
	p.getenv = func(name string) string { return map[string]string{serverVariable: h.URL, keyVariable: "a-key"}[name] }
	exit = p.run(t.Context(), append([]string{"link"}, args...))
	return exit, out.String(), errs.String()
}

func aLink(n int) string {
	return fmt.Sprintf(`{"id":"%08d-0000-0000-0000-000000000000","token":"sh_token-%d","type":"LINK","enabled":true,`+
		`"personaName":"Cara","hologram":{"depth":3}}`, n, n)
}

// A list fits the terminal: the address is whole however narrow that is, a persona's name is cut, and what is less is left out.
func TestLinkListFitsTheTerminal(t *testing.T) {
	t.Parallel()
	const links = `{"data":[
		{"id":"00000001-0000-0000-0000-000000000000","url":"https://links.example.com/share/sh_token-1","type":"LINK","enabled":true,
			"usageCount":3,"usageLimit":10,"personaName":"Übermäßig langer Name"},
		{"id":"00000002-0000-0000-0000-000000000000","token":"sh_2","type":"PLAYER_EMBED","enabled":false,"personaName":"Cara",
			"expiresAt":"2026-04-27T10:00:00.000Z"}
	],"meta":{"lastPage":1}}`
	list := func(width int, flags ...string) string {
		exit, stdout, stderr := askAt(t, width, func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = io.WriteString(w, links) },
			append([]string{"list"}, flags...)...)
		if exit != 0 || stderr != "" {
			t.Errorf("exit %d: %s", exit, stderr)
		}
		return stdout
	}
	const all = `
URL                                         STATUS    USES         PERSONA                EXPIRES                   TYPE          ID
https://links.example.com/share/sh_token-1  ACTIVE    3/10         Übermäßig langer Name  never                     LINK          00000001-0000-0000-0000-000000000000
https://lab.anam.ai/frame/sh_2              DISABLED  0/unlimited  Cara                   2026-04-27T10:00:00.000Z  PLAYER_EMBED  00000002-0000-0000-0000-000000000000
`
	for width, want := range map[int]string{
		10: `
URL
https://links.example.com/share/sh_token-1
https://lab.anam.ai/frame/sh_2
`,
		73: `
URL                                         STATUS    USES
https://links.example.com/share/sh_token-1  ACTIVE    3/10
https://lab.anam.ai/frame/sh_2              DISABLED  0/unlimited
`,
		80: `
URL                                         STATUS    USES         PERSONA
https://links.example.com/share/sh_token-1  ACTIVE    3/10         Übermäßig la…
https://lab.anam.ai/frame/sh_2              DISABLED  0/unlimited  Cara
`,
		120: `
URL                                         STATUS    USES         PERSONA                EXPIRES
https://links.example.com/share/sh_token-1  ACTIVE    3/10         Übermäßig langer Name  never
https://lab.anam.ai/frame/sh_2              DISABLED  0/unlimited  Cara                   2026-04-27T10:00:00.000Z
`,
		166:         all,
		math.MaxInt: all,
	} {
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), list(width)); diff != "" {
			t.Errorf("%d characters (-want +got):\n%s", width, diff)
		}
	}
	withLabels := strings.NewReplacer("  STATUS  ", "  LABEL  STATUS  ", "  ACTIVE ", "  -      ACTIVE ", "  DISABLED ", "  -      DISABLED ").Replace(all)
	if diff := cmp.Diff(strings.TrimPrefix(withLabels, "\n"), list(10, "--wide")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(list(0), list(80, "--json")); diff != "" || list(0, "--wide") != list(0) || !strings.HasPrefix(list(0), "[") {
		t.Error(diff)
	}
}

// A persona is named by its id, or by its whole name, in any case. Only a name is looked up.
func TestPersonaByName(t *testing.T) {
	t.Parallel()
	const first, other = aPersona, "00000000-0000-0000-0000-000000000007"
	persona := func(id, name string) string {
		text, _ := json.Marshal(map[string]string{"id": id, "name": name})
		return string(text)
	}
	many := func(n int, id func(int) string, name func(int) string) (list []string) {
		for i := range n {
			list = append(list, persona(id(i), name(i)))
		}
		return list
	}
	numbered := func(i int) string { return fmt.Sprintf("%08d-0000-0000-0000-000000000000", i) }
	for name, c := range map[string]struct {
		flag   string
		there  []string // the personas that a search finds, or all when it finds none
		all    bool     // whether the search finds none
		status int      // of the list of personas, if not 200
		want   string   // the id; or else
		exit   int
		says   string
	}{
		"id":               {flag: strings.ToUpper(first), status: 500, want: first},
		"name":             {flag: "Cara", there: []string{persona(other, "Cara Mia"), persona(first, "Cara")}, want: first},
		"in any case":      {flag: " ÇARA\t", there: []string{persona(first, " çara ")}, want: first},
		"on a later page":  {flag: "7", there: many(250, numbered, func(i int) string { return fmt.Sprint(i * 7 % 250) }), want: numbered(1)},
		"part of others'":  {flag: "ar", there: []string{persona(first, "Cara"), persona(other, "Bart, \x1b[2J\n2nd")}, exit: 3, says: `sharelinks: --persona: none is called "ar"; there are "Cara", "Bart, \x1b[2J\n2nd"` + "\nhint: an id will do too; "},
		"none like it":     {flag: "Dora", there: many(23, numbered, func(i int) string { return fmt.Sprint("P", i) }), all: true, exit: 3, says: `none is called "Dora"; there are "P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9" and 13 more` + "\n"},
		"none at all":      {flag: "Dora", all: true, exit: 3, says: `none is called "Dora"; there are none` + "\n"},
		"several":          {flag: "cara", there: []string{persona(first, "Cara"), persona(other, "CARA"), persona(numbered(1), "Cara 2")}, exit: 2, says: `--persona: 2 are called "cara": ` + first + ", " + other + "\nhint: give the id"},
		"very many":        {flag: "x", there: many(30, numbered, func(int) string { return "X" }), exit: 2, says: numbered(9) + " and 20 more\n"},
		"an older server":  {flag: "Cara", status: 404, exit: 2, says: `--persona: give the id, not "Cara": this server has no list of personas` + "\nhint: "},
		"not allowed":      {flag: "Cara", status: 403, exit: 4, says: "hint: is ANAM_API_KEY"},
		"too long a name":  {flag: strings.Repeat("x", 201), status: 400, exit: 2, says: "sharelinks: "},
		"not a UUID quite": {flag: "{" + first + "}", all: true, exit: 3, says: "none is called"},
	} {
		for _, command := range []string{"create", "list"} {
			t.Run(name+", "+command, func(t *testing.T) {
				t.Parallel()
				var asked string
				answer := func(w http.ResponseWriter, r *http.Request, _ int) {
					query := r.URL.Query()
					switch {
					case r.URL.Path == "/v1/personas" && c.status != 0:
						w.WriteHeader(c.status)
					case r.URL.Path == "/v1/personas":
						page, _ := strconv.Atoi("0" + query.Get("page"))
						perPage, _ := strconv.Atoi(query.Get("perPage"))
						there := c.there
						if search := query.Get("search"); search != "" && c.all {
							there = nil
						} else if search != "" && search != strings.TrimSpace(c.flag) {
							t.Errorf("search for %q", search)
						}
						from := min((max(page, 1)-1)*perPage, len(there))
						fmt.Fprintf(w, `{"data":[%s],"meta":{"total":%d,"lastPage":%d}}`,
							strings.Join(there[from:min(from+perPage, len(there))], ","), len(there), (len(there)+perPage-1)/perPage)
					case r.Method == http.MethodPost:
						var body struct{ PersonaID string }
						_ = json.NewDecoder(r.Body).Decode(&body)
						asked = body.PersonaID
						w.WriteHeader(http.StatusCreated)
						_, _ = io.WriteString(w, aLink(1))
					default:
						asked = query.Get("personaId")
						_, _ = io.WriteString(w, `{"data":[],"meta":{}}`)
					}
				}
				exit, _, stderr := ask(t, answer, command, "--persona", c.flag)
				if exit != c.exit || asked != c.want || !strings.Contains(stderr, c.says) || c.exit == 0 && stderr != "" {
					t.Errorf("exit %d, want %d; asked for %q, want %q; %s", exit, c.exit, asked, c.want, stderr)
				}
			})
		}
	}
}

// Labels tell links apart: they come first, as far as they are enough to know a link by, and take no room when there are none.
func TestLinkListShowsLabels(t *testing.T) {
	t.Parallel()
	link := func(n int, label string) string {
		return strings.Replace(aLink(n), `"personaName"`, `"url":"https://links.example.com/share/sh_token-`+fmt.Sprint(n)+`","label":"`+label+`","personaName"`, 1)
	}
	links := `{"data":[` + link(1, "Spring newsletter, the one with the offer") + "," + link(2, "") + `],"meta":{"lastPage":1}}`
	for width, want := range map[int]string{
		48: `
URL
https://links.example.com/share/sh_token-1
https://links.example.com/share/sh_token-2
`,
		62: `
URL                                         LABEL
https://links.example.com/share/sh_token-1  Spring newsletter…
https://links.example.com/share/sh_token-2  -
`,
		90: `
URL                                         LABEL                           STATUS
https://links.example.com/share/sh_token-1  Spring newsletter, the one wi…  ACTIVE
https://links.example.com/share/sh_token-2  -                               ACTIVE
`,
	} {
		exit, stdout, stderr := askAt(t, width, func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = io.WriteString(w, links) }, "list")
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), stdout); diff != "" || exit != 0 {
			t.Errorf("%d characters: %s (-want +got):\n%s", width, stderr, diff)
		}
	}
	_, stdout, _ := askAt(t, 10, func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = io.WriteString(w, links) }, "list", "--wide")
	if !strings.Contains(stdout, "  Spring newsletter, the one with the offer  ACTIVE ") {
		t.Errorf("--wide cuts labels:\n%s", stdout)
	}
}

// A person sees whom a new link leads to, which the answer to a create does not say.
func TestLinkCreateShowsThePersona(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{200: "PERSONA  Cara\n", 403: "PERSONA  -\n"} {
		answer := func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.Method == http.MethodGet {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, aLink(1))
				return
			}
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, strings.Replace(aLink(1), `"personaName":"Cara",`, "", 1))
		}
		exit, stdout, stderr := askAt(t, 80, answer, "create", "--persona", aPersona)
		if exit != 0 || stderr != "" || !strings.Contains(stdout, want) || !strings.Contains(stdout, "share/sh_token-1\n") {
			t.Errorf("%d: exit %d: %s%s", status, exit, stdout, stderr)
		}
		exit, stdout, _ = ask(t, func(w http.ResponseWriter, r *http.Request, n int) {
			if n > 1 {
				t.Errorf("JSON takes a request more: %s", r.Method)
			}
			answer(w, r, n)
		}, "create", "--persona", aPersona)
		if exit != 0 || strings.Contains(stdout, "Cara") {
			t.Errorf("exit %d: %s", exit, stdout)
		}
	}
}

// The links that were created before a failure are shown, because no other output has them.
func TestLinkCreateInPart(t *testing.T) {
	t.Parallel()
	exit, stdout, stderr := ask(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n > 2 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, aLink(n))
	}, "create", "--persona", aPersona, "--count", "5")
	if exit != exitFailure || strings.Count(stdout, `"token"`) != 2 {
		t.Errorf("exit %d:\n%s", exit, stdout)
	}
	want := "sharelinks: created 2 of 5 links, then: Forbidden\n" +
		"hint: is ANAM_API_KEY a key of this server, and may its organization do this?\n"
	if diff := cmp.Diff(want, stderr); diff != "" {
		t.Error(diff)
	}
	// The server sends no url, and a field that the client does not know.
	if !strings.Contains(stdout, `"url": "https://lab.anam.ai/share/sh_token-1"`) {
		t.Error(stdout)
	}
}

// The others are deleted after a failure, a link that is gone counts as deleted, and a refused API key ends it.
func TestLinkDeleteInPart(t *testing.T) {
	t.Parallel()
	var deletes atomic.Int64
	answer := func(last int) func(w http.ResponseWriter, r *http.Request, _ int) {
		return func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.Method == http.MethodGet {
				_, _ = io.WriteString(w, `{"data":[`+aLink(1)+","+aLink(2)+","+aLink(3)+","+aLink(4)+`],"meta":{"lastPage":1}}`)
				return
			}
			status := []int{0, 200, 500, 404, last}[deletes.Add(1)]
			w.WriteHeader(status)
		}
	}
	exit, stdout, stderr := ask(t, answer(200), "delete", "--all", "--persona", aPersona, "--yes")
	want := "sharelinks: deleted 3 of 4 links, then: 00000002-0000-0000-0000-000000000000: Internal Server Error\n"
	if exit != exitFailure || stdout != "" || stderr != want {
		t.Errorf("exit %d: %s%s", exit, stdout, stderr)
	}
	deletes.Store(0)
	exit, _, stderr = ask(t, answer(401), "delete", "--all", "--persona", aPersona, "--yes")
	want = "sharelinks: 00000002-0000-0000-0000-000000000000: Internal Server Error\n" +
		"sharelinks: deleted 2 of 4 links, then: 00000004-"
	if exit != exitFailure || !strings.HasPrefix(stderr, want) {
		t.Errorf("exit %d: %s", exit, stderr)
	}
	exit, _, _ = ask(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"data":[`+aLink(1)+`],"meta":{"lastPage":1}}`)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}, "delete", "--all", "--persona", aPersona, "--yes")
	if exit != exitDenied {
		t.Errorf("exit %d", exit)
	}
}

func TestLinkExitCodes(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{
		200: exitFailure /* no link */, 400: exitUsage, 401: exitDenied, 403: exitDenied, 404: exitNotFound,
		409: exitUsage, 410: exitNotFound, 418: exitFailure, 429: exitLater, 500: exitFailure, 502: exitLater, 503: exitLater, 504: exitLater,
	} {
		exit, stdout, stderr := ask(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(status)
		}, "get", aPersona)
		if exit != want || stdout != "" || !strings.HasPrefix(stderr, "sharelinks: ") {
			t.Errorf("%d: exit %d, want %d: %s", status, exit, want, stderr)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	p := testProgram(&stdout, &stderr)
	p.getenv = func(string) string { return "a-key" }
	exit := p.run(ctx, []string{"link", "list", "--server", "http://127.0.0.1:1"})
	if exit != exitFailure || stderr.String() != "sharelinks: interrupted\n" {
		t.Errorf("exit %d: %s", exit, &stderr)
	}
	if failureOf(&client.Error{Err: context.DeadlineExceeded}).exit != exitLater {
		t.Error("the exit code of a deadline")
	}
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "24h": 24 * time.Hour, "7d": 168 * time.Hour, "0.5d": 12 * time.Hour,
		"1h30m": 90 * time.Minute, "2w": 336 * time.Hour, "1d12h": 36 * time.Hour, "1w1d0.5h": 192*time.Hour + 30*time.Minute,
		"": 0, "d": 0, "0d": 0, "-1d": 0, "0s": 0, "-1h": 0, "24": 0, "1e9d": 0, "NaNd": 0, "w": 0, "1..5d": 0, "999999w": 0, "2w3": 0,
	} {
		got, err := parseLifetime(text)
		if want == 0 && err == nil || want > 0 && (err != nil || got.MustGet() != want.Hours()) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestLinkArguments(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"sh_1": "sh_1", "https://lab.anam.ai/share/sh_1": "sh_1", "https://x.example/p/frame/sh_1/?a=b#c": "sh_1",
		"share/sh_1": "sh_1",
	} {
		if got := tokenIn(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// The bar is drawn at most once in barPause, and erased at the end.
func TestProgress(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	bar := &progress{w: &b, verb: "created", total: 4}
	bar.step()
	bar.step() // at once: no new picture
	bar.next = time.Time{}
	bar.step()
	bar.end()
	want := eraseLine + "[#######                       ] created 1 of 4" +
		eraseLine + "[######################        ] created 3 of 4" + eraseLine
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	quick := &progress{w: &b, verb: "listed", next: time.Now().Add(time.Hour)}
	quick.step()
	quick.end()
	if b.Len() > 0 || quick.picture() != "listed 1" {
		t.Errorf("%q, %q", &b, quick.picture())
	}
	blind := testProgram(&b, &b).newProgress("listed", 0)
	blind.next = time.Time{}
	blind.step()
	blind.end()
	if b.Len() > 0 {
		t.Errorf("%q", &b)
	}
}
