package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for something that takes milliseconds on an idle machine.
const patience = 30 * time.Second

// script is what the commands of one script share.
type script struct {
	held     net.Conn // a request that is half sent
	occupied net.Listener
}

type scriptKey struct{}

func scriptOf(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

func (s *script) close() {
	if s.held != nil {
		_ = s.held.Close()
	}
	if s.occupied != nil {
		_ = s.occupied.Close()
	}
}

// poll calls done until it is true, and fails the script when that takes too long.
func poll(ts *testscript.TestScript, what string, done func() bool) {
	for end := time.Now().Add(patience); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// exits CODE PROGRAM ARG... runs a program that must exit with this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

var readyLine = regexp.MustCompile(`^(?:listening on )?(http://\S+)\n$`)

// waitready NAME waits until the server whose output goes to NAME.out is ready, and sets $URL. The ready line must be
// all that there is.
func waitReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitready NAME")
	}
	poll(ts, "the ready line", func() bool {
		out, err := os.ReadFile(ts.MkAbs(args[0] + ".out"))
		if err == nil && strings.HasSuffix(string(out), "\n") {
			ready := readyLine.FindSubmatch(out)
			if ready == nil {
				ts.Fatalf("this is not a ready line: %s", out)
			}
			ts.Setenv("URL", string(ready[1]))
			return true
		}
		return false
	})
}

// askToStop is the command term: it asks all programs in the background to stop.
func askToStop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: term")
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// request STATUS METHOD PATH [KEYFILE [BODYFILE]] asks the server at $URL. The answer is the standard output.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 5 {
		ts.Fatalf("usage: request STATUS METHOD PATH [KEYFILE [BODYFILE]]")
	}
	status, answer := requestOnce(ts, args[1:])
	_, err := ts.Stdout().Write(answer)
	ts.Check(err)
	if status != args[0] {
		ts.Fatalf("status %s, want %s: %s", status, args[0], answer)
	}
}

// eventually asks as request does, again and again until the status is right.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 5 {
		ts.Fatalf("usage: eventually STATUS METHOD PATH [KEYFILE [BODYFILE]]")
	}
	poll(ts, "status "+args[0], func() bool {
		status, _ := requestOnce(ts, args[1:])
		return status == args[0]
	})
}

// requestOnce sends a request: METHOD PATH [KEYFILE [BODYFILE]].
func requestOnce(ts *testscript.TestScript, args []string) (status string, answer []byte) {
	var body io.Reader
	if len(args) == 4 {
		body = strings.NewReader(ts.ReadFile(args[3]))
	}
	r, err := http.NewRequest(args[0], ts.Getenv("URL")+args[1], body)
	ts.Check(err)
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	if len(args) > 2 {
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[2])))
	}
	client := &http.Client{Timeout: patience}
	response, err := client.Do(r)
	ts.Check(err)
	answer, err = io.ReadAll(response.Body)
	ts.Check(errors.Join(err, response.Body.Close()))
	return strconv.Itoa(response.StatusCode), answer
}

const (
	heldHead = `{"personaId": "00000000-0000-0000-0000-000000000000",`
	heldTail = ` "usageLimit": 3}`
)

// hold KEYFILE sends half a request to the server at $URL and waits until its handler wants the other half.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold KEYFILE")
	}
	u, err := url.Parse(ts.Getenv("URL"))
	ts.Check(err)
	conn, err := net.DialTimeout("tcp", u.Host, patience)
	ts.Check(err)
	scriptOf(ts).close() // of a request that was cut off
	scriptOf(ts).held = conn
	ts.Check(conn.SetDeadline(time.Now().Add(patience)))
	key := strings.TrimSpace(ts.ReadFile(args[0]))
	_, err = fmt.Fprintf(conn, "POST /v1/share-links HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		u.Host, key, len(heldHead+heldTail))
	ts.Check(err)
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	answer := make([]byte, len(goOn))
	_, err = io.ReadFull(conn, answer)
	ts.Check(err)
	if string(answer) != goOn {
		ts.Fatalf("the server did not ask for the body: %q", answer)
	}
	_, err = io.WriteString(conn, heldHead)
	ts.Check(err)
}

// waitstopped waits until the server at $URL takes no more connections.
func waitStopped(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: waitstopped")
	}
	u, err := url.Parse(ts.Getenv("URL"))
	ts.Check(err)
	poll(ts, "the server to stop listening", func() bool {
		conn, err := net.DialTimeout("tcp", u.Host, patience)
		if err != nil {
			return true
		}
		_ = conn.Close()
		return false
	})
}

// waitunready waits until the server at $URL answers that it is not ready.
func waitUnready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: waitunready")
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	poll(ts, "an answer that it is not ready", func() bool {
		resp, err := client.Get(ts.Getenv("URL") + "/readyz")
		ts.Check(err)
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable
	})
}

// release STATUS sends the other half of the request that is held.
func release(ts *testscript.TestScript, neg bool, args []string) {
	conn := scriptOf(ts).held
	if neg || len(args) != 1 || conn == nil {
		ts.Fatalf("usage: release STATUS, after hold")
	}
	_, err := io.WriteString(conn, heldTail)
	ts.Check(err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	ts.Check(err)
	_ = response.Body.Close()
	if strconv.Itoa(response.StatusCode) != args[0] {
		ts.Fatalf("status %d, want %s", response.StatusCode, args[0])
	}
}

// occupy listens on a free port and sets $OCCUPIED to its address.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: occupy")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	scriptOf(ts).occupied = l
	ts.Setenv("OCCUPIED", l.Addr().String())
}

// idle fails the script when something still runs in the background.
func idle(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: idle")
	}
	if n := len(ts.BackgroundCmds()); n > 0 {
		ts.Fatalf("%d programs still run", n)
	}
}
