package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"sync"
)

//go:embed dashboard
var dashboard embed.FS

// dashboardPolicy lets the dashboard's own files run, which make no HTML of texts, and call this server. Its frame is the preview
// of a link.
const dashboardPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Dashboard returns handlers of the dashboard's page and of its files, by path. The paths of the files have a hash of all in them,
// so that browsers can keep them for ever, and never have those of two versions.
var Dashboard = sync.OnceValue(func() map[string]http.Handler {
	files, err := fs.ReadDir(dashboard, "dashboard")
	if err != nil {
		panic(err) // it is embedded
	}
	contents, hash := map[string][]byte{}, sha256.New()
	for _, file := range files {
		content, _ := dashboard.ReadFile("dashboard/" + file.Name())
		contents[file.Name()] = content
		hash.Write(content)
	}
	version := fmt.Sprintf("%x", hash.Sum(nil))[:16]
	page := bytes.ReplaceAll(contents["dashboard.html"], []byte("VERSION"), []byte(version))
	delete(contents, "dashboard.html")
	show := newAsset("text/html; charset=utf-8", 0, page)
	handlers := map[string]http.Handler{"/dashboard": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Protect(w.Header())
		w.Header().Set("Content-Security-Policy", dashboardPolicy)
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		show.ServeHTTP(w, r)
	})}
	for name, content := range contents {
		kind := "text/javascript; charset=utf-8"
		if path.Ext(name) == ".css" {
			kind = "text/css; charset=utf-8"
		}
		handlers["/dashboard/"+version+"/"+name] = newAsset(kind, forEver, content)
	}
	return handlers
})
