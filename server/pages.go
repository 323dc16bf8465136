package server

import (
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/internal/pages"
	"github.com/sharelinks-dev/sharelinks/internal/session"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// servePages registers what the server shows beside the contract's operations.
func (s *Server) servePages(e *echo.Echo) {
	e.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, s.publicPath()+"/docs") })
	yaml, json := sharelinks.Spec(), sharelinks.SpecJSON() // copies: one for all requests
	e.GET("/openapi.yaml", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/yaml; charset=utf-8", yaml) })
	e.GET("/openapi.json", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/json", json) })
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", s.ready)
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})))
	e.GET("/.well-known/jwks.json", s.keySet)
	compress := middleware.GzipWithConfig(middleware.GzipConfig{Level: gzip.BestSpeed, MinLength: 1024})
	e.GET("/share/:token", func(c echo.Context) error { return s.showLink(c, pages.Share) }, compress)
	e.GET("/frame/:token", func(c echo.Context) error { return s.showLink(c, pages.Frame) }, compress)
	for path, asset := range pages.Assets() {
		e.GET(path, echo.WrapHandler(asset))
	}
	if s.config.Dashboard {
		e.GET("/dashboard/", func(c echo.Context) error { return c.Redirect(http.StatusFound, s.publicPath()+"/dashboard") })
		for path, file := range pages.Dashboard() {
			e.GET(path, echo.WrapHandler(file))
		}
	}
	docs := s.docs()
	e.GET("/docs", docs)
	e.GET("/docs/*", docs)
	var problems []pages.Problem
	for _, k := range kinds {
		if k.meaning != "" { // a name with two statuses has one page
			problems = append(problems, pages.Problem{
				Code: k.name, Status: k.status, StatusText: http.StatusText(k.status), Title: k.title, Meaning: k.meaning, Remedy: k.remedy,
			})
		}
	}
	for code, page := range s.pages.Problems(problems) {
		e.GET(strings.TrimSuffix("/problems/"+code, "/"), echo.WrapHandler(page))
	}
}

// showLink shows the page of the link that the token leads to, or says why there is none.
func (s *Server) showLink(c echo.Context, place pages.Place) error {
	if token, ok := sharelink.TrimToken(pathParam(c, "token")); ok {
		s.pages.RedirectTo(c.Response(), c.Request(), place, token)
		return nil // not looked up, and so no guess
	}
	a, err := s.admit(c)
	if err == nil {
		s.pages.Link(c.Response(), c.Request(), place, a.link, a.status)
		return nil
	}
	e, _ := problemOf(err)
	status := kindOf(e.Code).status
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		c.Response().Header().Set("Retry-After", retryAfter(e.RetryAfter))
	}
	s.pages.NoLink(c.Response(), c.Request(), place, status)
	return err // for the log: the answer is written
}

var keySetCaching = fmt.Sprintf("public, max-age=%.0f", session.KeySetMaxAge.Seconds())

// keySet serves the keys that sessions are signed with. They are public, for pages of other sites too.
func (s *Server) keySet(c echo.Context) error {
	header := c.Response().Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cache-Control", keySetCaching)
	return c.Blob(http.StatusOK, "application/jwk-set+json", s.signer.KeySet())
}

// ready asks the store. A server that is stopping is no longer ready, so that a balancer stops sending.
func (s *Server) ready(c echo.Context) error {
	if s.stopping.Load() {
		return &sharelink.Error{Code: sharelink.Unavailable, Detail: "the server is stopping"}
	}
	if err := s.service.Ping(c.Request().Context()); err != nil {
		return &sharelink.Error{Code: sharelink.Unavailable, Detail: "the store does not answer", Err: err}
	}
	return c.String(http.StatusOK, "ready\n")
}
