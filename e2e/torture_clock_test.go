//go:build torture

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/server"
)

// clockVariable makes this binary a server that keeps wrong time: its clock is ahead by the time of the file that the variable
// names, since noon. Setting the time of a file is done at once.
const clockVariable = "SHARELINKS_TORTURE_CLOCK"

var noon = time.Date(2001, 1, 1, 12, 0, 0, 0, time.UTC)

func init() {
	if file := os.Getenv(clockVariable); file != "" {
		fmt.Fprintln(os.Stderr, serveWithWrongTime(file))
		os.Exit(1)
	}
}

func serveWithWrongTime(file string) error {
	config := server.DefaultConfig()
	config.Addr, config.Database, config.APIKey = "127.0.0.1:0", "sqlite:links.db", key
	config.RateLimit, config.OpenRate, config.LinkOpenRate = 0, 0, 0
	config.Now = func() time.Time {
		info, err := os.Stat(file)
		if err != nil {
			panic(err)
		}
		// Round takes the reading of the monotonic clock off: that one does not jump.
		return time.Now().Round(0).Add(info.ModTime().Sub(noon))
	}
	s, err := server.New(context.Background(), config)
	if err != nil {
		return err
	}
	return s.Run(context.Background(), func(url string) { fmt.Println("listening on " + url) })
}

// clockJumps moves the clock of a server an hour on and back, under load.
func clockJumps(l *ledger) {
	file := filepath.Join(l.t.TempDir(), "clock")
	var ahead atomic.Int64
	jump := func(by time.Duration) func() {
		return func() {
			if err := os.Chtimes(file, time.Time{}, noon.Add(time.Duration(ahead.Add(int64(by))))); err != nil {
				l.t.Error(err)
			}
		}
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		l.t.Fatal(err)
	}
	jump(0)()
	cmd := command(thisBinary(l.t))
	cmd.Dir = l.t.TempDir()
	cmd.Env = append(cmd.Env, clockVariable+"="+file)
	p := start(l.t, cmd)
	p.await()
	before := l.warm(p)
	for range l.in(3) {
		hour := time.Hour
		if l.random.IntN(2) == 0 {
			hour = -hour
		}
		l.load(p, 300, event{50 + l.random.IntN(50), jump(hour)}, event{150 + l.random.IntN(50), jump(-2 * hour)}, event{280, jump(hour)})
		l.answersAgain(p)
		l.law(p)
	}
	l.leaksNothing(p, before)
}

// thisBinary is a name of this binary by which the janitor knows its processes.
func thisBinary(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	link := filepath.Join(scratch, "sharelinks-clock")
	if err == nil {
		err = os.Symlink(path, link)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return link
}
