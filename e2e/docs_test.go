package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
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

// browser starts a headless Chromium with nothing in it. Without one on this machine the test is skipped, or fails when
// the environment variable CI is set: there nothing may be left out silently.
func browser(t *testing.T) context.Context {
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
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // Chromium's own sandbox does not work for root
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")),
	)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// The page at /docs shows the operations, loads nothing from elsewhere, and "try it" sends a request that works.
func TestDocsInABrowser(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:"+filepath.Join(t.TempDir(), "docs.db"))
	ctx := browser(t)

	var mu sync.Mutex
	var elsewhere, complaints []string
	if err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, p.url+"/") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
				elsewhere = append(elsewhere, u)
			}
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				complaints = append(complaints, e.Entry.Text+" "+e.Entry.URL)
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
	mu.Lock()
	defer mu.Unlock()
	if len(p.all(t.Context())) != 1 || !strings.Contains(answered, "201") || !strings.Contains(answered, `"token": "sh_`) {
		t.Errorf("try it answered %s", answered)
	}
	if len(elsewhere) > 0 {
		t.Errorf("the page asked elsewhere: %q", elsewhere)
	}
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
}
