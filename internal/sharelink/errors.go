package sharelink

import (
	"errors"
	"strings"
	"time"
)

// Code is the kind of an Error. Any other error is a failure inside.
type Code string

// The codes. Each has a row in the table of package server, and a test demands it.
const (
	Invalid      Code = "invalid"      // the input breaks a rule; Violations say where
	Unauthorized Code = "unauthorized" // no such API key, or it was revoked
	Forbidden    Code = "forbidden"    // the organization, or its API key, may not
	NotFound     Code = "not-found"    // the organization has no such thing
	Conflict     Code = "conflict"     // the name or id is taken
	KeyReused    Code = "key-reused"   // the idempotency key belongs to another request
	RateLimited  Code = "rate-limited" // too many requests
	Unavailable  Code = "unavailable"  // the store is down or too busy

	// Of an open.
	LinkNotFound       Code = "share-link-not-found" // no link has this token
	LinkDisabled       Code = "share-link-disabled"
	LinkExpired        Code = "share-link-expired"
	LinkExhausted      Code = "share-link-exhausted"
	OriginNotAllowed   Code = "origin-not-allowed"  // the browser's Origin may not open the link
	PersonaRefused     Code = "persona-refused"     // the upstream makes no session; trying again soon does not help
	PersonaUnavailable Code = "persona-unavailable" // the upstream cannot make a session now
	PersonaTimeout     Code = "persona-timeout"     // it is not known whether the upstream made a session
)

// Error is every error that a caller may see. Detail is written for that caller: it never holds a token, a key or the text
// of a failure inside.
type Error struct {
	Code       Code
	Detail     string
	Violations []Violation
	RetryAfter time.Duration // with RateLimited, Unavailable and Persona...: how long to wait, at least
	Err        error         // the cause, for the log only
}

// Violation is one thing that is wrong with the input.
type Violation struct {
	Pointer string // JSON Pointer (RFC 6901) to the field, such as "/usageLimit"
	Detail  string // what was wrong and what would be right
	Hint    string // what was probably meant, or ""
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Detail + ": " + e.Err.Error()
	}
	var s strings.Builder
	s.WriteString(e.Detail)
	for _, v := range e.Violations {
		if v.Detail != e.Detail {
			s.WriteString("; " + v.Pointer + ": " + v.Detail)
		}
		if v.Hint != "" {
			s.WriteString(" (" + v.Hint + ")")
		}
	}
	return s.String()
}

func (e *Error) Unwrap() error { return e.Err }

// WithCause returns a copy of the error with one more cause for the log.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.Err = errors.Join(e.Err, cause)
	return &c
}

// CodeOf returns the code of the first *Error in err's chain, "" when there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// FieldError returns an error about one field, whose detail says all of it.
func FieldError(code Code, pointer, detail string) *Error {
	return &Error{Code: code, Detail: detail, Violations: []Violation{{Pointer: pointer, Detail: detail}}}
}
