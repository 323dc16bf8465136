package pgtest_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// killed is an environment variable: a run of this binary that has it is killed by TestNothingIsLeft.
const killed = "SHARELINKS_TEST_IS_KILLED"

// TestMain sets every variable that pgx or PostgreSQL reads to what cannot work: nothing here may depend on them.
func TestMain(m *testing.M) {
	for _, name := range []string{
		"HOST", "PORT", "DATABASE", "USER", "PASSWORD", "PASSFILE", "APPNAME", "CONNECT_TIMEOUT", "SSLMODE", "SSLKEY",
		"SSLCERT", "SSLCERTMODE", "SSLSNI", "SSLROOTCERT", "SSLPASSWORD", "SSLNEGOTIATION", "TARGETSESSIONATTRS",
		"SERVICE", "SERVICEFILE", "TZ", "OPTIONS", "MINPROTOCOLVERSION", "MAXPROTOCOLVERSION", "CHANNELBINDING",
		"REQUIREAUTH", "DATA",
	} {
		if err := os.Setenv("PG"+name, "nonsense"); err != nil {
			panic(err)
		}
	}
	if os.Getenv(killed) != "" {
		m.Run() // as in a package that does not call pgtest.Main
		return
	}
	os.Exit(pgtest.Main(m))
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	first, second := open(t), open(t)
	if _, err := first.ExecContext(t.Context(), "CREATE TABLE here (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	var tables int
	err := second.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'here'").Scan(&tables)
	if err != nil || tables != 0 {
		t.Fatalf("the second database has %d of the first one's tables, error %v", tables, err)
	}
}

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", pgtest.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// A test binary that is killed leaves neither a server nor a directory.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	database := pgtest.NewDatabase(t)
	if os.Getenv(killed) != "" {
		fmt.Println(database)
		select {}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tests := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestNothingIsLeft$")
	tests.Env = append(os.Environ(), killed+"=yes")
	stdout, err := tests.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tests.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	other, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	dir := other.Query().Get("host")
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	if err := tests.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = tests.Wait() // it was killed
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the server still runs: %v", err)
	}
	for {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is still there", dir)
		case <-time.After(10 * time.Millisecond): // nothing tells when a directory is removed
		}
	}
}
