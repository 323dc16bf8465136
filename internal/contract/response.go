package contract

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// CheckResponse returns what in a response breaks the contract: an undeclared status or content type, a missing header, a
// body that does not fit. The body of a response to HEAD is not looked at; pass nil.
func (o *Operation) CheckResponse(status int, header http.Header, body []byte) Violations {
	ref := o.responses.Status(status)
	if ref == nil {
		return Violations{{In: InStatus, Detail: fmt.Sprintf("%d is not a status of %s", status, o.ID)}}
	}
	var violations Violations
	for _, name := range slices.Sorted(maps.Keys(ref.Value.Headers)) {
		if h := ref.Value.Headers[name].Value; (h.Required || o.demands(h.Extensions)) && header.Get(name) == "" {
			violations = append(violations, Violation{In: InHeader, Name: name, Detail: "is missing"})
		}
	}
	if len(ref.Value.Content) == 0 || body == nil {
		return violations
	}
	for _, content := range ref.Value.Content {
		if o.upstream && content.Schema != nil && isAddition(content.Schema.Value.Extensions) {
			return violations
		}
	}
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	content := ref.Value.Content[media]
	if content == nil {
		return append(violations, Violation{In: InHeader, Name: "Content-Type", Detail: fmt.Sprintf("%q is not a content type of status %d", printable(media), status)})
	}
	if content.Schema == nil || !strings.HasSuffix(media, "json") {
		return violations
	}
	value, err := decode(body)
	if err != nil {
		return append(violations, syntaxViolation(err, body))
	}
	violations = append(violations, bodyViolations(content.Schema.Value.VisitJSON(value, o.checks.response...))...)
	return append(violations, o.checkFields(content.Schema.Value, "", value)...)
}

// isAddition tells whether a part of the document with these extensions is an addition to the API of the upstream.
func isAddition(extensions map[string]any) bool { return extensions["x-addition"] == true }

// demands tells whether a response must have a part of the document with these extensions, which do not say required.
func (o *Operation) demands(extensions map[string]any) bool {
	return !o.upstream && isAddition(extensions)
}

// checkFields lists what a schema cannot say of the fields of a value: those that it does not declare, if the contract is
// closed, and the additions that are missing. Where the document says whether there may be other fields, and in an object of
// which it declares none, each is declared.
func (o *Operation) checkFields(schema *openapi3.Schema, pointer string, value any) Violations {
	var violations Violations
	properties, open := openapi3.Schemas{}, !o.closed
	for _, part := range partsOf(schema) {
		maps.Copy(properties, part.Properties)
		open = open || part.AdditionalProperties.Has != nil || part.AdditionalProperties.Schema != nil
		if list, isList := value.([]any); isList && part.Items != nil {
			for i, v := range list {
				violations = append(violations, o.checkFields(part.Items.Value, pointer+"/"+strconv.Itoa(i), v)...)
			}
		}
	}
	object, isObject := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		place := pointer + pointerTo([]string{name})
		if p := properties[name]; p != nil {
			violations = append(violations, o.checkFields(p.Value, place, object[name])...)
		} else if !open && len(properties) > 0 {
			violations = append(violations, Violation{In: InBody, Pointer: printable(place), Detail: "the field is not declared"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		p := properties[name].Value
		if _, given := object[name]; isObject && !given && o.demands(p.Extensions) {
			violations = append(violations, Violation{In: InBody, Pointer: pointer + pointerTo([]string{name}), Detail: "is required: " + expectation(p)})
		}
	}
	return violations
}

// partsOf returns a schema and those that it is composed of.
func partsOf(s *openapi3.Schema) []*openapi3.Schema {
	parts := []*openapi3.Schema{s}
	for _, ref := range slices.Concat(s.AllOf, s.AnyOf, s.OneOf) {
		parts = append(parts, partsOf(ref.Value)...)
	}
	return parts
}
