package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sharelinks-dev/sharelinks/internal/store"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"sqlite:links.db", "sqlite:./a b?c#d%20e.db", "sqlite:/var/lib/links.db", "sqlite:///var/lib/links.db", "sqlite::memory", "sqlite:C:/links.db",
		"postgres://localhost", "postgresql://user:secret@localhost:5432/links?sslmode=disable", "postgres:///links?host=/run/postgresql",
		"postgres://user:p%2Fss%40@one:5432,two:5432/links?target_session_attrs=read-write",
	} {
		if err := store.CheckURL(url); err != nil {
			t.Errorf("CheckURL(%q): %v", url, err)
		}
	}
	for url, want := range map[string]string{
		"":                                       "empty",
		"links.db":                               "did you mean sqlite:links.db?",
		"./links.db":                             "did you mean sqlite:./links.db?",
		"sqlite:":                                "use sqlite:PATH",
		"sqlite::memory:":                        "with a file",
		"sqlite:file::memory:?x":                 "with a file",
		"sqlite://links.db":                      "use sqlite:links.db for a relative path, sqlite:/links.db",
		"sqlite:a\x00b":                          "NUL",
		"mysql://root:secret@h/d":                `the scheme "mysql"; use sqlite:PATH or postgres://`,
		"host=h password=secret":                 "use sqlite:PATH or postgres://",
		"user:secret@host/db":                    "use sqlite:PATH or postgres://",
		"secret@host":                            "use sqlite:PATH or postgres://",
		"postgres://user:secret@host:port/links": "percent-encoded",
		"postgres://user:secret/x@host/links?sslmode=secrets": "percent-encoded",
		"postgres://host/links?password=secret&sslmode=x":     "percent-encoded",
		"postgres://host:port/links":                          "port",
		"postgres://host/links?sslmode=maybe":                 "sslmode",
	} {
		err := store.CheckURL(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("CheckURL(%q): %v, want it to say %q", url, err, want)
		}
		if _, opened := store.Open(t.Context(), url, store.Options{}); opened == nil || opened.Error() != err.Error() {
			t.Errorf("Open(%q): %v, want what CheckURL says: %v", url, opened, err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"sqlite:" + dir:                     "is a directory",
		"sqlite:" + dir + "/none/links.db":  "the directory " + dir + "/none of the database does not exist",
		"sqlite:" + dir + "/text":           "not a SQLite database",
		"postgres:///links?host=" + dir:     "connect",
		"postgres://u:secret@127.0.0.1:1/d": "connect",
	} {
		_, err := store.Open(t.Context(), url, store.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q): %v, want it to say %q", url, err, want)
		}
	}
}

func TestFileOfAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"links.db", "a b.db", "a?mode=memory", "a#b", "100%", "%41", "file:x", "ü", "a&b=c;d", ":memory:x"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := open(t, "sqlite:"+path, store.Options{}).Ping(t.Context()); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			info, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(f.Name(), name) || info.Mode().Perm() != 0o600 {
				t.Errorf("%q: there is a file %q with permissions %v", name, f.Name(), info.Mode())
			}
		}
	}
}
