package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/api"
)

const (
	maxBody  = 64 << 10 // bytes
	maxDepth = 16       // levels of lists and objects; the contract needs two
)

// requestBody is a body that was read once and decoded once: contract.go checks the value, and the generated handler
// binds the bytes.
type requestBody struct {
	read  *bodyReader
	value any // as encoding/json decodes into any; a number too large for float64 is a json.Number
}

// bodyReader is what reading takes and the next request can use again.
type bodyReader struct {
	bytes bytes.Buffer
	src   bytes.Reader
	json  jsontext.Decoder
}

var bodyReaders = sync.Pool{New: func() any { return new(bodyReader) }}

// release gives back what the body was read with. Nothing of the body may be used after it.
func (b *requestBody) release() {
	if b.read != nil {
		b.read.bytes.Reset()
		bodyReaders.Put(b.read)
		*b = requestBody{}
	}
}

// fill reads and decodes the body. The error is a problem: unsupported-media-type, body-too-large or invalid-request.
func (b *requestBody) fill(r *http.Request) error {
	if !isJSON(r.Header) {
		return &problem{kind: kindUnsupportedMediaType, detail: `the body must be sent as "Content-Type: application/json", in UTF-8 and without Content-Encoding`}
	}
	b.read = bodyReaders.Get().(*bodyReader)
	if _, err := b.read.bytes.ReadFrom(http.MaxBytesReader(nil, r.Body, maxBody)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return &problem{kind: kindInvalidRequest, detail: "the body could not be read to its end", cause: err}
	}
	value, err := b.read.decode()
	if err != nil {
		return invalid([]api.Violation{syntaxFault(err, b.read.bytes.Bytes())})
	}
	b.value = value
	return nil
}

func isJSON(h http.Header) bool {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false
	}
	types := h["Content-Type"]
	if len(types) != 1 {
		return false
	}
	if types[0] == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(types[0])
	charset := params["charset"]
	return err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

var (
	errTooDeep  = errors.New("too deep")
	errTrailing = errors.New("something after the value")
)

// decode reads exactly one JSON value, as strictly as RFC 7493 has it: UTF-8 without lone surrogates, no name twice.
// encoding/json forgives all of these.
func (r *bodyReader) decode() (any, error) {
	r.src.Reset(r.bytes.Bytes())
	r.json.Reset(&r.src)
	value, err := r.readValue(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.json.ReadToken(); err != io.EOF { //nolint:errorlint // the decoder returns it bare
		return nil, errTrailing
	}
	return value, nil
}

func (r *bodyReader) readValue(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	token, err := r.json.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 't', 'f':
		return token.Bool(), nil
	case '"':
		return token.String(), nil
	case '0':
		text := token.String()
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f, nil
		}
		return json.Number(text), nil
	case '[':
		list := []any{}
		for r.json.PeekKind() != ']' {
			item, err := r.readValue(depth + 1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err := r.json.ReadToken()
		return list, err
	case '{':
		object := make(map[string]any, 8)
		for r.json.PeekKind() != '}' {
			name, err := r.json.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			if object[key], err = r.readValue(depth + 1); err != nil {
				return nil, err
			}
		}
		_, err := r.json.ReadToken()
		return object, err
	}
	return nil, nil // null
}

// syntaxFault says why a body is not JSON, in words that do not repeat the body.
func syntaxFault(err error, body []byte) api.Violation {
	var syntax *jsontext.SyntacticError
	pointer, at := "", ""
	if errors.As(err, &syntax) {
		pointer, at = string(syntax.JSONPointer), fmt.Sprintf(" at byte %d", syntax.ByteOffset)
	}
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return bodyFault("", "the body is empty; send a JSON object", "")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return bodyFault(shown(pointer), "the field is given twice; give it once", "")
	case errors.Is(err, errTooDeep):
		return bodyFault("", fmt.Sprintf("the body is nested deeper than %d levels", maxDepth), "")
	case errors.Is(err, errTrailing):
		return bodyFault("", "the body goes on after its JSON value; send one value", "")
	case !utf8.Valid(body):
		return bodyFault("", "the body is not UTF-8"+at, "")
	case syntax != nil && bytes.HasPrefix(body[min(int(syntax.ByteOffset), len(body)):], []byte(`\u`)):
		return bodyFault("", "the body has half of a surrogate pair"+at, "")
	}
	return bodyFault("", "the body is not well-formed JSON"+at, "")
}

// bodyBinder gives the generated handlers the body that was read and checked before them.
type bodyBinder struct{}

// Bind decodes the checked body into v.
func (bodyBinder) Bind(v any, c echo.Context) error {
	body := &callOf(c).body
	if body.read == nil {
		return errors.New("an operation with a body was not checked against the contract")
	}
	if json.Unmarshal(body.read.bytes.Bytes(), v) == nil {
		return nil
	}
	// The contract's integers may be spelled 10.0 or 1e1, which Go does not read into an int. Marshalling spells them plainly.
	plain, err := json.Marshal(body.value)
	if err != nil {
		return fmt.Errorf("spell a checked body plainly: %w", err)
	}
	return json.Unmarshal(plain, v)
}
