//go:build torture

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// diskFull fills the disk under a server, and gives it room again. The disk is in memory and the server's own: it is mounted in
// a namespace that ends with the server.
func diskFull(l *ledger) {
	dir := l.t.TempDir()
	mount := []string{"unshare", "--mount"}
	if os.Getuid() != 0 {
		mount = append(mount, "--map-root-user")
	}
	mount = append(mount, "sh", "-c", `mount -t tmpfs -o size=32m tmpfs "$0" && exec "$@"`, dir)
	if out, err := command(mount[0], append(slices.Clone(mount[1:]), "true")...).CombinedOutput(); err != nil {
		cannot(l.t, fmt.Sprintf("DISK FULL: a small disk cannot be mounted here (as root it can): %v: %s", err, out))
	}
	database := "sqlite:" + filepath.Join(dir, "links.db")
	cmd := runBy(serveCommand(l.t, database, unlimited...), mount...)
	p := start(l.t, cmd)
	p.await()
	seen := fmt.Sprintf("/proc/%d/root%s", cmd.Process.Pid, dir) // the disk, as it is seen from here
	before := l.warm(p)
	for range l.in(3) {
		l.load(p, 200, event{50 + l.random.IntN(50), func() { fill(l, seen) }})
		// The write-ahead log has room in its file for a while, and a create needs more than readiness does.
		for creates := 0; tryCreate(l, p) != 503 || ready(p) != 503; creates++ {
			if creates == 5000 {
				l.t.Fatal("it is ready, or no write is refused: the disk is not full")
			}
		}
		l.load(p, 200, event{50 + l.random.IntN(100), func() { makeRoom(l, seen) }})
		l.answersAgain(p)
		l.load(p, 100)
		l.law(p)
	}
	l.leaksNothing(p, before)
	if !strings.Contains(p.stderr.String(), "the disk is full") {
		l.t.Errorf("the log does not say why:\n%s", p.stderr)
	}
	inside := []string{"nsenter", "--target", strconv.Itoa(cmd.Process.Pid), "--mount"}
	if os.Getuid() != 0 {
		inside = append(inside, "--user", "--preserve-credentials")
	}
	if out, err := runBy(command(binary, "check", "--database", database), inside...).CombinedOutput(); err != nil {
		l.t.Errorf("check: %v\n%s", err, out)
	}
}

// fill fills a disk to the last byte.
func fill(l *ledger, dir string) {
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		l.t.Error(err)
		return
	}
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			l.t.Errorf("fill the disk: %v", err)
			return
		}
		err = nil
	}
}

func makeRoom(l *ledger, dir string) {
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		l.t.Error(err)
	}
}

// fileTakenAway moves the file of the database away under load, and puts it back. Meanwhile nothing is created.
func fileTakenAway(l *ledger) {
	url := sqliteFile(l)
	path := strings.TrimPrefix(url, "sqlite:")
	p := serve(l.t, url, unlimited...)
	move := func(from, to string) func() {
		return func() {
			if err := os.Rename(from, to); err != nil {
				l.t.Error(err)
			}
		}
	}
	// The first time, while it opens its connections.
	move(path, path+".away")()
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() {
			if resp, err := p.client.ListShareLinksWithResponse(l.t.Context(), nil); err == nil {
				l.read("list", resp.StatusCode(), resp.Body, 200)
			}
		})
	}
	group.Wait()
	if _, err := os.Stat(path); err == nil {
		l.t.Error("another file was made in its place")
	}
	move(path+".away", path)()
	for range l.in(5) {
		refusesWrites(l, p, move(path, path+".away"), move(path+".away", path))
	}
	if !strings.Contains(p.stderr.String(), "was deleted or replaced") {
		l.t.Errorf("the log does not say why:\n%s", p.stderr)
	}
	before := measure(l.t, p)
	l.load(p, 200, event{1, move(path, path+".away")}, event{100, move(path+".away", path)})
	l.answersAgain(p)
	l.leaksNothing(p, before)
	l.law(p)
	check(l.t, url)
}

// directoryClosed has the directory of the database take no new files, and then not be searched any more, and opens it again. The
// first is no fault for a server that has opened its files; in the second it cannot know that they are still there.
func directoryClosed(l *ledger) {
	url := sqliteFile(l)
	dir := filepath.Dir(strings.TrimPrefix(url, "sqlite:"))
	p := start(l.t, unprivileged(l.t, serveCommand(l.t, url, unlimited...)))
	p.await()
	chmod := func(mode os.FileMode) func() {
		return func() {
			if err := os.Chmod(dir, mode); err != nil {
				l.t.Error(err)
			}
		}
	}
	before := l.warm(p)
	for range l.in(2) {
		refusals := l.unavailable.Load()
		l.load(p, 200, event{1 + l.random.IntN(100), chmod(0o500)})
		l.answersAgain(p)
		if refused := l.unavailable.Load() - refusals; refused > 0 {
			l.t.Errorf("%d operations were refused though all files are there", refused)
		}
		refusesWrites(l, p, chmod(0), chmod(0o700))
	}
	l.leaksNothing(p, before)
	if log := p.stderr.String(); !strings.Contains(log, "permission denied") || strings.Contains(log, "was deleted or replaced") {
		l.t.Errorf("the log does not say why:\n%s", log)
	}
	check(l.t, url)
}

// filesReadOnly has the file system refuse writes to files that are open, as one does that was made read-only after an error.
func filesReadOnly(l *ledger) {
	url := sqliteFile(l)
	path := strings.TrimPrefix(url, "sqlite:")
	p := serve(l.t, url, unlimited...)
	immutable := func(to string) error {
		if out, err := command("chattr", to+"i", path, path+"-wal").CombinedOutput(); err != nil {
			return fmt.Errorf("chattr %si: %w: %s", to, err, out)
		}
		return nil
	}
	err := immutable("+")
	refused := tryCreate(l, p) == 503
	if err = errors.Join(err, immutable("-")); err != nil || !refused {
		cannot(l.t, fmt.Sprintf("FILES READ-ONLY: open files cannot be made immutable here (as root on ext4 they can): %v", err))
	}
	set := func(to string) func() {
		return func() {
			if err := immutable(to); err != nil {
				l.t.Error(err)
			}
		}
	}
	l.t.Cleanup(set("-")) // or they could not be removed
	before := l.warm(p)
	for range l.in(3) {
		refusesWrites(l, p, set("+"), set("-"))
	}
	l.leaksNothing(p, before)
	check(l.t, url)
}

// refusesWrites has a fault come under load and go again. Meanwhile nothing can be written, and the server is not ready.
func refusesWrites(l *ledger, p *process, come, goAgain func()) {
	l.t.Helper()
	l.load(p, 200, event{1 + l.random.IntN(100), come})
	if created, readiness := tryCreate(l, p), ready(p); created != 503 || readiness != 503 {
		l.t.Errorf("while nothing can be written: create %d, /readyz %d", created, readiness)
	}
	l.load(p, 200, event{50 + l.random.IntN(100), goAgain})
	l.answersAgain(p)
	l.load(p, 100)
	l.law(p)
}
