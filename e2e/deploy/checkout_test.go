package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// path returns the path of a file of the checkout.
func path(t *testing.T, name string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, name)
}

// run runs a program and returns what it printed to standard output. A make around the test passes nothing on to one inside.
func run(t *testing.T, dir string, environment []string, program string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Stderr = dir, &stderr
	cmd.Env = append(append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL="), environment...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", program, args, err, out, &stderr)
	}
	return string(out)
}
