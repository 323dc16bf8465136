// Package redact takes share link tokens and API keys out of texts that others wrote, before they reach a log or an answer.
package redact

import (
	"regexp"
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

// Method returns an HTTP method as it may be logged. A caller may send any word as a method.
func Method(m string) string {
	if len(m) > 16 {
		m = m[:16]
	}
	return Secrets(m)
}
