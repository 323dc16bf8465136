package sharelink

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var day = time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)

func TestHours(t *testing.T) {
	t.Parallel()
	for h, want := range map[float64]time.Duration{
		168:        168 * time.Hour,
		0.001:      3600 * time.Millisecond,
		1.0 / 3:    20 * time.Minute,
		87600:      87600 * time.Hour,
		1e-300:     time.Millisecond,
		1.4e-7:     time.Millisecond,
		4.2e-7:     2 * time.Millisecond,
		0.5 + 1e-9: 30 * time.Minute,
	} {
		if got := Hours(h); got != want {
			t.Errorf("%v h: %v, want %v", h, got, want)
		}
	}
}

func TestIDsSortAsTheirInstants(t *testing.T) {
	t.Parallel()
	last := ""
	for _, at := range []time.Time{time.UnixMilli(0), day, day.Add(time.Millisecond), day.Add(1000 * time.Hour)} {
		id := NewID(at)
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 || id.String() <= last {
			t.Errorf("%v: %v, version %d, after %s", at, id, id.Version(), last)
		}
		if sec, nsec := id.Time().UnixTime(); time.Unix(sec, nsec).UnixMilli() != at.UnixMilli() {
			t.Errorf("%v: the id says %v", at, time.Unix(sec, nsec))
		}
		last = id.String()
	}
	if a, b := NewID(day), NewID(day); a == b {
		t.Error("two ids of one instant are the same")
	}
}

func TestTokensAndKeys(t *testing.T) {
	t.Parallel()
	if len(alphabet) != 58 || strings.ContainsAny(alphabet, "0OIl") {
		t.Errorf("alphabet %q", alphabet)
	}
	seen := map[string]bool{}
	for range 1000 {
		token := NewToken()
		if seen[token] || !regexp.MustCompile(`^sh_[1-9A-HJ-NP-Za-km-z]{21}$`).MatchString(token) {
			t.Fatalf("%q", token)
		}
		seen[token] = true
	}
	key := NewSecret()
	if !regexp.MustCompile(`^ak_[1-9A-HJ-NP-Za-km-z]{40}$`).MatchString(key) {
		t.Errorf("%q", key)
	}
	if p := VisiblePrefix(key); len(p) != 11 || !strings.HasPrefix(key, p) {
		t.Errorf("prefix %q", p)
	}
	if VisiblePrefix("ak") != "ak" {
		t.Error("a short text lost something")
	}
}

func TestTrimToken(t *testing.T) {
	t.Parallel()
	const token = "sh_2kL9pQxYzR4vN8mBwHfJc"
	for _, tail := range []string{
		"/", "//", ".", ",", ")", ").", "]", "}", ">", `"`, "'", "!", "?", ";", ":", "*", "**", "_", "-", "|", "`", " ", "\n", "\r\n", "\t", "&", "=", "+", "$",
		"。", "、", "」", "）", "，", "！", "…", "”", "’", "»", "؟", "،", "।", "։", "။", "\u00a0", "\u2003", "\u3000", "\u200b", "\u200f", "\ufeff", "🙂", "❤\ufe0f",
		strings.Repeat(".", maxTail),
	} {
		if got, ok := TrimToken(token + tail); got != token || !ok {
			t.Errorf("%q: %q, %v", tail, got, ok)
		}
	}
	for _, text := range []string{
		"", token, token + "x", token + "1", token + ".x", token + "/x", token + "é", token + "字", token + "٣", token + "\x00", token + "\xff", token + ".\x07",
		token + strings.Repeat(".", maxTail+1), token[:23] + ".", "." + token, " " + token + ".", "sh_0kL9pQxYzR4vN8mBwHfJc.", "sk" + token[2:] + ".",
		strings.ToUpper(token) + ".", "sh_........................",
	} {
		if got, ok := TrimToken(text); ok {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ total, perPage, last int }{{0, 20, 0}, {1, 20, 1}, {20, 20, 1}, {21, 20, 2}, {100, 1, 100}} {
		if got := (Paging{PerPage: c.perPage}).LastPage(c.total); got != c.last {
			t.Errorf("%d by %d: last page %d, want %d", c.total, c.perPage, got, c.last)
		}
	}
	if got := (Paging{Page: 2147483647, PerPage: 100}).Offset(); got != 214748364600 {
		t.Errorf("offset %d", got)
	}
}

// A field of a change that Apply forgets changes nothing.
func TestEveryFieldOfAChangeIsApplied(t *testing.T) {
	t.Parallel()
	fields := reflect.TypeFor[Change]()
	for i := range fields.NumField() {
		var c Change
		field := reflect.ValueOf(&c).Elem().Field(i)
		field.Set(reflect.New(field.Type().Elem()))
		switch v := field.Elem(); v.Kind() {
		case reflect.Bool:
			v.SetBool(true)
		case reflect.String:
			v.SetString("text")
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		default:
			v.SetInt(1)
		}
		if got := c.Apply(Terms{}, day); reflect.DeepEqual(got, Terms{}) {
			t.Errorf("Change.%s is not applied: see Apply in link.go", fields.Field(i).Name)
		}
	}
}

func TestLabelsAreTrimmed(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{" \u00a0Spring  news\u3000": "Spring  news", "\t ": "", "": ""} {
		given := in
		got, err := Change{Label: &given}.Canonical()
		if err != nil || *got.Label != want || given != in {
			t.Errorf("%q: %q, %v; the caller's is %q", in, *got.Label, err, given)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{" Cara ": "Cara", "Ærø": "Ærø", strings.Repeat("é", 100): strings.Repeat("é", 100)} {
		if got, err := CleanName("name", in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "  ", "a\nb", "a\x00b", "\xff", strings.Repeat("é", 101)} {
		if got, err := CleanName("name", in); CodeOf(err) != Invalid {
			t.Errorf("%q was accepted as %q: %v", in, got, err)
		}
	}
}

func TestErrorsSayTheirCauseOnlyInTheLog(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial failed")
	e := &Error{Code: Unavailable, Detail: "the store is not available", Err: cause}
	if !errors.Is(e, cause) || e.Error() != "the store is not available: dial failed" || CodeOf(e) != Unavailable || CodeOf(cause) != "" {
		t.Error(e)
	}
	if got := FieldError(NotFound, "/x", "gone").Error(); got != "gone" {
		t.Error(got)
	}
	many := &Error{Detail: "bad", Violations: []Violation{{Pointer: "/a", Detail: "is wrong", Hint: "try b"}}}
	if got := many.Error(); got != "bad; /a: is wrong (try b)" {
		t.Error(got)
	}
}
