//go:build torture

package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

func postgresDatabase(l *ledger) string { return pgtest.NewDatabase(l.t) }

// postgresServer starts a PostgreSQL of the scenario's own. Its commits are durable, as the law wants them.
func postgresServer(t *testing.T) (url string, stop func() error) {
	t.Helper()
	server, stop := postgresOwn(t)
	return server.URL("postgres"), stop
}

func postgresOwn(t *testing.T) (_ *pgtest.Server, stop func() error) {
	t.Helper()
	server, err := pgtest.StartDurable()
	if missing := (*pgtest.MissingError)(nil); errors.As(err, &missing) {
		cannot(t, "POSTGRESQL FAILS: "+err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceValue(server.Stop)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return server, stop
}

// query asks a PostgreSQL something, from beside the server.
func query[T any](t *testing.T, url, text string) (v T) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), text).Scan(&v); err != nil {
		t.Errorf("%s: %v", text, err)
	}
	return v
}

const (
	cutAll  = `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'sharelinks'`
	anyPID  = `SELECT COALESCE(MAX(pid), 0) FROM pg_stat_activity WHERE application_name = 'sharelinks'`
	setting = "default_transaction_read_only"
)

// postgresFails cuts a server's connections, restarts its PostgreSQL and makes it read-only and writable again, under load.
func postgresFails(l *ledger) {
	database, _ := postgresServer(l.t)
	p := serve(l.t, database, unlimited...)
	before := l.warm(p)
	for range l.in(1) {
		for name, fail := range map[string]func(){
			"connections are cut": func() { query[int](l.t, database, cutAll) },
			// One process of PostgreSQL dies, so it ends all others and starts anew from its log.
			"restart": func() {
				if pid := query[int](l.t, database, anyPID); pid > 0 {
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						l.t.Error(err)
					}
				}
			},
			"read-only": func() { readOnly(l.t, database, "on") },
		} {
			refusals := l.unavailable.Load()
			events := []event{{50 + l.random.IntN(100), fail}}
			if name == "read-only" {
				events = append(events, event{180, func() { readOnly(l.t, database, "off") }})
			}
			l.load(p, 250, events...)
			l.answersAgain(p)
			l.load(p, 100)
			l.law(p)
			l.t.Logf("%s: %d operations were answered 503", name, l.unavailable.Load()-refusals)
		}
	}
	l.leaksNothing(p, before)
	check(l.t, database)
}

// readOnly makes all sessions of a PostgreSQL read-only, those that there are too, or undoes that.
func readOnly(t *testing.T, url, to string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Error(err)
		return
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "ALTER SYSTEM SET "+setting+" = "+to); err != nil {
		t.Error(err)
	}
	// A session reads its settings again between two statements, some time after it was told to. One that began while all were told
	// may not have heard of it.
	if !within(time.Minute, func() bool {
		if _, err := db.ExecContext(t.Context(), "SELECT pg_reload_conf()"); err != nil {
			return false
		}
		var seen string
		return db.QueryRowContext(t.Context(), "SHOW "+setting).Scan(&seen) == nil && seen == to
	}) {
		t.Errorf("%s does not become %s", setting, to)
	}
}

// failover makes the PostgreSQL that a server works on read-only, as a primary that became a standby is, beside another that
// can be written, and so to and fro. Then it stops both.
func failover(l *ledger) {
	var urls, hosts, ports []string
	var stops []func() error
	for range 2 {
		database, stop := postgresServer(l.t)
		u, err := url.Parse(database)
		if err != nil {
			l.t.Fatal(err)
		}
		serve(l.t, database).kill() // both have what a first start makes
		urls, hosts, ports = append(urls, database), append(hosts, u.Query().Get("host")), append(ports, u.Query().Get("port"))
		stops = append(stops, stop)
	}
	p := serve(l.t, "postgres:///postgres?user=sharelinks&sslmode=disable&target_session_attrs=read-write&host="+
		strings.Join(hosts, ",")+"&port="+strings.Join(ports, ","), unlimited...)
	before := l.warm(p)
	noLink := uuid.NewString()
	// Each of these finds out by itself.
	for what, status := range map[string]func() int{
		"readiness": func() int { return ready(p) },
		"create":    func() int { return tryCreate(l, p) },
		"update": func() int {
			resp, err := p.client.UpdateShareLinkWithResponse(l.t.Context(), noLink, api.UpdateShareLinkRequest{IsPrimary: new(true)})
			if err != nil {
				l.t.Fatal(err)
			}
			return resp.StatusCode()
		},
	} {
		for _, from := range []int{0, 1} {
			readOnly(l.t, urls[1-from], "off")
			readOnly(l.t, urls[from], "on")
			if !within(time.Minute, func() bool { return status() == 503 }) { // once each session has read its settings again
				l.t.Errorf("%s while read-only is not refused", what)
			}
			// That was the last. It may be a 404 where no standby would have one: each has an organization of its own.
			if again := status(); again == 503 {
				l.t.Errorf("%s is refused once more", what)
			}
			l.answersAgain(p)
		}
	}
	readOnly(l.t, urls[1], "off")
	l.load(p, 200)
	l.law(p)
	l.leaksNothing(p, before)
	for _, stop := range stops {
		if err := stop(); err != nil {
			l.t.Fatal(err)
		}
	}
	for range 2 { // on connections that were open, then on new ones
		if created, readiness := tryCreate(l, p), ready(p); created != 503 || readiness != 503 {
			l.t.Errorf("without a database: create %d, /readyz %d", created, readiness)
		}
	}
}

// twoFirstStarts starts two servers at once on one empty PostgreSQL database, directly and behind a pooler. Both get ready, and
// every rule holds across them.
func twoFirstStarts(l *ledger) {
	for range l.in(1) {
		l.t.Run("directly", func(t *testing.T) { together(newLedger(t, l.tally), pgtest.NewDatabase(t)) })
		l.t.Run("behind PgBouncer", func(t *testing.T) {
			together(newLedger(t, l.tally), pgtest.NewPooler(t, pgtest.NewDatabase(t)))
		})
	}
}

func together(l *ledger, database string) {
	t, ctx := l.t, l.t.Context()
	servers := make([]*process, 2)
	for i := range servers {
		servers[i] = start(t, serveCommand(t, database, unlimited...))
	}
	for _, p := range servers {
		p.await()
	}

	// each calls f n times at once, with the servers in turn.
	each := func(n int, f func(p *process, i int) error) {
		t.Helper()
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				if err := f(servers[i%2], i); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}

	var mu sync.Mutex
	ids := map[string]bool{}
	each(40, func(p *process, _ int) error {
		link, err := p.create(ctx, nil, "one-key")
		if err == nil {
			mu.Lock()
			ids[link.ID] = true
			mu.Unlock()
		}
		return err
	})
	if len(ids) != 1 {
		t.Errorf("40 creates under one key made %d links", len(ids))
	}
	each(100, func(p *process, i int) error {
		_, err := p.create(ctx, nil, fmt.Sprintf("key-%d", i/2)) // each key twice, once on each server
		return err
	})

	yes := new(true)
	each(40, func(p *process, i int) error {
		link, err := p.create(ctx, func(r *api.CreateShareLinkRequest) { r.IsPrimary = yes }, "")
		if err != nil || i%4 != 0 {
			return err
		}
		resp, err := p.client.UpdateShareLinkWithResponse(ctx, link.ID, api.UpdateShareLinkRequest{IsPrimary: yes})
		if err == nil && resp.JSON200 == nil {
			err = fmt.Errorf("status %d: %s", resp.StatusCode(), resp.Body)
		}
		return err
	})

	// As many opens succeed as the link allows. Both servers sign with one key, made by the one that was first: the head of
	// a token has its id.
	const visitors, limit = 500, 50
	limited, err := servers[0].create(ctx, func(r *api.CreateShareLinkRequest) { r.UsageLimit.Set(limit) }, "")
	if err != nil {
		t.Fatal(err)
	}
	statuses, heads := map[int]int{}, map[string]bool{}
	each(visitors, func(p *process, _ int) error {
		resp, err := p.client.OpenShareLinkWithResponse(ctx, limited.Token)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		statuses[resp.StatusCode()]++
		if resp.JSON201 != nil {
			head, _, _ := strings.Cut(resp.JSON201.SessionToken, ".")
			heads[head] = true
		}
		return nil
	})
	if diff := cmp.Diff(map[int]int{201: limit, 410: visitors - limit}, statuses); diff != "" || len(heads) != 1 {
		t.Errorf("%d keys, %s", len(heads), diff)
	}
	links := servers[0].all(ctx)
	if want := 1 + 50 + 40 + 1; len(links) != want {
		t.Errorf("%d links, want %d", len(links), want)
	}
	if visits := spent(t, servers[1], limited.ID); visits != limit || links[limited.ID].UsageCount != limit {
		t.Errorf("%d uses are counted, %d visits spent one, the limit is %d", links[limited.ID].UsageCount, visits, limit)
	}

	// The callers of both know of each other's links only by the law.
	var group sync.WaitGroup
	for _, p := range servers {
		group.Go(func() { l.load(p, 150) })
	}
	group.Wait()
	for _, p := range servers {
		l.law(p)
	}
	check(t, database)
}

// postgresHangs stops all processes of a PostgreSQL under load, which then go on where they were.
func postgresHangs(l *ledger) {
	server, _ := postgresOwn(l.t)
	p := serve(l.t, server.URL("postgres"), unlimited...)
	hangs(l, p, func() (goOn func()) {
		thaw, err := server.Freeze()
		if err != nil {
			l.t.Fatal(err)
		}
		return func() {
			if err := thaw(); err != nil {
				l.t.Error(err)
			}
		}
	})
	check(l.t, server.URL("postgres"))
}

// networkSwallows has the network between a server and its PostgreSQL swallow what is sent, under load. Connections that there
// are by then are never told; later ones work again.
func networkSwallows(l *ledger) {
	server, _ := postgresOwn(l.t)
	direct := server.URL("postgres")
	u, err := url.Parse(direct)
	if err != nil {
		l.t.Fatal(err)
	}
	w := &cable{to: filepath.Join(u.Query().Get("host"), ".s.PGSQL."+u.Query().Get("port"))}
	p := serve(l.t, "postgres://sharelinks@"+w.listen(l.t)+"/postgres?sslmode=disable", unlimited...)
	hangs(l, p, w.swallow)
	check(l.t, direct)
}

// hangs has the database of a server give no answer until all that was asked meanwhile is answered without it.
func hangs(l *ledger, p *process, hang func() (goOn func())) {
	before := l.warm(p)
	for range (l.in(1) + 3) / 4 { // each takes half a minute, most of it waiting
		var group sync.WaitGroup
		hung := make(chan func(), 1)
		group.Go(func() { l.load(p, 200, event{50 + l.random.IntN(50), func() { hung <- hang() }}) })
		goOn := sync.OnceFunc(<-hung)
		l.t.Cleanup(goOn)
		// More than there are connections to the database.
		const flood = 300
		var outstanding atomic.Int64
		unanswered := l.tally.unanswered.Load()
		for range flood {
			outstanding.Add(1)
			random := rand.New(rand.NewPCG(l.random.Uint64(), 0))
			group.Go(func() {
				defer outstanding.Add(-1)
				l.act(p, random, nil)
			})
		}
		if !within(time.Minute, func() bool { return outstanding.Load() == 0 }) {
			l.t.Errorf("%d of %d requests are not answered while the database hangs", outstanding.Load(), flood)
		}
		if n := l.tally.unanswered.Load() - unanswered; n > 0 {
			l.t.Errorf("%d requests ended without an answer", n)
		}
		if readiness := ready(p); readiness == 200 {
			l.t.Error("it is ready though the database hangs")
		}
		l.leaksNothing(p, before)
		goOn()
		group.Wait()
		l.answersAgain(p)
		l.load(p, 100)
		l.law(p)
	}
	l.leaksNothing(p, before)
}

// cable forwards connections to a socket.
type cable struct {
	to string

	mu         sync.Mutex
	swallowing *atomic.Bool // of the connections that come now
	ends       []net.Conn
}

func (w *cable) listen(t *testing.T) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.swallowing = new(atomic.Bool)
	var forwarding sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		w.mu.Lock()
		closeAll(w.ends)
		w.mu.Unlock()
		forwarding.Wait()
	})
	forwarding.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", w.to)
			if err != nil {
				_ = c.Close()
				continue
			}
			w.mu.Lock()
			swallowing := w.swallowing
			w.ends = append(w.ends, c, to)
			w.mu.Unlock()
			forwarding.Go(func() { forward(c, to, swallowing) })
		}
	})
	return listener.Addr().String()
}

// forward forwards until one of both ends hangs up. While it swallows, the other is not told.
func forward(from, to net.Conn, swallowing *atomic.Bool) {
	var ways sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		ways.Go(func() {
			_, _ = io.Copy(writer(func(b []byte) (int, error) {
				if swallowing.Load() {
					return len(b), nil
				}
				return way[1].Write(b)
			}), way[0])
			if !swallowing.Load() {
				closeAll([]net.Conn{from, to})
			}
		})
	}
	ways.Wait()
	closeAll([]net.Conn{from, to})
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// swallow begins to swallow what all connections send, and what those do that come until goOn is called.
func (w *cable) swallow() (goOn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.swallowing.Store(true)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.swallowing = new(atomic.Bool)
	}
}
