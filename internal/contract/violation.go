package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sharelinks-dev/sharelinks/internal/redact"
)

// Where a violation is.
const (
	InBody   = "body"
	InQuery  = openapi3.ParameterInQuery
	InPath   = openapi3.ParameterInPath
	InHeader = openapi3.ParameterInHeader
	InStatus = "status" // of responses only
)

// Violation is one thing in a request or a response that breaks the contract.
type Violation struct {
	In      string // InBody and so on
	Pointer string // in a body: JSON Pointer (RFC 6901) to the value, "" for the whole body
	Name    string // elsewhere: the name of the parameter or header
	Detail  string // what was wrong and what would be right
	Hint    string // what was probably meant, or ""
	Unknown bool   // whether it describes a field or a query parameter that the document does not have
}

// Violations are what is wrong with one request or response. Those beyond MaxViolations are empty: they are counted only.
type Violations []Violation

// MaxViolations bounds how many violations are described.
const MaxViolations = 50

// Error says all of it in one line.
func (v Violations) Error() string {
	texts := make([]string, 0, len(v))
	for _, one := range v[:min(len(v), MaxViolations)] {
		text := one.Detail
		if place := one.Pointer + one.Name; place != "" {
			text = place + ": " + text
		}
		if one.Hint != "" {
			text += "; " + one.Hint
		}
		texts = append(texts, text)
	}
	if n := len(v) - len(texts); n > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", n))
	}
	if len(v) == 1 {
		return texts[0]
	}
	return fmt.Sprintf("the request has %d violations: %s", len(v), strings.Join(texts, "; "))
}

// bodyViolations lists what kin-openapi found wrong with a body, one violation a place, in words made from the schema. Its
// own messages are not used: they speak of schemas, print numbers as 2.147483647e+09 and leave out what would be right.
func bodyViolations(err error) Violations {
	if err == nil {
		return nil
	}
	var violations Violations
	seen := map[string]bool{}
	for _, found := range schemaErrors(nil, err) {
		pointer := pointerTo(found.JSONPointer())
		// One value can break several bounds, which the expectation names all. Of an object with several unknown fields the
		// first error stands for all, because only its prose says which field it is about.
		unknown := found.SchemaField == "properties"
		if place := pointer + strconv.FormatBool(unknown); !seen[place] {
			seen[place] = true
			switch {
			case unknown:
				violations = append(violations, unknownFields(pointer, found)...)
			case len(violations) < MaxViolations:
				violations = append(violations, valueViolation(pointer, found))
			default:
				violations = append(violations, Violation{})
			}
		}
	}
	if violations == nil {
		return Violations{{In: InBody, Detail: "the body does not fit the contract"}}
	}
	return violations
}

// schemaErrors appends the innermost errors of a validation.
func schemaErrors(list []*openapi3.SchemaError, err error) []*openapi3.SchemaError {
	if many, ok := errors.AsType[openapi3.MultiError](err); ok {
		for _, e := range many {
			list = schemaErrors(list, e)
		}
	} else if one, ok := errors.AsType[*openapi3.SchemaError](err); ok {
		list = append(list, one)
	}
	return list
}

// valueViolation says what is wrong with one value.
func valueViolation(pointer string, found *openapi3.SchemaError) Violation {
	v := Violation{In: InBody, Pointer: pointer}
	var hinted interface {
		error
		Hint() string
	}
	switch {
	case found.SchemaField == "required":
		path := found.JSONPointer()
		v.Detail = "is required"
		if field := found.Schema.Properties[path[len(path)-1]]; field != nil {
			v.Detail += ": " + expectation(field.Value)
		}
	case errors.As(found.Origin, &hinted):
		v.Detail, v.Hint = hinted.Error(), hinted.Hint()
	default:
		v.Detail = "must be " + expectation(found.Schema) + ", not " + describe(found.Value)
	}
	return v
}

// unknownFields lists the fields of an object that the schema does not have.
func unknownFields(parent string, found *openapi3.SchemaError) Violations {
	known := aliasesOf(found.Schema.Properties, func(p *openapi3.SchemaRef) map[string]any { return p.Value.Extensions })
	object, _ := found.Value.(map[string]any)
	return unknownNames(object, known, func(name string) Violation {
		detail, hint := unknownName("field", name, known)
		return Violation{In: InBody, Pointer: printable(parent + pointerTo([]string{name})), Detail: detail, Hint: hint, Unknown: true}
	})
}

// unknownNames describes the names of given that are not known, in order. Those beyond MaxViolations are counted only.
func unknownNames[V any](given map[string]V, known map[string][]string, describe func(name string) Violation) Violations {
	var violations Violations
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch _, ok := known[name]; {
		case ok:
		case len(violations) < MaxViolations:
			violations = append(violations, describe(name))
		default:
			violations = append(violations, Violation{})
		}
	}
	return violations
}

// unknownName says that there is no such name, and which was probably meant. known maps each name to its aliases.
func unknownName(what, name string, known map[string][]string) (detail, hint string) {
	detail = "unknown " + what + " " + printable(name)
	names := slices.Sorted(maps.Keys(known))
	for _, k := range names {
		if slices.ContainsFunc(append(known[k], k), func(alias string) bool { return letters(alias) == letters(name) }) {
			return detail, "did you mean " + k + "?"
		}
	}
	if len(names) == 0 {
		return detail, "there are none here"
	}
	return detail, "known are " + strings.Join(names, ", ")
}

// letters returns a name as it is compared: in lower case, without separators.
func letters(name string) string {
	return separators.Replace(strings.ToLower(name))
}

var separators = strings.NewReplacer("_", "", "-", "")

// aliasesOf reads the extension x-also-called: the names that other software uses for a field or a parameter.
func aliasesOf[T any](named map[string]T, extensions func(T) map[string]any) map[string][]string {
	aliases := make(map[string][]string, len(named))
	for name, v := range named {
		list, _ := extensions(v)["x-also-called"].([]any)
		aliases[name] = texts(list)
	}
	return aliases
}

func texts(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return out
}

// expectation says in words what a schema accepts. The extension x-in-words replaces them.
func expectation(s *openapi3.Schema) string {
	if len(s.AllOf) == 1 && s.Type == nil {
		s = s.AllOf[0].Value
	}
	words, own := s.Extensions["x-in-words"].(string)
	if !own {
		words = typeInWords(s)
	}
	if s.Nullable {
		words += ", or null"
	}
	return words
}

func typeInWords(s *openapi3.Schema) string {
	switch {
	case len(s.Enum) > 0:
		return "one of " + strings.Join(texts(s.Enum), ", ")
	case s.Type.Is(openapi3.TypeInteger):
		return "a whole number" + bounds(s)
	case s.Type.Is(openapi3.TypeNumber):
		return "a number" + bounds(s)
	case s.Type.Is(openapi3.TypeBoolean):
		return "true or false"
	case s.Type.Is(openapi3.TypeArray):
		words := "a list" + size(s.MinItems, s.MaxItems, "items")
		if s.UniqueItems {
			words += ", each once"
		}
		return words
	case s.Type.Is(openapi3.TypeObject):
		return "an object"
	case s.Format == "uuid":
		return "a UUID such as 00000000-0000-0000-0000-000000000000"
	}
	words := "text" + size(s.MinLength, s.MaxLength, "characters")
	if s.Format != "" {
		words += " in the format " + s.Format
	}
	if s.Pattern != "" {
		words += " that matches " + s.Pattern
	}
	return words
}

// size says how many items or characters a value may have.
func size(least uint64, most *uint64, what string) string {
	switch {
	case most != nil && least > 0:
		return fmt.Sprintf(" of %d to %d %s", least, *most, what)
	case most != nil:
		return fmt.Sprintf(" of at most %d %s", *most, what)
	case least > 0:
		return fmt.Sprintf(" of at least %d %s", least, what)
	}
	return ""
}

// bounds says which numbers a schema accepts.
func bounds(s *openapi3.Schema) string {
	words := ""
	switch above := s.ExclusiveMin.IsTrue(); {
	case s.Min != nil && s.Max != nil && above:
		words = " above " + number(*s.Min) + " and at most " + number(*s.Max)
	case s.Min != nil && s.Max != nil:
		words = " from " + number(*s.Min) + " to " + number(*s.Max)
	case s.Min != nil && above:
		words = " above " + number(*s.Min)
	case s.Min != nil:
		words = " of at least " + number(*s.Min)
	case s.Max != nil:
		words = " of at most " + number(*s.Max)
	}
	if s.MultipleOf != nil {
		words += ", a multiple of " + number(*s.MultipleOf)
	}
	return words
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// describe says what a value is without repeating text, which may be a secret in the wrong place.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case json.Number:
		return "a number so large"
	case string:
		return "this text"
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	}
	return "an object"
}

func pointerTo(path []string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteString("/" + pointerEscapes.Replace(p))
	}
	return b.String()
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// printable returns a name that the caller made up as it may be answered and logged: printable, short, without secrets.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, redact.Secrets(name))
	if runes := []rune(name); len(runes) > 64 {
		return string(runes[:64]) + "..."
	}
	return name
}
