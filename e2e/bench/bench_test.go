package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// TestMain lets this binary be the bare Echo handler too, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "-bare" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The whole measurement, small: every operation, the table, the plots. What comes out is checked, never how fast it was.
func TestSmall(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("wrk"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("BENCH NOT TESTED: wrk is missing")
		}
		t.Skip("BENCH NOT TESTED: wrk is missing; on Debian: apt-get install wrk")
	}
	docs := t.TempDir()
	page, err := os.ReadFile(filepath.Join(root, "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(docs, "performance.md"), page, 0o600); err != nil {
		t.Fatal(err)
	}
	var progress, printed bytes.Buffer
	err = run(t.Context(), options{
		binary: sharelinks(t), docs: docs, engines: all("sqlite"), links: numbers{100}, connections: numbers{1, 2}, operations: all(operationNames()...),
		rounds: 1, seconds: 0.1, command: "make bench", bare: []string{os.Args[0], "-bare"}, progress: &progress, table: &printed,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	for _, op := range operations {
		for _, connections := range []int{1, 2} {
			if row := fmt.Sprintf("\n| sqlite | 100 | %d | %s | ", connections, op.title); strings.Count(printed.String(), row) != 1 {
				t.Errorf("no row %q in\n%s", row, &printed)
			}
		}
	}
	after, err := os.ReadFile(filepath.Join(docs, "performance.md"))
	if err != nil || !strings.Contains(string(after), begin+printed.String()+end) {
		t.Errorf("the page has not the table: %v\n%s", err, after)
	}
	for _, name := range []string{"ratio.svg", "cpu.svg"} {
		picture, err := os.ReadFile(filepath.Join(docs, "performance", name))
		if err != nil || !bytes.Contains(picture, []byte("</svg>")) || bytes.Contains(picture, []byte("NaN")) {
			t.Errorf("%s: %v, %d bytes", name, err, len(picture))
		}
	}
}

// A run with refusals is an error.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]string{
		"  10 requests in 1.00s, 1MB read\n  Non-2xx or 3xx responses: 7\nRequests/sec:     10.00\n":                          "wrk: Non-2xx or 3xx responses: 7",
		"  10 requests in 1.00s, 1MB read\n  Socket errors: connect 0, read 1, write 0, timeout 2\nRequests/sec:     10.00\n": "wrk: Socket errors: connect 0, read 1, write 0, timeout 2",
		"unable to connect\n": "wrk got no answers:\nunable to connect\n",
	} {
		if _, _, err := parse(out); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// sharelinks returns where the program is: the binary that SHARELINKS_BINARY names, else one that is built here.
func sharelinks(t *testing.T) string {
	t.Helper()
	if binary := os.Getenv("SHARELINKS_BINARY"); binary != "" {
		return binary
	}
	binary := filepath.Join(t.TempDir(), "sharelinks")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", binary, "./cmd/sharelinks")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v", out, err)
	}
	return binary
}
