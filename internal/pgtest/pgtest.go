// Package pgtest runs a private PostgreSQL server for tests. It is started by the first test of a binary that asks for a
// database, listens on a Unix socket only, keeps its data in a temporary directory, and ends with the binary, also when
// that is killed.
//
// A package that uses it has a TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
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
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver, as "pgx"
)

// shared is the one server of a test binary: tests have no other thing in common to keep it in.
var shared struct {
	mu     sync.Mutex
	server *Server
	err    error // of the attempt to start it; it is made once
}

var databases atomic.Int64

// Main runs the tests of a binary and stops the server if one of them started it. The result is for os.Exit.
func Main(m *testing.M) int {
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = max(code, 1)
		}
		shared.server = nil
		shared.err = errors.New("the tests are over")
	}
	return code
}

// NewDatabase makes an empty database and returns its URL; it is dropped when the test ends. Without PostgreSQL on this
// machine the test is skipped, or fails when the environment variable CI is set: there nothing may be left out silently.
func NewDatabase(t testing.TB) string {
	t.Helper()
	server, err := start()
	if missing := (*MissingError)(nil); errors.As(err, &missing) && os.Getenv("CI") == "" {
		t.Skipf("NOT TESTED ON POSTGRESQL: %v", err)
	}
	if err != nil {
		t.Fatalf("start a PostgreSQL server: %v", err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := server.exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		if err := server.exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop a database: %v", err)
		}
	})
	return server.URL(name)
}

func start() (*Server, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = Start()
	}
	return shared.server, shared.err
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
		dirs = append(dirs, string(out[:max(len(out)-1, 0)]))
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
	u := url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: url.Values{"host": {s.dir}, "user": {superuser}}.Encode()}
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
