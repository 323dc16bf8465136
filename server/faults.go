package server

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

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/redact"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// bodyFaults lists what kin-openapi found wrong with a body, one fault a place, in words made from the contract. Its own
// messages are not used: they speak of schemas, print numbers as 2.147483647e+09 and leave out what would be right.
func bodyFaults(err error) []api.Violation {
	var faults []api.Violation
	seen := map[string]bool{}
	for _, found := range schemaErrors(nil, err) {
		pointer := pointerTo(found.JSONPointer())
		// One value can break several bounds, which the expectation names all; and of an object with several unknown fields
		// the first error is answered for all, because only its prose says which field it is about.
		if place := pointer + " " + found.SchemaField; found.SchemaField == "properties" {
			if !seen[place] {
				faults = append(faults, unknownFields(pointer, found)...)
			}
			seen[place] = true
			continue
		}
		if !seen[pointer] {
			faults = append(faults, valueFault(pointer, found))
		}
		seen[pointer] = true
	}
	if faults == nil {
		return []api.Violation{bodyFault("", "the body does not fit the contract", "")}
	}
	return faults
}

// schemaErrors appends the innermost errors of a validation: an error of an allOf hides them in its Origin.
func schemaErrors(list []*openapi3.SchemaError, err error) []*openapi3.SchemaError {
	var many openapi3.MultiError
	if errors.As(err, &many) {
		for _, e := range many {
			list = schemaErrors(list, e)
		}
		return list
	}
	var one *openapi3.SchemaError
	if errors.As(err, &one) {
		list = append(list, one)
	}
	return list
}

// valueFault says what is wrong with one value.
func valueFault(pointer string, found *openapi3.SchemaError) api.Violation {
	if found.SchemaField == "required" {
		path := found.JSONPointer()
		return bodyFault(pointer, "is required: "+expectation(found.Schema.Properties[path[len(path)-1]].Value), "")
	}
	var origin *sharelink.OriginError
	if errors.As(found.Origin, &origin) {
		return bodyFault(pointer, origin.Detail, origin.Hint)
	}
	return bodyFault(pointer, "must be "+expectation(found.Schema)+", not "+nature(found.Value), "")
}

// unknownFields lists the fields of an object that the schema does not have.
func unknownFields(parent string, found *openapi3.SchemaError) []api.Violation {
	known := make(map[string][]string, len(found.Schema.Properties))
	for name, p := range found.Schema.Properties {
		known[name] = alsoCalled(p.Value.Extensions)
	}
	object, _ := found.Value.(map[string]any)
	var faults []api.Violation
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, ok := known[name]; ok {
			continue
		}
		if len(faults) >= maxFaults { // it is counted, not shown
			faults = append(faults, bodyFault(parent, "unknown field", ""))
			continue
		}
		detail, hint := unknown("field", name, known)
		faults = append(faults, bodyFault(shown(parent+pointerTo([]string{name})), detail, hint))
	}
	return faults
}

// unknown says that there is no such name, and which was probably meant. known maps each name to those it is mistaken for.
func unknown(what, name string, known map[string][]string) (detail, hint string) {
	detail = "unknown " + what + " " + shown(name)
	closest, distance := "", 3 // two letters wrong are a slip of the fingers, three another word
	for _, k := range slices.Sorted(maps.Keys(known)) {
		if slices.ContainsFunc(known[k], func(other string) bool { return strings.EqualFold(other, name) }) {
			return detail, "did you mean " + k + "?"
		}
		if d := editDistance(strings.ToLower(k), strings.ToLower(name)); d < distance && d < len(k)/2 {
			closest, distance = k, d
		}
	}
	if closest != "" {
		return detail, "did you mean " + closest + "?"
	}
	if len(known) == 0 {
		return detail, "there are none here"
	}
	return detail, "known are " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// alsoCalled reads x-also-called: the names by which other software calls a field or parameter.
func alsoCalled(extensions map[string]any) []string {
	list, _ := extensions["x-also-called"].([]any)
	names := make([]string, 0, len(list))
	for _, n := range list {
		names = append(names, fmt.Sprint(n))
	}
	return names
}

// editDistance is the Levenshtein distance in bytes. A long name is far from everything, and not worth the work.
func editDistance(a, b string) int {
	if len(b) > 64 {
		return len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// expectation says in words what a schema accepts.
func expectation(s *openapi3.Schema) string {
	if len(s.AllOf) == 1 && s.Type == nil {
		s = s.AllOf[0].Value
	}
	words := ""
	if w, ok := s.Extensions["x-in-words"].(string); ok {
		words = w
	} else if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = fmt.Sprint(v)
		}
		words = "one of " + strings.Join(values, ", ")
	} else {
		switch {
		case s.Type.Is(openapi3.TypeInteger):
			words = "a whole number" + bounds(s)
		case s.Type.Is(openapi3.TypeNumber):
			words = "a number" + bounds(s)
		case s.Type.Is(openapi3.TypeBoolean):
			words = "true or false"
		case s.Type.Is(openapi3.TypeArray):
			words = "a list"
			if s.MaxItems != nil {
				words += fmt.Sprintf(" of at most %d items", *s.MaxItems)
			}
		case s.Type.Is(openapi3.TypeObject):
			words = "an object"
		case s.Format == "uuid":
			words = "a UUID such as 00000000-0000-0000-0000-000000000000"
		default:
			words = "text"
			if s.MaxLength != nil {
				words += fmt.Sprintf(" of %d to %d characters", s.MinLength, *s.MaxLength)
			}
		}
	}
	if s.Nullable {
		words += ", or null"
	}
	return words
}

func bounds(s *openapi3.Schema) string {
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	switch above := s.ExclusiveMin.IsTrue(); {
	case s.Min != nil && s.Max != nil && above:
		return " above " + number(*s.Min) + " and at most " + number(*s.Max)
	case s.Min != nil && s.Max != nil:
		return " from " + number(*s.Min) + " to " + number(*s.Max)
	case s.Min != nil && above:
		return " above " + number(*s.Min)
	case s.Min != nil:
		return " of at least " + number(*s.Min)
	case s.Max != nil:
		return " of at most " + number(*s.Max)
	}
	return ""
}

// nature says what a value is without repeating text, which may be a secret in the wrong place.
func nature(v any) string {
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
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return b.String()
}

// shown makes a name that the caller made up fit to be answered and logged: printable, short and without secrets.
func shown(name string) string {
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
