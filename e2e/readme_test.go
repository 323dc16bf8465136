package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// sample is a fenced block of a page of documentation.
type sample struct{ language, text string }

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

func samples(t *testing.T, page string) []sample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	var list []sample
	for _, m := range fence.FindAllSubmatch(text, -1) {
		list = append(list, sample{string(m[1]), string(m[2])})
	}
	return list
}

// Every sample in the README does what it says: shell samples run, in their order, in one shell, in an empty directory
// beside a server that was started as the README says; answers have the shape that is shown; Go is code that a test runs.
func TestREADME(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("README NOT TESTED: curl is missing")
		}
		t.Skip("README NOT TESTED: curl is missing")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(dir, "bin", "sharelinks")); err != nil {
		t.Fatal(err)
	}
	p := serve(t, "sqlite:"+filepath.Join(dir, "sharelinks.db"))
	here := func(text string) string { return strings.ReplaceAll(text, "http://127.0.0.1:8080", p.url) }

	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	shown := map[int]string{} // the answer that is shown after a shell sample, by the sample's number
	all := samples(t, "README.md")
	for i, s := range all {
		switch {
		case s.language == "sh" && strings.HasPrefix(s.text, "make "):
			checkMakeTargets(t, s.text)
		case s.language == "sh" && strings.HasPrefix(s.text, "sharelinks serve"):
			flags := strings.Fields(s.text)[2:]
			for i, f := range flags {
				switch {
				case strings.HasPrefix(f, "postgres:"):
					flags[i] = pgtest.NewDatabase(t)
				case strings.HasPrefix(f, "127.0.0.1:"):
					flags[i] = "127.0.0.1:0"
				}
			}
			serve(t, "sqlite:unused.db", flags...)
		case s.language == "sh" && s.text == "go generate ./...\n":
			// make check runs it and compares.
		case s.language == "sh":
			fmt.Fprintf(&script, "echo; echo '=== %d'\n%s\n", i, here(s.text))
		case s.language == "json":
			shown[i-1] = here(s.text)
		case s.language == "go":
			checkIsTested(t, s.text)
		default:
			t.Errorf("nothing runs this sample:\n%s", s.text)
		}
	}
	cmd := exec.Command("bash", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, &stderr)
	}
	printed := map[int]string{}
	for part := range strings.SplitSeq(string(out), "\n=== ") {
		var i int
		if head, rest, ok := strings.Cut(part, "\n"); ok {
			if _, err := fmt.Sscan(head, &i); err == nil {
				printed[i] = rest
			}
		}
	}
	for i, want := range shown {
		checkShape(t, want, printed[i])
	}
	for i, s := range all {
		if s.language == "sh" && strings.Contains(s.text, "Idempotency-Key") {
			if lines := strings.Fields(printed[i]); len(lines) != 2 || lines[0] != lines[1] {
				t.Errorf("the repeat was not answered byte for byte:\n%s", printed[i])
			}
		}
	}
}

func checkMakeTargets(t *testing.T, text string) {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		target := strings.Fields(line)[1]
		if !bytes.Contains(makefile, []byte("\n"+target+":")) {
			t.Errorf("make %s: there is no such target", target)
		}
	}
}

// checkIsTested demands that a Go sample is, line by line, part of a test that runs it.
func checkIsTested(t *testing.T, text string) {
	t.Helper()
	normal := func(s string) string {
		var lines []string
		for line := range strings.Lines(s) {
			lines = append(lines, strings.TrimSpace(line))
		}
		return strings.Join(lines, "\n")
	}
	for _, file := range []string{"../server/example_test.go", "../client/example_test.go", "../client/testdata/consumer/main.go"} {
		code, err := os.ReadFile(file)
		if err == nil && strings.Contains(normal(string(code)), strings.TrimSpace(normal(text))) {
			return
		}
	}
	t.Errorf("no test runs this sample:\n%s", text)
}

// checkShape compares an answer with the one shown: the same members, and the same values but for those that differ each time.
func checkShape(t *testing.T, want, got string) {
	t.Helper()
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("the sample is not JSON: %v\n%s", err, want)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("the answer is not JSON: %v\n%s", err, got)
	}
	wj, _ := json.MarshalIndent(everyTime(w), "", "  ")
	gj, _ := json.MarshalIndent(everyTime(g), "", "  ")
	if string(wj) != string(gj) {
		t.Errorf("shown is\n%s\nand answered was\n%s", wj, gj)
	}
}

var (
	token   = regexp.MustCompile(`sh_[1-9A-HJ-NP-Za-km-z]{21}`)
	uuids   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[1-9][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)

// everyTime replaces what differs each time by what it is.
func everyTime(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = everyTime(v[k])
		}
	case []any:
		for i := range v {
			v[i] = everyTime(v[i])
		}
	case string:
		v = token.ReplaceAllString(v, "TOKEN")
		v = uuids.ReplaceAllString(v, "UUID")
		return instant.ReplaceAllString(v, "INSTANT")
	}
	return v
}

// `make run` in a checkout builds, serves, and says how to begin, whatever was or was not there before.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	cmd, err := makeCommand("run")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "SHARELINKS_ADDR=127.0.0.1:0", "SHARELINKS_DATABASE=sqlite:"+filepath.Join(t.TempDir(), "run.db"))
	p := start(t, cmd)
	p.await()
	if _, err := p.create(t.Context(), nil, ""); err != nil {
		t.Error(err)
	}
	p.kill() // then all that it said is here
	if !strings.Contains(p.stderr.String(), "curl --request POST") {
		t.Errorf("no curl to paste:\n%s", p.stderr)
	}
}
