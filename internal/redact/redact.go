// Package redact takes share link tokens and API keys out of texts that others wrote, before they reach a log or an answer.
package redact

import (
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// secrets finds tokens and keys by their prefix, also a part of one that was cut short or ran on.
var secrets = regexp.MustCompile(`(sh|ak)_[0-9A-Za-z_]{8,}`)

// Secrets returns the text with the letters of every token and API key replaced by dots.
func Secrets(s string) string {
	if !strings.Contains(s, "sh_") && !strings.Contains(s, "ak_") {
		return s
	}
	return secrets.ReplaceAllString(s, "${1}_...")
}

// Known returns the text with these secrets replaced by dots, spelled as they are or as a URL, JSON or %q spells them, and all
// that Secrets finds. A secret that is "" is none.
func Known(s string, secrets ...string) string {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		inJSON, _ := json.Marshal(secret) // it is a string
		for _, spelled := range []string{secret, url.QueryEscape(secret), inQuotes(string(inJSON)), inQuotes(strconv.Quote(secret))} {
			s = strings.ReplaceAll(s, spelled, "...")
		}
	}
	return Secrets(s)
}

// inQuotes returns what is between the quotation marks of a quoted text.
func inQuotes(quoted string) string { return quoted[1 : len(quoted)-1] }

// Error returns an error that reads as err, without these secrets: whoever answers a request can repeat its headers where
// net/http shows them. errors.Is and errors.As find what they find in err; nothing unwraps to it. It is nil if err is.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	return hidden{text: Known(err.Error(), secrets...), err: err}
}

type hidden struct {
	text string
	err  error
}

func (h hidden) Error() string        { return h.text }
func (h hidden) Is(target error) bool { return errors.Is(h.err, target) }
func (h hidden) As(target any) bool   { return errors.As(h.err, target) }

// Method returns an HTTP method as it may be logged. A caller may send any word as a method.
func Method(m string) string {
	if len(m) > 16 {
		m = m[:16]
	}
	return Secrets(m)
}
