package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var errNoBrowser = errors.New("NOT TESTED IN A BROWSER: Chromium is missing; on Debian: apt-get install chromium")

// chromium returns the one browser of all tests, started at the first call. Its microphone is a fake that beeps.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path := ""
	for _, name := range []string{"google-chrome", "chromium-browser", "chromium"} {
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
			chromedp.UserDataDir(filepath.Join(scratch, "profile")),
			chromedp.NoSandbox, // Chromium's own sandbox does not work for root
			chromedp.DisableGPU,
			chromedp.Flag("disable-quic", true),
			chromedp.Flag("use-fake-device-for-media-stream", true),
			chromedp.Flag("force-prefers-reduced-motion", true), // what moves on a page is drawn by the processor here
			chromedp.Flag("renderer-process-limit", "1"),        // one is slow to start
			chromedp.WindowSize(960, 640),
		},
	)...)
	ctx, _ = chromedp.NewContext(ctx)
	closeBrowser = func() {
		_ = chromedp.Cancel(ctx) // its profile goes with it
		stop()
	}
	return ctx, chromedp.Do(ctx)
})

// closeBrowser ends the browser, if it was started.
var closeBrowser = func() {}

// newPage opens an empty page in a new browser context: pages of different tests share no cookie, cache or permission.
// Without a browser on this machine the test is skipped, or fails when the environment variable CI is set: CI must not
// leave anything out silently.
func newPage(t *testing.T) context.Context {
	t.Helper()
	parent, err := chromium()
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

// visitorPage opens an empty page for a visitor who lets every site use the microphone.
func visitorPage(t *testing.T) context.Context {
	t.Helper()
	ctx := newPage(t)
	permit(t, ctx, browser.PermissionSettingGranted)
	return ctx
}

// permit grants or denies the microphone.
func permit(t *testing.T, ctx context.Context, setting browser.PermissionSetting) { //nolint:revive // t comes first
	t.Helper()
	if _, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "microphone"}, Setting: setting,
		BrowserContextID: chromedp.FromContext(ctx).BrowserContextID,
	}); err != nil {
		t.Fatal(err)
	}
}

// watched collects the addresses that a page loads and the complaints of the browser about it.
type watched struct {
	mu               sync.Mutex
	asked, complains []string
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
		case *runtime.EventExceptionThrown:
			w.complains = append(w.complains, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == "error" || e.Type == "warning" {
				w.complains = append(w.complains, fmt.Sprintf("console.%s", e.Type))
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
