// Package e2e tests the built binary from outside, as its users meet it.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/client/wire"
	"github.com/sharelinks-dev/sharelinks/internal/contracttest"
	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// binary is sharelinks as `make build` makes it, built once for all tests.
var binary string

var checker = contracttest.New()

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sharelinks-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "sharelinks")
	build := exec.Command("go", "build", "-o", binary, "../cmd/sharelinks")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
		return 1
	}
	return pgtest.Main(m)
}

const key = "a-key-for-the-end-to-end-tests"

// process is one running `sharelinks serve`.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	url    string
	stderr *lockedBuffer
	ended  chan struct{}
	client *wire.ClientWithResponses
}

// serve starts the binary on a free port and waits for its ready line. It is killed at the end of the test at the latest.
func serve(t testing.TB, database string, flags ...string) *process {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0", "--database", database}, flags...)...)
	cmd.Dir = t.TempDir()
	return start(t, cmd)
}

// start starts a command that serves, and waits for its ready line.
func start(t testing.TB, cmd *exec.Cmd, env ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, stderr: &lockedBuffer{}, ended: make(chan struct{})}
	cmd.Env = append(os.Environ(), append(env, "SHARELINKS_API_KEY="+key)...)
	cmd.Stderr = p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	ready := make(chan string, 1)
	go func() {
		out := bufio.NewReader(stdout)
		line, err := out.ReadString('\n')
		for err == nil && !strings.HasPrefix(line, "listening on ") { // make says what it does before
			line, err = out.ReadString('\n')
		}
		ready <- line
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		close(p.ended)
	}()
	select {
	case line := <-ready:
		url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
		if !ok {
			<-p.ended
			t.Fatalf("no ready line but %q:\n%s", line, p.stderr)
		}
		p.url = url
	case <-time.After(5 * time.Minute): // make builds first
		t.Fatalf("not ready:\n%s", p.stderr)
	}
	p.client, err = wire.NewClientWithResponses(p.url,
		wire.WithHTTPClient(&http.Client{Transport: checker.Transport(t, &http.Transport{MaxIdleConnsPerHost: 64})}),
		wire.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+key)
			return nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// kill ends the process, and what it started, the hard way and waits until it is gone.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// create makes a link to the bootstrap persona and returns it, or the status and body of the refusal as an error.
func (p *process) create(ctx context.Context, change func(*wire.CreateShareLinkRequest), idempotencyKey string) (*wire.ShareLink, error) {
	body := wire.CreateShareLinkRequest{PersonaID: uuid.Nil.String()}
	if change != nil {
		change(&body)
	}
	params := &wire.CreateShareLinkParams{}
	if idempotencyKey != "" {
		params.IdempotencyKey = &idempotencyKey
	}
	resp, err := p.client.CreateShareLinkWithResponse(ctx, params, body)
	if err != nil {
		return nil, err
	}
	if resp.JSON201 == nil {
		return nil, fmt.Errorf("status %d: %s", resp.StatusCode(), resp.Body)
	}
	return resp.JSON201, nil
}

// all lists every link there is.
func (p *process) all(ctx context.Context) map[string]wire.PersonaShareLink {
	p.t.Helper()
	links := map[string]wire.PersonaShareLink{}
	perPage := 100
	for page := 1; ; page++ {
		resp, err := p.client.ListShareLinksWithResponse(ctx, &wire.ListShareLinksParams{Page: &page, PerPage: &perPage})
		if err != nil || resp.JSON200 == nil {
			p.t.Fatalf("list: %v, %v", err, resp)
		}
		for _, l := range resp.JSON200.Data {
			links[l.ID] = l
		}
		if resp.JSON200.Meta.Next == nil {
			if len(links) != resp.JSON200.Meta.Total {
				p.t.Errorf("the pages have %d links, the total says %d", len(links), resp.JSON200.Meta.Total)
			}
			return links
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
