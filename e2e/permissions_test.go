package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A directory or a file that cannot be written, as a volume of a container often is, is named, and so is who cannot write it.
func TestNotWritable(t *testing.T) {
	t.Parallel()
	var unprivileged []string
	if os.Getuid() == 0 { // root may write everything, unless it gives that up
		setpriv, err := exec.LookPath("setpriv")
		if err != nil {
			t.Skip("NOT TESTED AS ROOT: there is no setpriv on this machine; it comes with util-linux")
		}
		const all = "-dac_override,-dac_read_search"
		unprivileged = []string{setpriv, "--bounding-set", all, "--inh-caps", all}
	}
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
		args := append(slices.Clone(unprivileged), binary, "organization", "list", "--database", "sqlite:"+path)
		out, err := command(args[0], args[1:]...).CombinedOutput()
		if !strings.Contains(string(out), c.says) {
			t.Errorf("directory %v, file %v: %v: %s", c.dir, c.file, err, out)
		}
	}
}
