package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// Example returns the response that the document shows for a status: its headers, with its content type, and its body. A
// header or a body without an example is left out. It returns false for a status that the operation does not have.
func (o *Operation) Example(status int) (header http.Header, body []byte, ok bool) {
	ref := o.responses.Status(status)
	if ref == nil {
		return nil, nil, false
	}
	header = http.Header{}
	for name, h := range ref.Value.Headers {
		if h.Value.Schema != nil && h.Value.Schema.Value.Example != nil {
			header.Set(name, fmt.Sprint(h.Value.Schema.Value.Example))
		}
	}
	for _, media := range slices.Sorted(maps.Keys(ref.Value.Content)) {
		if example := exampleOf(ref.Value.Content[media]); example != nil {
			if body, err := json.Marshal(example); err == nil {
				header.Set("Content-Type", media)
				return header, body, true
			}
		}
	}
	return header, nil, true
}

func exampleOf(media *openapi3.MediaType) any {
	if media.Example == nil && media.Schema != nil {
		return media.Schema.Value.Example
	}
	return media.Example
}
