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

// refusal is an error with what a person needs to get on.
type refusal struct {
	err   error
	hint  string // what would be right, or where to read it; may be ""
	usage bool
	exit  int // the exit code where it is another than these two; else 0
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func usage(hint, format string, args ...any) error {
	return &refusal{err: fmt.Errorf(format, args...), hint: hint, usage: true}
}

// hints adds a hint to an error if it has this code.
func hints(err error, code sharelink.Code, hint string) error {
	if sharelink.CodeOf(err) != code {
		return err
	}
	return &refusal{err: err, hint: hint}
}

// refuse tells why a command was not done, a line for each fault and one for the hint, and returns the exit code.
func (p *program) refuse(err error) int {
	exit := exitFailure
	if sharelink.CodeOf(err) == sharelink.Invalid {
		exit = exitUsage
	}
	faults, hint := []error{err}, ""
	if r, ok := errors.AsType[*refusal](err); ok {
		hint = r.hint
		if r.exit != 0 {
			exit = r.exit
		}
		if r.usage {
			exit = exitUsage
			if several, ok := r.err.(interface{ Unwrap() []error }); ok { // errors.Join's
				faults = several.Unwrap()
			}
		}
	} else if errors.Is(err, context.Canceled) {
		faults = []error{errors.New("interrupted")}
	}
	for _, fault := range faults {
		fmt.Fprintf(p.stderr, "sharelinks: %s\n", printable(fault.Error()))
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

// printable is a text that others may have written, on one line and without its API keys, tokens and passwords.
func printable(s string) string {
	s = redact.Secrets(lineBreaks.ReplaceAllString(s, " "))
	return userinfo.ReplaceAllStringFunc(s, func(found string) string {
		if found == "://USER:PASSWORD@" { // not one, but how to write one
			return found
		}
		return "://...@"
	})
}
