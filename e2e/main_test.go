// Package e2e tests the built binary from outside, as its users meet it.
package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

var (
	scratch string // the directory of all that the tests share; removed when the test binary has ended
	binary  string // sharelinks as `make build` makes it, built once
	home    string // the home directory of every program that the tests start, empty at first
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	var err error
	if scratch, err = os.MkdirTemp("", "sharelinks-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary, home = filepath.Join(scratch, "sharelinks"), filepath.Join(scratch, "home")
	cleanUp, err := startJanitor(scratch)
	if err == nil {
		defer cleanUp()
		err = errors.Join(os.Mkdir(home, 0o700), build())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		close(browsers)
		for end := range browsers {
			end()
		}
	}()
	return pgtest.Main(m)
}

// janitor is a shell script that kills the servers of these tests that still run, and removes the directory $0. It begins
// when its standard input is closed. The test binary holds the other end of that pipe: the kernel closes it however the
// binary ends. A server is known by the path of our binary in the command line of the leader of its process group. What
// was killed may still be writing, so rm is tried several times.
const janitor = `cat
ps -A -o pid= -o pgid= -o args= | while read -r pid group args; do
	case $args in *"$0"/sharelinks*) [ "$pid" = "$group" ] && kill -s KILL -- "-$group" ;; esac
done
for try in 1 2 3 4 5 6 7 8 9; do
	rm -rf "$0" && exit
	sleep 0.1
done`

func startJanitor(dir string) (cleanUp func(), err error) {
	cmd := command("/bin/sh", "-c", janitor, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C must not end it
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return func() { _, _ = stdin.Close(), cmd.Wait() }, cmd.Start()
}

// command is a command whose environment is not the caller's: only PATH and the directory for temporary files are.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = environment()
	return cmd
}

func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "HOME=" + home}
}

// makeCommand runs make in the checkout, on the binary of these tests. Go is set up as the caller has it.
func makeCommand(target string) (*exec.Cmd, error) {
	cmd := command("make", "--silent", "--directory", "..", target, "BINARY="+binary)
	names := []string{
		"GOCACHE", "GOFLAGS", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY",
		"GOSUMDB", "GOTOOLCHAIN",
	}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	for i, value := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		cmd.Env = append(cmd.Env, names[i]+"="+value)
	}
	// A module may have to be downloaded through a proxy.
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_DIR", "SSL_CERT_FILE"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd, nil
}

func build() error {
	cmd, err := makeCommand("build")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w\n%s", err, out)
	}
	return nil
}

// What a test binary that is killed would leave is removed: its servers and its directory.
func TestJanitor(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ps"); err != nil {
		t.Skip("NOT TESTED WHETHER SERVERS OF A KILLED TEST ARE KILLED: ps is missing")
	}
	dir := t.TempDir()
	cleanUp, err := startJanitor(dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := serveCommand(t, "sqlite:links.db")
	cmd.Path, cmd.Args[0] = filepath.Join(dir, "sharelinks"), filepath.Join(dir, "sharelinks")
	if err := os.Symlink(binary, cmd.Path); err != nil {
		t.Fatal(err)
	}
	p := start(t, cmd)
	p.await()
	cleanUp()
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		t.Error("the server still runs")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

// The caller's environment does not reach what these tests start.
func TestEnvironmentIsNotInherited(t *testing.T) {
	const nonsense = "the caller's nonsense"
	for _, name := range []string{
		"ANAM_API_KEY", "ANAM_API_URL", "GIT_DIR", "PGHOST", "PGSERVICE", "SHARELINKS_ADDR", "SHARELINKS_ANAM_API_KEY",
		"SHARELINKS_ANAM_URL", "SHARELINKS_DATABASE", "SHARELINKS_LOG_LEVEL", "SHARELINKS_PUBLIC_URL",
	} {
		t.Setenv(name, nonsense)
	}
	if out, err := command("env").Output(); err != nil || strings.Contains(string(out), nonsense) {
		t.Errorf("%v\n%s", err, out)
	}

	// With any of these variables the server would not start, know no persona, or put links elsewhere.
	p := serve(t, "sqlite:links.db")
	link, err := p.create(t.Context(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := p.url + "/share/" + link.Token; link.URL != want {
		t.Errorf("the link is at %s, want %s", link.URL, want)
	}
	opened, err := p.client.OpenShareLinkWithResponse(t.Context(), link.Token)
	if err != nil || opened.JSON201 == nil {
		t.Errorf("%v, %v", err, opened)
	}

	browser := chromedp.FromContext(newPage(t)).Browser.Process().Pid
	inherited, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", browser)) // on Linux
	if err == nil && strings.Contains(string(inherited), nonsense) {
		t.Error("the browser has the caller's environment")
	}
}
