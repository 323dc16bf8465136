package contract

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxQuery is the longest query that is read, in bytes.
const maxQuery = 8 << 10

// MediaTypeError is the error for a request body whose Content-Type or Content-Encoding the operation does not take.
type MediaTypeError struct {
	Header string // which of the two it is
	Want   string // the media types, or codings, that are taken
}

func (e *MediaTypeError) Error() string {
	if e.Header == "Content-Encoding" {
		return "the body must be sent without Content-Encoding"
	}
	return fmt.Sprintf(`the body must be sent as "Content-Type: %s", in UTF-8`, e.Want)
}

// CheckRequest checks the parameters and the body of a request. pathParam returns the unescaped value of a path parameter.
// Afterwards r.Body can be read from its start, and has the decoded body as ValidatedValue, which the generated handlers
// bind.
//
// The error is Violations, with every violation of the request, a *MediaTypeError or a *http.MaxBytesError. Authentication
// is not checked, and defaults are not filled in: a null must not be mistaken for an absent field.
func (o *Operation) CheckRequest(r *http.Request, pathParam func(name string) string) error {
	violations := o.checkParams(r, pathParam)
	found, err := o.checkBody(r)
	if err != nil {
		return err
	}
	if violations = append(violations, found...); len(violations) > 0 {
		return violations
	}
	return nil
}

// checkParams checks the parameters of the path, the query and the header, each on its own: one violation a parameter.
func (o *Operation) checkParams(r *http.Request, pathParam func(string) string) Violations {
	var violations Violations
	var query url.Values
	if len(r.URL.RawQuery) > maxQuery {
		violations = append(violations, Violation{In: InQuery, Detail: fmt.Sprintf("the query must have at most %d bytes", maxQuery)})
	} else if r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			violations = append(violations, Violation{In: InQuery, Detail: "the query is not well-formed; percent-encode what is not a letter or a digit"})
		}
		violations = append(violations, o.unknownParams(query)...)
	}
	input := openapi3filter.RequestValidationInput{Request: r, QueryParams: query, Options: o.checks.parameter}
	for _, ref := range o.params {
		p := ref.Value
		values := paramValues(p, r, query, pathParam)
		if len(values) == 0 && !p.Required {
			continue
		}
		detail := ""
		switch {
		case len(values) > 1:
			detail = fmt.Sprintf("is given %d times; give it once", len(values))
		case len(values) == 1 && !utf8.ValidString(values[0]):
			detail = "must be UTF-8"
		default:
			if p.In == openapi3.ParameterInPath {
				input.PathParams = map[string]string{p.Name: values[0]}
			}
			if openapi3filter.ValidateParameter(r.Context(), &input, p) != nil {
				detail = "must be " + expectation(p.Schema.Value)
			}
		}
		if detail != "" {
			violations = append(violations, Violation{In: p.In, Name: p.Name, Detail: detail})
		}
	}
	return violations
}

// unknownParams lists the parameters of a query that the operation does not have.
func (o *Operation) unknownParams(query url.Values) Violations {
	known := aliasesOf(o.query, func(p *openapi3.Parameter) map[string]any { return p.Extensions })
	return unknownNames(query, known, func(name string) Violation {
		detail, hint := unknownName("query parameter", name, known)
		return Violation{In: InQuery, Name: printable(name), Detail: detail, Hint: hint, Unknown: true}
	})
}

// paramValues returns every value that the request gives a parameter.
func paramValues(p *openapi3.Parameter, r *http.Request, query url.Values, pathParam func(string) string) []string {
	switch p.In {
	case openapi3.ParameterInQuery:
		return query[p.Name]
	case openapi3.ParameterInHeader:
		return r.Header.Values(p.Name)
	case openapi3.ParameterInPath:
		return []string{pathParam(p.Name)}
	}
	return nil
}

// checkBody reads the body, checks it, and puts one in its place that can be read again.
func (o *Operation) checkBody(r *http.Request) (Violations, error) {
	required := o.body != nil && o.body.Required
	if !required && r.ContentLength == 0 {
		return nil, nil
	}
	var media *openapi3.MediaType
	var mediaErr error
	if o.body != nil {
		media, mediaErr = o.mediaType(r.Header)
	}
	if mediaErr != nil && required {
		return nil, mediaErr
	}
	raw, err := o.readBody(r)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, err
	}
	if err != nil {
		return Violations{{In: InBody, Detail: "the body could not be read to its end"}}, nil
	}
	if media != nil && media == o.body.Content["application/json"] {
		raw = bytes.TrimPrefix(raw, byteOrderMark)
	}
	replaced := &checkedBody{Reader: bytes.NewReader(raw)}
	r.Body = replaced
	nothing := len(bytes.TrimSpace(raw)) == 0
	if nothing && !required {
		return nil, nil // also where a program names the type of a body that it does not send
	}
	if mediaErr != nil {
		return nil, mediaErr
	}
	if media == nil || media != o.body.Content["application/json"] || media.Schema == nil {
		return nil, nil // the operation has no use for a body, or takes one that is not JSON
	}
	if nothing {
		return Violations{{In: InBody, Detail: "the body is empty; send a JSON object"}}, nil
	}
	value, err := decode(raw)
	if err != nil {
		return Violations{syntaxViolation(err, raw)}, nil
	}
	replaced.value = value
	return bodyViolations(media.Schema.Value.VisitJSON(replaced.value, o.checks.request...)), nil
}

// byteOrderMark is what editors and shells on Windows write in front of UTF-8. JSON has none, and whoever reads it may ignore one
// (RFC 8259, section 8.1): it changes no meaning, and whoever sent it cannot see it.
var byteOrderMark = []byte("\ufeff")

// mediaType returns what the document says of the body's media type. Text is in UTF-8, and nothing is encoded.
func (o *Operation) mediaType(h http.Header) (*openapi3.MediaType, error) {
	types, encoding := h["Content-Type"], h.Get("Content-Encoding")
	if encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &MediaTypeError{Header: "Content-Encoding", Want: "identity"}
	}
	if len(types) == 1 {
		if media := o.body.Content[types[0]]; media != nil {
			return media, nil
		}
		name, params, err := mime.ParseMediaType(types[0])
		media, charset := o.body.Content[name], params["charset"]
		if err == nil && media != nil && (charset == "" || strings.EqualFold(charset, "utf-8")) {
			return media, nil
		}
	}
	return nil, &MediaTypeError{Header: "Content-Type", Want: strings.Join(slices.Sorted(maps.Keys(o.body.Content)), " or ")}
}

func (o *Operation) readBody(r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, o.maxBody)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(http.MaxBytesReader(nil, io.NopCloser(r.Body), o.maxBody))
	return b.Bytes(), err
}

// checkedBody is a request body that was read and checked.
type checkedBody struct {
	*bytes.Reader
	value any // as encoding/json decodes into any
}

func (*checkedBody) Close() error { return nil }

// ValidatedValue returns the decoded body. The generated handlers bind it instead of decoding the bytes once more.
func (b *checkedBody) ValidatedValue() any { return b.value }

// maxDepth is how deep lists and objects may stand in each other: no contract needs as much, and each level costs memory.
const maxDepth = 64

var errTooDeep = fmt.Errorf("the body is nested more than %d levels deep", maxDepth)

// isDeep tells whether a JSON text is deeper than maxDepth, before anything is made of it.
func isDeep(raw []byte) bool {
	depth, inText := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			inText = !inText
		case c == '\\' && inText:
			i++
		case inText:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// decode reads one JSON value as strictly as RFC 7493 has it: UTF-8 without lone surrogates, no name twice. encoding/json
// forgives both.
func decode(raw []byte) (value any, err error) {
	if isDeep(raw) {
		return nil, errTooDeep
	}
	err = json.Unmarshal(raw, &value)
	if _, tooLarge := errors.AsType[*json.SemanticError](err); tooLarge {
		// The one thing that a float64 cannot hold: kin-openapi says what would be right of a number as text too.
		numbers := stdjson.NewDecoder(bytes.NewReader(raw))
		numbers.UseNumber()
		err = numbers.Decode(&value)
	}
	return value, err
}

// syntaxViolation says why a body is not JSON, in words that do not repeat the body.
func syntaxViolation(err error, body []byte) Violation {
	pointer, at, offset := "", "", 0
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		pointer, offset = string(syntax.JSONPointer), min(int(syntax.ByteOffset), len(body))
		at = fmt.Sprintf(" at byte %d", offset)
	}
	switch {
	case errors.Is(err, errTooDeep):
		return Violation{In: InBody, Detail: err.Error()}
	case errors.Is(err, jsontext.ErrDuplicateName):
		return Violation{In: InBody, Pointer: printable(pointer), Detail: "the field is given twice; give it once"}
	case !utf8.Valid(body):
		return Violation{In: InBody, Detail: "the body is not UTF-8" + at}
	case bytes.HasPrefix(body[offset:], []byte(`\u`)):
		return Violation{In: InBody, Detail: "the body has half of a surrogate pair" + at}
	}
	return Violation{In: InBody, Detail: "the body is not one well-formed JSON value" + at}
}
