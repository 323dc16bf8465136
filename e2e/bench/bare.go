package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/api"
)

// serveBare is what the server is compared with: routing, one decode, one encode, nothing else. It ends with ctx.
func serveBare(ctx context.Context) error {
	e := echo.New()
	at := api.Timestamp{Time: time.Now()}
	limit := 10
	e.POST("/v1/share-links", func(c echo.Context) error {
		var r api.CreateShareLinkRequest
		if err := json.NewDecoder(c.Request().Body).Decode(&r); err != nil {
			return err
		}
		return c.JSON(http.StatusCreated, api.ShareLink{
			ID: r.PersonaID, Token: "sh_2kL9pQxYzR4vN8mBwHfJc", Type: api.ShareLinkTypeLink, ExpiresAt: &at, UsageLimit: &limit,
			AllowedOrigins: []string{}, Enabled: true, CreatedAt: at,
			URL: "http://127.0.0.1:8080/share/sh_2kL9pQxYzR4vN8mBwHfJc",
		})
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	if err := http.Serve(listener, e); ctx.Err() == nil { //nolint:gosec // loopback, for as long as the measurement
		return err
	}
	return nil
}
