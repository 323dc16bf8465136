package sharelink

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var wholeToken = regexp.MustCompile(`^sh_[1-9A-HJ-NP-Za-km-z]{21}$`)

// What a text is trimmed to is a token, stands at its beginning, and is not trimmed again: a redirect to it ends there. Behind it
// was no letter or digit, which another token could have.
func FuzzTrimToken(f *testing.F) {
	const token = "sh_2kL9pQxYzR4vN8mBwHfJc"
	for _, behind := range []string{"", "/", ".", ")", ",", " ", "\u3002", "\u00a0", "\ufe0f", "\xff", "\x00", "a", "1", "\u0660", strings.Repeat("!", 33)} {
		f.Add(token + behind)
	}
	f.Add("sh_0kL9pQxYzR4vN8mBwHfJc.")
	f.Add("ak_2kL9pQxYzR4vN8mBwHfJc.")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := TrimToken(s)
		if !ok {
			return
		}
		behind, begins := strings.CutPrefix(s, got)
		if !wholeToken.MatchString(got) || !begins || behind == "" || len(behind) > maxTail {
			t.Errorf("%q became %q", s, got)
		}
		if strings.ContainsFunc(behind, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			t.Errorf("%q became %q, which may be another token", s, got)
		}
		if again, ok := TrimToken(got); ok {
			t.Errorf("%q became %q, which becomes %q", s, got, again)
		}
	})
}
