package client

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pages starts a server of links that are made as they are asked for. page writes the answer to one request, and asked
// counts them.
func pages(t testing.TB, page func(w *bufio.Writer, page, perPage int, query string)) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		q := r.URL.Query()
		number := func(name string, byDefault int) int {
			if n, err := strconv.Atoi(q.Get(name)); err == nil {
				return n
			}
			return byDefault
		}
		b := bufio.NewWriter(w)
		page(b, number("page", 1), number("perPage", 20), q.Get("search"))
		_ = b.Flush()
	}))
	t.Cleanup(h.Close)
	return h.URL, asked
}

// write writes links from one number to before another, and meta data.
func write(w *bufio.Writer, from, to int, meta string) {
	fmt.Fprint(w, `{"data":[`)
	for i := from; i < to; i++ {
		if i > from {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, `{"id":"id-%d","token":"sh_token-%d","type":"LINK","personaName":%q}`, i, i, strings.Repeat("x", 200))
	}
	fmt.Fprintf(w, `],"meta":{%s}}`, meta)
}

// ids ranges over all links and returns their ids and the errors.
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

func TestAllCopesWithEveryMeta(t *testing.T) {
	t.Parallel()
	const total = 250
	var want []string
	for i := range total {
		want = append(want, fmt.Sprintf("id-%d", i))
	}
	for _, test := range []struct {
		name  string
		meta  func(page, perPage int) string
		asked int64
	}{
		{"all of it", func(page, perPage int) string {
			next := "null"
			if page < 3 {
				next = strconv.Itoa(page + 1)
			}
			return fmt.Sprintf(`"total":250,"lastPage":3,"currentPage":%d,"perPage":%d,"prev":null,"next":%s`, page, perPage, next)
		}, 3},
		{"none", func(int, int) string { return "" }, 3},
		{"next alone", func(page, _ int) string { return fmt.Sprintf(`"next":%d`, page+1) }, 4},
		{"lastPage alone", func(int, int) string { return `"lastPage":3` }, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, asked := pages(t, func(w *bufio.Writer, page, perPage int, _ string) {
				write(w, min((page-1)*perPage, total), min(page*perPage, total), test.meta(page, perPage))
			})
			got, errs := ids(t, dial(t, url), Filter{})
			if diff := cmp.Diff(want, got); diff != "" || errs != nil {
				t.Errorf("%v (-want +got):\n%s", errs, diff)
			}
			if asked.Load() != test.asked {
				t.Errorf("asked %d times, want %d", asked.Load(), test.asked)
			}
		})
	}
}

func TestAllNoticesAServerThatDoesNotTurnPages(t *testing.T) {
	t.Parallel()
	for name, meta := range map[string]func(page int) string{
		"and says so":       func(int) string { return `"lastPage":9,"currentPage":1,"next":2` },
		"and says it does":  func(page int) string { return fmt.Sprintf(`"lastPage":9,"currentPage":%d,"next":%d`, page, page+1) },
		"and says nothing":  func(int) string { return "" },
		"and has no number": func(int) string { return `"next":2` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, asked := pages(t, func(w *bufio.Writer, page, perPage int, _ string) { write(w, 0, perPage, meta(page)) })
			got, errs := ids(t, dial(t, url), Filter{PerPage: 5})
			if len(got) != 5 || len(errs) != 1 || !strings.Contains(errs[0].Error(), "does not turn pages") || asked.Load() != 2 {
				t.Errorf("%d links, %v, asked %d times", len(got), errs, asked.Load())
			}
		})
	}
	t.Run("when it begins later", func(t *testing.T) {
		t.Parallel()
		url, _ := pages(t, func(w *bufio.Writer, _, perPage int, _ string) { write(w, 0, perPage, `"lastPage":9,"currentPage":1`) })
		if got, errs := ids(t, dial(t, url), Filter{Page: 4}); len(got) != 0 || len(errs) != 1 {
			t.Errorf("%d links, %v", len(got), errs)
		}
	})
}

// A link that is created while pages are turned pushes one over to the next page.
func TestAllYieldsNoLinkTwice(t *testing.T) {
	t.Parallel()
	url, _ := pages(t, func(w *bufio.Writer, page, perPage int, _ string) {
		write(w, (page-1)*(perPage-1), (page-1)*(perPage-1)+perPage, `"lastPage":3`)
	})
	got, errs := ids(t, dial(t, url), Filter{PerPage: 3})
	if diff := cmp.Diff([]string{"id-0", "id-1", "id-2", "id-3", "id-4", "id-5", "id-6"}, got); diff != "" || errs != nil {
		t.Errorf("%v (-want +got):\n%s", errs, diff)
	}
}

func TestAllStopsWhenToldTo(t *testing.T) {
	t.Parallel()
	url, asked := pages(t, func(w *bufio.Writer, page, perPage int, _ string) {
		write(w, (page-1)*perPage, page*perPage, `"lastPage":9`)
	})
	all := dial(t, url).All(t.Context(), Filter{PerPage: 10})
	if asked.Load() != 0 {
		t.Error("asked before anything was wanted")
	}
	for range 2 {
		n := 0
		for range all {
			if n++; n == 12 {
				break
			}
		}
	}
	if asked.Load() != 4 {
		t.Errorf("asked %d times, want 2 for each range", asked.Load())
	}
}

func TestAllYieldsAnErrorOnce(t *testing.T) {
	t.Parallel()
	url, requests := hostile(t, reply{status: 200, body: `{"data":[` + aLink + `],"meta":{"next":2}}`}, reply{status: 500})
	got, errs := ids(t, dial(t, url), Filter{PerPage: 1})
	var e *Error
	if len(got) != 1 || len(errs) != 1 || !errors.As(errs[0], &e) || e.Status != 500 || len(requests()) != 2 {
		t.Errorf("%v, %v", got, errs)
	}
	url, _ = hostile(t, reply{status: 200, body: `{}`})
	if got, errs := ids(t, dial(t, url), Filter{}); len(got) != 0 || len(errs) != 1 {
		t.Errorf("a page that is none: %v, %v", got, errs)
	}
}

// Ten thousand links go by and none stays.
func TestAllKeepsConstantMemory(t *testing.T) { // not parallel: it measures the process's heap
	const total = 10_000
	url, _ := pages(t, func(w *bufio.Writer, page, perPage int, _ string) {
		write(w, (page-1)*perPage, page*perPage, fmt.Sprintf(`"lastPage":%d`, total/perPage))
	})
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	n, most := 0, int64(-1<<62)
	var before int64
	for _, err := range dial(t, url).All(t.Context(), Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 500 { // what a client needs once is there
			before = heap()
		} else if n > 500 && n%1000 == 0 {
			most = max(most, heap()-before)
		}
	}
	t.Logf("%d links; after the first 500 the heap is %d KiB and grows by at most %d KiB", n, before/1024, most/1024)
	if n != total || most > 1<<20 { // the links alone are 5 MB
		t.Errorf("%d links, the heap grew by %d bytes", n, most)
	}
}

func TestFindByTokenAtOtherServers(t *testing.T) {
	t.Parallel()
	const token = "sh_token-234"
	for _, test := range []struct {
		name   string
		search func(w *bufio.Writer, perPage int) // answers a search
		asked  int64
	}{
		{"ignores the search", func(w *bufio.Writer, perPage int) { write(w, 0, perPage, `"lastPage":13`) }, 4},
		{"finds nothing, because it searches names", func(w *bufio.Writer, _ int) { write(w, 0, 0, `"lastPage":0`) }, 4},
		{"finds it among others", func(w *bufio.Writer, _ int) { write(w, 230, 240, `"lastPage":1`) }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, asked := pages(t, func(w *bufio.Writer, page, perPage int, search string) {
				if search != "" {
					test.search(w, perPage)
					return
				}
				write(w, min((page-1)*perPage, 250), min(page*perPage, 250), `"lastPage":3`)
			})
			c := dial(t, url)
			link, err := c.FindByToken(t.Context(), token)
			if err != nil || link.ID != "id-234" || asked.Load() != test.asked {
				t.Errorf("%s, %v, asked %d times", link.ID, err, asked.Load())
			}
			if _, err := c.FindByToken(t.Context(), "sh_token-999"); !errors.Is(err, ErrNotFound) || strings.Contains(err.Error(), "999") {
				t.Errorf("a token that is not there: %v", err)
			}
		})
	}
	t.Run("refuses the search", func(t *testing.T) {
		t.Parallel()
		url, _ := hostile(t, reply{status: 400}, reply{status: 200, body: `{"data":[` + aLink + `],"meta":{"lastPage":1}}`})
		if _, err := dial(t, url).FindByToken(t.Context(), "sh_2kL9pQxYzR4vN8mBwHfJc"); err != nil {
			t.Error(err)
		}
	})
	t.Run("one of ours is believed", func(t *testing.T) {
		t.Parallel()
		url, requests := hostile(t, reply{status: 200, body: `{"data":[],"meta":{}}`, header: []string{ours}})
		_, err := dial(t, url).FindByToken(t.Context(), token)
		if !errors.Is(err, ErrNotFound) || len(requests()) != 1 {
			t.Errorf("%v after %d requests", err, len(requests()))
		}
	})
	t.Run("fails", func(t *testing.T) {
		t.Parallel()
		url, requests := hostile(t, reply{status: 401})
		_, err := dial(t, url).FindByToken(t.Context(), token)
		if !errors.Is(err, ErrUnauthorized) || len(requests()) != 1 {
			t.Errorf("%v after %d requests", err, len(slices.Compact(requests())))
		}
	})
}
