package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/sharelinks-dev/sharelinks/server"
)

// The service as a part of another program's HTTP server.
func ExampleNew() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "sharelinks-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	mux := http.NewServeMux()
	if err := mount(ctx, mux, dir, func() {
		r := httptest.NewRequest("POST", "/v1/share-links", strings.NewReader(`{"personaId":"00000000-0000-0000-0000-000000000000"}`))
		r.Header.Set("Authorization", "Bearer a-key-of-your-own")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.Contains(w.Body.String(), `"url":"https://links.example.com/share/sh_`))
	}); err != nil {
		panic(err)
	}
	// Output: 201 true
}

// mount is the code that the README shows.
func mount(ctx context.Context, http *http.ServeMux, dir string, use func()) error {
	config := server.DefaultConfig()
	config.Database = "sqlite:" + filepath.Join(dir, "links.db")
	config.APIKey = "a-key-of-your-own"
	config.PublicURL = "https://links.example.com"
	service, err := server.New(ctx, config)
	if err != nil {
		return err
	}
	defer service.Close()
	http.Handle("/v1/", service.Handler())
	use()
	return nil
}
