//go:build torture

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// idleConnections opens 10,000 connections to a server, uses each once and keeps it.
func idleConnections(l *ledger) {
	const n = 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Max < n+2000 {
		cannot(l.t, fmt.Sprintf("%d IDLE CONNECTIONS: a process may have %d descriptors here (ulimit -Hn): %v", n, limit.Max, err))
	}
	p := serve(l.t, sqliteFile(l), unlimited...)
	before := l.warm(p)
	connections := make([]net.Conn, n)
	var group sync.WaitGroup
	for first := range callers {
		group.Go(func() {
			for i := first; i < n; i += callers {
				connections[i] = dial(l.t, p, 1)[0]
				_, _ = io.WriteString(connections[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") // the answer tells
				resp, err := http.ReadResponse(bufio.NewReader(connections[i]), nil)
				if err != nil || resp.StatusCode != 200 {
					l.t.Errorf("connection %d: %v, %v", i, resp, err)
				}
			}
		})
	}
	group.Wait()
	if during := measure(l.t, p); during.descriptors < n {
		l.t.Errorf("%+v: nothing was tested", during)
	}
	refusals := l.unavailable.Load()
	l.load(p, 500)
	if l.unavailable.Load() != refusals {
		l.t.Error("others were refused")
	}
	l.answersAgain(p)
	l.law(p)
	closeAll(connections)
	l.leaksNothing(p, before)
	l.law(p)
}

// slowRequests sends heads and bodies a byte a second, which never end. The server ends them; others notice nothing.
func slowRequests(l *ledger) {
	p := serve(l.t, sqliteFile(l), unlimited...)
	before := l.warm(p)
	connections := dial(l.t, p, 400)
	for i, c := range connections {
		head := "POST /v1/share-links HTTP/1.1\r\nHost: localhost\r\n"
		if i%2 == 0 {
			head += "Authorization: Bearer " + key + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
		}
		if _, err := io.WriteString(c, head); err != nil {
			l.t.Fatal(err)
		}
	}
	var slow sync.WaitGroup
	for _, c := range connections {
		slow.Go(func() { drip(c) })
	}
	l.load(p, 500)
	if n := l.unavailable.Load(); n > 0 {
		l.t.Errorf("%d operations of others were refused", n)
	}
	slow.Wait()
	l.answersAgain(p)
	l.leaksNothing(p, before)
	l.law(p)
}

// drip sends a byte a second until the other end has closed the connection.
func drip(c net.Conn) {
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, c)
		close(closed)
	}()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-closed:
			_ = c.Close()
			return
		case <-second.C:
			_, _ = io.Copy(c, strings.NewReader("x")) // a failure is seen by the reader, too
		}
	}
}
