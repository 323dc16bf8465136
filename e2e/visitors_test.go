package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/sharelinks-dev/sharelinks/api"
)

// link makes a link and returns its address on the server, and how often it was opened so far.
func (p *process) link(change func(*api.CreateShareLinkRequest)) (address string, uses func() int) {
	p.t.Helper()
	link, err := p.create(p.t.Context(), change, "")
	if err != nil {
		p.t.Fatal(err)
	}
	return link.URL, func() int { return p.all(p.t.Context())[link.ID].UsageCount }
}

// embed is a change that makes a link one that this site may embed.
func embed(kind api.ShareLinkType, origins ...string) func(*api.CreateShareLinkRequest) {
	return func(r *api.CreateShareLinkRequest) {
		r.Type = kind
		r.AllowedOrigins = &origins
	}
}

// site is another server, whose pages hold what their address says: the HTML, and the policies that the page has.
type site struct{ url string }

func newSite(t *testing.T) site {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for _, name := range []string{"Content-Security-Policy", "Referrer-Policy"} {
			if value := r.FormValue(name); value != "" {
				w.Header().Set(name, value)
			}
		}
		const head = `<!doctype html><html lang="en"><title>A site</title><link rel="icon" href="data:,"><body>`
		fmt.Fprint(w, head, r.FormValue("html"))
	}))
	t.Cleanup(s.Close)
	return site{s.URL}
}

// page is the address of a page with this in it. Policies come in pairs of name and value.
func (s site) page(html string, policies ...string) string {
	q := url.Values{"html": {html}}
	for i := 0; i < len(policies); i += 2 {
		q.Set(policies[i], policies[i+1])
	}
	return s.url + "/?" + q.Encode()
}

// in waits until the section of this state is seen, in the frame if it is not nil, and returns its text.
func in(t *testing.T, ctx context.Context, state string, frame *chromedp.Node) string { //nolint:revive // t comes first
	t.Helper()
	options := []chromedp.QueryOption{chromedp.NodeVisible}
	if frame != nil {
		options = append(options, chromedp.FromNode(frame))
	}
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(`section[data-for=`+state+`]`), options...))
	if err != nil {
		now, _ := chromedp.Run(t.Context(), chromedp.Text(chromedp.CSS(`body`)))
		t.Fatalf("the page does not come to the state %s: %v\n%s", state, err, now)
	}
	return text
}

// loaded returns a frame that a script has just added, once it shows a state. The node that stands for a frame while it
// loads never shows one, so it is looked up again.
func loaded(t *testing.T, ctx context.Context, frame chromedp.JSPath, state string) *chromedp.Node { //nolint:revive // t comes first
	t.Helper()
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		nodes, err := chromedp.Run(try, chromedp.Nodes(frame, chromedp.NodeReady))
		if err == nil {
			_, err = chromedp.Run(try, chromedp.Text(chromedp.CSS(`section[data-for=`+state+`]`), chromedp.NodeVisible, chromedp.FromNode(nodes[0])))
		}
		cancel()
		if err == nil {
			return nodes[0]
		}
	}
	t.Fatalf("the frame does not come to the state %s", state)
	return nil
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) { //nolint:revive // t comes first
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// press clicks a button of the page, or of the frame.
func press(button string, frame *chromedp.Node) chromedp.Action[chromedp.Void] {
	options := []chromedp.QueryOption{chromedp.NodeVisible}
	if frame != nil {
		options = append(options, chromedp.FromNode(frame))
	}
	return chromedp.Click(chromedp.CSS(`section:not([hidden]) button[data-do=`+button+`]:enabled`), options...)
}

func TestVisitorOpensALink(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:visit.db")
	once := 1
	address, uses := p.link(func(r *api.CreateShareLinkRequest) { r.UsageLimit.Set(once) })
	ctx := newPage(t)
	w := watch(t, ctx)
	do(t, ctx, chromedp.Navigate(address))
	if text := in(t, ctx, "ready", nil); !strings.Contains(text, "Cara") {
		t.Errorf("the page says %q", text)
	}
	if n := uses(); n != 0 {
		t.Errorf("to look cost %d uses", n)
	}
	do(t, ctx, chromedp.Focus(chromedp.CSS(`button[data-do=start]`), chromedp.NodeVisible), chromedp.KeyEvent("\r"))
	in(t, ctx, "local", nil)
	if n := uses(); n != 1 {
		t.Errorf("one visit cost %d uses", n)
	}
	focused := eval(t, ctx, `document.activeElement.textContent + '|' + document.getElementById('status').textContent`)
	if !strings.HasPrefix(focused, "Connected in local mode|The link works") {
		t.Errorf("who cannot see is told %q", focused)
	}
	w.want(t, p.url)

	do(t, ctx, chromedp.Navigate(address))
	in(t, ctx, "exhausted", nil)
}

func TestBlockedMicrophoneSpendsNothing(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:blocked.db")
	address, uses := p.link(nil)
	blocked := func(ctx context.Context) {
		t.Helper()
		do(t, ctx, press("start", nil))
		in(t, ctx, "blocked", nil)
		if n := uses(); n != 0 {
			t.Errorf("a blocked microphone cost %d uses", n)
		}
	}
	deaf := newPageOf(t, deafenedChromium)
	do(t, deaf, chromedp.Navigate(address))
	blocked(deaf)

	ctx := newPage(t)
	w := watch(t, ctx)
	do(t, ctx, chromedp.Navigate(address), chromedp.Evaluate[chromedp.Void](denyMicrophoneOnce))
	blocked(ctx)
	do(t, ctx, press("start", nil))
	in(t, ctx, "local", nil)
	if n := uses(); n != 1 {
		t.Errorf("one visit cost %d uses", n)
	}
	w.want(t, p.url)
}

// A link that cannot be opened any more says so before the microphone is asked for.
func TestVisitorComesTooLate(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:late.db")
	address, _ := p.link(func(r *api.CreateShareLinkRequest) { r.UsageLimit.Set(1) })
	ctx, other := newPage(t), newPage(t)
	do(t, ctx, chromedp.Navigate(address))
	in(t, ctx, "ready", nil)
	do(t, other, chromedp.Navigate(address), press("start", nil))
	in(t, other, "local", nil)
	eval(t, ctx, `navigator.mediaDevices.getUserMedia = () => { globalThis.listened = true; }`)
	do(t, ctx, press("start", nil))
	in(t, ctx, "exhausted", nil)
	if got := eval(t, ctx, `Boolean(globalThis.listened)`); got != "false" {
		t.Error("the microphone was asked for")
	}
}

// An access proxy lets its users through by a cookie. What it answers to others is not taken for an answer of the service.
func TestBehindAnAccessProxy(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:access.db")
	address, _ := p.link(nil)
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	service := httputil.NewSingleHostReverseProxy(u)
	access := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("access")
		switch {
		case strings.HasPrefix(r.URL.Path, "/share/"):
			service.ServeHTTP(w, r)
		case err == nil:
			http.Error(w, "let through", http.StatusTeapot)
		default:
			http.Redirect(w, r, "/login", http.StatusFound)
		}
	}))
	t.Cleanup(access.Close)
	ctx := newPage(t)
	do(t, ctx, chromedp.Navigate(access.URL+strings.TrimPrefix(address, p.url)), press("start", nil))
	if text := in(t, ctx, "intercepted", nil); !strings.Contains(text, "sign in again") {
		t.Errorf("the page says %q", text)
	}
	eval(t, ctx, `(document.cookie = 'access=1; path=/', globalThis.answered = new Promise((done) => {
		const { fetch } = globalThis;
		globalThis.fetch = (...request) => fetch(...request).then((response) => { done(response.status); return response; });
	}), null)`)
	eval(t, ctx, `document.querySelector('[data-for=ready] button').click()`)
	if status := eval(t, ctx, `answered`); status != "418" {
		t.Errorf("with its cookie the page was answered %s", status)
	}
}

// The page fits a narrow window in which the visitor has doubled the size of letters.
func TestLargeLetters(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:letters.db")
	address, _ := p.link(nil)
	g := gallery{t, newPage(t)}
	if _, err := chromedp.Call(g.ctx, page.SetFontSizes, page.SetFontSizesParams{FontSizes: &page.FontSizes{Standard: 32}}); err != nil {
		t.Fatal(err)
	}
	g.view(320, 568, "light")
	do(t, g.ctx, chromedp.Navigate(address))
	in(t, g.ctx, "ready", nil)
	if size := eval(t, g.ctx, `parseFloat(getComputedStyle(document.documentElement).fontSize) >= 32`); size != "true" {
		t.Fatal("the letters are not large")
	}
	g.fits()
	// All states at once, in each language.
	for _, language := range []string{"en", "de", "fr", "es", "pt", "ja"} {
		do(t, g.ctx, chromedp.Navigate(address+"?lang="+language))
		eval(t, g.ctx, `document.querySelectorAll('[hidden]').forEach((e) => { e.hidden = false; })`)
		g.fits()
	}
}

// frameOf returns the first iframe of the page.
func frameOf(t *testing.T, ctx context.Context) *chromedp.Node { //nolint:revive // t comes first
	t.Helper()
	nodes, err := chromedp.Run(ctx, chromedp.Nodes(chromedp.CSS(`iframe`)))
	if err != nil {
		t.Fatal(err)
	}
	return nodes[0]
}

func iframe(address, attributes string) string {
	const style = `position: fixed; inset: 0; width: 100%; height: 100%; border: 0`
	return `<iframe src="` + address + `" title="Cara" style="` + style + `" ` + attributes + `></iframe>`
}

func TestPlayerOnASiteThatMay(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:player.db")
	s := newSite(t)
	address, uses := p.link(embed(api.ShareLinkTypePlayerEmbed, s.url))
	ctx := newPage(t)
	w := watch(t, ctx)
	g := gallery{t, ctx}
	g.view(720, 480, "light")

	do(t, ctx, chromedp.Navigate(s.page(iframe(address, ""))))
	frame := frameOf(t, ctx)
	do(t, ctx, press("start", frame))
	in(t, ctx, "embed", frame)
	if told := w.complaint(ctx); !strings.Contains(told, `allow="microphone; autoplay"`) || !strings.Contains(told, "embed.md") {
		t.Errorf("the owner of an iframe without the microphone is told %q", told)
	}
	w.forget()
	g.sizes("embed")
	if n := uses(); n != 0 {
		t.Errorf("that cost %d uses", n)
	}

	do(t, ctx, chromedp.Navigate(s.page(iframe(address, `allow="microphone; autoplay"`))))
	frame = frameOf(t, ctx)
	do(t, ctx, press("start", frame))
	in(t, ctx, "local", frame)
	if n := uses(); n != 1 {
		t.Errorf("one visit cost %d uses", n)
	}
	w.want(t, p.url, s.url)
}

func TestPlayerOnASiteThatMayNot(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:refused.db")
	address, uses := p.link(embed(api.ShareLinkTypePlayerEmbed, "https://www.example.com"))
	ctx := newPage(t)
	g := gallery{t, ctx}
	g.view(720, 480, "light")

	// A site that the browser names is told what is missing.
	s := newSite(t)
	do(t, ctx, chromedp.Navigate(s.page(iframe(address, `allow="microphone; autoplay"`))))
	if text := in(t, ctx, "site", frameOf(t, ctx)); !strings.Contains(text, s.url) || strings.Contains(text, "Cara") {
		t.Errorf("the frame says %q", text)
	}
	g.sizes("site")

	// One that hides itself is refused by the browser.
	do(t, ctx, chromedp.Navigate(s.page(iframe(address, `allow="microphone; autoplay" referrerpolicy="no-referrer"`))))
	tree, err := chromedp.Call(ctx, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	frames := tree.FrameTree.ChildFrames
	if len(frames) != 1 || !strings.HasPrefix(frames[0].Frame.URL, "chrome-error://") {
		t.Errorf("the browser shows the frame: %+v", frames)
	}
	if n := uses(); n != 0 {
		t.Errorf("that cost %d uses", n)
	}
}
