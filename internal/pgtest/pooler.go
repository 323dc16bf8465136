package pgtest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pooling is a shell script that runs PgBouncer, $0, with the settings in the file $1, until its standard input is closed. The
// test binary holds the other end of that pipe: the kernel closes it however the binary ends.
const pooling = `"$0" -q "$1" & cat; kill -INT $!; wait $!`

// NewPooler starts PgBouncer in front of the server of this database, in transaction mode: each transaction may run on another
// connection to the server. It returns the URL of the database through it. Without PgBouncer on this machine the test is
// skipped, or fails when the environment variable CI is set.
func NewPooler(t testing.TB, databaseURL string) string {
	t.Helper()
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		bin = "/usr/sbin/pgbouncer" // where Debian has it, outside of a user's PATH
	}
	if !executable(bin) {
		if os.Getenv("CI") == "" {
			t.Skip("NOT TESTED BEHIND PGBOUNCER: there is no pgbouncer on this machine; to have it: apt-get install pgbouncer")
		}
		t.Fatal("there is no pgbouncer on this machine")
	}
	who, err := identity()
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pgtest-") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	settings := filepath.Join(dir, "settings.ini")
	text := fmt.Sprintf("[databases]\n* = host=%s port=%s user=%s\n[pgbouncer]\nlisten_addr =\nlisten_port = %[2]s\nunix_socket_dir = %[4]s\n"+
		"auth_type = any\npool_mode = transaction\ndefault_pool_size = 8\nmax_client_conn = 500\n", server.Query().Get("host"), port, superuser, dir)
	if err := os.WriteFile(settings, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	pooler := exec.Command("/bin/sh", "-c", pooling, bin, settings)
	pooler.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
	var output strings.Builder
	pooler.Stdout, pooler.Stderr = &output, &output
	lifeline, err := pooler.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := pooler.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = lifeline.Close()
		_ = pooler.Wait() // it says that it was interrupted
	})
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) { // it has no way to say that it is ready
		// The file is there a moment before anybody listens.
		if conn, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL."+port)); err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("pgbouncer does not listen: %s", &output)
		}
	}
	query := server.Query()
	query.Set("host", dir)
	server.RawQuery = query.Encode()
	return server.String()
}
