package pages

import (
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each language has all the words, and no others, with the same names in them. Each file is of a language that pages speak.
func TestEveryLanguageHasAllWords(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`\{[a-z]+\}`)
	shape := func(catalog map[string]string) map[string][]string {
		keys := map[string][]string{}
		for key, text := range catalog {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s is empty", key)
			}
			keys[key] = slices.Sorted(slices.Values(names.FindAllString(text, -1)))
		}
		return keys
	}
	for tag, catalog := range words() {
		if diff := cmp.Diff(shape(words()["en"]), shape(catalog)); diff != "" {
			t.Errorf("%s.json (-en +%[1]s):\n%s", tag, diff)
		}
	}
	files, err := languageFiles.ReadDir("languages")
	if err != nil || len(files) != len(languages) {
		t.Errorf("%d files, %d languages, %v", len(files), len(languages), err)
	}
	used := regexp.MustCompile(`\.T "([a-z.]+)"`)
	unused := shape(words()["en"])
	for _, m := range used.FindAllStringSubmatch(linkHTML, -1) {
		if _, ok := words()["en"][m[1]]; !ok {
			t.Errorf("there are no words for %s", m[1])
		}
		delete(unused, m[1])
	}
	if len(unused) != 2 { // of the orb
		t.Errorf("nothing shows %v", unused)
	}
}

func TestLanguageOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, header, want string }{
		{"", "", "en"},
		{"", "de-AT,de;q=0.9,en;q=0.8", "de"},
		{"", "nl, ja;q=0.5", "ja"},
		{"", "pt-BR", "pt"},
		{"", "nl", "en"},
		{"", "*", "en"},
		{"", "de," + strings.Repeat("x", maxAcceptLanguage), "en"},
		{"", ";;q=%%", "en"},
		{"?lang=fr", "de", "fr"},
		{"?theme=dark&lang=fr-CA", "de", "fr"},
		{"?lang=nl", "de", "de"},
		{"?lang=%66r", "de", "de"},
		{"?lang=" + strings.Repeat("fr-", 20), "de", "de"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/share/x"+c.query, nil)
		r.Header.Set("Accept-Language", c.header)
		if got := languageOf(r); got != c.want {
			t.Errorf("%s with %.20q: %s, want %s", c.query, c.header, got, c.want)
		}
	}
}
