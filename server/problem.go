package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// The codes of what the domain knows nothing of.
const (
	methodNotAllowed     sharelink.Code = "method-not-allowed"
	bodyTooLarge         sharelink.Code = "body-too-large"
	unsupportedMediaType sharelink.Code = "unsupported-media-type"
	internalError        sharelink.Code = "internal"
)

// kind is one kind of error.
type kind struct {
	code    sharelink.Code
	name    string // ends the problem's type URL, where a page shows the meaning and the remedy
	status  int
	title   string
	meaning string // "" where another kind of this name has the page
	remedy  string
}

// kinds is every kind of error that the server answers, a row each. A new code needs its row here and its response in
// openapi.yaml.
var kinds = []kind{
	{
		sharelink.Invalid, "invalid-request", http.StatusBadRequest, "Invalid request",
		"The request breaks the contract.",
		"The member errors lists every violation and where it is. The contract is at /openapi.yaml.",
	},
	{
		sharelink.Unauthorized, "unauthorized", http.StatusUnauthorized, "Unauthorized",
		"The request has no API key, or one that is unknown or was revoked.",
		`Send "Authorization: Bearer <API key>". An operator makes keys with "sharelinks key create".`,
	},
	{
		sharelink.Forbidden, "forbidden", http.StatusForbidden, "Forbidden",
		"The API key is good, but it, or its organization, may not do this.",
		`The member detail says which. An operator makes keys that may write with "sharelinks key create", without --read-only, and allows an organization more with "sharelinks organization update".`,
	},
	{
		sharelink.NotFound, "not-found", http.StatusNotFound, "Not found",
		"It does not exist, or it belongs to another organization.",
		"Check the path and the id. A share link's id, its token and its persona's id are three different things.",
	},
	{
		methodNotAllowed, "method-not-allowed", http.StatusMethodNotAllowed, "Method not allowed",
		"The path exists, but not with this method.",
		"The header Allow lists the methods that it has.",
	},
	{
		bodyTooLarge, "body-too-large", http.StatusRequestEntityTooLarge, "Body too large",
		"The body is larger than the server reads.",
		"No request of the contract needs more. The member detail says how much is read.",
	},
	{
		unsupportedMediaType, "unsupported-media-type", http.StatusUnsupportedMediaType, "Unsupported media type",
		"The body is not sent as JSON in UTF-8, or it is compressed.",
		`Send "Content-Type: application/json", and no Content-Encoding. Where it was the latter, the header Accept-Encoding says "identity".`,
	},
	{
		sharelink.KeyReused, "idempotency-key-reused", http.StatusUnprocessableEntity, "Idempotency key reused",
		"In the last 24 hours this Idempotency-Key was used for a request that asked for something else.",
		"Make a new key for every new request, and keep it only to repeat the same one.",
	},
	{
		sharelink.RateLimited, "rate-limited", http.StatusTooManyRequests, "Rate limited",
		"There were too many requests in a short time.",
		"Wait for as many seconds as the header Retry-After says, then try again.",
	},
	{
		internalError, "internal", http.StatusInternalServerError, "Internal error",
		"The server failed in a way that was not foreseen.",
		"The server's log has the reason under the request id in the member instance.",
	},
	{
		sharelink.Unavailable, "unavailable", http.StatusServiceUnavailable, "Unavailable",
		"The store is down or too busy.",
		"Wait for as many seconds as the header Retry-After says, then try again. Send an Idempotency-Key with a create, so that repeating it makes no second link.",
	},
	{
		sharelink.LinkNotFound, "share-link-not-found", http.StatusNotFound, "No such share link",
		"No share link has this token. It may have been deleted.",
		"Check that the link was copied whole. Ask the person who sent it for another.",
	},
	{
		sharelink.LinkDisabled, "share-link-disabled", http.StatusGone, "Share link disabled",
		"The share link was switched off.",
		"Ask the person who sent it. It works again once it is enabled.",
	},
	{
		sharelink.LinkExpired, "share-link-expired", http.StatusGone, "Share link expired",
		"The share link's time is over.",
		"Ask the person who sent it for another, or for more time: expiresInHours of an update counts from then.",
	},
	{
		sharelink.LinkExhausted, "share-link-exhausted", http.StatusGone, "Share link used up",
		"The share link was opened as often as its usageLimit allows.",
		"Ask the person who sent it for another, or for a higher usageLimit.",
	},
	{
		sharelink.OriginNotAllowed, "origin-not-allowed", http.StatusForbidden, "Origin not allowed",
		"A browser named a site, in the header Origin, that may not open this share link.",
		"The link's organization can add the site to its allowedOrigins, such as https://www.example.com, or set allowAllOrigins. Only the latter lets in a page without an origin (null), such as one in a sandboxed frame or a local file.",
	},
	{
		sharelink.PersonaRefused, "persona-unavailable", http.StatusBadGateway, "Persona unavailable",
		"The service that the persona lives in made no session. The use was given back, or will be as soon as it can be written; the detail says which.",
		"Wait for as many seconds as the header Retry-After says, then try again. If it goes on, the server's log has the reason under the request id in the member instance.",
	},
	{
		code: sharelink.PersonaUnavailable, name: "persona-unavailable",
		status: http.StatusServiceUnavailable, title: "Persona unavailable",
	},
	{
		sharelink.PersonaTimeout, "persona-timeout", http.StatusGatewayTimeout, "Persona timeout",
		"The service that the persona lives in did not answer in time, or not as it should. It is not known whether it made a session, so a use may have been spent.",
		"Try again in a while.",
	},
}

// kindOf returns the row of a code. A code without one is an internal error.
func kindOf(code sharelink.Code) kind {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.code == code })
	if i < 0 {
		return kindOf(internalError)
	}
	return kinds[i]
}

// problemOf turns any error into what the caller sees. The text of an error that is not known goes to the log alone.
func problemOf(err error) (*sharelink.Error, []api.Violation) {
	if e, ok := errors.AsType[*sharelink.Error](err); ok {
		violations := make([]api.Violation, len(e.Violations))
		for i, v := range e.Violations {
			violations[i] = api.Violation{In: api.ViolationInBody, Pointer: &v.Pointer, Detail: v.Detail, Hint: v.Hint}
		}
		return e, violations
	}
	if found, ok := errors.AsType[contract.Violations](err); ok {
		return &sharelink.Error{Code: sharelink.Invalid, Detail: found.Error()}, wireViolations(found)
	}
	return knownError(err), nil
}

// knownError returns the code and the words for an error that is not of the domain. A failure inside has one text for all.
func knownError(err error) *sharelink.Error {
	if e, ok := errors.AsType[*contract.MediaTypeError](err); ok {
		return &sharelink.Error{Code: unsupportedMediaType, Detail: e.Error()}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &sharelink.Error{Code: bodyTooLarge, Detail: fmt.Sprintf("the body is larger than %d bytes", maxBody)}
	}
	routing, _ := errors.AsType[*echo.HTTPError](err)
	switch {
	case routing != nil && routing.Code == http.StatusNotFound:
		return &sharelink.Error{Code: sharelink.NotFound, Detail: "there is nothing at this path"}
	case routing != nil && routing.Code == http.StatusMethodNotAllowed:
		return &sharelink.Error{Code: methodNotAllowed, Detail: "this path does not have this method; the header Allow lists those that it has"}
	case routing != nil && routing.Code == http.StatusBadRequest:
		return &sharelink.Error{Code: sharelink.Invalid, Detail: "the request does not fit the contract", Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &sharelink.Error{Code: sharelink.Unavailable, Detail: "the store did not answer in time", Err: err}
	case errors.Is(err, context.Canceled):
		return &sharelink.Error{Code: sharelink.Unavailable, Detail: "the request was canceled", Err: err}
	}
	return &sharelink.Error{Code: internalError, Detail: "the server failed; its log has the reason under this request id", Err: err}
}

func wireViolations(found contract.Violations) []api.Violation {
	violations := make([]api.Violation, min(len(found), contract.MaxViolations))
	for i := range violations {
		v := found[i]
		violations[i] = api.Violation{In: api.ViolationIn(v.In), Name: v.Name, Detail: v.Detail, Hint: v.Hint}
		if v.In == contract.InBody {
			violations[i].Pointer = &v.Pointer
		}
	}
	return violations
}

// writeProblem is Echo's error handler, and the one place that writes an error.
func (s *Server) writeProblem(err error, c echo.Context) {
	// Echo may call this twice for one request, and a handler may fail after it began to answer.
	if c.Response().Committed {
		return
	}
	e, violations := problemOf(err)
	k, header := kindOf(e.Code), c.Response().Header()
	header.Set("Content-Type", "application/problem+json")
	switch k.status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	case http.StatusMethodNotAllowed:
		header.Set("Allow", strings.Replace(header.Get("Allow"), "GET", "GET, HEAD", 1))
	case http.StatusUnsupportedMediaType:
		// RFC 9110, section 15.5.16: it tells which of the two it was. RFC 7694 forbids it where it was the other.
		if media, _ := errors.AsType[*contract.MediaTypeError](err); media != nil && media.Header == "Content-Encoding" {
			header.Set("Accept-Encoding", media.Want)
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway:
		header.Set("Retry-After", retryAfter(e.RetryAfter))
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // people read it too, and never as HTML
	if err := encoder.Encode(api.Problem{
		Type:     s.PublicURL() + "/problems/" + k.name,
		Title:    k.title,
		Status:   k.status,
		Detail:   e.Detail,
		Instance: header.Get(requestIDHeader),
		Errors:   violations,
		Error:    http.StatusText(k.status),
		Message:  e.Detail,
	}); err != nil {
		panic(err) // JSON can say all of a Problem
	}
	c.Response().WriteHeader(k.status)
	_, _ = c.Response().Write(body.Bytes()) // a caller that hung up needs no answer
}

// retryAfter returns the value of Retry-After: whole seconds, rounded up, at least one.
func retryAfter(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))) }
