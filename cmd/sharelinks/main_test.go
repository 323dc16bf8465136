package main

import (
	"bytes"
	"flag"
	"log/slog"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/server"
)

var update = flag.Bool("update", false, "rewrite the golden parts of the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sharelinks": main})
}

func TestScripts(t *testing.T) {
	deadline, _ := t.Deadline()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Deadline:            deadline,
		WorkdirRoot:         t.TempDir(), // testscript's own stays behind when -run leaves a script out
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			s := &script{}
			env.Values[scriptKey{}] = s
			env.Defer(s.close)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"waitready":   waitReady,
			"term":        askToStop,
			"request":     request,
			"eventually":  eventually,
			"hold":        hold,
			"waitstopped": waitStopped,
			"waitunready": waitUnready,
			"release":     release,
			"occupy":      occupy,
			"idle":        idle,
		},
	})
}

// testProgram returns a program without environment and input.
func testProgram(stdout, stderr *bytes.Buffer) *program {
	getenv := func(string) string { return "" }
	return &program{stdin: strings.NewReader(""), stdout: stdout, stderr: stderr, getenv: getenv}
}

func TestHelpOfEveryCommand(t *testing.T) {
	var stdout, stderr bytes.Buffer
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		stdout.Reset()
		cmd.InitDefaultHelpFlag()
		if err := cmd.Help(); err != nil {
			t.Error(err)
		}
		if cmd.Short == "" {
			t.Errorf("%s has no Short", cmd.CommandPath())
		}
		if cmd.Name() != "help" && cmd.Args == nil {
			t.Errorf("%s takes any arguments", cmd.CommandPath())
		}
		for line := range strings.Lines(stdout.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
				t.Errorf("%s --help has a line of %d characters: %s", cmd.CommandPath(), n, line)
			}
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(testProgram(&stdout, &stderr).root())
	if stderr.Len() > 0 {
		t.Errorf("help wrote to standard error: %s", &stderr)
	}
}

// A flag that does not exist reminds of those that are spelled much like it.
func TestSimilarFlags(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"link create --use 5":         "hint: did you mean --uses?",
		"link create --expires 24h":   "hint: did you mean --expires-in?",
		"link create --Person x":      "hint: did you mean --persona?",
		"link list --per 5":           "hint: did you mean --persona or --per-page?",
		"link list --jsom":            "hint: did you mean --json?",
		"link get --uses 5":           "hint: sharelinks link get --help lists the flags",
		"link list --url x":           "hint: sharelinks link list --help lists the flags",
		"serve --adr 127.0.0.1:0":     "hint: did you mean --addr?",
		"key create --oranization me": "hint: did you mean --organization?",
	} {
		var stdout, stderr bytes.Buffer
		exit := testProgram(&stdout, &stderr).run(t.Context(), strings.Fields(line))
		if _, hint, _ := strings.Cut(stderr.String(), "\n"); exit != exitUsage || hint != want+"\n" {
			t.Errorf("%s: exit %d, %s", line, exit, &stderr)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"one\n\t two":                        "one two",
		"bad postgres://me:p/w@d@db:5432/x":  "bad postgres://...@db:5432/x",
		"use postgres://USER:PASSWORD@HOST":  "use postgres://USER:PASSWORD@HOST",
		"key ak_2kL9pQxYzR4vN8mBwHfJc":       "key ak_...",
		"token sh_2kL9pQxYzR4vN8mBwHfJc end": "token sh_... end",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestShellQuoted(t *testing.T) {
	for _, s := range []string{"", "http://127.0.0.1:8080/v1/share-links", "it's", "$(echo x) `y` \"z\"", "''"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellQuoted(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("the shell reads %s as %q, %v", shellQuoted(s), out, err)
		}
	}
}

func TestLogger(t *testing.T) {
	at := time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct{ format, level, want string }{
		{"text", "info", "time=2026-04-20T10:00:00.000Z level=INFO msg=hello\n"},
		{"json", "info", `{"time":"2026-04-20T10:00:00Z","level":"INFO","msg":"hello"}` + "\n"},
		{"auto", "debug", `{"time":"2026-04-20T10:00:00Z","level":"INFO","msg":"hello"}` + "\n"}, // not a terminal
		{"json", "warn", ""},
	} {
		var b bytes.Buffer
		logger := newLogger(&b, logOptions{test.format, test.level})
		if logger.Enabled(t.Context(), slog.LevelInfo) {
			if err := logger.Handler().Handle(t.Context(), slog.NewRecord(at, slog.LevelInfo, "hello", 0)); err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff(test.want, b.String()); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", test.format, test.level, diff)
		}
	}
}

// Every field of the server's configuration can be set from outside, but for the three that are the program's own.
func TestEveryFieldOfTheConfigHasASetting(t *testing.T) {
	t.Parallel()
	config := server.DefaultConfig()
	var logs logOptions
	var fields []any
	for _, s := range serveSettings(&config, &logs) {
		fields = append(fields, s.field)
	}
	value := reflect.ValueOf(&config).Elem()
	for i := range value.NumField() {
		name := value.Type().Field(i).Name
		if slices.Contains([]string{"Version", "Logger", "Now"}, name) {
			continue
		}
		if !slices.Contains(fields, value.Field(i).Addr().Interface()) {
			t.Errorf("server.Config.%s has no line in serveSettings", name)
		}
	}
}
