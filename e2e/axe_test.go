package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sharelinks-dev/sharelinks/api"
)

// axe returns axe-core, which looks for what shuts people out of a page.
func axe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("sdk", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		const missing = "NOT TESTED WITH AXE: it is not installed; make needs does that, with npm"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return string(script)
}

// Everybody can use the pages, in light and dark.
func TestAxe(t *testing.T) {
	t.Parallel()
	script := axe(t)
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
		for _, scheme := range []string{"light", "dark"} {
			g.view(720, 480, scheme)
			do(t, g.ctx, chromedp.Navigate(page), chromedp.Evaluate[chromedp.Void](script))
			eval(t, g.ctx, prepare)
			const run = `axe.run({ resultTypes: ['violations'] }).then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' ')).join('\n'))`
			// The states have one heading each, and one is seen at a time.
			if found := eval(t, g.ctx, run); found != "" {
				t.Errorf("%s in %s:\n%s", page, scheme, found)
			}
		}
	}
}
