// Package e2e tests the built binary from outside, as its users meet it.
package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

var (
	binary   string         // sharelinks as `make build` makes it, built once for all tests
	home     string         // the home directory of all that the tests start; it is empty
	scratch  string         // where these two are, and the profile of the browser
	lifeline io.WriteCloser // the standard input of the janitor
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	var err error
	if scratch, err = os.MkdirTemp("", "sharelinks-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary, home = filepath.Join(scratch, "sharelinks"), filepath.Join(scratch, "home")
	wait, err := startJanitor()
	if err == nil {
		defer wait()
		err = errors.Join(os.Mkdir(home, 0o700), build())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer closeBrowser()
	return pgtest.Main(m)
}

// janitor is the shell script that kills those process groups that are left of the ones it was given, and removes the
// directory $0. It begins when its standard input is closed. The other end of that pipe is in the test binary: the kernel
// closes it however the binary ends. The number of a group that has ended may be another's now: a group is killed only if
// it runs our binary. What was killed may still write, so rm has several tries.
const janitor = `while read -r group; do groups="$groups $group"; done
for group in $groups; do
	case $(ps -o args= -p "$group") in *"$0"/sharelinks*) kill -KILL -- "-$group" ;; esac
done
for try in 1 2 3 4 5 6 7 8 9; do
	rm -rf "$0" && exit
	sleep 0.1
done`

func startJanitor() (wait func(), err error) {
	cmd := command("/bin/sh", "-c", janitor, scratch)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C ends the tests, not what cleans up after them
	if lifeline, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return func() { _, _ = lifeline.Close(), cmd.Wait() }, cmd.Start()
}

// command is a program in an environment of its own: of the caller's it has only where programs and temporary files are.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = environment()
	return cmd
}

func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "HOME=" + home}
}

// makeCommand is make, in the checkout, with the binary of these tests. Go works as it is set up for the caller.
func makeCommand(target string) (*exec.Cmd, error) {
	cmd := command("make", "--silent", "--directory", "..", target, "BINARY="+binary)
	names := []string{
		"GOCACHE", "GOFLAGS", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN",
	}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	for i, value := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		cmd.Env = append(cmd.Env, names[i]+"="+value)
	}
	// To download a module it may need these.
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

// What the caller has in the environment reaches nothing that these tests start.
func TestEnvironmentIsOurs(t *testing.T) {
	const nonsense = "nonsense of the caller"
	for _, name := range []string{
		"ANAM_API_KEY", "ANAM_API_URL", "GIT_DIR", "PGHOST", "PGSERVICE", "SHARELINKS_ADDR", "SHARELINKS_DATABASE", "SHARELINKS_PUBLIC_URL",
	} {
		t.Setenv(name, nonsense)
	}
	if out, err := command("env").Output(); err != nil || strings.Contains(string(out), nonsense) {
		t.Errorf("%v\n%s", err, out)
	}

	// A server that took any of it would not start, or have no persona, or be elsewhere.
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

	ctx := newPage(t)
	browser := chromedp.FromContext(ctx).Browser.Process().Pid
	if seen, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", browser)); err == nil && strings.Contains(string(seen), nonsense) {
		t.Error("the browser knows the caller's environment")
	}
}
