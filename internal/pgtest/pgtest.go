// Package pgtest runs a private PostgreSQL server for tests. The first test of a binary that asks for a database starts
// it. It listens on a Unix socket only and keeps its data in a temporary directory. Server and directory are removed when
// the binary ends, whether it returns, panics or is killed.
package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver, as "pgx"
)

// shared returns the one server of the test binary, started at the first call. Tests share nothing else to keep it in.
var shared = sync.OnceValues(func() (*Server, error) {
	server, err := Start()
	running.Store(server)
	return server, err
})

// running is the shared server, nil before the first call of shared.
var running atomic.Pointer[Server]

var databases atomic.Int64

// Main runs the tests of a binary, for os.Exit in its TestMain, and waits until the server is removed. Without Main the
// server is removed too, a moment after the binary has ended.
func Main(m *testing.M) int {
	code := m.Run()
	if server := running.Load(); server != nil {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = max(code, 1)
		}
	}
	return code
}

// NewDatabase makes an empty database and returns its URL. It stays until the server is removed, because dropping it takes
// longer than making it. Without PostgreSQL on this machine the test is skipped, or fails when the environment variable CI is
// set: CI must not leave anything out silently.
func NewDatabase(t testing.TB) string {
	t.Helper()
	return newDatabase(t, "template1")
}

// Copies returns a function that makes databases as NewDatabase does, but each is a copy of one that prepare has filled. It is
// for tests that need tables and do not test how these are made.
func Copies(prepare func(ctx context.Context, url string) error) func(t testing.TB) string {
	var mu sync.Mutex
	template := "" // the name of the one that prepare has filled
	return func(t testing.TB) string {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if template == "" {
			filled := NewDatabase(t)
			if err := prepare(t.Context(), filled); err != nil {
				t.Fatalf("prepare a database: %v", err)
			}
			u, err := url.Parse(filled)
			if err != nil {
				t.Fatal(err)
			}
			template = strings.TrimPrefix(u.Path, "/")
		}
		return newDatabase(t, template)
	}
}

func newDatabase(t testing.TB, template string) string {
	t.Helper()
	server, err := shared()
	if missing := (*MissingError)(nil); errors.As(err, &missing) && os.Getenv("CI") == "" {
		t.Skipf("NOT TESTED ON POSTGRESQL: %v", err)
	}
	if err != nil {
		t.Fatalf("start a PostgreSQL server: %v", err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := server.exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template+server.copying); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	return server.URL(name)
}

// MissingError says that PostgreSQL is not on this machine.
type MissingError struct{ Program string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("there is no %s on this machine; to have it: apt-get install postgresql", e.Program)
}

// binaries returns the directory of initdb and postgres, which Debian keeps outside PATH.
func binaries() (string, error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is right
	for i := len(debian) - 1; i >= 0; i-- {
		dirs = append(dirs, debian[i])
	}
	for _, dir := range dirs {
		if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", &MissingError{Program: "initdb or postgres"}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// URL returns the URL of one of the server's databases.
func (s *Server) URL(database string) string {
	query := url.Values{"host": {s.dir}, "port": {port}, "user": {superuser}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

// exec runs one statement outside any transaction, as CREATE DATABASE wants it.
func (s *Server) exec(ctx context.Context, statement string) error {
	db, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}
