package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

var (
	//go:embed embed.js
	embedJS []byte
	//go:embed embed.d.ts
	embedTypes []byte
	//go:embed icon.svg
	icon []byte
	//go:embed preview.png
	preview []byte
)

// robots keeps crawlers from calling operations. They may load the page of a link, because a preview in a chat is made from it; that
// it is kept out of an index is said by its own header.
const robots = "User-agent: *\nDisallow: /v1/\n"

// Assets returns handlers of the files that people's browsers and sites load beside the pages, by path. Sites load embed.js, so it may
// be cached for a while, but not for long: a fault in it is on all of them.
var Assets = sync.OnceValue(func() map[string]http.Handler {
	return map[string]http.Handler{
		"/embed.js":    newAsset("text/javascript; charset=utf-8", 5*time.Minute, withWords(embedJS)),
		"/embed.d.ts":  newAsset("text/plain; charset=utf-8", 5*time.Minute, embedTypes),
		"/favicon.ico": newAsset("image/svg+xml", 24*time.Hour, icon),
		"/preview.png": newAsset("image/png", 24*time.Hour, preview),
		"/robots.txt":  newAsset("text/plain; charset=utf-8", 24*time.Hour, []byte(robots)),
	}
})

// forEver is how long a file is kept whose path changes with it.
const forEver = 365 * 24 * time.Hour

// newAsset returns a handler that serves a file to any site, compressed once.
func newAsset(kind string, fresh time.Duration, content []byte) http.Handler {
	caching := fmt.Sprintf("public, max-age=%.0f", fresh.Seconds())
	if fresh == forEver {
		caching += ", immutable"
	}
	tag := fmt.Sprintf("%x", sha256.Sum256(content))[:32]
	zipped := sync.OnceValue(func() []byte {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level exists
		_, _ = w.Write(content)                               // a buffer takes all
		_ = w.Close()
		return b.Bytes()
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", caching)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Vary", "Accept-Encoding")
		body, encoding := content, ""
		if kind != "image/png" && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			body, encoding = zipped(), "gzip"
			h.Set("Content-Encoding", encoding)
		}
		h.Set("ETag", `"`+tag+encoding+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}
