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
		// The write-ahead log has room in its file for a while.
		for creates := 0; tryCreate(l, p) != 503; creates++ {
			if creates == 5000 {
				l.t.Fatal("no write is refused: the disk is not full")
			}
		}
		l.load(p, 200, event{50 + l.random.IntN(100), func() { makeRoom(l, seen) }})
		l.answersAgain(p)
		l.load(p, 100)
		l.law(p)
	}
	l.leaksNothing(p, before)
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
		l.load(p, 300, event{1 + l.random.IntN(100), move(path, path+".away")})
		if created, readiness := tryCreate(l, p), ready(p); created != 503 || readiness != 503 {
			l.t.Errorf("while the file is away: create %d, /readyz %d", created, readiness)
		}
		move(path+".away", path)()
		l.answersAgain(p)
		l.load(p, 100)
		l.law(p)
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
