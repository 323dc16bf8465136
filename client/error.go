package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The kinds of error, for errors.Is.
var (
	ErrInvalid      = errors.New("invalid")      // 400, 413, 415, 422, or refused before it was sent
	ErrUnauthorized = errors.New("unauthorized") // 401: no such API key
	ErrForbidden    = errors.New("forbidden")    // 403: the key is good, its organization may not
	ErrNotFound     = errors.New("not found")    // 404: no such link or persona, or another organization's
	ErrConflict     = errors.New("conflict")     // 409, and 422 for an Idempotency-Key that was used for another request
	ErrGone         = errors.New("gone")         // 410: the link is disabled, expired or used up
	ErrRateLimited  = errors.New("rate limited") // 429
)

// Error is every error of a call: an answer other than 2xx, no answer at all, or a request that was not worth sending. It
// never shows the API key or a token.
type Error struct {
	Operation  string        // what was tried, as "create"
	Status     int           // the HTTP status; 0 when there was no answer
	Type       string        // the URL of the problem type (RFC 9457), "" when the server sent none
	Detail     string        // what went wrong
	Faults     []Fault       // what is wrong with the request, and where
	RequestID  string        // what the request is called in the server's log
	RetryAfter time.Duration // how long the server asks to wait; 0 when it does not
	Attempts   int           // how often it was tried; 0 when it was refused here
	Body       []byte        // the answer as it came, at most 2 KiB of it
	Err        error         // the cause, when there was no answer or not one to be understood

	kind error
}

// Error says all that is of use in a log.
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

// Unwrap returns the cause, so that errors.Is finds context.DeadlineExceeded.
func (e *Error) Unwrap() error { return e.Err }

// Is tells whether the error is of one of the kinds, ErrNotFound and so on.
func (e *Error) Is(kind error) bool { return e.kind != nil && e.kind == kind }

var kinds = map[int]error{
	http.StatusBadRequest:            ErrInvalid,
	http.StatusUnauthorized:          ErrUnauthorized,
	http.StatusForbidden:             ErrForbidden,
	http.StatusNotFound:              ErrNotFound,
	http.StatusConflict:              ErrConflict,
	http.StatusGone:                  ErrGone,
	http.StatusRequestEntityTooLarge: ErrInvalid,
	http.StatusUnsupportedMediaType:  ErrInvalid,
	http.StatusUnprocessableEntity:   ErrInvalid,
	http.StatusTooManyRequests:       ErrRateLimited,
}

// maxError is how much of an error is read, in bytes: ours list at most 50 faults.
const maxError = 64 << 10

// refusal is the error of an answer other than 2xx. Whatever can be understood of it is: a problem (RFC 9457), the
// {statusCode, message, error} of other servers, a page of a gateway, or nothing.
func (c *call) refusal(resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	e := &Error{
		Operation: c.operation,
		Status:    resp.StatusCode,
		RequestID: c.hidden(resp.Header.Get("X-Request-Id")),
		Attempts:  c.attempts,
		Body:      c.excerpt(body),
		kind:      kinds[resp.StatusCode],
	}
	e.RetryAfter, _ = retryAfter(resp.Header)
	var members map[string]json.RawMessage
	_ = json.Unmarshal(body, &members)
	member := func(names ...string) string {
		for _, name := range names {
			if s := text(members[name]); s != "" {
				return c.hidden(s)
			}
		}
		return ""
	}
	e.Type = member("type")
	e.Detail = member("detail", "message", "error", "title")
	if e.Detail == "" {
		e.Detail = http.StatusText(resp.StatusCode)
	}
	if resp.StatusCode/100 == 3 {
		e.Detail = "the server redirects to another place; is the base URL right?"
	}
	if e.RequestID == "" {
		e.RequestID = member("instance")
	}
	if json.Unmarshal([]byte(c.hidden(string(members["errors"]))), &e.Faults) != nil {
		e.Faults = nil
	}
	if strings.HasSuffix(e.Type, "/idempotency-key-reused") {
		e.kind = ErrConflict
	}
	return e
}

// text is a JSON value that is a text or a list of texts, "" if it is anything else.
func text(raw json.RawMessage) string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one
	}
	var many []string
	_ = json.Unmarshal(raw, &many)
	return strings.Join(many, "; ")
}

// maxExcerpt is how much of an answer an Error keeps, in bytes.
const maxExcerpt = 2 << 10

// excerpt is the beginning of an answer, without secrets. They are hidden first: half of one is no longer recognised.
func (c *call) excerpt(body []byte) []byte {
	hidden := c.hidden(string(body))
	return []byte(hidden[:min(len(hidden), maxExcerpt)])
}
