package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// testedGo lists the Go files from which the README takes its samples. Tests compile and run them.
var testedGo = []string{
	"../server/example_test.go", "../client/example_test.go", "../client/internal/consumer/main.go", "../sharelinkstest/example_test.go",
}

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

// Every sample in the README does what it says. The shell samples run in their order, in one shell and an empty directory,
// as a reader would type them; answers have the shape that is shown; Go is code that a test runs.
func TestREADME(t *testing.T) {
	t.Parallel()
	readPage(t, "README.md")
}

// So does every sample of the page about testing. A program or a file is kept under the name in its first line.
func TestTestingPage(t *testing.T) {
	t.Parallel()
	readPage(t, "docs/testing.md")
}

// So does every sample of the operations guide.
func TestOperationsPage(t *testing.T) {
	t.Parallel()
	readPage(t, "docs/operations.md")
}

func readPage(t *testing.T, page string) {
	t.Helper()
	for _, program := range []string{"curl", "node", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s NOT TESTED: %s is missing", page, program)
			}
			t.Skipf("%s NOT TESTED: %s is missing", page, program)
		}
	}
	r := newReader(t)
	printed := ""
	for _, s := range samples(t, page) {
		switch s.language {
		case "sh":
			printed = r.run(s.text)
			if strings.Contains(s.text, "Idempotency-Key") {
				if lines := strings.Fields(printed); len(lines) != 2 || lines[0] != lines[1] {
					t.Errorf("the repeat was not answered byte for byte:\n%s", printed)
				}
			}
		case "json":
			checkShape(t, r.local(s.text), printed)
		case "text":
			if strings.TrimSpace(printed) != strings.TrimSpace(s.text) {
				t.Errorf("shown is\n%sand printed was\n%s", s.text, printed)
			}
		case "go":
			checkIsTested(t, s.text)
		case "js", "python", "yaml":
			r.keep(s.text)
		default:
			t.Errorf("nothing runs this sample:\n%s", s.text)
		}
	}
}

// reader types samples into a shell. The servers get free ports instead of those in the README.
type reader struct {
	t         *testing.T
	stdin     io.Writer
	stdout    *bufio.Reader
	stderr    lockedBuffer
	dir       string
	addresses []string // pairs: an address in the README, and the one in its place
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, dir: t.TempDir()}
	cmd := command("bash", "-s", binary)
	cmd.Dir = r.dir
	cmd.Stderr = &r.stderr
	stdin, errIn := cmd.StdinPipe()
	stdout, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		t.Fatal(err)
	}
	r.stdin, r.stdout = stdin, bufio.NewReader(stdout)
	kill := startGroup(t, cmd)
	t.Cleanup(func() {
		kill()
		_ = cmd.Wait() // it was killed
	})
	late := time.AfterFunc(2*time.Minute, kill)
	t.Cleanup(func() { late.Stop() })
	r.shell(`set -euo pipefail; mkdir bin; ln -s "$1" bin/sharelinks; export PATH="$PWD/bin:$PATH"`)
	return r
}

// shell runs commands in the shell and returns what they print. The braces make the shell read all of them before it runs
// any, and /dev/null keeps them from reading the commands that follow.
func (r *reader) shell(commands string) (printed string) {
	r.t.Helper()
	const end = "=== end of the sample\n"
	_, err := fmt.Fprintf(r.stdin, "{\n%s\n} </dev/null; printf '\n%s'\n", commands, end)
	for err == nil {
		var line string
		if line, err = r.stdout.ReadString('\n'); line == end {
			return printed
		}
		printed += line
	}
	r.t.Fatalf("the shell ended: %v\n%s\n%s\n%s", err, commands, printed, &r.stderr)
	return ""
}

// local puts the addresses of the servers where the README has its own.
func (r *reader) local(text string) string { return strings.NewReplacer(r.addresses...).Replace(text) }

// keep writes a sample to the file that its first line, a comment, names.
func (r *reader) keep(sample string) {
	r.t.Helper()
	first, _, _ := strings.Cut(sample, "\n")
	words := strings.Fields(first)
	if len(words) != 2 || words[0] != "#" && words[0] != "//" {
		r.t.Fatalf("the first line of this sample names no file:\n%s", sample)
	}
	if err := os.WriteFile(filepath.Join(r.dir, words[1]), []byte(sample), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

var (
	serves  = regexp.MustCompile(`^(\w+=\S* )*sharelinks (serve|stub)\b`)
	address = regexp.MustCompile(`--addr[ =](\S+)`)
	ours    = regexp.MustCompile(`^github\.com/sharelinks-dev/sharelinks/([a-z/]+)@latest$`)
)

// run runs a sample and returns what it prints. A server that it starts runs in the background until the test ends.
func (r *reader) run(sample string) (printed string) {
	r.t.Helper()
	var commands strings.Builder
	flush := func() {
		if commands.Len() > 0 {
			printed += r.shell(r.local(commands.String()))
			commands.Reset()
		}
	}
	for line := range strings.Lines(strings.ReplaceAll(sample, "\\\n", " ")) {
		words := append(strings.Fields(line), "", "", "")
		switch {
		case words[0] == "make":
			flush()
			checkMakefile(r.t, "\n"+words[1]+":")
			if words[1] == "run" {
				r.serve("bin/sharelinks serve")
			}
		case words[0] == "go" && words[1] == "generate":
			checkMakefile(r.t, "\t"+strings.TrimSpace(line)+"\n") // make check runs it, and compares
		case words[0] == "go" && words[1] == "install":
			m := ours.FindStringSubmatch(words[2])
			if m == nil {
				r.t.Errorf("this does not install a command of this module: %s", line)
			} else if _, err := os.Stat(filepath.Join("..", m[1], "main.go")); err != nil {
				r.t.Error(err)
			}
			commands.WriteString("export PATH=\"$PWD/bin:$PATH\"\n")
		case serves.MatchString(line):
			flush()
			r.serve(line)
		default:
			commands.WriteString(line)
		}
	}
	flush()
	return printed
}

// serve starts a server in the shell and waits until it is ready.
func (r *reader) serve(line string) {
	r.t.Helper()
	line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
	at := "127.0.0.1:8080"
	if strings.Contains(line, "sharelinks stub") {
		at = "127.0.0.1:4010"
	}
	if m := address.FindStringSubmatch(line); m != nil {
		at = m[1]
	}
	line = r.local(line)
	if !strings.HasPrefix(at, "unix:") {
		line += " --addr 127.0.0.1:0" // the last --addr counts
	}
	if strings.Contains(line, "postgres:") {
		database := ""
		r.t.Run("PostgreSQL", func(t *testing.T) {
			pgtest.NewDatabase(t) // without PostgreSQL it skips this subtest alone
			database = pgtest.NewDatabase(r.t)
		})
		if database == "" {
			return
		}
		line += " --database '" + database + "'"
	}
	ready := r.shell("rm -f ready; mkfifo ready; " + line + " >ready & read -r line <ready; echo \"$line\"")
	free := strings.TrimPrefix(strings.TrimSpace(ready), "listening on ")
	if _, host, isURL := strings.Cut(free, "://"); isURL {
		free = host
	} else if free != at {
		r.t.Fatalf("no ready line but %q:\n%s", ready, &r.stderr)
	}
	r.addresses = append(r.addresses, at, free)
}

// checkMakefile fails the test unless the Makefile contains this text.
func checkMakefile(t *testing.T, text string) {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(makefile, []byte(text)) {
		t.Errorf("the Makefile has no %q", text)
	}
}

// checkIsTested fails the test unless a Go sample is, line by line, part of a file that tests run.
func checkIsTested(t *testing.T, text string) {
	t.Helper()
	normal := func(s string) string {
		var lines []string
		for line := range strings.Lines(s) {
			lines = append(lines, strings.TrimSpace(line))
		}
		return strings.TrimSpace(strings.Join(lines, "\n"))
	}
	for _, file := range testedGo {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(normal(string(code)), normal(text)) {
			return
		}
	}
	t.Errorf("no test runs this sample:\n%s", text)
}

// checkShape compares an answer with the one shown: it has the same members, and the same values except for those that
// differ each time.
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

// `make run` in a checkout builds, serves, and says how to begin.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	cmd, err := makeCommand("run")
	if err != nil {
		t.Fatal(err)
	}
	database := "sqlite:" + filepath.Join(t.TempDir(), "run.db")
	cmd.Env = append(cmd.Env, "SHARELINKS_ADDR=127.0.0.1:0", "SHARELINKS_DATABASE="+database)
	p := start(t, cmd)
	p.await()
	if _, err := p.create(t.Context(), nil, ""); err != nil {
		t.Error(err)
	}
	p.kill() // after that stderr is complete
	if !strings.Contains(p.stderr.String(), "curl --request POST") {
		t.Errorf("no curl to paste:\n%s", p.stderr)
	}
}
