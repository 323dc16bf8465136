package generators

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	root = "../.."
	page = root + "/docs/generators.md"
	key  = "a-key-for-the-generators"
)

// What a stranger generates from openapi.yaml compiles, and a program on it calls every operation of a running server, and of
// a fake of Anam. The commands are those of docs/generators.md. They run in a directory that has the document, the program and the files that
// pin the versions. Without a network or npm the test is skipped, or fails when the environment variable CI is set: there
// nothing may be left out silently.
func TestGenerators(t *testing.T) {
	t.Parallel()
	server := sharelinks(t)
	for _, g := range []struct {
		name    string
		program string
		pins    []string
		install string // what needs a network
	}{
		{"oapi-codegen", "main.go", []string{"go.mod", "go.sum"}, "go mod download"},
		{"ogen", "main.go", []string{"go.mod", "go.sum"}, "go mod download"},
		{"openapi-typescript", "main.ts", []string{"package.json", "package-lock.json"}, "npm ci --ignore-scripts"},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			program := filepath.Join("testdata", g.name, g.program)
			for _, file := range append(g.pins, program, filepath.Join(root, "openapi.yaml")) {
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(read(t, file)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			url, hosted := serve(t, server), anam(t)
			run := func(script string) (string, error) {
				cmd := command(t, "bash", "-euxo", "pipefail", "-c", script)
				cmd.Dir = dir
				cmd.Env = append(
					os.Environ(), "ANAM_API_URL="+url, "ANAM_API_KEY="+key, "HOSTED_URL="+hosted,
					"CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-trimpath", // as the server is built: what is compiled once serves all
					"npm_config_audit=false", "npm_config_fund=false",
					"npm_config_update_notifier=false", "npm_config_prefer_offline=true",
				)
				out, err := cmd.CombinedOutput()
				return string(out), err
			}

			if out, err := run(g.install); err != nil {
				what := fmt.Sprintf("GENERATOR NOT TESTED: %s cannot be installed: %s: %v\n%s", g.name, g.install, err, out)
				if os.Getenv("CI") != "" {
					t.Fatal(what)
				}
				t.Skip(what)
			}
			commands := commandsFor(t, g.name, read(t, program))
			out, err := run(strings.Replace(commands, g.install+"\n", "", 1))
			if err != nil || !strings.HasSuffix(out, "\nall is well\n") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

var (
	block  = regexp.MustCompile("(?ms)^ *```(\\w+)\n(.*?)^ *```$")
	indent = regexp.MustCompile(`(?m)^[ \t]+`)
)

// commandsFor returns the commands that the page gives for a generator. Its other samples must be parts of the program.
func commandsFor(t *testing.T, generator, program string) string {
	t.Helper()
	_, text, found := strings.Cut(read(t, page), "\n## "+generator+"\n")
	if !found {
		t.Fatalf("%s has no section %s", page, generator)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	program = indent.ReplaceAllString(program, "")
	var commands strings.Builder
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		if language, sample := m[1], m[2]; language == "sh" {
			commands.WriteString(sample)
		} else if !strings.Contains(program, indent.ReplaceAllString(sample, "")) {
			t.Errorf("%s, %s: the program has no\n%s", page, generator, sample)
		}
	}
	return commands.String()
}

// The versions on the page are those that are tested.
func TestPageHasTheVersions(t *testing.T) {
	t.Parallel()
	var npm struct{ Dependencies, DevDependencies map[string]string }
	if err := json.Unmarshal([]byte(read(t, "package.json")), &npm); err != nil {
		t.Fatal(err)
	}
	pinned := map[string]string{}
	maps.Copy(pinned, npm.Dependencies)
	maps.Copy(pinned, npm.DevDependencies)
	generator := regexp.MustCompile(`(?m)^\s(github.com/\S+gen(?:/v2)?) (v\S+)`)
	for _, m := range generator.FindAllStringSubmatch(read(t, "go.mod"), -1) {
		pinned[m[1]] = m[2]
	}
	row := regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (\\S+) \\|")
	for _, m := range row.FindAllStringSubmatch(read(t, page), -1) {
		if pinned[m[1]] != m[2] {
			t.Errorf("%s says %s %s; pinned is %q", page, m[1], m[2], pinned[m[1]])
		}
		delete(pinned, m[1])
	}
	if len(pinned) > 0 {
		t.Errorf("%s does not say which versions these have: %v", page, pinned)
	}
}

// sharelinks returns where the server is: the binary that SHARELINKS_BINARY names, else one that is built here.
func sharelinks(t *testing.T) string {
	t.Helper()
	if binary := os.Getenv("SHARELINKS_BINARY"); binary != "" {
		return binary
	}
	binary := filepath.Join(t.TempDir(), "sharelinks")
	cmd := command(t, "go", "build", "-trimpath", "-o", binary, "./cmd/sharelinks")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v", out, err)
	}
	return binary
}

// serve starts a server on a free port, with an empty database and an environment of its own, and returns its URL. The
// server ends with the test.
func serve(t *testing.T, binary string) (url string) {
	t.Helper()
	cmd := command(t, binary, "serve", "--addr", "127.0.0.1:0", "--database", "sqlite:links.db")
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"SHARELINKS_API_KEY=" + key}
	log := &bytes.Buffer{}
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		_ = cmd.Wait()
		t.Fatalf("no ready line but %q (%v):\n%s", line, err, log)
	}
	return url
}

// command returns a command that ends with the test, and before the test is ended for having run too long: after that
// nothing is cleaned up.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-10*time.Second))
		t.Cleanup(cancel)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	return cmd
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
