package e2e

import (
	"context"
	"fmt"
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

// chromium starts a headless Chromium with nothing in it. Without one on this machine the test is skipped, or fails when
// the environment variable CI is set: there nothing may be left out silently.
func chromium(t *testing.T, options ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		const missing = "NOT TESTED IN A BROWSER: no Chromium here; install it, on Debian with apt-get install chromium"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // Chromium's own sandbox does not work for root
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")),
	}, options)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// watched is what a page loaded, and what the browser had to say against it.
type watched struct {
	mu               sync.Mutex
	asked, complains []string
}

// watch begins to watch the pages of the browser's tab.
func watch(t *testing.T, ctx context.Context) *watched { //nolint:revive // the test comes first, as everywhere
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

// want fails the test unless all that was loaded came from these servers, and the browser is content.
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

// The page at /docs shows the operations, loads nothing from elsewhere, and "try it" sends a request that works.
func TestDocsInABrowser(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:"+filepath.Join(t.TempDir(), "docs.db"))
	ctx := chromium(t)

	w := watch(t, ctx)
	const create = `#operations-Share_links-createShareLink `
	visible := func(selector string) (chromedp.CSS, chromedp.QueryOption) {
		return chromedp.CSS(selector), chromedp.NodeVisible
	}
	err := chromedp.Do(ctx,
		chromedp.Navigate(p.url+"/docs"),
		chromedp.Click(visible(`.btn.authorize`)),
		chromedp.SendKeys(chromedp.CSS(`.auth-container input`), key, chromedp.NodeVisible),
		chromedp.Click(visible(`.auth-btn-wrapper .authorize`)),
		chromedp.Click(visible(`.auth-btn-wrapper .btn-done`)),
		chromedp.Click(visible(create+`.opblock-summary-control`)),
		chromedp.Click(visible(create+`.execute`)),
	)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.stderr)
	}
	answered, err := chromedp.Run(ctx, chromedp.Text(visible(create+`.live-responses-table tbody`)))
	if err != nil {
		t.Fatalf("%v\n%s", err, p.stderr)
	}
	if len(p.all(t.Context())) != 1 || !strings.Contains(answered, "201") || !strings.Contains(answered, `"token": "sh_`) {
		t.Errorf("try it answered %s", answered)
	}
	w.want(t, p.url)
}
