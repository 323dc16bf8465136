package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client"
)

// dashboard is the dashboard of a server in a browser. What it asks passes the contract: tests say which calls may be refused.
type dashboard struct {
	gallery
	w *watched
}

// newDashboard opens the dashboard and signs in with this key.
func newDashboard(t *testing.T, p *process, key string) *dashboard {
	t.Helper()
	ctx := newPage(t)
	d := &dashboard{gallery{t, ctx}, watch(t, ctx)}
	d.view(1440, 900, "light")
	do(t, ctx, chromedp.Navigate(p.url+"/dashboard"))
	d.write("#key", key)
	d.enter()
	return d
}

// text returns the text of an element.
func (d *dashboard) text(selector string) string {
	d.t.Helper()
	return d.eval(`document.querySelector('` + selector + `').innerText`)
}

// sees waits until an element has this text in it.
func (d *dashboard) sees(selector, text string) {
	d.t.Helper()
	d.becomes(fmt.Sprintf("document.querySelector(%q)?.innerText.includes(%q)", selector, text))
}

// write types a text into an empty field.
func (d *dashboard) write(selector, text string) {
	d.t.Helper()
	d.eval(`document.querySelector('` + selector + `').value = ''`)
	do(d.t, d.ctx, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// enter presses the key as a keyboard does: one event, of which a page can say that nothing is to follow.
func (d *dashboard) enter() {
	d.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		key := input.DispatchKeyEventParams{Type: kind, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13}
		if kind == input.DispatchKeyEventTypeKeyDown {
			key.Text = "\r"
		}
		if _, err := chromedp.Call(d.ctx, input.DispatchKeyEvent, key); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *dashboard) click(selector string) {
	d.t.Helper()
	do(d.t, d.ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

func (d *dashboard) goTo(hash string) {
	d.t.Helper()
	d.eval(`location.hash = '` + hash + `'`)
}

// only returns the one link that there is.
func (p *process) only() api.PersonaShareLink {
	p.t.Helper()
	links := slices.Collect(maps.Values(p.all(p.t.Context())))
	if len(links) != 1 {
		p.t.Fatalf("there are %d links", len(links))
	}
	return links[0]
}

// The life of a link, from a person's first look to its end, against the real server, which holds all to the contract.
func TestDashboard(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:dashboard.db", "--validate-responses")
	d := newDashboard(t, p, "not-the-key")
	d.sees("#key-error", "The server does not accept this API key.")
	d.w.wantRefused(t, "/v1/share-links 401")
	complains := func(status string) { // of an answer that was wanted
		t.Helper()
		if told := d.w.complaint(d.ctx); !strings.Contains(told, status) {
			t.Errorf("the browser complains: %s", told)
		}
		d.w.forget()
	}
	complains("401")
	d.write("#key", key)
	d.enter()
	d.sees("main", "No share links yet")
	d.click("main .button[href='#/new']:last-of-type")

	// What is wrong is said at its field, and nothing is lost.
	d.sees("#persona", "Cara")
	d.write("#label", "Spring fair")
	d.write("#uses", "ten")
	d.click("input[value=PLAYER_EMBED]")
	d.write("#origin", "https://shop.example.com")
	d.enter()
	d.write("#origin", "shop.example.com/cart")
	d.enter()
	d.click("form.card button:not([type])")
	d.sees("#uses-error", "Must be a whole number from 1 to 2147483647, not")
	d.sees("#origin-error", "shop.example.com/cart: ")
	if got := d.eval(`[document.activeElement.id, document.querySelector('.chip.wrong').dataset.origin, document.querySelector('#uses').ariaInvalid ?? document.querySelector('#uses').getAttribute('aria-invalid')]`); got != "uses,shop.example.com/cart,true" {
		t.Errorf("focused, marked: %s", got)
	}
	d.w.wantRefused(t, "/v1/share-links 400")
	complains("400")
	d.write("#uses", "3")
	d.click(".chips li:nth-child(2) button")
	// An answer is lost on the way. The same button makes no second link.
	d.eval(`(() => { const real = fetch; globalThis.fetch = async (...request) => { globalThis.fetch = real; await real(...request); throw new TypeError(); }; })()`)
	d.click("form.card button:not([type])")
	d.sees(".alert", "The server cannot be reached.")
	d.click("form.card button:not([type])")

	d.sees("h1", "Spring")
	d.sees("#status", "The link is made.")
	link := p.only()
	if link.Label != "Spring fair" || link.UsageLimit == nil || *link.UsageLimit != 3 || link.Type != api.ShareLinkTypePlayerEmbed ||
		strings.Join(link.AllowedOrigins, " ") != "https://shop.example.com" || link.ExpiresAt == nil || time.Until(link.ExpiresAt.Time) < 167*time.Hour {
		t.Errorf("made was %+v", link)
	}
	html, err := client.EmbedHTML(link)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.eval(`document.getElementById('snippet').value`); got != strings.TrimSpace(html) {
		t.Errorf("the snippet is\n%s\nwant\n%s", got, html)
	}
	if got := d.eval(`document.getElementById('address').value`); got != link.URL {
		t.Errorf("the address is %s, want %s", got, link.URL)
	}
	if got := d.readQR(); got != link.URL {
		t.Errorf("the picture says %q, want %q", got, link.URL)
	}
	in(t, d.ctx, "ready", loaded(t, d.ctx, chromedp.JSPath(`document.querySelector('.preview iframe')`), "ready"))
	d.sees("#visits", "Nobody has opened the link yet.")
	if link := p.only(); link.UsageCount != 0 {
		t.Errorf("to look cost %d uses", link.UsageCount)
	}

	// Enabled, disabled, extended: each can be undone.
	d.click("[data-do=enable]")
	d.sees("#status", "The link is disabled.")
	d.sees(".summary", "Disabled")
	if got := d.eval(`document.activeElement.textContent`); got != "Enable" || p.only().Enabled {
		t.Errorf("focused is %q, and the link is enabled: %v", got, p.only().Enabled)
	}
	complains("410") // of the preview
	d.click("#status button")
	d.sees("#status", "It is as it was.")
	d.sees(".summary", "Active")
	d.click("[data-do=extend]")
	d.click("#extend button[value='168']")
	d.sees("#status", "The link works for longer.")
	if by := p.only().ExpiresAt.Sub(link.ExpiresAt.Time); by.Round(time.Minute) != 168*time.Hour {
		t.Errorf("extended by %v", by)
	}
	d.click("#status button")
	d.sees("#status", "It is as it was.")
	if by := p.only().ExpiresAt.Sub(link.ExpiresAt.Time); by.Round(time.Minute) != 0 {
		t.Errorf("extended by %v after Undo", by)
	}
	d.click("[data-do=extend]")
	d.click("#extend button[value='']")

	// Visits.
	for range 2 {
		if answer, err := p.client.OpenShareLinkWithResponse(t.Context(), link.Token); err != nil || answer.JSON201 == nil {
			t.Fatal(err, answer)
		}
	}
	elsewhere := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Origin", "https://elsewhere.example")
		return nil
	}
	if answer, err := p.client.OpenShareLinkWithResponse(t.Context(), link.Token, elsewhere); err != nil || answer.StatusCode() != http.StatusForbidden {
		t.Fatal(err, answer) // it is a visit, and no open
	}
	d.click("[data-do=edit]")
	d.sees("#uses-hint", "the 2 uses so far included")

	// A change sends what is changed.
	d.write("#label", "Summer")
	d.click("#unlimited")
	d.click("input[value=ORB_EMBED]")
	d.click("form.card button:not([type])")
	d.sees("#status", "The link is changed.")
	d.sees("#days", "2 opens in 30 days, at most 2 on one.")
	d.sees("#visits", "3 visits in all.")
	changed := p.only()
	if changed.Label != "Summer" || changed.UsageLimit != nil || changed.Type != api.ShareLinkTypeOrbEmbed || !changed.ExpiresAt.Equal(p.only().ExpiresAt.Time) {
		t.Errorf("changed is %+v", changed)
	}
	if html, err := client.EmbedHTML(changed); err != nil || d.eval(`document.getElementById('snippet').value`) != strings.TrimSpace(html) {
		t.Errorf("the snippet of an orb is %s, want %s, %v", d.eval(`document.getElementById('snippet').value`), html, err)
	}
	do(t, d.ctx, chromedp.Click(shadow(".orb"), chromedp.NodeVisible))
	loaded(t, d.ctx, panel("iframe"), "ready")
	d.eval(`document.querySelector('share-link').close()`)

	// The end.
	d.click("[data-do=delete]")
	if got := d.eval(`document.activeElement.textContent`); got != "Cancel" {
		t.Errorf("%q has the focus before a deletion", got)
	}
	do(t, d.ctx, chromedp.KeyEvent("\u001b"))
	p.only()
	d.click("[data-do=delete]")
	d.click("#delete button[value=delete]")
	d.sees("#status", "The link is deleted.")
	d.sees("main", "No share links yet")
	d.w.wantRefused(t)
	d.w.want(t, p.url)
	d.click("#sign-out")
	d.sees("main", "API key")
	if got := d.eval(`[sessionStorage.length, localStorage.length, document.cookie]`); got != "0,0," {
		t.Errorf("after signing out the browser keeps %s", got)
	}
}

// readQR returns what a reader of QR codes sees in the picture.
func (d *dashboard) readQR() string {
	d.t.Helper()
	do(d.t, d.ctx, chromedp.Evaluate[chromedp.Void](script(d.t, "jsqr/dist/jsQR.js")))
	return d.eval(`(() => { const c = document.querySelector('canvas'); const i = c.getContext('2d').getImageData(0, 0, c.width, c.height); return jsQR(i.data, i.width, i.height)?.data; })()`)
}

// Codes of every length can be read. What is too long has none.
func TestQRCodes(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:qr.db")
	if _, err := p.create(t.Context(), nil, ""); err != nil {
		t.Fatal(err)
	}
	d := newDashboard(t, p, key)
	d.sees("main", "Cara")
	do(t, d.ctx, chromedp.Evaluate[chromedp.Void](script(t, "jsqr/dist/jsQR.js")))
	const read = `(async () => {
		const { drawQR } = await import(document.querySelector('script[type=module]').src.replace('dashboard.js', 'qr.js'));
		const canvas = document.createElement('canvas');
		const wrong = [];
		for (let length = 1; length <= 666; length += length < 20 ? 1 : 19) {
			const text = 'https://links.example.com/\u00fc/share/sh_'.slice(0, length).padEnd(length - 1, 'aZ9_-?');
			drawQR(canvas, text, 3);
			const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
			if (jsQR(data, width, height)?.data !== text) wrong.push(length);
		}
		return [wrong, drawQR(canvas, 'x'.repeat(667))];
	})()`
	if got := d.eval(read); got != ",false" {
		t.Errorf("of these lengths codes cannot be read, and one that is too long is drawn: %s", got)
	}
}

// Of many links some are seen at a time. A search finds them by label, and goes on while somebody types.
func TestDashboardListsManyLinks(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:many.db")
	for i := range 60 {
		_, err := p.create(t.Context(), func(r *api.CreateShareLinkRequest) {
			r.Label = new(fmt.Sprint("Stand ", i))
			switch i {
			case 59:
				r.Enabled = new(false)
			case 58:
				r.ExpiresInHours.Set(1e-9)
			}
		}, "")
		if err != nil {
			t.Fatal(err)
		}
	}
	d := newDashboard(t, p, key)
	d.sees(".pages", "1–25 of 60 links")
	if text := d.text("#results"); strings.Contains(text, "false") || strings.Contains(text, "null") {
		t.Errorf("the list says %s", text)
	}
	if rows := d.text("tbody"); !strings.Contains(rows, "Disabled") || !strings.Contains(rows, "Expired") || !strings.Contains(rows, "0 of 10") {
		t.Errorf("the list says %s", rows)
	}
	d.eval(`[...document.querySelectorAll('.pages a')].find((a) => a.textContent === 'Next').focus()`)
	d.enter()
	d.sees(".pages", "26–50 of 60 links")
	if got := d.eval(`document.activeElement.tagName`); got != "H1" {
		t.Errorf("%s has the focus on the next page", got)
	}
	d.write("#search", "stand 4")
	d.sees(".pages", "1–11 of 11 links")
	if got := d.eval(`[document.activeElement.id, document.activeElement.value]`); got != "search,stand 4" {
		t.Errorf("focused is %s", got)
	}
	// Whoever goes on to a link while the search has yet to begin stays there.
	d.eval(`(globalThis.real = setTimeout, globalThis.setTimeout = (call) => { globalThis.search = call; })`)
	d.write("#search", "stand 5")
	d.eval(`(globalThis.setTimeout = real, null)`)
	d.click("td a")
	d.sees("main", "Last visits")
	d.eval(`search()`)
	if got := d.eval(`location.hash`); !strings.HasPrefix(got, "#/links/") {
		t.Errorf("at %s after going on to a link", got)
	}
	d.goTo("#/")
	d.sees(".pages", "1–25 of 60 links")
	d.write("#search", "stand 99")
	d.sees("#results", "Nothing found")
	d.goTo("#/?page=9")
	d.sees("#results", "The list ends before this page: it has 3 pages.")
	d.goTo("#/links/00000000-0000-0000-0000-000000000000")
	d.sees("main", "The organization has no share link with this id.")
	d.goTo("#/nowhere")
	d.sees("main", "The dashboard has no such page.")
	d.w.wantRefused(t, "/v1/share-links/00000000-0000-0000-0000-000000000000 404")

	// Whoever cannot be reached is said, and the way back is a button.
	p.kill()
	d.goTo("#/")
	d.sees("main", "The server cannot be reached.")
	d.sees("main", "Try again")
}

// A read-only key looks, and is offered nothing that it may not, also where the page is loaded anew.
func TestDashboardWithAReadOnlyKey(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "readonly.db")
	p := serve(t, database)
	address, _ := p.link(nil)
	id := p.only().ID
	secret, err := command(binary, "key", "create", "--read-only", "--database", database).Output()
	if err != nil {
		t.Fatal(err)
	}
	d := newDashboard(t, p, strings.TrimSpace(string(secret)))
	d.sees("header", "Read-only key")
	d.sees("main", "Cara")
	if got := d.eval(`document.querySelector('[href="#/new"]').checkVisibility()`); got != "false" {
		t.Error("a read-only key is offered to make a link")
	}
	do(t, d.ctx, chromedp.Navigate(p.url+"/dashboard?#/links/"+id))
	d.sees("main", "Last visits")
	if got := d.eval(`[document.querySelector('[data-do=delete]').checkVisibility(), document.getElementById('address').value]`); got != "false,"+address {
		t.Errorf("offered, address: %s", got)
	}
	d.w.wantRefused(t)
}

// Each view of the dashboard fits every window, and everybody can use it.
func TestDashboardViews(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:views.db")
	d := newDashboard(t, p, "not-the-key")
	look := func(name, selector, text string) {
		t.Helper()
		d.sees(selector, text)
		d.sizes("dashboard-" + name)
		d.accessible(name)
		d.view(1440, 900, "light")
	}
	look("sign-in", "#key-error", "does not accept")
	d.write("#key", key)
	d.enter()
	look("empty", "main", "No share links yet")
	labels := []string{"Spring newsletter", "", "Trade fair, stand 14", "Einladung zum Frühlingsfest", strings.Repeat("A long label ", 6), "Staff"}
	var last *api.ShareLink
	for i, label := range labels {
		var err error
		last, err = p.create(t.Context(), func(r *api.CreateShareLinkRequest) {
			r.Label = &label
			switch i {
			case 0:
				embed(api.ShareLinkTypePlayerEmbed, "https://www.example.com")(r)
			case 1:
				r.Enabled = new(false)
			case 2:
				r.ExpiresInHours.Set(1e-9)
			case 3:
				r.UsageLimit.Set(1)
			case 4:
				r.UsageLimit.SetNull()
				r.ExpiresInHours.SetNull()
			case 5:
				embed(api.ShareLinkTypeOrbEmbed, "https://www.example.com", "http://localhost:3000")(r)
				r.IsPrimary = new(true)
			}
		}, "")
		if err != nil {
			t.Fatal(err)
		}
		if i == 3 || i == 0 {
			_, _ = p.client.OpenShareLinkWithResponse(t.Context(), last.Token)
		}
	}
	d.goTo("#/?search=cara")
	look("list", ".pages", "6 links")
	d.goTo("#/?search=nobody")
	look("none", "#results", "Nothing found")
	d.goTo("#/new")
	d.sees("#persona", "Cara")
	d.write("#uses", "ten")
	d.click("input[value=ORB_EMBED]")
	d.click("form.card button:not([type])")
	look("form", "#uses-error", "Must be")
	d.goTo("#/links/" + last.ID)
	do(t, d.ctx, chromedp.WaitVisible(shadow(".orb")))
	look("orb", "#visits", "Nobody")
	d.goTo("#/?search=spring")
	d.sees(".pages", "1–1 of 1 link")
	d.click("td a")
	d.sees("#visits", "1 visit")
	loaded(t, d.ctx, chromedp.JSPath(`document.querySelector('.preview iframe')`), "ready")
	look("link", "#days", "1 open in 30 days")
	d.click("[data-do=delete]")
	look("delete", "#delete", "Delete for good?")
	d.click("#delete button[value='']")
	d.view(3840, 2160, "dark")
	d.fits()
}
