package sharelink

import (
	"errors"
	"strings"
	"time"
)

// Code says what kind of error an Error is. There are no others: what is not an *Error is a failure of ours.
type Code string

// The codes. The server maps each to one HTTP status.
const (
	Invalid      Code = "invalid"      // the input breaks a rule; Faults say where
	Unauthorized Code = "unauthorized" // no such API key, or it was revoked
	Forbidden    Code = "forbidden"    // the organization may not
	NotFound     Code = "not-found"    // the organization has no such thing
	Conflict     Code = "conflict"     // the name or id is taken
	KeyReused    Code = "key-reused"   // the idempotency key belongs to another request
	Unavailable  Code = "unavailable"  // the store is down or too busy

	// What a visitor may be told.
	LinkNotFound       Code = "share-link-not-found" // no link has this token, or no more
	LinkDisabled       Code = "share-link-disabled"
	LinkExpired        Code = "share-link-expired"
	LinkExhausted      Code = "share-link-exhausted"
	OriginNotAllowed   Code = "origin-not-allowed"  // the browser's Origin may not open the link
	PersonaRefused     Code = "persona-refused"     // the upstream will not make a session; asking again soon will not help
	PersonaUnavailable Code = "persona-unavailable" // the upstream cannot make a session now
	PersonaTimeout     Code = "persona-timeout"     // nobody knows whether the upstream made a session
)

// Error is every error that a caller may be told about. Detail is written for that caller: it never holds a token, a key
// or the text of a failure inside.
type Error struct {
	Code       Code
	Detail     string
	Faults     []Fault
	RetryAfter time.Duration // with Unavailable and Persona...: how long to wait, at least
	Err        error         // the cause, for the log only
}

// Fault is one thing that is wrong with the input.
type Fault struct {
	Pointer string // JSON Pointer (RFC 6901) to the field, as "/usageLimit"
	Detail  string // what was wrong and what would be right
	Hint    string // what was probably meant, or ""
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Detail + ": " + e.Err.Error()
	}
	var s strings.Builder
	s.WriteString(e.Detail)
	for _, f := range e.Faults {
		if f.Detail != e.Detail {
			s.WriteString("; " + f.Pointer + ": " + f.Detail)
		}
		if f.Hint != "" {
			s.WriteString(" (" + f.Hint + ")")
		}
	}
	return s.String()
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's chain, "" when there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// fault is an error about one field, whose detail is the whole story.
func fault(code Code, pointer, detail string) *Error {
	return &Error{Code: code, Detail: detail, Faults: []Fault{{Pointer: pointer, Detail: detail}}}
}
