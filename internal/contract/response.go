package contract

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
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
		if ref.Value.Headers[name].Value.Required && header.Get(name) == "" {
			violations = append(violations, Violation{In: InHeader, Name: name, Detail: "is missing"})
		}
	}
	if len(ref.Value.Content) == 0 || body == nil {
		return violations
	}
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	content := ref.Value.Content[media]
	if content == nil {
		return append(violations, Violation{In: InHeader, Name: "Content-Type", Detail: fmt.Sprintf("%q is not a content type of status %d", media, status)})
	}
	if content.Schema == nil || !strings.HasSuffix(media, "json") {
		return violations
	}
	value, err := decode(body)
	if err != nil {
		return append(violations, syntaxViolation(err, body))
	}
	return append(violations, bodyViolations(content.Schema.Value.VisitJSON(value, o.checks.response...))...)
}
