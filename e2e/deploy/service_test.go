package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// systemd understands all of the unit, and what it leaves the service is at most 2 of the 10 that systemd-analyze gives to
// a service with all rights.
func TestService(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("deploy/sharelinks.service NOT TESTED: systemd-analyze is missing")
		}
		t.Skip("deploy/sharelinks.service NOT TESTED: systemd-analyze is missing")
	}
	text, err := os.ReadFile(path(t, "deploy/sharelinks.service"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable() // the service need not be installed here
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "sharelinks.service")
	text = bytes.ReplaceAll(text, []byte("/usr/local/bin/sharelinks"), []byte(program))
	if err := os.WriteFile(unit, text, 0o600); err != nil {
		t.Fatal(err)
	}
	// What it does not know it warns of, and ignores.
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
