package sharelinks

import (
	"os/exec"
	"strings"
	"testing"
)

// layers are the packages from the bottom up. A package imports only packages of layers below its own.
var layers = [][]string{
	{"", "internal/specjson"},
	{"api", "internal/redact"},
	{"internal/sharelink", "client/wire", "server/internal/wire", "internal/contract"},
	{"internal/service", "internal/store", "internal/memstore", "internal/pages", "internal/proxy"},
	{"internal/anam", "internal/session"},
	{"client", "server"},
	{"sharelinkstest"},
	{"cmd/sharelinks", "client/internal/consumer"},
}

// TestImportsPointDown holds the code to the picture in docs/design.md.
func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	const module = "github.com/sharelinks-dev/sharelinks"
	layer := map[string]int{}
	for i, packages := range layers {
		for _, p := range packages {
			layer[strings.TrimSuffix(module+"/"+p, "/")] = i
		}
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		names := strings.Fields(line)
		above, known := layer[names[0]]
		if !known { // a package of our own tests
			if !strings.HasSuffix(names[0], "test") && !strings.Contains(names[0], "/e2e") {
				t.Errorf("%s is in no layer: put it into the picture in docs/design.md, and here", names[0])
			}
			continue
		}
		for _, imported := range names[1:] {
			if below, ours := layer[imported]; ours && below >= above {
				t.Errorf("%s imports %s, which is not below it", names[0], imported)
			} else if !ours && strings.HasPrefix(imported, module) {
				t.Errorf("%s imports %s, which is for tests", names[0], imported)
			}
		}
	}
}
