package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The page at /docs shows the operations, loads nothing from elsewhere, and "try it" sends a request that works.
func TestDocsInABrowser(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:docs.db")
	ctx := newPage(t)

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
