package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const (
	superuser    = "sharelinks"
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
)

// Server is a running PostgreSQL server.
type Server struct {
	dir    string // its data and its socket
	cmd    *exec.Cmd
	output *bytes.Buffer // what it wrote; to be read when it has ended
	ended  chan struct{} // closed when it has
}

// Start makes a database cluster in a temporary directory and starts a server on it. It must be stopped with Stop. The
// error is a *MissingError when PostgreSQL is not on this machine.
func Start() (_ *Server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	who, err := identity()
	if err != nil {
		return nil, err
	}
	// The path of a Unix socket has at most 107 bytes, and a test's own temporary directory is easily longer.
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")

	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata="+data, "--username="+superuser, "--auth=trust",
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	initdb.Dir = dir
	initdb.SysProcAttr = attributes(who)
	if out, err := onLockedThread(initdb.CombinedOutput); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}

	s := &Server{dir: dir, output: &bytes.Buffer{}, ended: make(chan struct{})}
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir,
		"-c", "listen_addresses=", "-c", "max_connections=200",
		// Nothing in it has to survive: these save most of the time that tests would spend.
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "wal_level=minimal",
		"-c", "max_wal_senders=0", "-c", "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "log_min_messages=fatal")
	s.cmd.Dir = dir
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.SysProcAttr = attributes(who)
	if err := s.start(); err != nil {
		return nil, err
	}
	if err := s.awaitReady(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// start runs the server. The thread that starts it stays locked for as long as it runs: the kernel sends a process its
// Pdeathsig when the thread that made it ends, and Go ends idle threads when it likes.
func (s *Server) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // how it ended is in its output
			close(s.ended)
		}
	}()
	return <-started
}

// onLockedThread runs a command from a thread that outlives it, see start.
func onLockedThread[T any](run func() (T, error)) (T, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return run()
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
			return fmt.Errorf("postgres ended: %s", s.output)
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-time.After(20 * time.Millisecond): // it has no way to say that it is ready
		}
	}
}

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	select {
	case <-s.ended:
	default:
		// SIGQUIT is "immediate shutdown": there is nothing to keep.
		if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-s.ended:
		case <-time.After(stopTimeout):
			_ = s.cmd.Process.Kill() // its children notice and end themselves
			<-s.ended
		}
	}
	return os.RemoveAll(s.dir)
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
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it as")
}
