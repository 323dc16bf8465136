package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/sharelinks-dev/sharelinks/internal/redact"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// The exit codes beside 0.
const (
	exitFailure = 1 // the command was understood and could not be done
	exitUsage   = 2 // the command or its input has to change
)

// failure is an error with what a person needs to continue.
type failure struct {
	err   error
	hint  string // what would be right, or where to read it; may be ""
	usage bool
	exit  int // the exit code where it is another than these two; else 0
}

func (r *failure) Error() string { return r.err.Error() }
func (r *failure) Unwrap() error { return r.err }

func usage(hint, format string, args ...any) error {
	return &failure{err: fmt.Errorf(format, args...), hint: hint, usage: true}
}

// hints adds a hint to an error if it has this code.
func hints(err error, code sharelink.Code, hint string) error {
	if sharelink.CodeOf(err) != code {
		return err
	}
	return &failure{err: err, hint: hint}
}

// report says why a command failed, a line for each error and one for the hint, and returns the exit code.
func (p *program) report(err error) int {
	exit := exitFailure
	if sharelink.CodeOf(err) == sharelink.Invalid {
		exit = exitUsage
	}
	errs, hint := []error{err}, ""
	if r, ok := errors.AsType[*failure](err); ok {
		hint = r.hint
		if r.exit != 0 {
			exit = r.exit
		}
		if r.usage {
			exit = exitUsage
			if several, ok := r.err.(interface{ Unwrap() []error }); ok { // errors.Join's
				errs = several.Unwrap()
			}
		}
	} else if errors.Is(err, context.Canceled) {
		errs = []error{errors.New("interrupted")}
	}
	for _, err := range errs {
		fmt.Fprintf(p.stderr, "sharelinks: %s\n", printable(err.Error()))
	}
	if hint != "" {
		fmt.Fprintf(p.stderr, "hint: %s\n", hint)
	}
	return exit
}

var (
	lineBreaks = regexp.MustCompile(`\s*\n\s*`)
	// Greedy, because a password with a slash or an @ in it ends at the last one.
	userinfo = regexp.MustCompile(`://\S*@`)
)

// printable returns a text that others may have written on one line and without its API keys, tokens and passwords.
func printable(s string) string {
	s = redact.Secrets(lineBreaks.ReplaceAllString(s, " "))
	return userinfo.ReplaceAllStringFunc(s, func(found string) string {
		if found == "://USER:PASSWORD@" { // not one, but how to write one
			return found
		}
		return "://...@"
	})
}
