package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/redact"
)

// The kinds of error, for errors.Is.
var (
	ErrInvalid      = errors.New("invalid")      // 400, 413, 415, 422, and arguments or options that are not sent
	ErrUnauthorized = errors.New("unauthorized") // 401: the API key is not valid
	ErrForbidden    = errors.New("forbidden")    // 403: the API key, or its organization, may not do this
	ErrNotFound     = errors.New("not found")    // 404: the organization has no such link or persona
	ErrConflict     = errors.New("conflict")     // 409, and 422 for an Idempotency-Key that another request has used
	ErrGone         = errors.New("gone")         // 410: the link is disabled, expired or used up
	ErrRateLimited  = errors.New("rate limited") // 429
)

// Error is the error of every call: an answer other than 2xx or one that cannot be read, no answer, or a request that
// was not sent. It never shows the API key or a token.
type Error struct {
	Operation  string        // the method, such as "create"
	Status     int           // the HTTP status; 0 if there was no answer
	Type       string        // the URL of the problem type (RFC 9457); "" if the server sent none
	Detail     string        // what went wrong
	Violations []Violation   // what is wrong with the request, and where
	RequestID  string        // identifies the request in the server's log
	RetryAfter time.Duration // how long to wait before the next attempt; 0 if the server does not say
	Attempts   int           // how often the request was sent; 0 if its arguments or options are not valid
	Body       []byte        // the beginning of the answer, at most 2 KiB
	Err        error         // the cause, if there was no answer or it cannot be read

	kind error
}

// Error returns the operation, the status, the detail, the request id and the number of attempts in one line.
func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString("sharelinks: " + e.Operation + ": ")
	if e.Status != 0 {
		fmt.Fprintf(&s, "%d ", e.Status)
		if text := http.StatusText(e.Status); text != "" && text != e.Detail {
			s.WriteString(text + ": ")
		}
	}
	s.WriteString(e.Detail)
	if e.RequestID != "" {
		s.WriteString(" (request " + e.RequestID + ")")
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&s, " after %d attempts", e.Attempts)
	}
	return s.String()
}

// Unwrap returns the cause, so that errors.Is finds context.DeadlineExceeded, for example.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether the error is of this kind: ErrNotFound, for example.
func (e *Error) Is(kind error) bool { return e.kind != nil && e.kind == kind }

// invalid returns the error of a call that sends nothing.
func invalid(operation, detail string) *Error {
	return &Error{Operation: operation, Detail: detail, kind: ErrInvalid}
}

// newError returns an error of the call. The detail is redacted, and so is the text of the cause.
func (c *call) newError(detail string, cause error) *Error {
	return &Error{Operation: c.operation, Detail: c.redact(detail), Attempts: c.attempts, Err: redact.Error(cause, c.key(), c.token)}
}

// transportError returns the error of a call without an answer. A *url.Error is unwrapped: it shows the URL.
func (c *call) transportError(err error) *Error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return c.newError(err.Error(), err)
}

const (
	maxAnswer    = 4 << 20  // how much of an answer is read, in bytes; a page of 100 links has about 60 KiB
	maxErrorBody = 64 << 10 // how much of an error answer is read, in bytes; 50 violations fit
	maxExcerpt   = 2 << 10  // how much of an answer an Error keeps, in bytes
)

// statusError returns the error of an answer other than 2xx. It understands a problem (RFC 9457) and the
// {statusCode, message, error} of Anam's API, and makes do with a gateway's page or an empty body.
func (c *call) statusError(resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	var problem struct {
		Type, Title, Detail, Instance, Error string

		Message json.RawMessage
		Errors  []Violation
	}
	_ = json.Unmarshal([]byte(c.redact(string(body))), &problem) // a member of another type stays empty

	detail := cmp.Or(problem.Detail, text(problem.Message), problem.Error, problem.Title, http.StatusText(resp.StatusCode))
	switch resp.StatusCode / 100 {
	case 1:
		detail = "the server switches to another protocol and does not answer"
	case 3:
		detail = "the server redirects to another address; check the base URL"
	}
	e := c.newError(detail, nil)
	e.Status = resp.StatusCode
	e.Type = problem.Type
	e.Violations = slices.DeleteFunc(problem.Errors, func(v Violation) bool { return v.Detail == "" })
	e.RequestID = c.redact(cmp.Or(resp.Header.Get("X-Request-Id"), problem.Instance))
	e.RetryAfter, _ = retryAfter(resp.Header)
	e.Body = c.excerpt(body)
	e.kind = kindOf(resp.StatusCode, e.Type)
	return e
}

// kindOf returns the kind of error for a status and a problem type, nil if it has none.
func kindOf(status int, problemType string) error {
	switch status {
	case http.StatusUnprocessableEntity:
		if strings.HasSuffix(problemType, "/idempotency-key-reused") {
			return ErrConflict
		}
		return ErrInvalid
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return ErrInvalid
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrConflict
	case http.StatusGone:
		return ErrGone
	case http.StatusTooManyRequests:
		return ErrRateLimited
	}
	return nil
}

// text returns a JSON string, or a list of strings in one line; "" for anything else.
func text(raw json.RawMessage) string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one
	}
	var many []string
	_ = json.Unmarshal(raw, &many)
	return strings.Join(many, "; ")
}

// excerpt returns the beginning of an answer. It is redacted before it is cut: half a secret would not be recognized.
func (c *call) excerpt(body []byte) []byte {
	s := c.redact(string(body))
	return []byte(s[:min(len(s), maxExcerpt)])
}
