//go:build torture

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/server"
)

// unlimited are the flags of a server without limits on the rate of opens.
var unlimited = []string{"--open-rate", "0", "--link-open-rate", "0"}

// killed ends servers of one database with SIGKILL: most after a number of operations, some while they start. There is a new
// database every 20 rounds. A start after a kill reads all pages, and refuses those that are damaged.
func killed(l *ledger, rounds int, database func(*ledger) string) {
	for ; rounds > 0; rounds -= 20 {
		killedAgain(l.anew(), min(rounds, 20), database(l))
	}
}

func killedAgain(l *ledger, rounds int, database string) {
	for range rounds {
		if l.random.IntN(8) == 0 {
			p := start(l.t, serveCommand(l.t, database, unlimited...))
			<-time.After(time.Duration(l.random.IntN(100)) * time.Millisecond) // the instant of the fault
			p.kill()
		}
		p := serve(l.t, database, unlimited...)
		l.law(p)
		l.load(p, 1<<30, event{1 + l.random.IntN(200), p.kill})
	}
	p := serve(l.t, database, unlimited...)
	l.law(p)
	p.kill()
	check(l.t, database)
}

// check has the command look for what cannot be: damaged pages, counts that are wrong, uses without visits.
func check(t *testing.T, database string) {
	t.Helper()
	if out, err := command(binary, "check", "--database", database).CombinedOutput(); err != nil {
		t.Errorf("check: %v\n%s", err, out)
	}
}

// terminated stops servers under load with SIGTERM.
func terminated(l *ledger) {
	url := sqliteFile(l)
	for range l.in(3) {
		cmd := serveCommand(l.t, url, unlimited...)
		p := start(l.t, cmd)
		p.await()
		l.law(p)
		l.load(p, 1<<30, event{100 + l.random.IntN(300), func() { _ = cmd.Process.Signal(syscall.SIGTERM) }})
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			l.t.Errorf("exit code %d:\n%s", code, p.stderr)
		}
	}
	l.law(serve(l.t, url, unlimited...))
}

// fewDescriptors gives a server 64 descriptors, all of which connections then take.
func fewDescriptors(l *ledger) {
	url := sqliteFile(l)
	p := start(l.t, runBy(serveCommand(l.t, url, unlimited...), "sh", "-c", `ulimit -n 64 && exec "$@"`, "sh"))
	p.await()
	for range l.in(3) {
		// It opens its connections to the database as it needs them, so at first with none left.
		connections := dial(l.t, p, 200)
		l.load(p, 100, event{50, func() { closeAll(connections) }})
		l.answersAgain(p)
		l.load(p, 300)
		l.law(p)
	}
	if descriptors := measure(l.t, p).descriptors; descriptors > 64 {
		l.t.Errorf("%d descriptors are open: nothing was tested", descriptors)
	}
	check(l.t, url)
}

// dial opens connections to a server and sends nothing.
func dial(t *testing.T, p *process, n int) []net.Conn {
	t.Helper()
	connections := make([]net.Conn, n)
	for i := range connections {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Error(err)
			c = &net.TCPConn{}
		}
		connections[i] = c
	}
	return connections
}

func closeAll(connections []net.Conn) {
	for _, c := range connections {
		_ = c.Close() // the server may have been first
	}
}

// hasEnded tells whether the server is gone. One in this process never is.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// answersAgain waits until a server that was not started anew is ready, creates a link and opens it.
func (l *ledger) answersAgain(p *process) {
	l.t.Helper()
	last := ""
	if !within(time.Minute, func() bool {
		if status := ready(p); status != 200 {
			last = fmt.Sprintf("/readyz answers %d", status)
			return false
		}
		link, err := p.create(l.t.Context(), nil, "")
		if err != nil {
			last = err.Error()
			return false
		}
		resp, err := p.client.OpenShareLinkWithResponse(l.t.Context(), link.Token)
		if err != nil || resp.JSON201 == nil {
			last = fmt.Sprintf("open: %v, %v", err, resp)
			return false
		}
		return true
	}) {
		l.t.Fatalf("it does not answer again: %s\n%s", last, p.stderr)
	}
}

// ready returns the status of /readyz, 0 without an answer.
func ready(p *process) int {
	resp, err := (&http.Client{Transport: p.connections, Timeout: 10 * time.Second}).Get(p.url + "/readyz")
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// usage is what a server holds on to.
type usage struct{ goroutines, descriptors int }

var metric = regexp.MustCompile(`(?m)^(go_goroutines|process_open_fds) (\S+)$`)

func measure(t *testing.T, p *process) (u usage) {
	t.Helper()
	resp, err := (&http.Client{Transport: p.connections}).Get(p.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metric.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if m[1] == "go_goroutines" {
			u.goroutines = int(n)
		} else {
			u.descriptors = int(n)
		}
	}
	return u
}

// slack is how much more a server may hold on to after a fault than before: connections to its database, which it opens as it
// needs them. A fault that leaks does so for each of hundreds of requests.
const slack = 40

// leaksNothing waits until a server holds on to what it did before its faults. The connections of the callers are closed.
func (l *ledger) leaksNothing(p *process, before usage) {
	l.t.Helper()
	var after usage
	if !within(time.Minute, func() bool {
		p.connections.CloseIdleConnections()
		after = measure(l.t, p)
		return after.goroutines <= before.goroutines+slack && after.descriptors <= before.descriptors+slack
	}) {
		l.t.Errorf("it leaks: %+v before the faults, %+v after them", before, after)
	}
}

// warm has a server open what it opens as it needs it, and measures it.
func (l *ledger) warm(p *process) usage {
	l.t.Helper()
	l.load(p, 200)
	l.law(p)
	p.connections.CloseIdleConnections()
	return measure(l.t, p)
}

// tryCreate returns the status of a create, whatever it is.
func tryCreate(l *ledger, p *process) int {
	resp, err := p.client.CreateShareLinkWithResponse(l.t.Context(), &api.CreateShareLinkParams{}, api.CreateShareLinkRequest{PersonaID: uuid.Nil.String()})
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode()
}

// inThisProcess serves what has a clock of the test.
func inThisProcess(l *ledger, s *server.Server) *process {
	p := &process{t: l.t, stderr: &lockedBuffer{}}
	web := httptest.NewServer(s.Handler())
	l.t.Cleanup(func() {
		web.Close()
		if err := s.Close(); err != nil {
			l.t.Error(err)
		}
	})
	p.connect(web.URL)
	return p
}
