package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/internal/redact"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// call is what is known of one request on its way through the server. It rides in the request's context, put there once
// and filled in as more is known: a context value each would copy the request each time.
type call struct {
	id           string
	operation    string // the contract's operationId, "" outside the contract
	organization sharelink.Organization
	link         sharelink.Link    // the one that a visitor's token leads to
	visitor      sharelink.Visitor // whose call it is, where a token is the credential
	err          error             // what was answered with a problem
	body         requestBody
}

// statusHungUp is logged and counted where the caller did not wait for the answer. Whatever was sent, nobody saw it, and
// nothing of ours failed. The number is the one that nginx made known.
const statusHungUp = 499

type callKey struct{}

// idempotencyKeyWindow is shared by all responses, which only read it.
var idempotencyKeyWindow = []string{strconv.Itoa(int(sharelink.IdempotencyWindow.Seconds()))}

func callOf(c echo.Context) *call { return callFrom(c.Request().Context()) }

func callFrom(ctx context.Context) *call {
	if k, ok := ctx.Value(callKey{}).(*call); ok {
		return k
	}
	return &call{} // a request that did not come through observe: Echo's own tests of a handler, nothing we serve
}

// observe is the outermost middleware: it names the request, catches panics, writes the problem of whatever error comes
// out, and then logs and counts what was answered.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now() // for the latency only; the rules' clock is another
		k := &call{id: requestID(c.Request())}
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), callKey{}, k)))
		header := c.Response().Header()
		header.Set("X-Request-Id", k.id)
		header["Idempotency-Key-Window"] = idempotencyKeyWindow

		if err := s.answer(next, c); err != nil {
			s.writeProblem(err, c)
		}
		k.body.release()

		elapsed := time.Since(start)
		status := c.Response().Status
		if errors.Is(k.err, context.Canceled) && c.Request().Context().Err() != nil {
			status = statusHungUp
		}
		s.metrics.request(routeName(c, k), status, elapsed)
		s.log(c, k, status, elapsed)
		return nil
	}
}

// answer calls the handler and turns a panic into an error.
func (s *Server) answer(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if r == http.ErrAbortHandler { //nolint:errorlint // it is compared so by net/http too
				panic(r)
			}
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	// A body that says it is too large is refused before anything else is done for it.
	if c.Request().ContentLength > maxBody {
		return &http.MaxBytesError{Limit: maxBody}
	}
	return next(c)
}

func (s *Server) log(c echo.Context, k *call, status int, elapsed time.Duration) {
	ctx := c.Request().Context()
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	if !s.logger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("request", k.id),
		slog.String("method", redact.Method(c.Request().Method)),
		slog.String("route", routeOf(c)),
		slog.Int("status", status),
		slog.Int64("bytes", c.Response().Size),
		slog.Float64("elapsed_ms", float64(elapsed.Microseconds())/1000),
	)
	if k.organization.Name != "" {
		attrs = append(attrs, slog.String("organization", k.organization.Name))
	}
	if k.link.Token != "" {
		attrs = append(attrs, slog.String("share_link", k.link.ID.String()))
	}
	if k.err != nil {
		attrs = append(attrs, slog.String("error", redact.Secrets(k.err.Error())))
	}
	s.logger.LogAttrs(ctx, level, "request", attrs...)
}

// routeOf is the pattern that matched. A path itself can hold a token, and a query can too, so neither is ever logged.
func routeOf(c echo.Context) string {
	if p := c.Path(); p != "" {
		return p
	}
	return "none"
}

// routeName is the label under which a request is counted: one of few, whatever is asked for.
func routeName(c echo.Context, k *call) string {
	if k.operation != "" {
		return k.operation
	}
	return strings.TrimPrefix(routeOf(c), "/")
}

// requestID returns the id that the caller gave the request if it is one, a new one otherwise.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); isRequestID(id) {
		return id
	}
	return uuid.NewString()
}

func isRequestID(s string) bool {
	if s == "" || len(s) > 64 || redact.Secrets(s) != s {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '.' || b == '_' || b == '-') {
			return false
		}
	}
	return true
}
