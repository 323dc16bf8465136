package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sharelinks-dev/sharelinks/api"
)

// script returns a file of the packages in e2e/sdk.
func script(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("sdk", "node_modules", path))
	if err != nil {
		const missing = "NOT TESTED: %s is not installed; make needs does that, with npm"
		if os.Getenv("CI") != "" {
			t.Fatalf(missing, path)
		}
		t.Skipf(missing, path)
	}
	return string(content)
}

// accessible fails the test when axe-core finds something that shuts people out of the page, in light or dark.
func (g gallery) accessible(name string) {
	g.t.Helper()
	do(g.t, g.ctx, chromedp.Evaluate[chromedp.Void](script(g.t, "axe-core/axe.min.js")))
	for _, scheme := range []string{"light", "dark"} {
		g.view(usual.X, usual.Y, scheme)
		const run = `axe.run({ resultTypes: ['violations'] }).then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' ')).join('\n'))`
		if found := eval(g.t, g.ctx, run); found != "" {
			g.t.Errorf("%s in %s:\n%s", name, scheme, found)
		}
	}
}

// Everybody can use the pages, in light and dark.
func TestAxe(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:axe.db")
	address, _ := p.link(nil)
	s := newSite(t)
	framed, _ := p.link(embed(api.ShareLinkTypePlayerEmbed, s.url))
	g := gallery{t, newPage(t)}
	for page, prepare := range map[string]string{
		// All states at once: a state is a section.
		address:                                  `document.querySelectorAll('[hidden]').forEach((e) => { e.hidden = false; })`,
		framed:                                   `document.querySelectorAll('[hidden]').forEach((e) => { e.hidden = false; })`,
		p.url + "/share/nope":                    `null`,
		p.url + "/problems":                      `null`,
		p.url + "/problems/share-link-exhausted": `null`,
	} {
		do(t, g.ctx, chromedp.Navigate(page))
		eval(t, g.ctx, prepare)
		g.accessible(page) // the states have one heading each, and one is seen at a time
	}
}
