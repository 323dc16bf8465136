package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client/wire"
	"github.com/sharelinks-dev/sharelinks/internal/contracttest"
)

const key = "a-key-for-the-end-to-end-tests"

var checker = contracttest.New()

// process is one running `sharelinks serve`.
type process struct {
	t      testing.TB
	line   chan string // its ready line
	url    string
	stderr *lockedBuffer
	client *wire.ClientWithResponses

	connections *http.Transport // of client
	killGroup   func()
	ended       chan struct{}
}

// serveCommand runs the server on a free port, in an empty directory.
func serveCommand(t testing.TB, database string, flags ...string) *exec.Cmd {
	t.Helper()
	cmd := command(binary, append([]string{"serve", "--addr", "127.0.0.1:0", "--database", database, "--rate-limit", "0"}, flags...)...)
	cmd.Dir = t.TempDir()
	return cmd
}

// serve starts the server and waits until it is ready. It is killed at the end of the test at the latest.
func serve(t testing.TB, database string, flags ...string) *process {
	t.Helper()
	p := start(t, serveCommand(t, database, flags...))
	p.await()
	return p
}

// start starts a command that becomes a server. It does not wait for it, see await.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, line: make(chan string, 1), stderr: &lockedBuffer{}, ended: make(chan struct{})}
	cmd.Env = append(cmd.Env, "SHARELINKS_API_KEY="+key)
	cmd.Stderr = p.stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.killGroup = startGroup(t, cmd)
	t.Cleanup(p.kill)
	go func() {
		out := bufio.NewReader(stdout)
		line, err := out.ReadString('\n')
		for err == nil && !strings.HasPrefix(line, "listening on ") { // make says what it does before
			line, err = out.ReadString('\n')
		}
		p.line <- line
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		close(p.ended)
	}()
	return p
}

// startGroup starts a command in its own process group. kill ends the whole group.
func startGroup(t testing.TB, cmd *exec.Cmd) (kill func()) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	group := cmd.Process.Pid
	return func() { _ = syscall.Kill(-group, syscall.SIGKILL) }
}

// await waits for the ready line.
func (p *process) await() {
	p.t.Helper()
	select {
	case line := <-p.line:
		url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
		if !ok {
			<-p.ended
			p.t.Fatalf("no ready line but %q:\n%s", line, p.stderr)
		}
		p.connect(url)
	case <-time.After(time.Minute):
		p.t.Fatalf("not ready:\n%s", p.stderr)
	}
}

// connect makes the client of the server at this URL.
func (p *process) connect(url string) {
	p.t.Helper()
	p.url, p.connections = url, &http.Transport{MaxIdleConnsPerHost: 64}
	var err error
	p.client, err = wire.NewClientWithResponses(p.url,
		wire.WithHTTPClient(&http.Client{Transport: checker.Transport(p.t, p.connections)}),
		wire.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+key)
			return nil
		}))
	if err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process, and what it started, the hard way and waits until it is gone.
func (p *process) kill() {
	p.killGroup()
	<-p.ended
}

// create makes a link to the bootstrap persona and returns it, or the status and body of the refusal as an error.
func (p *process) create(
	ctx context.Context, change func(*api.CreateShareLinkRequest), idempotencyKey string,
) (*api.ShareLink, error) {
	body := api.CreateShareLinkRequest{PersonaID: uuid.Nil.String()}
	if change != nil {
		change(&body)
	}
	params := &api.CreateShareLinkParams{}
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
func (p *process) all(ctx context.Context) map[string]api.PersonaShareLink {
	p.t.Helper()
	links := map[string]api.PersonaShareLink{}
	perPage := 100
	for page := 1; ; page++ {
		resp, err := p.client.ListShareLinksWithResponse(ctx, &api.ListShareLinksParams{Page: &page, PerPage: &perPage})
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
