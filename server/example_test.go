package server_test

import (
	"context"
	"encoding/json"
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
		r := httptest.NewRequest("POST", "/links/v1/share-links", strings.NewReader(`{"personaId":"00000000-0000-0000-0000-000000000000"}`))
		r.Header.Set("Authorization", "Bearer a-key-of-your-own")
		r.Header.Set("Content-Type", "application/json")
		created := httptest.NewRecorder()
		mux.ServeHTTP(created, r)
		var link struct{ URL string }
		if err := json.Unmarshal(created.Body.Bytes(), &link); err != nil {
			panic(err)
		}
		fmt.Println(created.Code, strings.HasPrefix(link.URL, "https://www.example.com/links/share/sh_"))

		page := httptest.NewRecorder()
		mux.ServeHTTP(page, httptest.NewRequest("GET", strings.TrimPrefix(link.URL, "https://www.example.com"), nil))
		fmt.Println(page.Code, strings.Contains(page.Body.String(), "Talk to Cara"))
	}); err != nil {
		panic(err)
	}
	// Output:
	// 201 true
	// 200 true
}

// mount is the code that the README shows.
func mount(ctx context.Context, mux *http.ServeMux, dir string, use func()) error {
	config := server.DefaultConfig()
	config.Database = "sqlite:" + filepath.Join(dir, "links.db")
	config.APIKey = "a-key-of-your-own"
	config.PublicURL = "https://www.example.com/links"
	service, err := server.New(ctx, config)
	if err != nil {
		return err
	}
	defer service.Close()
	service.Mount(mux)
	use()
	return nil
}
