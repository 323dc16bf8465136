package e2e

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/draw"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/sharelinks-dev/sharelinks/api"
)

var screenshots = flag.String("screenshots", "", "directory to write a picture of each state of the pages to")

// usual is the size of the window in most tests.
var usual = struct{ X, Y int64 }{720, 480}

// gallery takes pictures of what visitors see. The orb does not move in them: a picture changes only when the page does.
type gallery struct {
	t   *testing.T
	ctx context.Context
}

func (g gallery) eval(expression string) string { g.t.Helper(); return eval(g.t, g.ctx, expression) }

func (g gallery) becomes(expression string) { g.t.Helper(); becomes(g.t, g.ctx, expression) }

// shoot takes the picture and, when it was asked for, keeps it.
func (g gallery) shoot(name string) {
	g.t.Helper()
	if *screenshots != "" {
		g.keep(name, g.capture(1))
	}
}

// sizes takes the picture on a screen, on a phone and on a small phone, keeps them side by side, and goes back to the usual size. The
// page fits each.
func (g gallery) sizes(name string) {
	g.t.Helper()
	windows := []image.Point{{1440, 900}, {390, 844}, {320, 568}}
	if *screenshots == "" {
		windows = windows[2:]
	}
	const scale, gap = 0.5, 12
	together := image.NewRGBA(image.Rect(0, 0, (1440+390+320)*scale+2*gap, 900*scale))
	x := 0
	for _, window := range windows {
		do(g.t, g.ctx, chromedp.EmulateViewport(int64(window.X), int64(window.Y)))
		g.fits()
		if *screenshots != "" {
			picture := g.capture(scale)
			draw.Draw(together, picture.Bounds().Add(image.Pt(x, 0)), picture, image.Point{}, draw.Src)
			x += picture.Bounds().Dx() + gap
		}
	}
	if *screenshots != "" {
		g.keep(name, together)
	}
	do(g.t, g.ctx, chromedp.EmulateViewport(usual.X, usual.Y))
}

// capture takes the picture of what the window shows, at this scale.
func (g gallery) capture(scale float64) image.Image {
	g.t.Helper()
	size, err := chromedp.Run(g.ctx, chromedp.Evaluate[[]float64](`[scrollX, scrollY, innerWidth, innerHeight]`))
	if err != nil {
		g.t.Fatal(err)
	}
	clip := &page.Viewport{X: size[0], Y: size[1], Width: size[2], Height: size[3], Scale: scale}
	shot, err := chromedp.Call(g.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Clip: clip})
	if err != nil {
		g.t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		g.t.Fatal(err)
	}
	return picture
}

func (g gallery) keep(name string, picture image.Image) {
	g.t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, picture); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), b.Bytes(), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// view sets the size of the window, and what the visitor prefers.
func (g gallery) view(width, height int64, scheme string) {
	g.t.Helper()
	do(g.t, g.ctx, chromedp.EmulateViewport(width, height))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	if _, err := chromedp.Call(g.ctx, emulation.SetEmulatedMedia, media); err != nil {
		g.t.Fatal(err)
	}
}

// fits fails the test when the page is wider than the window.
func (g gallery) fits() {
	g.t.Helper()
	wide := chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)
	if over, err := chromedp.Run(g.ctx, wide); err != nil || over {
		g.t.Errorf("the page is wider than its window, %v", err)
	}
}

// Every state that a visitor can meet without Anam is met, in a window of the usual size. `make screenshots` keeps the
// pictures.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	p := serve(t, "sqlite:screenshots.db", "--open-rate", "0.01", "--open-burst", "3")
	g := gallery{t, newPage(t)}
	g.view(720, 480, "light")
	at := func(address, state, name string) {
		t.Helper()
		do(t, g.ctx, chromedp.Navigate(address))
		in(t, g.ctx, state, nil)
		g.sizes(name)
	}
	then := func(state string) {
		t.Helper()
		do(t, g.ctx, press("start", nil))
		in(t, g.ctx, state, nil)
		g.sizes(state)
	}

	address, _ := p.link(nil)
	// What a chat shows of every link is in the binary.
	g.view(1200, 630, "light")
	do(t, g.ctx, chromedp.Navigate(address))
	in(t, g.ctx, "ready", nil)
	eval(t, g.ctx, `document.querySelectorAll('section, footer, noscript').forEach((e) => e.remove())`)
	g.shoot("../../internal/pages/preview")
	g.view(720, 480, "light")
	at(address, "ready", "ready")
	at(address+"?theme=dark", "ready", "ready-dark")
	g.view(320, 240, "light")
	do(t, g.ctx, chromedp.Navigate(address))
	in(t, g.ctx, "ready", nil)
	g.fits()
	if low := eval(t, g.ctx, `document.documentElement.scrollHeight > innerHeight`); low == "true" {
		t.Error("a frame of 320 by 240 has to be scrolled")
	}
	g.shoot("ready-small")
	g.view(3840, 2160, "dark")
	g.fits()
	if *screenshots != "" {
		g.keep("ready-4k", g.capture(0.2))
	}
	g.view(720, 480, "dark")
	do(t, g.ctx, chromedp.Navigate(address), chromedp.Evaluate[chromedp.Void](denyMicrophoneOnce))
	then("blocked")
	then("local")

	g.view(720, 480, "light")
	// What a browser does that has no microphone, may not ask for it, or still asks; and an access proxy that answers instead of us.
	for state, does := range map[string]string{
		"asking":       `navigator.mediaDevices.getUserMedia = () => new Promise(() => {})`,
		"nomicrophone": `navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError'); }`,
		"insecure":     `Object.defineProperty(navigator, 'mediaDevices', { value: undefined })`,
		"intercepted":  `globalThis.fetch = async () => new Response('Sign in', { status: 401, headers: { 'Content-Type': 'text/html' } })`,
	} {
		do(t, g.ctx, chromedp.Navigate(address))
		eval(t, g.ctx, does)
		then(state)
	}
	used, _ := p.link(func(r *api.CreateShareLinkRequest) { r.UsageLimit.Set(1) })
	do(t, g.ctx, chromedp.Navigate(used), press("start", nil))
	in(t, g.ctx, "local", nil)
	at(used, "exhausted", "exhausted")
	off, _ := p.link(func(r *api.CreateShareLinkRequest) { r.Enabled = new(false) })
	at(off, "disabled", "disabled")
	over, _ := p.link(func(r *api.CreateShareLinkRequest) { r.ExpiresInHours.Set(1e-9) })
	at(over, "expired", "expired")
	at(p.url+"/share/sh_222222222222222222222", "unknown", "unknown")
	for range 31 { // more than anybody may guess
		if answer, err := http.Get(p.url + "/share/nope"); err == nil {
			answer.Body.Close()
		}
	}
	at(p.url+"/share/nope", "unavailable", "unavailable")
	// By another name the page is of an origin that nobody allowed.
	do(t, g.ctx, chromedp.Navigate(strings.Replace(address, "127.0.0.1", "localhost", 1)))
	then("origin")
	do(t, g.ctx, chromedp.Navigate(address))
	then("busy")
	do(t, g.ctx, chromedp.Navigate(address))
	p.kill()
	then("lost")
}
