package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/internal/contract"
	"github.com/sharelinks-dev/sharelinks/internal/redact"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/server/internal/wire"
)

const (
	maxBody         = 64 << 10         // bytes of a request body
	patience        = 15 * time.Second // with a store that does not answer: 10 s may be added for a change that has begun
	requestIDHeader = "X-Request-Id"

	// statusHungUp is logged and counted where the caller did not wait for the answer. The number is the one that nginx
	// made known.
	statusHungUp = 499
)

// newHandler returns the whole of the service: the operations of the contract, and the pages beside them.
func (s *Server) newHandler() (_ http.Handler, err error) {
	e := echo.New()
	e.HTTPErrorHandler = s.writeProblem
	e.IPExtractor = echo.ExtractIPDirect()
	e.Use(s.observe)
	s.servePages(e)
	if s.contract, err = loadContract(); err != nil {
		return nil, err
	}
	perOperation := map[string][]echo.MiddlewareFunc{}
	for _, op := range s.contract.Operations {
		perOperation[op.ID] = append([]echo.MiddlewareFunc{enter}, s.guards(op)...)
		s.operations[route{op.Method, echoPath(op.Path)}] = op
	}
	options := wire.RegisterHandlersOptions{OperationMiddlewares: perOperation}
	wire.RegisterHandlersWithOptions(e, wire.NewStrictHandler(operations{s}, nil), options)
	s.answerPreflights(e)
	return answerHead(e), nil
}

// guards returns what stands in front of an operation's handler: who may call it, how often, and the contract.
func (s *Server) guards(op *contract.Operation) []echo.MiddlewareFunc {
	check := checkRequest(op)
	switch {
	case !op.Public:
		return []echo.MiddlewareFunc{s.authenticate, check}
	case op.Method == http.MethodGet: // looks, and spends nothing
		return []echo.MiddlewareFunc{s.admitVisitor, check}
	}
	return []echo.MiddlewareFunc{s.admitVisitor, s.limitOpens, check}
}

// checkRequest holds requests to the contract.
func checkRequest(op *contract.Operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := op.CheckRequest(c.Request(), func(name string) string { return pathParam(c, name) }); err != nil {
				return err
			}
			return next(c)
		}
	}
}

// route is how Echo knows an operation.
type route struct{ method, path string }

// echoPath returns a path of the contract as Echo writes it: /v1/share-links/:id.
func echoPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// operation returns the operation that a request was routed to, nil outside the contract.
func (s *Server) operation(c echo.Context) *contract.Operation {
	return s.operations[route{c.Request().Method, c.Path()}]
}

// Shared by all responses, which only read them.
var (
	noStore              = []string{"no-store"}
	idempotencyKeyWindow = []string{strconv.Itoa(int(service.IdempotencyWindow.Seconds()))}
)

// enter is the first step of every operation. Answers hold tokens, so no cache may keep them.
func enter(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		// Echo lets a parameter at the end of a route match the rest of the path. No parameter here holds a slash.
		for _, v := range c.ParamValues() {
			if strings.Contains(v, "/") {
				return echo.ErrNotFound
			}
		}
		c.Response().Header()["Cache-Control"] = noStore
		return next(c)
	}
}

// pathParam returns a parameter of the path, unescaped. Echo matches the escaped path when there is one, and then leaves the
// parameter escaped.
func pathParam(c echo.Context, name string) string {
	value := c.Param(name)
	if c.Request().URL.RawPath != "" {
		if plain, err := url.PathUnescape(value); err == nil {
			return plain
		}
	}
	return value
}

// answerHead answers HEAD as GET (RFC 9110, section 9.3.2). net/http keeps the request as it came and sends no body.
func answerHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.WithContext(context.WithValue(r.Context(), headKey{}, true))
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

type headKey struct{}

// observe is the outermost middleware: it names the request, catches panics, writes the problem of an error, and then logs
// and counts what was answered.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	if s.config.ValidateResponses {
		next = s.checkResponses(next)
	}
	return func(c echo.Context) error {
		start := time.Now() // of the latency only; the rules have a clock of their own
		header := c.Response().Header()
		header.Set(requestIDHeader, requestID(c.Request()))
		header["Idempotency-Key-Window"] = idempotencyKeyWindow
		if transport := s.public.Load().transport; transport != nil {
			header["Strict-Transport-Security"] = transport
		}

		caller := c.Request().Context()
		inTime, cancel := context.WithTimeout(caller, patience)
		defer cancel()
		c.SetRequest(c.Request().WithContext(inTime))
		err := s.answer(next, c)
		if err != nil {
			s.writeProblem(err, c)
		}
		elapsed, status := time.Since(start), c.Response().Status
		if errors.Is(err, context.Canceled) && caller.Err() != nil {
			status = statusHungUp
		}
		s.metrics.request(s.routeName(c), status, elapsed)
		s.log(c, status, elapsed, err)
		return nil
	}
}

// answer calls the handler and turns a panic into an error.
func (s *Server) answer(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if r == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
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

// checkResponses checks every answer of an operation before it is sent. One that breaks the contract becomes an internal
// error, because a client that trusts the contract would fail on it in a way that is harder to understand.
func (s *Server) checkResponses(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		response, writer := c.Response(), c.Response().Writer
		held := &heldResponse{header: writer.Header(), status: http.StatusOK}
		response.Writer = held
		err := s.answer(next, c)
		if err != nil {
			s.writeProblem(err, c)
		}
		response.Writer = writer
		if op := s.operation(c); op != nil {
			if violations := op.CheckResponse(held.status, held.header, held.body.Bytes()); violations != nil {
				response.Committed, response.Size = false, 0
				held.header.Del("Location")
				return fmt.Errorf("our own response breaks the contract: %s", violations.Error())
			}
		}
		writer.WriteHeader(held.status)
		_, _ = writer.Write(held.body.Bytes()) // a caller that hung up needs no answer
		return err
	}
}

// heldResponse holds an answer until it is checked.
type heldResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldResponse) Header() http.Header         { return h.header }
func (h *heldResponse) WriteHeader(status int)      { h.status = status }
func (h *heldResponse) Write(b []byte) (int, error) { return h.body.Write(b) }

func (s *Server) log(c echo.Context, status int, elapsed time.Duration, err error) {
	ctx := c.Request().Context()
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	if !s.logger.Enabled(ctx, level) {
		return
	}
	method := c.Request().Method
	if ctx.Value(headKey{}) != nil {
		method = http.MethodHead
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("request", c.Response().Header().Get(requestIDHeader)),
		slog.String("method", redact.Method(method)),
		slog.String("route", routeOf(c)),
		slog.Int("status", status),
		slog.Int64("bytes", c.Response().Size),
		slog.Float64("elapsed_ms", float64(elapsed.Microseconds())/1000),
	)
	if holder, ok := ctx.Value(holderKey{}).(sharelink.Holder); ok {
		attrs = append(attrs, slog.String("organization", holder.Organization.Name))
	}
	if a, ok := ctx.Value(admissionKey{}).(admission); ok {
		attrs = append(attrs, slog.String("share_link", a.link.ID.String()))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", redact.Secrets(err.Error())))
	}
	s.logger.LogAttrs(ctx, level, "request", attrs...)
}

// routeOf returns the pattern that matched. A path itself can hold a token, and so can a query: neither is ever logged.
func routeOf(c echo.Context) string {
	if p := c.Path(); p != "" {
		return p
	}
	return "none"
}

// routeName returns the label under which a request is counted: one of few, whatever the path.
func (s *Server) routeName(c echo.Context) string {
	if op := s.operation(c); op != nil {
		return op.ID
	}
	return strings.TrimPrefix(routeOf(c), "/")
}

// requestID returns the id that the caller gave the request if it is a valid one, a new one otherwise.
func requestID(r *http.Request) string {
	if id := r.Header.Get(requestIDHeader); isRequestID(id) {
		return id
	}
	return uuid.NewString()
}

func isRequestID(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return s != "" && len(s) <= 64 && strings.Trim(s, letters) == "" && redact.Secrets(s) == s
}
