package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/internal/redact"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// The exit codes beside 0. Only the link commands use those above 2, so that a script need not read the message.
const (
	exitFailure  = 1 // the command was understood and could not be done
	exitUsage    = 2 // the command or its input has to change
	exitNotFound = 3 // there is no such link or persona
	exitDenied   = 4 // the API key is not accepted, or may not do this
	exitLater    = 5 // another attempt may succeed later
)

// failure is an error with what a person needs to continue.
type failure struct {
	err  error  // joined errors are printed one a line
	hint string // what would be right, or where to read it; may be ""
	exit int    // the exit code; 0 is exitFailure
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage returns the failure of a command line that has to change.
func usage(hint, format string, args ...any) error {
	return &failure{err: fmt.Errorf(format, args...), hint: hint, exit: exitUsage}
}

// failureOf returns any error as a failure.
func failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if errors.Is(err, context.Canceled) {
		return &failure{err: errors.New("interrupted")}
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		return remoteFailure(e)
	}
	if sharelink.CodeOf(err) == sharelink.Invalid {
		return &failure{err: err, exit: exitUsage}
	}
	return &failure{err: err}
}

// remoteFailure returns the failure for an error of the client: its words, a hint, and the exit code of its kind.
func remoteFailure(e *client.Error) *failure {
	detail := e.Detail
	if e.Status >= http.StatusInternalServerError && e.RequestID != "" {
		detail += " (request " + e.RequestID + ")"
	}
	if e.Attempts > 1 {
		detail += fmt.Sprintf(" after %d attempts", e.Attempts)
	}
	f := &failure{err: errors.New(detail)}
	_, network := errors.AsType[net.Error](e) // a timeout too
	switch {
	case errors.Is(e, client.ErrInvalid), errors.Is(e, client.ErrConflict):
		f.exit = exitUsage
	case errors.Is(e, client.ErrNotFound), errors.Is(e, client.ErrGone):
		f.exit = exitNotFound
		f.hint = "sharelinks link list shows those there are; a key sees only its own organization's"
	case errors.Is(e, client.ErrUnauthorized), errors.Is(e, client.ErrForbidden):
		f.exit = exitDenied
		f.hint = "is " + keyVariable + " a key of this server, and may its organization do this?"
	case network, errors.Is(e, client.ErrRateLimited),
		http.StatusBadGateway <= e.Status && e.Status <= http.StatusGatewayTimeout:
		f.exit = exitLater
		if e.Status == 0 {
			f.hint = "is a server running there? --server or " + serverVariable + " says where"
		}
	}
	return f
}

// report prints why a command failed and a hint, and returns the exit code.
func (p *program) report(err error) int {
	f := failureOf(err)
	errs := []error{f.err}
	if joined, ok := f.err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	for _, err := range errs {
		fmt.Fprintf(p.stderr, "sharelinks: %s\n", printable(err.Error()))
	}
	if f.hint != "" {
		fmt.Fprintf(p.stderr, "hint: %s\n", f.hint)
	}
	return cmp.Or(f.exit, exitFailure)
}

var (
	lineBreaks = regexp.MustCompile(`\s*\n\s*`)
	// Greedy, because a password with a slash or an @ in it ends at the last one.
	userinfo = regexp.MustCompile(`://\S*@`)
)

// printable returns a text on one line and without API keys, tokens and passwords.
func printable(s string) string {
	s = redact.Secrets(lineBreaks.ReplaceAllString(s, " "))
	return userinfo.ReplaceAllStringFunc(s, func(found string) string {
		if found == "://USER:PASSWORD@" { // the form of a URL in an error, not a password
			return found
		}
		return "://...@"
	})
}
