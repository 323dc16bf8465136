package e2e

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

// sessionToken is one as Anam makes them: the player reads what is in it.
var sessionToken = strings.Join([]string{
	base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)),
	base64.RawURLEncoding.EncodeToString([]byte(`{"type":"ephemeral","accountId":"an-account"}`)),
	"not-signed",
}, ".")

// engine is an Anam on loopback that browsers talk to as well: it serves the player and its engine's sessions.
type engine struct {
	*sharelinkstest.Anam
	persona string
	url     string
	player  []byte
	hangUp  chan struct{} // unless nil, no session token is answered, and the connection ends when it is closed
	hold    chan struct{} // unless nil, a session token is answered when it is closed
	mu      sync.Mutex
	started []string // the Authorization of each POST /v1/engine/session
}

func startEngine(t *testing.T, player []byte) *engine {
	t.Helper()
	e := &engine{Anam: sharelinkstest.NewAnam(t), player: player}
	e.persona = e.AddPersona("Ada")
	e.SetSessionToken(sessionToken)
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	e.url = s.URL
	return e
}

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	switch {
	case r.Method == http.MethodOptions:
	case r.URL.Path == "/anam.js":
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(e.player)
	case r.URL.Path == "/v1/engine/session":
		e.mu.Lock()
		e.started = append(e.started, r.Header.Get("Authorization"))
		e.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests) // a place was given away meanwhile: the player says so and gives up
		_, _ = io.WriteString(w, `{"message":"busy"}`)
	case r.URL.Path == "/v1/auth/session-token" && e.hangUp != nil:
		<-e.hangUp
		panic(http.ErrAbortHandler)
	default:
		if r.URL.Path == "/v1/auth/session-token" && e.hold != nil {
			<-e.hold
		}
		e.Anam.ServeHTTP(w, r)
	}
}

func integrity(script []byte) string {
	sum := sha512.Sum384(script)
	return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
}

// serveWithPlayer starts a server whose personas live in the engine, behind a proxy that keeps all that a browser gets.
func serveWithPlayer(t *testing.T, e *engine, hash string) (p *process, sent *lockedBuffer, public string) {
	t.Helper()
	sent = &lockedBuffer{}
	target := make(chan *url.URL, 1)
	to := sync.OnceValue(func() *url.URL { return <-target })
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to())
			r.Out.Header.Del("Accept-Encoding") // what is kept is read
		},
		ModifyResponse: func(r *http.Response) error {
			if err := r.Header.Write(sent); err != nil {
				return err
			}
			body, err := io.ReadAll(r.Body)
			_, _ = sent.Write(body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			return err
		},
	})
	t.Cleanup(proxy.Close)
	flags := []string{"--public-url", proxy.URL}
	if hash != "" {
		flags = append(flags, "--player-script", e.url+"/anam.js", "--player-integrity", hash)
	}
	cmd := serveCommand(t, "sqlite:player.db", flags...)
	cmd.Env = append(cmd.Env, "SHARELINKS_ANAM_API_KEY="+e.Key, "SHARELINKS_ANAM_URL="+e.url)
	p = start(t, cmd)
	p.await()
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	target <- u
	return p, sent, proxy.URL
}

// adaOnce is a link to Anam's persona, for one visit.
func (e *engine) adaOnce(r *api.CreateShareLinkRequest) {
	r.PersonaID = e.persona
	r.UsageLimit.Set(1)
}

// standIn is a player that keeps what it is given, and shows a picture of nobody.
const standIn = `globalThis.anam = { createClient(token, options) {
	globalThis.given = { token, options };
	return {
		addListener(name, listener) { (given.listeners ??= {})[name] = listener; },
		async streamToVideoElement(id, microphone) {
			Object.assign(given, { id, microphone, tracks: microphone?.getAudioTracks().length });
			const picture = () => Object.assign(document.createElement('canvas'), { width: 800, height: 560 });
			const still = picture(), c = still.getContext('2d');
			const room = c.createLinearGradient(0, 0, 800, 560);
			room.addColorStop(0, '#f3d9b8'); room.addColorStop(.5, '#c98f7a'); room.addColorStop(1, '#5d4a66');
			c.fillStyle = room; c.fillRect(0, 0, 800, 560);
			c.filter = 'blur(14px)'; // out of focus, as somebody who is about to come in
			c.fillStyle = '#4b3340'; c.beginPath(); c.ellipse(400, 590, 250, 220, 0, 0, 7); c.fill();
			c.fillStyle = '#3a2630'; c.beginPath(); c.ellipse(400, 225, 108, 128, 0, 0, 7); c.fill();
			c.fillStyle = '#e6b79a'; c.beginPath(); c.ellipse(400, 250, 72, 96, 0, 0, 7); c.fill();
			const canvas = picture(), screen = canvas.getContext('2d');
			setInterval(() => screen.drawImage(still, 0, 0), 100); // a stream has a frame only when something was drawn
			given.show = () => { document.getElementById(id).srcObject = canvas.captureStream(10); };
			if (!globalThis.late) given.show();
		},
		sendUserMessage(content) {
			given.typed = content;
		},
		async stopStreaming() { given.stopped = true; },
	};
} };`

// talks waits until the persona is seen: with the picture the buttons move, and a click that is on its way would miss.
func talks(t *testing.T, ctx context.Context) { //nolint:revive // t comes first
	t.Helper()
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS(`[data-seen] #persona`)))
	in(t, ctx, "live", nil)
}

func TestVisitorTalksToAnam(t *testing.T) {
	t.Parallel()
	e := startEngine(t, []byte(standIn))
	p, sent, public := serveWithPlayer(t, e, integrity(e.player))
	address, uses := p.link(e.adaOnce)
	g := gallery{t, newPage(t)}
	w := watch(t, g.ctx)
	g.view(720, 480, "light")
	do(t, g.ctx, chromedp.Navigate(address))
	if text := in(t, g.ctx, "ready", nil); !strings.Contains(text, "Ada") {
		t.Errorf("the page says %q", text)
	}
	if n := uses(); n != 0 {
		t.Errorf("to look cost %d uses", n)
	}
	do(t, g.ctx, press("start", nil))
	talks(t, g.ctx)
	given := eval(t, g.ctx, `[given.token, given.options.api.baseUrl, given.id, given.tracks].join(' ')`)
	if want := sessionToken + " " + e.url + " persona 1"; given != want {
		t.Errorf("the player was given %q, want %q", given, want)
	}
	g.sizes("live")
	do(t, g.ctx, press("mute", nil), press("end", nil))
	if text := in(t, g.ctx, "ended", nil); !strings.Contains(text, "That was the last use of this link.") || strings.Contains(text, "Start again") {
		t.Errorf("after the last use the page says %q", text)
	}
	if stopped := eval(t, g.ctx, `given.stopped`); stopped != "true" {
		t.Errorf("the player was stopped: %s", stopped)
	}
	g.sizes("ended")
	if n := uses(); n != 1 {
		t.Errorf("one visit cost %d uses", n)
	}
	wanted := `POST /v1/auth/session-token ` +
		`{"clientLabel":"sharelinks","personaConfig":{"personaId":"` + e.persona + `"}}`
	if !slices.Contains(e.Requests(), wanted) {
		t.Errorf("Anam was asked %q", e.Requests())
	}
	if all := sent.String(); strings.Contains(all, e.Key) || !strings.Contains(all, sessionToken) {
		t.Error("the browser was sent the API key, or not the session")
	}
	w.want(t, public, e.url)
}

// A conversation starts with what the button says, and what comes late from another changes nothing. The page says how many uses
// are left.
func TestVisitorTalksAgain(t *testing.T) {
	t.Parallel()
	e := startEngine(t, []byte(standIn))
	p, _, _ := serveWithPlayer(t, e, integrity(e.player))
	address, uses := p.link(func(r *api.CreateShareLinkRequest) {
		e.adaOnce(r)
		r.UsageLimit.Set(3)
	})
	ctx := newPage(t)
	again := func(note string) {
		t.Helper()
		do(t, ctx, press("end", nil))
		if text := in(t, ctx, "ended", nil); !strings.Contains(text, note) {
			t.Errorf("the page says %q, want %q", text, note)
		}
		do(t, ctx, press("start", nil))
	}
	do(t, ctx, chromedp.Navigate(address), press("start", nil))
	talks(t, ctx)
	do(t, ctx, press("mute", nil))
	again("Another start spends one of the 2 uses that are left.")
	talks(t, ctx)
	if got := eval(t, ctx, `[given.microphone.getAudioTracks()[0].enabled, document.querySelector('[data-do=mute]').textContent]`); got != "false,Unmute" {
		t.Errorf("the microphone is on, and the button says: %s", got)
	}
	eval(t, ctx, `globalThis.late = true`)
	again("Another start spends the last use of this link.")
	in(t, ctx, "live", nil)
	do(t, ctx, press("end", nil))
	in(t, ctx, "ended", nil)
	eval(t, ctx, `new Promise((shown) => { document.getElementById('persona').addEventListener('playing', shown); given.show(); })`)
	if got := eval(t, ctx, `document.getElementById('visit').hasAttribute('data-seen')`); got != "false" {
		t.Error("a picture that came late covers the page")
	}
	if n := uses(); n != 3 {
		t.Errorf("%d uses", n)
	}
}

// A visitor can cancel. A use that was spent meanwhile is kept for the next start, a microphone that was allowed is let go.
func TestVisitorCancels(t *testing.T) {
	t.Parallel()
	e := startEngine(t, []byte(standIn))
	e.hold = make(chan struct{})
	p, _, _ := serveWithPlayer(t, e, integrity(e.player))
	address, uses := p.link(e.adaOnce)
	ctx := newPage(t)
	do(t, ctx, chromedp.Navigate(address))
	eval(t, ctx, `navigator.mediaDevices.getUserMedia = () => {
		delete navigator.mediaDevices.getUserMedia;
		return new Promise((allow) => { globalThis.allow = allow; });
	}`)
	do(t, ctx, press("start", nil))
	becomes(t, ctx, `Boolean(globalThis.allow)`)
	do(t, ctx, press("end", nil))
	in(t, ctx, "ready", nil)
	eval(t, ctx, `navigator.mediaDevices.getUserMedia({ audio: true }).then((microphone) => {
		globalThis.track = microphone.getTracks()[0];
		allow(microphone);
	})`)
	becomes(t, ctx, `track.readyState === 'ended'`)

	do(t, ctx, press("start", nil))
	in(t, ctx, "connecting", nil)
	do(t, ctx, press("end", nil))
	in(t, ctx, "ready", nil)
	close(e.hold)
	do(t, ctx, press("start", nil))
	in(t, ctx, "live", nil)
	if n := uses(); n != 1 {
		t.Errorf("one visit cost %d uses", n)
	}
}

// Who does not speak or hear reads and writes. No microphone is asked for, and a use is spent as always.
func TestVisitorWrites(t *testing.T) {
	t.Parallel()
	e := startEngine(t, []byte(standIn))
	p, _, _ := serveWithPlayer(t, e, integrity(e.player))
	address, uses := p.link(func(r *api.CreateShareLinkRequest) {
		e.adaOnce(r)
		r.UsageLimit.Set(3)
	})
	g := gallery{t, newPageOf(t, deafenedChromium)}
	g.view(720, 480, "light")
	do(t, g.ctx, chromedp.Navigate(address), press("start", nil))
	in(t, g.ctx, "blocked", nil)
	do(t, g.ctx, press("silent", nil))
	talks(t, g.ctx)
	if got := eval(t, g.ctx, `[given.options.disableInputAudio, given.tracks, document.querySelector('[data-do=mute]').hidden]`); got != "true,,true" {
		t.Errorf("the player is told, and Mute is hidden: %s", got)
	}
	input := chromedp.CSS(`#write input`)
	do(t, g.ctx, chromedp.SendKeys(input, " ", chromedp.NodeVisible), chromedp.KeyEvent("\r"))
	if got := eval(t, g.ctx, `given.typed`); got != "undefined" {
		t.Errorf("sent %q", got)
	}
	do(t, g.ctx, chromedp.SendKeys(input, "Hello <b>Ada</b>", chromedp.NodeVisible), chromedp.KeyEvent("\r"))
	becomes(t, g.ctx, `given.typed === ' Hello <b>Ada</b>'`)
	eval(t, g.ctx, `['Hello', ' there.'].forEach((content) => given.listeners.MESSAGE_STREAM_EVENT_RECEIVED({ id: 'persona::1', role: 'persona', content }))`)
	if got := eval(t, g.ctx, `[...document.querySelectorAll('#said p')].map((p) => p.textContent).join('|')`); got != "You  Hello <b>Ada</b>|Ada Hello there." {
		t.Errorf("said: %s", got)
	}
	g.sizes("text")
	g.view(320, 240, "light")
	g.fits()
	do(t, g.ctx, press("end", nil))
	in(t, g.ctx, "ended", nil)
	if n := uses(); n != 1 {
		t.Errorf("%d uses", n)
	}

	// Captions are off at first, and remembered while the page's tab is open.
	hearing := newPage(t)
	shown := func(want string) {
		t.Helper()
		do(t, hearing, chromedp.Navigate(address), press("start", nil))
		talks(t, hearing)
		if got := eval(t, hearing, `[!document.getElementById('text').hidden, document.querySelector('[data-do=text]').ariaPressed]`); got != want {
			t.Errorf("the text is shown: %s, want %s", got, want)
		}
	}
	shown("false,false")
	do(t, hearing, press("text", nil), press("end", nil))
	shown("true,true")
	eval(t, hearing, `(Object.defineProperty(globalThis, 'sessionStorage', { get() { throw new Error('not in this frame'); } }), null)`)
	do(t, hearing, press("text", nil))
	becomes(t, hearing, `document.getElementById('text').hidden`)
	do(t, hearing, press("text", nil))
	becomes(t, hearing, `!document.getElementById('text').hidden`)
}

// A visitor who is about to lose a use is asked. A microphone that is taken away is spoken of.
func TestVisitorIsWarned(t *testing.T) {
	t.Parallel()
	e := startEngine(t, []byte(standIn))
	p, _, _ := serveWithPlayer(t, e, integrity(e.player))
	address, _ := p.link(e.adaOnce)
	g := gallery{t, newPage(t)}
	g.view(720, 480, "light")
	asked := make(chan page.DialogType, 1)
	if err := chromedp.Listen(g.ctx, func(event any) {
		if e, ok := event.(*page.EventJavascriptDialogOpening); ok {
			asked <- e.Type
			go func() {
				_, _ = chromedp.Call(g.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: false})
			}()
		}
	}); err != nil {
		t.Fatal(err)
	}
	do(t, g.ctx, chromedp.Navigate(address), press("start", nil))
	in(t, g.ctx, "live", nil)
	eval(t, g.ctx, `setTimeout(() => location.reload())`)
	select {
	case kind := <-asked:
		if kind != page.DialogTypeBeforeunload {
			t.Errorf("the browser asks about %s", kind)
		}
	case <-g.ctx.Done():
		t.Fatal("the visitor was not asked")
	}
	eval(t, g.ctx, `given.microphone.getAudioTracks()[0].dispatchEvent(new Event('ended'))`)
	in(t, g.ctx, "unheard", nil)
	g.sizes("unheard")
	if spoken := eval(t, g.ctx, `document.getElementById('status').textContent`); !strings.Contains(spoken, "Ada cannot hear you any more.") {
		t.Errorf("who cannot see is told %q", spoken)
	}
}

// A player that is not the one whose hash is known does not run, and costs no visit.
func TestAnotherPlayerDoesNotRun(t *testing.T) {
	t.Parallel()
	e := startEngine(t, []byte(standIn))
	p, _, _ := serveWithPlayer(t, e, integrity([]byte("something else")))
	address, uses := p.link(e.adaOnce)
	g := gallery{t, newPage(t)}
	g.view(720, 480, "dark")
	do(t, g.ctx, chromedp.Navigate(address), press("start", nil))
	in(t, g.ctx, "noplayer", nil)
	g.sizes("noplayer")
	if n := uses(); n != 0 {
		t.Errorf("that cost %d uses", n)
	}
}

// A visitor for whom there is no place waits, and is let in by the same button; only then is the visit counted.
func TestAnamIsBusy(t *testing.T) {
	t.Parallel()
	e := startEngine(t, []byte(standIn))
	e.Fail(sharelinkstest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 1})
	p, _, _ := serveWithPlayer(t, e, integrity(e.player))
	address, uses := p.link(e.adaOnce)
	ctx := newPage(t)
	do(t, ctx, chromedp.Navigate(address), press("start", nil))
	in(t, ctx, "busy", nil)
	if n := uses(); n != 0 {
		t.Errorf("%d uses", n)
	}
	do(t, ctx, press("start", nil)) // as soon as it can be
	in(t, ctx, "live", nil)
	if n := uses(); n != 1 {
		t.Errorf("%d uses", n)
	}
}

// When nobody can know whether Anam made a session, the visitor hears that the visit may have been counted.
func TestAnamHangsUp(t *testing.T) {
	t.Parallel()
	e := startEngine(t, []byte(standIn))
	e.hangUp = make(chan struct{})
	p, _, _ := serveWithPlayer(t, e, integrity(e.player))
	address, uses := p.link(e.adaOnce)
	g := gallery{t, newPage(t)}
	g.view(720, 480, "dark")
	do(t, g.ctx, chromedp.Navigate(address), press("start", nil))
	in(t, g.ctx, "connecting", nil)
	g.sizes("connecting")
	close(e.hangUp)
	in(t, g.ctx, "slow", nil)
	g.sizes("slow")
	if n := uses(); n != 1 {
		t.Errorf("%d uses", n)
	}
}

// The player itself, as it is published, takes our session token to its engine.
func TestThePublishedPlayer(t *testing.T) {
	t.Parallel()
	player := []byte(script(t, "@anam-ai/js-sdk/dist/umd/anam.js"))
	e := startEngine(t, player)
	p, sent, _ := serveWithPlayer(t, e, integrity(player))
	address, uses := p.link(e.adaOnce)
	ctx := newPage(t)
	do(t, ctx, chromedp.Navigate(address), press("start", nil))
	if text := in(t, ctx, "busy", nil); !strings.Contains(text, "The next start spends no further use.") {
		t.Errorf("a session that the engine had no place for is lost: %q", text)
	}
	e.mu.Lock()
	if want := "Bearer " + sessionToken; len(e.started) != 1 || e.started[0] != want {
		t.Errorf("the engine was shown %q, want %q once", e.started, want)
	}
	e.mu.Unlock()
	if n := uses(); n != 1 {
		t.Errorf("one visit cost %d uses", n)
	}
	if strings.Contains(sent.String(), e.Key) {
		t.Error("the browser was sent the API key")
	}
	// It takes no microphone, too.
	address, _ = p.link(e.adaOnce)
	ctx = newPage(t)
	do(t, ctx, chromedp.Navigate(address), press("silent", nil))
	in(t, ctx, "busy", nil)

	// Where nothing else is said, browsers are told to run these very bytes.
	p, sent, _ = serveWithPlayer(t, e, "")
	address, _ = p.link(e.adaOnce)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	page := strings.ReplaceAll(sent.String(), "&#43;", "+")
	if !strings.Contains(page, `data-integrity="`+integrity(player)+`"`) {
		t.Errorf("the default player has another hash than %s", integrity(player))
	}
}
