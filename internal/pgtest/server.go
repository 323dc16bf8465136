package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	superuser    = "sharelinks"
	port         = "5432" // of a Unix socket it is only a part of the name
	startTimeout = 30 * time.Second
)

// janitor is a shell script that ends a server and removes its directory, $0. It begins when its standard input is closed.
// The test binary holds the other end of that pipe: the kernel closes it however the binary ends. SIGQUIT is "immediate
// shutdown": there is nothing to keep. SIGCONT is for one that a test has stopped. A server that is ending may still be writing, so
// rm is tried several times.
const janitor = `cat
pid=$(head -n 1 "$0/data/postmaster.pid")
kill -QUIT "$pid"
kill -CONT "$pid"
for try in 1 2 3 4 5 6 7 8 9; do
	rm -rf "$0" && exit
	sleep 0.1
done
exit 1`

// Server is a running PostgreSQL server.
type Server struct {
	dir      string // its data and its socket
	copying  string // what CREATE DATABASE is told about how to copy
	janitor  *exec.Cmd
	lifeline io.Closer     // the janitor's standard input
	output   bytes.Buffer  // what the server wrote; to be read when it has ended
	ended    chan struct{} // closed when it has
}

// volatile are settings for tests: nothing in their databases has to survive, and these save most of the time.
var volatile = []string{
	"fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "jit=off",
	"shared_buffers=32MB", "autovacuum=off",
}

// Start makes a database cluster in a temporary directory and starts a server on it. Stop ends it; otherwise it ends with
// the test binary. The error is a *MissingError when PostgreSQL is not on this machine.
func Start() (*Server, error) { return startWith(volatile) }

// StartDurable is Start with the settings that PostgreSQL has by itself: a commit waits for the disk. It is for measurements.
func StartDurable() (*Server, error) { return startWith(nil) }

func startWith(settings []string) (_ *Server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	who, err := identity()
	if err != nil {
		return nil, err
	}
	forgetEnvironment()
	// The path of a Unix socket has at most 107 bytes, and a test's own temporary directory is easily longer.
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, ended: make(chan struct{})}
	if err := s.startJanitor(); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	if err := s.start(bin, who, settings); err != nil {
		close(s.ended)
		return nil, errors.Join(err, s.Stop())
	}
	if err := s.awaitReady(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// forgetEnvironment unsets the PG* variables of the test binary: pgx reads what a URL leaves out from them. The URL cannot
// override all of them: a PGSERVICE that does not exist is an error whatever the URL says.
func forgetEnvironment() {
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "PG") {
			name, _, _ := strings.Cut(variable, "=")
			_ = os.Unsetenv(name) // the name is valid, it was there
		}
	}
}

func (s *Server) startJanitor() (err error) {
	s.janitor = exec.Command("/bin/sh", "-c", janitor, s.dir)
	s.janitor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C must not end it
	if s.lifeline, err = s.janitor.StdinPipe(); err != nil {
		return err
	}
	return s.janitor.Start()
}

// start makes the cluster and runs the server.
func (s *Server) start(bin string, who *syscall.Credential, settings []string) error {
	if who != nil {
		if err := os.Chown(s.dir, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	program := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir = s.dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
		return cmd
	}
	data := filepath.Join(s.dir, "data")
	initdb := program("initdb", "--pgdata="+data, "--username="+superuser, "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	version, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return err
	}
	if major, err := strconv.Atoi(strings.TrimSpace(string(version))); err == nil && major >= 15 {
		s.copying = " STRATEGY FILE_COPY" // older ones know no other; the default since is three times slower
	}
	args := []string{"-D", data, "-k", s.dir, "-p", port}
	for _, setting := range append([]string{"listen_addresses=", "max_connections=200", "log_min_messages=fatal"}, settings...) {
		args = append(args, "-c", setting)
	}
	postgres := program("postgres", args...)
	postgres.Stdout, postgres.Stderr = &s.output, &s.output
	if err := postgres.Start(); err != nil {
		return err
	}
	go func() {
		_ = postgres.Wait() // how it ended is in its output
		close(s.ended)
	}()
	return nil
}

func (s *Server) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := s.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("postgres ended: %s", &s.output)
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-time.After(20 * time.Millisecond): // it has no way to say that it is ready
		}
	}
}

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	err := errors.Join(s.lifeline.Close(), s.janitor.Wait())
	<-s.ended
	return err
}

// Freeze stops all processes of the server where they are, as on a machine that hangs, until thaw is called or the server is
// stopped. Connections stay open and are not answered.
func (s *Server) Freeze() (thaw func() error, err error) {
	postmaster, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(postmaster), "\n")
	// The first is stopped first, or it would start others.
	if err := exec.Command("kill", "-STOP", first).Run(); err != nil {
		return nil, err
	}
	children, err := exec.Command("pgrep", "-P", first).Output()
	if err != nil {
		return nil, err
	}
	all := append([]string{first}, strings.Fields(string(children))...)
	signal := func(name string) error { return exec.Command("kill", append([]string{name}, all...)...).Run() }
	return func() error { return signal("-CONT") }, signal("-STOP")
}

// identity returns whom to run PostgreSQL as, because it refuses to run as root; nil when this is not root.
func identity() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody")
}
