package client

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pages is a server whose pages are what a function returns. It counts the requests.
type pages struct {
	page     func(page, perPage int, search string) string
	requests int
}

func (p *pages) RoundTrip(r *http.Request) (*http.Response, error) {
	p.requests++
	q := r.URL.Query()
	page, _ := strconv.Atoi(q.Get("page"))
	perPage, _ := strconv.Atoi(q.Get("perPage"))
	return play(reply{status: 200, body: p.page(page, perPage, q.Get("search"))}).RoundTrip(r)
}

// linksFrom returns a page with the links of numbers in [from, to).
func linksFrom(from, to int, meta string) string {
	var s strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&s, `,{"id":"id-%d","token":"sh_token-%d","type":"LINK","personaName":%q}`, i, i, strings.Repeat("x", 200))
	}
	return `{"data":[` + strings.TrimPrefix(s.String(), ",") + `],"meta":{` + meta + `}}`
}

// ids iterates over all links and returns their ids and the errors.
func ids(t testing.TB, c *Client, f Filter) (ids []string, errs []error) {
	t.Helper()
	for link, err := range c.All(t.Context(), f) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ids = append(ids, link.ID)
	}
	return ids, errs
}

func idsFrom(from, to int) (ids []string) {
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("id-%d", i))
	}
	return ids
}

func TestAllWithAnyMeta(t *testing.T) {
	t.Parallel()
	const total = 250
	for _, test := range []struct {
		name     string
		filter   Filter
		meta     func(page, perPage int) string
		requests int
	}{
		{"all of it", Filter{}, func(page, perPage int) string {
			next := "null"
			if page < 3 {
				next = strconv.Itoa(page + 1)
			}
			return fmt.Sprintf(`"total":250,"lastPage":3,"currentPage":%d,"perPage":%d,"prev":null,"next":%s`, page, perPage, next)
		}, 3},
		{"none", Filter{}, func(int, int) string { return "" }, 3},
		{"none, and pages are smaller than requested", Filter{PerPage: 500}, func(int, int) string { return "" }, 3},
		{"next only", Filter{}, func(page, _ int) string { return fmt.Sprintf(`"next":%d`, page+1) }, 4},
		{"lastPage only", Filter{}, func(int, int) string { return `"lastPage":3` }, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := &pages{page: func(page, perPage int, _ string) string {
				perPage = min(perPage, 100)
				return linksFrom(min((page-1)*perPage, total), min(page*perPage, total), test.meta(page, perPage))
			}}
			got, errs := ids(t, dial(t, server), test.filter)
			if diff := cmp.Diff(idsFrom(0, total), got); diff != "" || errs != nil {
				t.Errorf("%v (-want +got):\n%s", errs, diff)
			}
			if server.requests != test.requests {
				t.Errorf("%d requests, want %d", server.requests, test.requests)
			}
		})
	}
}

func TestAllNoticesThatPageIsIgnored(t *testing.T) {
	t.Parallel()
	for name, meta := range map[string]func(page int) string{
		"admitted": func(int) string { return `"lastPage":9,"currentPage":1,"next":2` },
		"denied":   func(page int) string { return fmt.Sprintf(`"lastPage":9,"currentPage":%d,"next":%d`, page, page+1) },
		"no meta":  func(int) string { return "" },
		"next":     func(int) string { return `"next":2` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &pages{page: func(page, perPage int, _ string) string { return linksFrom(0, perPage, meta(page)) }}
			got, errs := ids(t, dial(t, server), Filter{PerPage: 5})
			if len(got) != 5 || len(errs) != 1 || !strings.Contains(errs[0].Error(), "ignores the page") || server.requests != 2 {
				t.Errorf("%d links, %v, %d requests", len(got), errs, server.requests)
			}
		})
	}
	server := &pages{page: func(_, perPage int, _ string) string { return linksFrom(0, perPage, `"lastPage":9,"currentPage":1`) }}
	if got, errs := ids(t, dial(t, server), Filter{Page: 4}); len(got) != 0 || len(errs) != 1 {
		t.Errorf("from a later page: %d links, %v", len(got), errs)
	}
}

// A link that is created during the iteration moves another one to the next page.
func TestAllYieldsNoLinkTwice(t *testing.T) {
	t.Parallel()
	server := &pages{page: func(page, perPage int, _ string) string {
		return linksFrom((page-1)*(perPage-1), (page-1)*(perPage-1)+perPage, `"lastPage":3`)
	}}
	got, errs := ids(t, dial(t, server), Filter{PerPage: 3})
	if diff := cmp.Diff(idsFrom(0, 7), got); diff != "" || errs != nil {
		t.Errorf("%v (-want +got):\n%s", errs, diff)
	}
}

// All requests a page when it is needed, and each range starts anew.
func TestAllIsLazy(t *testing.T) {
	t.Parallel()
	server := &pages{page: func(page, perPage int, _ string) string {
		return linksFrom((page-1)*perPage, page*perPage, `"lastPage":9`)
	}}
	all := dial(t, server).All(t.Context(), Filter{PerPage: 10})
	for i := range 2 {
		if server.requests != 2*i {
			t.Errorf("%d requests before range %d", server.requests, i)
		}
		n := 0
		for link := range all {
			if link.ID != fmt.Sprintf("id-%d", n) {
				t.Errorf("link %d is %s", n, link.ID)
			}
			if n++; n == 12 {
				break
			}
		}
	}
	if server.requests != 4 {
		t.Errorf("%d requests, want 2 for each range", server.requests)
	}
}

func TestAllYieldsAnErrorOnce(t *testing.T) {
	t.Parallel()
	server := play(reply{status: 200, body: `{"data":[` + aLink + `],"meta":{"next":2}}`}, reply{status: 500})
	got, errs := ids(t, dial(t, server), Filter{PerPage: 1})
	var e *Error
	if len(got) != 1 || len(errs) != 1 || !errors.As(errs[0], &e) || e.Status != 500 || len(server.requests) != 2 {
		t.Errorf("%v, %v", got, errs)
	}
}

// Each range over AllPersonas starts anew at the filter's page and requests a page when it is needed.
func TestAllPersonas(t *testing.T) {
	t.Parallel()
	server := &pages{page: func(page, perPage int, search string) string {
		if search != "ada" {
			return `{}`
		}
		return linksFrom(min((page-1)*perPage, 250), min(page*perPage, 250), `"lastPage":3`)
	}}
	all := dial(t, server).AllPersonas(t.Context(), PersonaFilter{Search: "ada", Page: 2})
	for i := range 2 {
		var got []string
		for persona, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, persona.ID)
		}
		if diff := cmp.Diff(idsFrom(100, 250), got); diff != "" || server.requests != 2*(i+1) {
			t.Errorf("%d requests (-want +got):\n%s", server.requests, diff)
		}
	}
	ignoring := &pages{page: func(_, perPage int, _ string) string { return linksFrom(0, perPage, `"lastPage":9`) }}
	n := 0
	for _, err := range dial(t, ignoring).AllPersonas(t.Context(), PersonaFilter{PerPage: 5}) {
		if e := (*Error)(nil); n == 5 && (!errors.As(err, &e) || e.Operation != "personas" || !strings.Contains(e.Detail, "ignores the page")) || n > 5 {
			t.Errorf("%d: %v", n, err)
		}
		n++
	}
	if n != 6 {
		t.Errorf("%d yields, want 5 personas and an error", n)
	}
}

// All keeps two pages, not all of the 5 MB of links.
func TestAllKeepsConstantMemory(t *testing.T) { // not parallel: it measures the heap of the process
	const total = 10_000
	server := &pages{page: func(page, perPage int, _ string) string {
		return linksFrom((page-1)*perPage, page*perPage, fmt.Sprintf(`"lastPage":%d`, total/perPage))
	}}
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	n, growth := 0, int64(0)
	var before int64
	for _, err := range dial(t, server).All(t.Context(), Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 500 {
			before = heap()
		} else if n > 500 && n%1000 == 0 {
			growth = max(growth, heap()-before)
		}
	}
	if n != total || growth > 1<<20 {
		t.Errorf("%d links, the heap grew by %d bytes", n, growth)
	}
}

func TestFindByToken(t *testing.T) {
	t.Parallel()
	const token = "sh_token-234"
	for _, test := range []struct {
		name     string
		found    string // the answer to a search
		requests int
	}{
		{"the search is ignored", linksFrom(0, 20, `"lastPage":13`), 4},
		{"the search is for names", emptyPage, 4},
		{"the search finds others too", linksFrom(230, 240, `"lastPage":1`), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := &pages{page: func(page, perPage int, search string) string {
				if search != "" {
					return test.found
				}
				return linksFrom(min((page-1)*perPage, 250), min(page*perPage, 250), `"lastPage":3`)
			}}
			c := dial(t, server)
			link, err := c.FindByToken(t.Context(), token)
			if err != nil || link.ID != "id-234" || server.requests != test.requests {
				t.Errorf("%s, %v, %d requests", link.ID, err, server.requests)
			}
			if _, err := c.FindByToken(t.Context(), "sh_token-999"); !errors.Is(err, ErrNotFound) {
				t.Errorf("a token that does not exist: %v", err)
			}
		})
	}
	announced := []string{announcement}
	found := reply{status: 200, body: `{"data":[{"id":"id-234","token":"` + token + `"}],"meta":{"lastPage":1}}`}
	for _, test := range []struct {
		name     string
		replies  []reply
		kind     error
		requests int
	}{
		{"the search is refused", []reply{{status: 400}, found}, nil, 2},
		{"a sharelinks server refuses the search", []reply{{status: 400, header: announced}, found}, ErrInvalid, 1},
		{"a sharelinks server finds nothing", []reply{{status: 200, body: emptyPage, header: announced}, found}, ErrNotFound, 1},
		{"another error", []reply{{status: 401}, found}, ErrUnauthorized, 1},
		{"an error of the scan", []reply{{status: 400}, {status: 403}}, ErrForbidden, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := play(test.replies...)
			link, err := dial(t, server).FindByToken(t.Context(), token)
			if !errors.Is(err, test.kind) || (err == nil) != (link.ID == "id-234") || len(server.requests) != test.requests {
				t.Errorf("%+v, %v after %q", link, err, server.requests)
			}
		})
	}
}
