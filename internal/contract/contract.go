// Package contract holds requests and responses to an OpenAPI document. It takes the document as an argument, works on
// net/http, and knows no operation by name. kin-openapi decides what is valid; this package finds what it does not look at
// and says in words what is wrong and what would be right.
package contract

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/google/uuid"
)

// Contract is an OpenAPI document, ready to check requests and responses against. It is safe for concurrent use.
type Contract struct {
	Operations []*Operation // literal paths before those with parameters

	doc *openapi3.T
}

// Options are what a document cannot say. The zero value is valid.
type Options struct {
	MaxBody int64             // the largest request body that is read, in bytes; 0 is 64 KiB
	Formats map[string]Format // string formats of the document beyond those of OpenAPI and uuid

	// What the document adds to the API that it is compatible with is marked with x-addition: headers and properties, which it
	// does not require, and schemas of bodies. A response must have it all the same. Upstream forgives one that does not, and
	// any body in place of one that is marked.
	Upstream bool
	// Closed makes a violation of each field of a response that the document does not declare. A client must ignore such a
	// field, so this is for those who want to know.
	Closed bool
}

// Format returns nil for a text that has the format. An error that also has a method Hint() string is shown to the caller
// as it is; for any other the words are made from the schema.
type Format func(text string) error

// Operation is one operation of the document.
type Operation struct {
	ID     string
	Method string
	Path   string // as in the document, such as /v1/share-links/{id}
	Public bool   // whether it needs no credentials

	segments  []string
	params    openapi3.Parameters
	query     map[string]*openapi3.Parameter
	body      *openapi3.RequestBody // nil when it takes none
	responses *openapi3.Responses
	maxBody   int64
	*checks
}

// checks are the options of the contract and of kin-openapi, made once: every request and response is checked with them.
type checks struct {
	upstream  bool
	closed    bool
	parameter *openapi3filter.Options
	request   []openapi3.SchemaValidationOption
	response  []openapi3.SchemaValidationOption
}

// Load reads a document, JSON or YAML, that is valid OpenAPI: to check that is work for a test, not for every start.
func Load(document []byte, o Options) (*Contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	c := &Contract{doc: doc}
	checks := newChecks(o)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			c.Operations = append(c.Operations, newOperation(doc, method, path, item, op, o.MaxBody, checks))
		}
	}
	slices.SortFunc(c.Operations, func(a, b *Operation) int {
		return cmp.Or(cmp.Compare(strings.Count(a.Path, "{"), strings.Count(b.Path, "{")), cmp.Compare(a.Path, b.Path))
	})
	return c, nil
}

func newOperation(doc *openapi3.T, method, path string, item *openapi3.PathItem, op *openapi3.Operation, maxBody int64, checks *checks) *Operation {
	security := doc.Security
	if op.Security != nil {
		security = *op.Security
	}
	result := &Operation{
		ID:        op.OperationID,
		Method:    method,
		Path:      path,
		Public:    len(security) == 0,
		segments:  strings.Split(path, "/"),
		params:    slices.Concat(item.Parameters, op.Parameters),
		query:     map[string]*openapi3.Parameter{},
		responses: op.Responses,
		maxBody:   cmp.Or(maxBody, 64<<10),
		checks:    checks,
	}
	if op.RequestBody != nil {
		result.body = op.RequestBody.Value
	}
	for _, p := range result.params {
		if p.Value.In == openapi3.ParameterInQuery {
			result.query[p.Value.Name] = p.Value
		}
	}
	return result
}

// newChecks hands the formats over with each check because kin-openapi's registry of them is global to the process.
func newChecks(o Options) *checks {
	validators := map[string]openapi3.StringFormatValidator{"uuid": openapi3.NewCallbackValidator(checkUUID)}
	for name, check := range o.Formats {
		validators[name] = openapi3.NewCallbackValidator(check)
	}
	options := func(direction openapi3.SchemaValidationOption) []openapi3.SchemaValidationOption {
		return []openapi3.SchemaValidationOption{
			direction, openapi3.MultiErrors(), openapi3.WithStringFormatValidators(validators), openapi3.DisableSchemaErrorDetails(),
		}
	}
	c := &checks{
		upstream: o.Upstream, closed: o.Closed,
		request: options(openapi3.VisitAsRequest()), response: options(openapi3.VisitAsResponse()),
	}
	c.parameter = &openapi3filter.Options{MultiError: true, SkipSettingDefaults: true, SchemaValidationOptions: c.request}
	return c
}

// Secrets returns the names of the fields and parameters that the document marks with x-secret. It reads the whole document.
func (c *Contract) Secrets() map[string]bool {
	var document any
	text, err := c.doc.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, &document)
	}
	if err != nil {
		panic(err) // a document that was read can be written
	}
	names := map[string]bool{}
	addSecrets(names, "", document)
	return names
}

// addSecrets adds what is marked in a node of the document. A parameter has its name in it, a property is found under it.
func addSecrets(names map[string]bool, key string, node any) {
	switch node := node.(type) {
	case []any:
		for _, v := range node {
			addSecrets(names, "", v)
		}
	case map[string]any:
		if node["x-secret"] == true {
			if name, isParam := node["name"].(string); isParam {
				key = name
			}
			names[key] = true
		}
		for k, v := range node {
			addSecrets(names, k, v)
		}
	}
}

// Operation returns the operation with this operationId, nil if there is none.
func (c *Contract) Operation(id string) *Operation {
	i := slices.IndexFunc(c.Operations, func(o *Operation) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	return c.Operations[i]
}

// Match returns the operation that answers a request and the values of its path parameters, or nil. HEAD is answered as
// GET is (RFC 9110, section 9.3.2).
func (c *Contract) Match(r *http.Request) (*Operation, map[string]string) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	given := strings.Split(r.URL.EscapedPath(), "/")
	for _, o := range c.Operations {
		if params, ok := o.match(given); ok && o.Method == method {
			return o, params
		}
	}
	return nil, nil
}

func (o *Operation) match(given []string) (map[string]string, bool) {
	if len(given) != len(o.segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, want := range o.segments {
		value, err := url.PathUnescape(given[i])
		name, isParam := strings.CutPrefix(want, "{")
		if err != nil || isParam && value == "" || !isParam && value != want {
			return nil, false
		}
		if isParam {
			params[strings.TrimSuffix(name, "}")] = value
		}
	}
	return params, true
}

// checkUUID accepts the one form that RFC 9562 shows, in either case. uuid.Validate accepts others, of other lengths.
func checkUUID(s string) error {
	if len(s) != 36 {
		return errors.New("not a UUID")
	}
	return uuid.Validate(s)
}
