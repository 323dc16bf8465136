package sharelinks

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`(([Tt]est|Fuzz|Benchmark)[A-Z]\\w*)`")
	fileLink = regexp.MustCompile("(?:`(\\w+)`)?\\]\\(([^):#]+)(?:#[^)]*)?\\)")
)

// TestSecurityPage holds docs/security.md to the code: every test that it names is in the file that it links.
func TestSecurityPage(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/security.md")
	linked := map[string]bool{"TestSecurityPage": true}
	for _, m := range fileLink.FindAllStringSubmatch(page, -1) {
		name, file := m[1], filepath.Join("docs", m[2])
		text := read(t, file)
		if name != "" && !strings.Contains(text, "\nfunc "+name+"(") {
			t.Errorf("there is no %s in %s", name, file)
		}
		linked[name] = true
	}
	names := testName.FindAllStringSubmatch(page, -1)
	if len(names) < 20 {
		t.Errorf("the page names only %d tests", len(names))
	}
	for _, m := range names {
		if !linked[m[1]] {
			t.Errorf("%s has no link to its file", m[1])
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
