package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// The browser shows a frame on every kind of site that a link can allow, and on no other, whatever frame-ancestors says.
func TestOriginsThatMayEmbed(t *testing.T) {
	t.Parallel()
	inner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "frame-ancestors "+r.FormValue("origin"))
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>A frame</title><script>parent.postMessage("shown", "*")</script>`)
	}))
	t.Cleanup(inner.Close)
	outer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>A site</title><link rel="icon" href="data:,"><body><script>
			const shown = new Promise((resolve) => addEventListener("message", (e) => resolve(e.data)))
		</script><iframe src="%s/?origin=http://%s"></iframe>`, inner.URL, r.Host)
	}))
	listener, err := net.Listen("tcp", "[::1]:0") // where the browser looks for names below localhost, too
	if err != nil {
		t.Fatal(err)
	}
	outer.Listener.Close()
	outer.Listener = listener
	outer.Start()
	t.Cleanup(outer.Close)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"a-b.localhost", "a_b.localhost"} {
		ctx, origin := newPage(t), "http://"+host+":"+port
		w := watch(t, ctx)
		do(t, ctx, chromedp.Navigate(origin))
		if sharelink.CheckOrigin(origin) == nil {
			if _, err := chromedp.Run(ctx, chromedp.Evaluate[string]("shown", chromedp.EvalAwaitPromise)); err != nil {
				t.Errorf("%s: %v", origin, err)
			}
			continue
		}
		// What it complains of is that nobody at all may embed the frame.
		if complaint := w.complaint(ctx); !strings.Contains(complaint, "frame-ancestors 'none'") {
			t.Errorf("%s: the browser says %q", origin, complaint)
		}
	}
}
