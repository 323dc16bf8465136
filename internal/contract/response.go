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
		if h := ref.Value.Headers[name].Value; h.Required && header.Get(name) == "" && !o.forgives(h.Extensions) {
			violations = append(violations, Violation{In: InHeader, Name: name, Detail: "is missing"})
		}
	}
	if len(ref.Value.Content) == 0 || body == nil {
		return violations
	}
	for _, content := range ref.Value.Content {
		if content.Schema != nil && o.forgives(content.Schema.Value.Extensions) {
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
	err = content.Schema.Value.VisitJSON(value, o.checks.response...)
	violations = append(violations, bodyViolations(o.withoutForgiven(err))...)
	if o.closed {
		violations = append(violations, undeclared(content.Schema.Value, "", value)...)
	}
	return violations
}

// forgives tells whether a response may lack a part of the document with these extensions.
func (o *Operation) forgives(extensions map[string]any) bool {
	return o.upstream && extensions["x-addition"] == true
}

// withoutForgiven takes the properties that may be missing out of what kin-openapi found.
func (o *Operation) withoutForgiven(err error) error {
	found := schemaErrors(nil, err)
	if !o.upstream || len(found) == 0 {
		return err
	}
	var kept openapi3.MultiError
	for _, e := range found {
		if path := e.JSONPointer(); e.SchemaField == "required" {
			if p := e.Schema.Properties[path[len(path)-1]]; p != nil && o.forgives(p.Value.Extensions) {
				continue
			}
		}
		kept = append(kept, e)
	}
	if kept == nil {
		return nil
	}
	return kept
}

// undeclared lists the fields of a value that its schema does not have. Where the document says whether there may be others,
// and in an object of which it declares no field, there are none.
func undeclared(schema *openapi3.Schema, pointer string, value any) Violations {
	var violations Violations
	properties, open := openapi3.Schemas{}, false
	for _, part := range partsOf(schema) {
		maps.Copy(properties, part.Properties)
		open = open || part.AdditionalProperties.Has != nil || part.AdditionalProperties.Schema != nil
		if list, isList := value.([]any); isList && part.Items != nil {
			for i, v := range list {
				violations = append(violations, undeclared(part.Items.Value, pointer+"/"+strconv.Itoa(i), v)...)
			}
		}
	}
	object, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		place := pointer + pointerTo([]string{name})
		if p := properties[name]; p != nil {
			violations = append(violations, undeclared(p.Value, place, object[name])...)
		} else if !open && len(properties) > 0 {
			violations = append(violations, Violation{In: InBody, Pointer: printable(place), Detail: "the field is not declared"})
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
