package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unprivileged is a command that heeds permissions. Root may write everything, unless it gives that up.
func unprivileged(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		return cmd
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("NOT TESTED AS ROOT: there is no setpriv on this machine; it comes with util-linux")
	}
	const all = "-dac_override,-dac_read_search"
	return runBy(cmd, "setpriv", "--bounding-set", all, "--inh-caps", all)
}

// runBy is a command that another program runs, which becomes it.
func runBy(cmd *exec.Cmd, program ...string) *exec.Cmd {
	by := command(program[0], append(program[1:], cmd.Args...)...)
	by.Dir = cmd.Dir
	return by
}

// A directory or a file that cannot be written, as a volume of a container often is, is named, and so is who cannot write it.
func TestNotWritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "links.db")
	if out, err := command(binary, "organization", "create", "acme", "--database", "sqlite:"+path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range []struct {
		dir, file os.FileMode
		says      string
	}{
		{0o500, 0o600, fmt.Sprintf("user id %d cannot write in the directory %s: SQLite makes files beside the database", os.Getuid(), dir)},
		{0o700, 0o400, fmt.Sprintf("user id %d cannot write the file %s", os.Getuid(), path)},
		{0o700, 0o600, "acme"},
	} {
		if err := os.Chmod(path, c.file); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, c.dir); err != nil {
			t.Fatal(err)
		}
		out, err := unprivileged(t, command(binary, "organization", "list", "--database", "sqlite:"+path)).CombinedOutput()
		if !strings.Contains(string(out), c.says) {
			t.Errorf("directory %v, file %v: %v: %s", c.dir, c.file, err, out)
		}
	}
}
