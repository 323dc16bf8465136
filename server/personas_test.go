package server

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// namesIn returns the names in a list of personas.
func namesIn(a answer) []string {
	a.t.Helper()
	names := []string{}
	for _, p := range a.want(200).object()["data"].([]any) {
		names = append(names, p.(map[string]any)["name"].(string))
	}
	return names
}

func TestListPersonas(t *testing.T) {
	t.Parallel()
	for engine, database := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			ts := start(t, nil, database(t))
			for i, name := range []string{"Ærø 100%", "carl", "Bea", "carl"} {
				if _, err := ts.service.AddPersona(t.Context(), "default", new(uuid.UUID{15: byte(9 - i)}), name); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range []struct {
				query string
				want  []string
				meta  string
			}{
				{"", []string{"Bea", "Cara", "carl", "carl", "Ærø 100%"}, "5 1 1 20 <nil> <nil>"},
				{"perPage=2&page=2", []string{"carl", "carl"}, "5 3 2 2 1 3"},
				{"page=2147483647&perPage=100", []string{}, "5 1 2147483647 100 2147483646 <nil>"},
				{"search=%20cA%20", []string{"Cara", "carl", "carl"}, "3 1 1 20 <nil> <nil>"},
				{"search=ca&perPage=1&page=3", []string{"carl"}, "3 3 3 1 2 <nil>"},
				{"search=" + url.QueryEscape("æRØ"), []string{"Ærø 100%"}, ""},
				{"search=%25", []string{"Ærø 100%"}, ""},
				{"search=_", []string{}, "0 0 1 20 <nil> <nil>"},
				{"search=%00", []string{}, ""},
				{"search=", []string{"Bea", "Cara", "carl", "carl", "Ærø 100%"}, ""},
				{"search", []string{"Bea", "Cara", "carl", "carl", "Ærø 100%"}, ""},
			} {
				got := ts.send("GET", "/v1/personas?"+c.query, "")
				if diff := cmp.Diff(c.want, namesIn(got)); diff != "" {
					t.Errorf("%s: %s", c.query, diff)
				}
				m := got.object()["meta"].(map[string]any)
				meta := fmt.Sprintf("%v %v %.0f %v %v %v", m["total"], m["lastPage"], m["currentPage"], m["perPage"], whole(m["prev"]), whole(m["next"]))
				if c.meta != "" && meta != c.meta {
					t.Errorf("%s: %s, want %s", c.query, meta, c.meta)
				}
			}
			ids := ""
			for _, p := range ts.send("GET", "/v1/personas?search=carl", "").want(200).object()["data"].([]any) {
				ids += p.(map[string]any)["id"].(string)[35:]
			}
			if ids != "68" {
				t.Errorf("personas of one name end in %s, want 6 and 8", ids)
			}
		})
	}
}

// Where every id is a persona, those are listed that were added.
func TestListPersonasWhereEveryIDIsOne(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.Personas = PersonasAny })
	if diff := cmp.Diff([]string{"Cara"}, namesIn(ts.send("GET", "/v1/personas", ""))); diff != "" {
		t.Error(diff)
	}
}

func TestListPersonasRefuses(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	for _, c := range []struct{ query, name, says string }{
		{"page=0", "page", "must be a whole number from 1 to 2147483647"},
		{"perPage=101", "perPage", "must be a whole number from 1 to 100"},
		{"search=" + strings.Repeat("x", 201), "search", "must be text of at most 200 characters"},
		{"search=%FF", "search", "must be UTF-8"},
		{"search=a&search=b", "search", "is given 2 times; give it once"},
		{"name=Cara", "name", "did you mean search?"},
		{"personaId=" + cara, "personaId", "known are page, perPage, search"},
	} {
		ts.send("GET", "/v1/personas?"+c.query, "").wantProblem("invalid-request", 400).wantViolation(c.name, c.says)
	}
	ts.send("POST", "/v1/personas", `{}`).wantProblem("method-not-allowed", 405)
}
