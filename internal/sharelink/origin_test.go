package sharelink

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://example.com":                             "https://example.com",
		"HTTPS://Example.COM":                             "https://example.com",
		"https://example.com:443":                         "https://example.com",
		"http://example.com:80":                           "http://example.com",
		"http://example.com:443":                          "http://example.com:443",
		"https://example.com:080":                         "https://example.com:80",
		"https://example.com:65535":                       "https://example.com:65535",
		"http://localhost:3000":                           "http://localhost:3000",
		"https://a_b.example":                             "https://a_b.example",
		"https://bücher.example":                          "https://xn--bcher-kva.example",
		"https://BÜCHER.example":                          "https://xn--bcher-kva.example",
		"https://xn--bcher-kva.example":                   "https://xn--bcher-kva.example",
		"https://faß.example":                             "https://xn--fa-hia.example", // as browsers: not "fass"
		"https://例え。テスト":                                  "https://xn--r8jz45g.xn--zckzah",
		"http://127.0.0.1:8080":                           "http://127.0.0.1:8080",
		"http://[::1]":                                    "http://[::1]",
		"http://[0:0:0:0:0:0:0:1]:80":                     "http://[::1]",
		"http://[2001:DB8::1]:8080":                       "http://[2001:db8::1]:8080",
		"http://[::ffff:127.0.0.1]":                       "http://[::ffff:7f00:1]", // as browsers write it
		"https://" + strings.Repeat("a", 63) + ".example": "https://" + strings.Repeat("a", 63) + ".example",
	} {
		got, err := ParseOrigin(in)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestParseOriginRefuses(t *testing.T) {
	t.Parallel()
	for in, hint := range map[string]string{
		"":                                       "",
		"*":                                      "set allowAllOrigins",
		"null":                                   "set allowAllOrigins",
		"https://*.example.com":                  "set allowAllOrigins",
		"https://*":                              "set allowAllOrigins",
		"example.com":                            "did you mean https://example.com?",
		"//example.com":                          "",
		"ftp://example.com":                      "",
		"file:///etc/passwd":                     "",
		"chrome-extension://abc":                 "",
		"javascript:alert(1)":                    "",
		"data:text/html,x":                       "",
		"https:example.com":                      "",
		"https:/example.com":                     "",
		"https://":                               "",
		"https:///":                              "",
		"https://:443":                           "",
		"https://example.com/":                   "did you mean https://example.com?",
		"https://example.com/path":               "did you mean https://example.com?",
		"https://example.com?q":                  "did you mean https://example.com?",
		"https://example.com#f":                  "did you mean https://example.com?",
		`https://example.com\@evil.test`:         "did you mean https://example.com?",
		"https://user@example.com":               "",
		"https://user:pass@example.com":          "",
		"https://example.com@evil.test":          "",
		"https://example.com.":                   "",
		"https://.example.com":                   "",
		"https://exa..mple.com":                  "",
		"https://example.com:":                   "",
		"https://example.com:0":                  "",
		"https://example.com:65536":              "",
		"https://example.com:80x":                "",
		"https://example.com:+80":                "",
		"https://example.com:-1":                 "",
		"https://example.com:80:80":              "",
		" https://example.com":                   "",
		"https://example.com ":                   "",
		"https://exam ple.com":                   "",
		"https://exam\tple.com":                  "",
		"https://exam\nple.com":                  "",
		"https://example.com\x00":                "",
		"https://example.com, https://b.example": "",
		"https://a;b":                            "",
		"https://a'b":                            "",
		"https://<script>":                       "",
		"https://ex%61mple.com":                  "",
		"https://%65xample.com":                  "",
		"http://127.1":                           "",
		"http://0x7f.0.0.1":                      "",
		"http://2130706433":                      "",
		"http://127.0.0.01":                      "",
		"http://256.0.0.1":                       "",
		"http://1.2.3.4.5":                       "",
		"http://::1":                             "",
		"http://[::1":                            "",
		"http://[::1]x":                          "",
		"http://[fe80::1%25eth0]":                "",
		"http://[127.0.0.1]":                     "",
		"http://[]":                              "",
		"https://" + strings.Repeat("a", 64) + ".example":      "",
		"https://" + strings.Repeat("a.", 127) + "example.com": "",
		"https://\u200b.example":                               "",
		"https://xn--\u00fc.example":                           "",
		"https://xn--a.example":                                "",
	} {
		got, err := ParseOrigin(in)
		if err == nil {
			t.Errorf("%q was accepted as %q", in, got)
			continue
		}
		e, _ := errors.AsType[*OriginError](err)
		if got := e.Hint(); !strings.Contains(got, hint) || hint == "" && strings.Contains(got, "did you mean") {
			t.Errorf("%q: hint %q, want %q", in, got, hint)
		}
	}
}

// Links allow no origin that browsers drop from frame-ancestors. A visitor's browser may name one all the same.
func TestAllowedOrigins(t *testing.T) {
	t.Parallel()
	for in, hint := range map[string]string{
		"http://127.0.0.2:8080":           "",
		"https://a-b.example":             "",
		"http://[::1]":                    "did you mean http://localhost?",
		"http://[0:0::1]:3000":            "did you mean http://localhost:3000?",
		"http://[2001:db8::1]":            "give the site a name",
		"https://a_b.example":             "give the site a name",
		"https://_dmarc.example:8443":     "give the site a name",
		"https://\uff3f.example":          "give the site a name", // a wide underscore is mapped to one
		"https://www.example.com/a_b?x=_": "did you mean https://www.example.com?",
	} {
		err := CheckOrigin(in)
		_, changeErr := Change{AllowedOrigins: &[]string{in}}.Canonical()
		if (err != nil) != (hint != "") || (err == nil) != (changeErr == nil) {
			t.Errorf("%s: %v, in a change: %v", in, err, changeErr)
		}
		if e, ok := errors.AsType[*OriginError](err); ok && !strings.Contains(e.Hint(), hint) {
			t.Errorf("%s: hint %q, want %q", in, e.Hint(), hint)
		}
	}
}

// What is accepted is an origin that net/url agrees with, and is its own canonical form.
func FuzzParseOrigin(f *testing.F) {
	for _, s := range []string{"https://example.com", "HTTP://bücher.example:80", "http://[::ffff:1.2.3.4]:81", "https://a@b", "http://0x7f.1", "https://a。b", "https://ⓐ.example", "*", "null"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseOrigin(s)
		if err != nil {
			return
		}
		if again, err := ParseOrigin(got); err != nil || again != got {
			t.Errorf("%q became %q, which becomes %q, %v", s, got, again, err)
		}
		u, parseErr := url.Parse(got)
		if parseErr != nil || u.Scheme+"://"+u.Host != got || u.User != nil || u.Hostname() == "" {
			t.Errorf("%q became %q, which net/url reads as %+v, %v", s, got, u, parseErr)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`;,'"<>\`, r) }) {
			t.Errorf("%q became %q, which is not safe in a header", s, got)
		}
	})
}
