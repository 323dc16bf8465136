package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var errNoBrowser = errors.New("NOT TESTED IN A BROWSER: Chromium is missing; on Debian: apt-get install chromium-headless-shell")

// The two browsers of all tests, each started at its first page. Their microphone is a fake that beeps: every site may use that
// of the one, and none that of the other.
var (
	chromium         = startBrowser("allowed", true)
	deafenedChromium = startBrowser("denied", "deny")
)

// browsers has a function for each browser that was started, which ends it.
var browsers = make(chan func(), 2)

// startBrowser returns a function that starts a browser at its first call. What its pages are told who ask for the microphone is
// the value of Chromium's flag.
func startBrowser(profile string, microphone any) func() (context.Context, error) {
	return sync.OnceValues(func() (context.Context, error) {
		path := ""
		// The last one that is there is used: without windows, the shell starts and draws in half the time.
		for _, name := range []string{"google-chrome", "chromium-browser", "chromium", "chromium-headless-shell"} {
			if found, err := exec.LookPath(name); err == nil {
				path = found
			}
		}
		if path == "" {
			return nil, errNoBrowser
		}
		ctx, stop := chromedp.NewExecAllocator(context.Background(), slices.Concat(
			chromedp.DefaultExecAllocatorOptions[:],
			[]chromedp.ExecAllocatorOption{
				chromedp.ExecPath(path),
				chromedp.NoInheritEnv,
				chromedp.Env(append(environment(), "TMPDIR="+scratch)...), // it leaves folders there
				chromedp.UserDataDir(filepath.Join(scratch, profile)),
				chromedp.NoSandbox, // Chromium's own sandbox does not work for root
				chromedp.DisableGPU,
				chromedp.Flag("disable-quic", true),
				chromedp.Flag("use-fake-device-for-media-stream", true),
				chromedp.Flag("use-fake-ui-for-media-stream", microphone),
				chromedp.Flag("force-prefers-reduced-motion", true), // what moves on a page is drawn by the processor here
				chromedp.Flag("renderer-process-limit", "1"),        // one is slow to start
				chromedp.WindowSize(960, 640),
			},
		)...)
		ctx, _ = chromedp.NewContext(ctx)
		browsers <- func() {
			_ = chromedp.Cancel(ctx) // its profile goes with it
			stop()
		}
		return ctx, chromedp.Do(ctx)
	})
}

// newPage opens an empty page in a new browser context: pages of different tests share no cookie or cache. Without a browser on
// this machine the test is skipped, or fails when the environment variable CI is set: CI must not leave anything out silently.
func newPage(t *testing.T) context.Context {
	t.Helper()
	return newPageOf(t, chromium)
}

func newPageOf(t *testing.T, browser func() (context.Context, error)) context.Context {
	t.Helper()
	parent, err := browser()
	if errors.Is(err, errNoBrowser) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	do(t, ctx)
	return ctx
}

// denyMicrophoneOnce refuses the page's next request for the microphone, as a browser does whose user presses "Block" and then
// changes their mind. Chromium's own refusal is that of deafenedChromium.
const denyMicrophoneOnce = `navigator.mediaDevices.getUserMedia = async () => {
	delete navigator.mediaDevices.getUserMedia;
	throw new DOMException('Permission denied', 'NotAllowedError');
}`

// watched collects the addresses that a page loads, its calls of the API that were refused, and the complaints of the browser about it.
type watched struct {
	mu                        sync.Mutex
	asked, refused, complains []string
}

// watch starts to collect.
func watch(t *testing.T, ctx context.Context) *watched { //nolint:revive // t comes first
	t.Helper()
	w := &watched{}
	if err := chromedp.Listen(ctx, func(event any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			w.asked = append(w.asked, e.Request.URL)
		case *network.EventResponseReceived:
			if u, err := url.Parse(e.Response.URL); err == nil && strings.HasPrefix(u.Path, "/v1/") && e.Response.Status >= 300 {
				w.refused = append(w.refused, fmt.Sprint(u.Path, " ", e.Response.Status))
			}
		case *runtime.EventExceptionThrown:
			w.complains = append(w.complains, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == "error" || e.Type == "warning" {
				var words string
				_ = json.Unmarshal(e.Args[0].Value, &words) // else it is something that ours do not write
				w.complains = append(w.complains, fmt.Sprintf("console.%s %s", e.Type, words))
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
				w.complains = append(w.complains, e.Entry.Text+" "+e.Entry.URL)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// complaint waits for the browser's first complaint and returns it, or "" when the page has no time left.
func (w *watched) complaint(ctx context.Context) string {
	for {
		w.mu.Lock()
		complains := w.complains
		w.mu.Unlock()
		if len(complains) > 0 || ctx.Err() != nil {
			return strings.Join(complains, "\n")
		}
		_, _ = chromedp.Run(ctx, chromedp.Evaluate[int]("1")) // no sleep: until the browser has had a turn
	}
}

// forget forgets the complaints so far, which were wanted.
func (w *watched) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complains = nil
}

// want fails the test when something was loaded from another server, or the browser complained.
func (w *watched) want(t *testing.T, servers ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range w.asked {
		known := func(server string) bool { return strings.HasPrefix(u, server+"/") }
		if !slices.ContainsFunc(servers, known) && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
			t.Errorf("the page asked elsewhere: %s", u)
		}
	}
	if len(w.complains) > 0 {
		t.Errorf("the browser complains: %q", w.complains)
	}
}

// wantRefused fails the test unless these calls of the API, and no others, were refused since the last time.
func (w *watched) wantRefused(t *testing.T, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.refused, ", "); got != strings.Join(want, ", ") {
		t.Errorf("refused were %s; want %s", got, strings.Join(want, ", "))
	}
	w.refused = nil
}
