//go:build torture

package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

const upstreamKey = "anam-key-that-stays-on-the-server"

// lies are answers of an upstream to the request for a session.
var lies = []func(w http.ResponseWriter, r *http.Request){
	func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(402) },
	func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) },
	func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
	func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(504) },
	func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, // hangs up
	func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
	func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
	func(w http.ResponseWriter, r *http.Request) { // says more than anybody wants to know
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	},
	func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	},
}

// liar is an upstream that lies as often as it is told to, in a thousand answers.
type liar struct {
	addr     string
	lies     atomic.Int64
	sessions atomic.Int64
}

func (u *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch n := rand.Int64N(1000); {
	case r.Method == http.MethodPost && n == 0 && u.lies.Load() > 0:
		<-r.Context().Done() // slower than anybody waits
	case r.Method == http.MethodPost && n < u.lies.Load():
		lies[n%int64(len(lies))](w, r)
	case r.Method == http.MethodPost:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"sessionToken":"session-%d"}`, u.sessions.Add(1))
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"name":"Ada"}`)
	}
}

// listen serves until stop is called, at the same address each time.
func (u *liar) listen(l *ledger) (stop func()) {
	listener, err := net.Listen("tcp", u.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	u.addr = listener.Addr().String()
	upstream := &http.Server{Handler: u}
	go func() { _ = upstream.Serve(listener) }()
	return sync.OnceFunc(func() { _ = upstream.Close() })
}

// upstreamLies has an upstream that makes half of the sessions and lies about the others, or is not there.
func upstreamLies(l *ledger) {
	l.upstream = true
	u := &liar{addr: "127.0.0.1:0"}
	stop := u.listen(l)
	defer func() { stop() }()
	cmd := serveCommand(l.t, sqliteFile(l), unlimited...)
	cmd.Env = append(cmd.Env, "SHARELINKS_ANAM_API_KEY="+upstreamKey, "SHARELINKS_ANAM_URL=http://"+u.addr)
	p := start(l.t, cmd)
	p.await()
	before := l.warm(p)
	for range l.in(1) {
		u.lies.Store(400)
		l.load(p, 800)
		u.lies.Store(0)
		l.answersAgain(p)
		l.law(p)
		l.load(p, 250, event{50 + l.random.IntN(50), stop})
		stop = u.listen(l)
		l.answersAgain(p)
		l.load(p, 100)
		l.law(p)
	}
	l.leaksNothing(p, before)
}
