package deploy

import (
	"os"
	"path/filepath"
	"testing"
)

// Two clones of one commit, in other directories, for users with other settings, make archives of the same bytes.
func TestReleaseIsReproducible(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(path(t, ".git")); err != nil {
		t.Skip("make release NOT TESTED: this is not a git checkout")
	}
	made := func(directory string, environment ...string) string {
		clone := filepath.Join(t.TempDir(), directory)
		run(t, "", nil, "git", "clone", "--quiet", path(t, ""), clone)
		return run(t, clone, environment, "sh", "-c", "umask $UMASK; make release TARGETS=linux/amd64 && cd dist && sha256sum *")
	}
	one := made("one", "UMASK=022", "TZ=UTC", "LC_ALL=C")
	two := made("another/longer/two", "UMASK=077", "TZ=Asia/Kathmandu", "LC_ALL=de_DE.UTF-8",
		"GOFLAGS=-buildvcs=true", "GOAMD64=v2", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.abbrev", "GIT_CONFIG_VALUE_0=20")
	if one != two {
		t.Errorf("made\n%sand\n%s", one, two)
	}
}
