package server

import (
	"regexp"
	"strings"
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
	files := regexp.MustCompile(`(?:src|href)="(dashboard/[^"]+)"`).FindAllSubmatch(a.body, -1)
	if len(files) != 2 {
		t.Fatalf("the page loads %q", files)
	}
	folder := ""
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
	load := func(path string) string {
		t.Helper()
		a := ts.look(path).want(200)
		if kind := a.header.Get("Content-Type"); kind != kinds[path[len(path)-3:]] || a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %v", path, a.header)
		}
		return string(a.body)
	}
	for _, m := range files {
		path := "/" + string(m[1])
		folder = path[:strings.LastIndexByte(path, '/')+1]
		load(path)
	}
	// What a script imports is there too.
	seen, queue := map[string]bool{}, []string{"dashboard.js"}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, m := range regexp.MustCompile(`from '\./([^']+)'`).FindAllStringSubmatch(load(folder+name), -1) {
			queue = append(queue, m[1])
		}
	}
	if len(seen) < 4 {
		t.Errorf("the scripts are %v", seen)
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
