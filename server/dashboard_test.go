package server

import (
	"maps"
	"regexp"
	"testing"
)

// The dashboard runs its own files, calls this server, and is shown in no frame. Its files never change at their address.
func TestDashboard(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	if to := ts.look("/dashboard/").want(302).header.Get("Location"); to != "/dashboard" {
		t.Errorf("with a slash behind it leads to %q", to)
	}
	a := ts.look("/dashboard").want(200)
	for name, want := range map[string]string{
		"script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "frame-src": "'self'", "frame-ancestors": "'none'",
		"require-trusted-types-for": "'script'", "trusted-types": "'none'",
	} {
		if got := a.policy()[name]; got != want {
			t.Errorf("%s %s, want %s", name, got, want)
		}
	}
	if a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("X-Robots-Tag") != "noindex" || a.header.Get("Cache-Control") != "public, max-age=0" {
		t.Errorf("%v", a.header)
	}
	folder := ""
	named := map[string]bool{} // by the page
	for _, m := range regexp.MustCompile(`(?:src|href)="(dashboard/[^/]+/)([^"]+)"`).FindAllStringSubmatch(string(a.body), -1) {
		folder, named[m[2]] = "/"+m[1], true
	}
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
	load := func(name string) string {
		t.Helper()
		a := ts.look(folder + name).want(200)
		if kind := a.header.Get("Content-Type"); kind != kinds[name[len(name)-3:]] || a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %v", name, a.header)
		}
		return string(a.body)
	}
	// The page names what a script imports too, so that all is asked for at once.
	seen, queue := map[string]bool{}, []string{"dashboard.css", "dashboard.js"}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, m := range regexp.MustCompile(`from '\./([^']+)'`).FindAllStringSubmatch(load(name), -1) {
			queue = append(queue, m[1])
		}
	}
	if !maps.Equal(named, seen) || len(seen) < 5 {
		t.Errorf("the page names %v, and loads %v", named, seen)
	}
}

func TestDashboardIsOff(t *testing.T) {
	t.Parallel()
	ts := start(t, nil, func(c *Config) { c.Dashboard = false })
	ts.look("/dashboard").want(404)
}

// The dashboard may show the page of any link in a frame, and no other site gets more than the link allows.
func TestPreviewInTheDashboard(t *testing.T) {
	t.Parallel()
	ts := start(t, nil)
	off := ts.token(`"enabled":false`)
	for _, link := range []struct{ path, elsewhere string }{
		{"/share/" + ts.token(), "'none'"},
		{"/share/" + off, "'none'"},
		{"/frame/" + ts.token(`"type":"PLAYER_EMBED"`), "'none'"},
		{"/frame/" + ts.token(`"type":"ORB_EMBED","allowedOrigins":["https://a.example"]`), "https://a.example"},
	} {
		for _, headers := range [][]string{
			{embedded, "Sec-Fetch-Site: same-origin"},
			{embedded, "Sec-Fetch-Site: same-origin", "Referer: " + ts.http.URL + "/"},
		} {
			if got := ts.look(link.path, headers...).policy()["frame-ancestors"]; got != "'self'" {
				t.Errorf("%s in the dashboard: frame-ancestors %s", link.path, got)
			}
		}
		for _, headers := range [][]string{
			{}, {embedded}, {embedded, "Sec-Fetch-Site: same-site"}, {embedded, "Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Dest: document", "Sec-Fetch-Site: same-origin"},
		} {
			if got := ts.look(link.path, headers...).policy()["frame-ancestors"]; got != link.elsewhere {
				t.Errorf("%s with %q: frame-ancestors %s, want %s", link.path, headers, got, link.elsewhere)
			}
		}
	}
}
