package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// problemKind is one row of the table that says which errors there are. The code ends the problem's type URL, and
// /problems/{code} shows the meaning and the remedy.
type problemKind struct {
	code    string
	status  int
	title   string
	meaning string
	remedy  string
}

var (
	kindInvalidRequest = problemKind{
		"invalid-request", http.StatusBadRequest, "Invalid request",
		"The request breaks the contract.",
		"The member errors lists every fault with the place where it is. The contract is at /openapi.yaml.",
	}
	kindUnauthorized = problemKind{
		"unauthorized", http.StatusUnauthorized, "Unauthorized",
		"The request has no API key, or one that is unknown or was revoked.",
		`Send "Authorization: Bearer <API key>". An operator makes keys with "sharelinks key create".`,
	}
	kindForbidden = problemKind{
		"forbidden", http.StatusForbidden, "Forbidden",
		"The API key is good, but its organization may not do this.",
		`An operator may allow it, as with "sharelinks organization update --allow-watermark-removal".`,
	}
	kindNotFound = problemKind{
		"not-found", http.StatusNotFound, "Not found",
		"There is no such thing, or it belongs to another organization.",
		"Check the path and the id. An id, a token and a persona's id are three different things.",
	}
	kindMethodNotAllowed = problemKind{
		"method-not-allowed", http.StatusMethodNotAllowed, "Method not allowed",
		"The path exists, but not with this method.",
		"The header Allow lists the methods it has.",
	}
	kindBodyTooLarge = problemKind{
		"body-too-large", http.StatusRequestEntityTooLarge, "Body too large",
		"The body is larger than 64 KiB.",
		"No request of the contract needs more.",
	}
	kindUnsupportedMediaType = problemKind{
		"unsupported-media-type", http.StatusUnsupportedMediaType, "Unsupported media type",
		"The body is not sent as JSON in UTF-8.",
		`Send "Content-Type: application/json".`,
	}
	kindKeyReused = problemKind{
		"idempotency-key-reused", http.StatusUnprocessableEntity, "Idempotency key reused",
		"In the last 24 hours this Idempotency-Key was used for a request that asked for something else.",
		"Make a new key for every new request, and keep it only to repeat the same one.",
	}
	kindRateLimited = problemKind{
		"rate-limited", http.StatusTooManyRequests, "Rate limited",
		"There were too many requests in a short time.",
		"Wait for as many seconds as the header Retry-After says, then try again.",
	}
	kindLinkNotFound = problemKind{
		"share-link-not-found", http.StatusNotFound, "No such share link",
		"No share link has this token, or no more.",
		"Check that the link was copied whole. Ask whoever sent it for another.",
	}
	kindLinkDisabled = problemKind{
		"share-link-disabled", http.StatusGone, "Share link disabled",
		"Whoever made the share link has switched it off.",
		"Ask them. The link works again once it is enabled.",
	}
	kindLinkExpired = problemKind{
		"share-link-expired", http.StatusGone, "Share link expired",
		"The share link's time is over.",
		"Ask whoever sent it for another, or for more time: expiresInHours of an update counts from then.",
	}
	kindLinkExhausted = problemKind{
		"share-link-exhausted", http.StatusGone, "Share link used up",
		"The share link was opened as often as it can be.",
		"Ask whoever sent it for another, or for a higher usageLimit.",
	}
	kindOriginNotAllowed = problemKind{
		"origin-not-allowed", http.StatusForbidden, "Origin not allowed",
		"A browser named a site, in the header Origin, that may not open this share link.",
		"Whoever made the link can add the site to its allowedOrigins, as https://www.example.com, or set allowAllOrigins. Only the latter lets in a page without an origin (null), such as one in a sandboxed frame or a local file.",
	}
	// The upstream that makes sessions says no, or not now: one code, two statuses.
	kindPersonaRefused = problemKind{
		"persona-unavailable", http.StatusBadGateway, "Persona unavailable",
		"The service that the persona lives in made no session. The visit was not counted.",
		"Wait for as many seconds as the header Retry-After says, then try again. If it goes on, the server's log has the reason under the request id in the member instance.",
	}
	kindPersonaUnavailable = problemKind{
		"persona-unavailable", http.StatusServiceUnavailable, kindPersonaRefused.title, kindPersonaRefused.meaning, kindPersonaRefused.remedy,
	}
	kindPersonaTimeout = problemKind{
		"persona-timeout", http.StatusGatewayTimeout, "Persona timeout",
		"The service that the persona lives in did not answer in time, or not as it should. Nobody knows whether it made a session, so the visit may have been counted.",
		"Try again in a while.",
	}
	kindInternal = problemKind{
		"internal", http.StatusInternalServerError, "Internal error",
		"The server failed in a way that was not foreseen.",
		"The server's log has the reason under the request id in the member instance.",
	}
	kindUnavailable = problemKind{
		"unavailable", http.StatusServiceUnavailable, "Unavailable",
		"The store is down or too busy.",
		"Wait for as many seconds as the header Retry-After says, then try again. Send an Idempotency-Key with a create, so that repeating it makes no second link.",
	}
)

var problemKinds = []problemKind{
	kindInvalidRequest, kindUnauthorized, kindForbidden, kindNotFound, kindMethodNotAllowed, kindBodyTooLarge,
	kindUnsupportedMediaType, kindKeyReused, kindRateLimited, kindInternal, kindUnavailable, kindLinkNotFound, kindLinkDisabled,
	kindLinkExpired, kindLinkExhausted, kindOriginNotAllowed, kindPersonaRefused, kindPersonaUnavailable, kindPersonaTimeout,
}

var kindOfCode = map[sharelink.Code]problemKind{
	sharelink.Invalid:      kindInvalidRequest,
	sharelink.Unauthorized: kindUnauthorized,
	sharelink.Forbidden:    kindForbidden,
	sharelink.NotFound:     kindNotFound,
	sharelink.KeyReused:    kindKeyReused,
	sharelink.Unavailable:  kindUnavailable,

	sharelink.LinkNotFound:       kindLinkNotFound,
	sharelink.LinkDisabled:       kindLinkDisabled,
	sharelink.LinkExpired:        kindLinkExpired,
	sharelink.LinkExhausted:      kindLinkExhausted,
	sharelink.OriginNotAllowed:   kindOriginNotAllowed,
	sharelink.PersonaRefused:     kindPersonaRefused,
	sharelink.PersonaUnavailable: kindPersonaUnavailable,
	sharelink.PersonaTimeout:     kindPersonaTimeout,
}

// problem is an error that says all that the caller is told.
type problem struct {
	kind       problemKind
	detail     string
	faults     []api.Violation
	retryAfter time.Duration
	cause      error // for the log only
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.cause.Error()
	}
	return p.detail
}

func (p *problem) Unwrap() error { return p.cause }

// maxFaults is how many faults one answer lists. Who sends more has no use for the rest.
const maxFaults = 50

// invalid is the problem of a request with these faults, at least one.
func invalid(faults []api.Violation) *problem {
	shown := faults
	if len(faults) > maxFaults {
		shown = faults[:maxFaults]
	}
	texts := make([]string, len(shown), len(shown)+1)
	for i, f := range shown {
		texts[i] = f.Detail
		if place := placeOf(f); place != "" {
			texts[i] = place + ": " + f.Detail
		}
		if f.Hint != "" {
			texts[i] += "; " + f.Hint
		}
	}
	if n := len(faults) - len(shown); n > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", n))
	}
	detail := strings.Join(texts, "; ")
	if len(faults) > 1 {
		detail = fmt.Sprintf("the request has %d faults: %s", len(faults), detail)
	}
	return &problem{kind: kindInvalidRequest, detail: detail, faults: shown}
}

func placeOf(f api.Violation) string {
	switch {
	case f.Pointer != nil:
		return *f.Pointer
	case f.Name != "":
		return f.Name
	}
	return ""
}

// problemOf turns any error into what the caller is told. What is not known by type is "internal" outside; its text goes
// to the log alone.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var domain *sharelink.Error
	if errors.As(err, &domain) {
		if kind, ok := kindOfCode[domain.Code]; ok {
			p := &problem{kind: kind, detail: domain.Detail, retryAfter: domain.RetryAfter, cause: err}
			for _, f := range domain.Faults {
				p.faults = append(p.faults, bodyFault(f.Pointer, f.Detail, f.Hint))
			}
			return p
		}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &problem{kind: kindBodyTooLarge, detail: fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)}
	}
	var routing *echo.HTTPError
	if errors.As(err, &routing) {
		switch routing.Code {
		case http.StatusNotFound:
			return &problem{kind: kindNotFound, detail: "there is nothing at this path"}
		case http.StatusMethodNotAllowed:
			return &problem{kind: kindMethodNotAllowed, detail: "this path does not have this method; the header Allow lists those it has"}
		case http.StatusBadRequest:
			return &problem{kind: kindInvalidRequest, detail: "the request does not fit the contract", cause: err}
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &problem{kind: kindUnavailable, detail: "the request was given up before it was done", cause: err}
	}
	return &problem{kind: kindInternal, detail: "the server failed; its log has the reason under this request id", cause: err}
}

// writeProblem is Echo's error handler, and the one place that writes an error.
func (s *Server) writeProblem(err error, c echo.Context) {
	call := callOf(c)
	call.err = err
	// Echo may call this twice for one request, and a handler may fail after it began to answer.
	if c.Response().Committed {
		return
	}
	p := problemOf(err)
	header := c.Response().Header()
	header.Set("Content-Type", "application/problem+json")
	switch p.kind.status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway:
		header.Set("Retry-After", strconv.Itoa(retrySeconds(p.retryAfter)))
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // it is read by people too, and never as HTML
	if err := encoder.Encode(api.Problem{
		Type:     s.publicURL() + "/problems/" + p.kind.code,
		Title:    p.kind.title,
		Status:   p.kind.status,
		Detail:   p.detail,
		Instance: call.id,
		Errors:   p.faults,
		Error:    http.StatusText(p.kind.status),
		Message:  p.detail,
	}); err != nil {
		panic(err) // a Problem has nothing that JSON cannot say
	}
	c.Response().WriteHeader(p.kind.status)
	if c.Request().Method != http.MethodHead {
		_, _ = c.Response().Write(body.Bytes()) // a caller that hung up is not told, and does not need to be
	}
}

// retrySeconds is Retry-After in whole seconds, rounded up, at least one.
func retrySeconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

func bodyFault(pointer, detail, hint string) api.Violation {
	return api.Violation{In: api.ViolationInBody, Pointer: &pointer, Detail: detail, Hint: hint}
}

func paramFault(in, name, detail, hint string) api.Violation {
	return api.Violation{In: api.ViolationIn(in), Name: name, Detail: detail, Hint: hint}
}

// optional is nil for the empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
