package sharelink

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// OriginError says why a text is not an origin that a link can allow.
type OriginError struct{ detail, hint string }

// Error returns what is wrong and what would be right.
func (e *OriginError) Error() string { return e.detail }

// Hint returns what was probably meant, or "".
func (e *OriginError) Hint() string { return e.hint }

const (
	// maxOrigin is the longest text, in characters, that is read as an origin: the maxLength of the contract.
	maxOrigin = 300
	// maxLabel is how many characters a label of a host may have. More of them become the 63 that DNS takes only in a spelling
	// that no browser sends.
	maxLabel = 63
)

const originShape = "an origin is scheme://host[:port] with http or https"

// hostNames maps international names as a browser does (UTS 46, non-transitional). Which ASCII letters a name may have is
// checked by asciiHost, because the strict profile refuses the underscores that real hosts have.
var hostNames = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.BidiRule(), idna.CheckJoiners(true))

// CheckOrigin returns nil for an origin that a link can allow: the format "origin" of the contract.
func CheckOrigin(s string) error {
	_, err := parseAllowed(s)
	return err
}

// parseAllowed is ParseOrigin for an origin that a link is to allow. Browsers drop from frame-ancestors what the grammar of a
// source does not have (CSP Level 3, section 2.3.1), and then the frame stays blank.
func parseAllowed(s string) (string, error) {
	origin, err := ParseOrigin(s)
	if err != nil {
		return "", err
	}
	const why = "; browsers do not let such a site embed anything (Content-Security-Policy has no word for it)"
	const named = "give the site a name of letters, digits and hyphens, or set allowAllOrigins"
	switch scheme, rest, _ := strings.Cut(origin, "://"); {
	case strings.HasPrefix(rest, "[::1]"):
		return "", &OriginError{"an allowed origin's host must not be an IPv6 address" + why, "did you mean " + scheme + "://localhost" + rest[len("[::1]"):] + "?"}
	case strings.HasPrefix(rest, "["):
		return "", &OriginError{"an allowed origin's host must not be an IPv6 address" + why, named}
	case strings.Contains(rest, "_"):
		return "", &OriginError{"an allowed origin's host must not have an underscore" + why, named}
	}
	return origin, nil
}

// ParseOrigin returns the canonical form of an origin (RFC 6454) as a browser would send it: lower case, the scheme's
// default port dropped, international names as punycode, IP addresses in their shortest form. The error is an *OriginError.
//
// Anybody may send one, and what it costs to map an international name grows with the square of its length: the length is
// looked at first.
func ParseOrigin(s string) (string, error) {
	if len(s) > maxOrigin && utf8.RuneCountInString(s) > maxOrigin {
		return "", &OriginError{detail: "an origin has at most " + strconv.Itoa(maxOrigin) + " characters"}
	}
	switch s {
	case "*", "null":
		return "", &OriginError{detail: `"` + s + `" is not an origin; ` + originShape, hint: "set allowAllOrigins to allow every origin"}
	}
	if strings.Contains(s, "*") {
		return "", &OriginError{detail: "an origin has no wildcard; list each host", hint: "set allowAllOrigins to allow every origin"}
	}
	scheme, rest, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		e := &OriginError{detail: originShape}
		if !ok && !strings.ContainsAny(s, ":/?#@ ") {
			if host, err := canonicalHost(s); err == nil {
				e.hint = "did you mean https://" + host + "?"
			}
		}
		return "", e
	}
	authority := rest
	if i := strings.IndexAny(rest, `/?#\`); i >= 0 {
		authority = rest[:i]
	}
	if strings.Contains(authority, "@") {
		return "", &OriginError{detail: "an origin has no user or password; " + originShape}
	}
	host, port, err := splitPort(authority)
	if err != nil {
		return "", err
	}
	if host, err = canonicalHost(host); err != nil {
		return "", err
	}
	origin := scheme + "://" + host
	if port != 0 && !(scheme == "http" && port == 80) && !(scheme == "https" && port == 443) {
		origin += ":" + strconv.Itoa(port)
	}
	if len(authority) != len(rest) {
		return "", &OriginError{detail: "an origin has no path, query or fragment; " + originShape, hint: "did you mean " + origin + "?"}
	}
	return origin, nil
}

// splitPort splits host[:port]; the port is 0 when there is none.
func splitPort(authority string) (host string, port int, err error) {
	host = authority
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return host, 0, nil
	}
	host, digits := authority[:i], authority[i+1:]
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 || strings.Trim(digits, "0123456789") != "" {
		return "", 0, &OriginError{detail: "an origin's port is a number from 1 to 65535"}
	}
	return host, int(n), nil
}

func canonicalHost(host string) (string, error) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", &OriginError{detail: "an origin's host in brackets is an IPv6 address, such as [::1]"}
		}
		return "[" + ipv6Text(addr) + "]", nil
	}
	// Browsers decode a percent sign in a host before anything else. It is not needed, and can mislead.
	if strings.Contains(host, "%") || !utf8.ValidString(host) || hasLongLabel(host) {
		return "", badHost
	}
	ascii, err := hostNames.ToASCII(host)
	if err != nil || !asciiHost(ascii) {
		return "", badHost
	}
	if last := ascii[strings.LastIndexByte(ascii, '.')+1:]; looksNumeric(last) {
		// Browsers read such a host as an IPv4 address in one of its many spellings: take the plain one only.
		addr, err := netip.ParseAddr(ascii)
		if err != nil || !addr.Is4() {
			return "", &OriginError{detail: "an origin's host that ends in a number is an IPv4 address, such as 127.0.0.1"}
		}
	}
	return ascii, nil
}

var badHost = &OriginError{detail: "an origin's host is a name such as www.example.com, without a trailing dot, or an IP address"}

// hasLongLabel tells whether a label of host is too long to be mapped. Dots are those that browsers take for one (UTS 46).
func hasLongLabel(host string) bool {
	for label := range strings.FieldsFuncSeq(host, func(r rune) bool { return strings.ContainsRune(".\u3002\uff0e\uff61", r) }) {
		if utf8.RuneCountInString(label) > maxLabel {
			return true
		}
	}
	return false
}

// asciiHost tells whether every label of host has 1 to 63 letters, digits, hyphens or underscores, and all of it at most 253.
func asciiHost(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func looksNumeric(label string) bool {
	return strings.Trim(label, "0123456789") == "" || strings.HasPrefix(label, "0x")
}

// ipv6Text writes an IPv6 address as a browser does, which knows no dotted tail for IPv4-mapped addresses.
func ipv6Text(addr netip.Addr) string {
	if !addr.Is4In6() {
		return addr.String()
	}
	b := addr.As16()
	hex := func(hi, lo byte) string { return strconv.FormatUint(uint64(hi)<<8|uint64(lo), 16) }
	return "::ffff:" + hex(b[12], b[13]) + ":" + hex(b[14], b[15])
}
