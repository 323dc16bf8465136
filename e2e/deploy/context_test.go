package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// What the Dockerfile gets to see is enough to build with, and nothing that a checkout has beside its source.
func TestBuildContext(t *testing.T) {
	t.Parallel()
	ignored, err := os.Open(path(t, "deploy/Dockerfile.dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer ignored.Close()
	patterns, err := ignorefile.ReadAll(ignored)
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	kept := func(name string) bool {
		ignored, err := matcher.MatchesOrParentMatches(name)
		if err != nil {
			t.Fatal(err)
		}
		return !ignored
	}
	for _, name := range []string{
		".git/config", ".env", "server/key.pem", "sharelinks.db", "cmd/sharelinks/sharelinks.db", "server/sharelinks.db-wal", "server/sharelinks.db-shm",
		"bin/sharelinks", "dist/SHA256SUMS", "e2e/linters/node_modules/a/index.js", "server/server_test.go",
	} {
		if kept(name) {
			t.Errorf("%s is in it", name)
		}
	}

	root, source, image := path(t, ""), t.TempDir(), t.TempDir()
	err = filepath.WalkDir(root, func(file string, entry os.DirEntry, err error) error {
		name, _ := filepath.Rel(root, file)
		if !kept(name) { // what git or another test changes meanwhile is there
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		file = filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		return os.WriteFile(file, text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile(path(t, "deploy/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^RUN (make (?:.*\\\n)*.*)`).FindSubmatch(dockerfile)
	if command == nil {
		t.Fatal("the Dockerfile runs no make")
	}
	run(t, source, []string{"VERSION=v1.2.3"}, "sh", "-c", strings.ReplaceAll(string(command[1]), "/image/", image+"/"))
	if said := run(t, image, nil, "./sharelinks", "--version"); !strings.Contains(said, "v1.2.3") {
		t.Errorf("it built %q", said)
	}
}
