package store

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// TestSwallowedRollback has a network swallow the end of a transaction that failed, and what comes after it. The store goes on
// without that connection.
func TestSwallowedRollback(t *testing.T) {
	t.Parallel()
	database := pgtest.NewDatabase(t)
	s, err := Open(t.Context(), database, Options{}) // makes the tables
	if err == nil {
		err = s.Close()
	}
	url, hangUp := swallowing(t, database, "ROLLBACK")
	if err == nil {
		s, err = Open(t.Context(), url, Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	defer hangUp()
	own := errors.New("its own")
	err = perform(t.Context(), s, func(ctx context.Context, tx querier) error {
		return errors.Join(run("UPDATE first_start SET locked = FALSE WHERE FALSE")(ctx, tx), own)
	})
	if !errors.Is(err, own) {
		t.Errorf("error is %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// swallowing returns the URL of a database behind a network that swallows what a connection sends from a word on, and what closes all
// connections.
func swallowing(t *testing.T, database, word string) (behind string, hangUp func()) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var forwarding sync.WaitGroup
	var mu sync.Mutex
	var ends []net.Conn
	t.Cleanup(func() {
		_ = listener.Close()
		forwarding.Wait()
	})
	forward := func(from, to net.Conn, swallows *atomic.Bool) {
		defer func() {
			if !swallows.Load() { // nor is an end told that the other hung up
				_ = to.Close()
			}
		}()
		b := make([]byte, 64<<10)
		for {
			n, err := from.Read(b)
			if err != nil {
				return
			}
			if bytes.Contains(b[:n], []byte(word)) {
				swallows.Store(true)
			}
			if !swallows.Load() {
				if _, err := to.Write(b[:n]); err != nil {
					return
				}
			}
		}
	}
	forwarding.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", filepath.Join(u.Query().Get("host"), ".s.PGSQL."+u.Query().Get("port")))
			if err != nil {
				t.Error(err)
				_ = from.Close()
				continue
			}
			mu.Lock()
			ends = append(ends, from, to)
			mu.Unlock()
			var swallows atomic.Bool
			forwarding.Go(func() { forward(from, to, &swallows) })
			forwarding.Go(func() { forward(to, from, &swallows) })
		}
	})
	return "postgres://sharelinks@" + listener.Addr().String() + u.Path + "?sslmode=disable", func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range ends {
			_ = c.Close()
		}
	}
}
