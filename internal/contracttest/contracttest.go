// Package contracttest holds what goes over the wire to openapi.yaml, with kin-openapi's own filter and router and none of
// the server's code: so a fault in the server's checks is not repeated by the check of them.
package contracttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	sharelinks "github.com/sharelinks-dev/sharelinks"
)

// Checker checks exchanges and keeps which parts of the contract it has seen: each status of each operation, each parameter
// in a request that succeeded, and each value of each enumeration.
type Checker struct {
	router   routers.Router
	declared map[string]bool // such as "createShareLink 201", "listShareLinks ?page" and "ShareLinkType LINK"

	mu   sync.Mutex
	seen map[string]bool
}

// New returns a checker that has seen nothing. It panics when the contract cannot be loaded.
func New() *Checker {
	doc, err := openapi3.NewLoader().LoadFromData(sharelinks.Spec())
	if err != nil {
		panic(err)
	}
	doc.Servers = nil // match on the path alone, whatever host and port a test server has
	router, err := legacy.NewRouter(doc)
	if err != nil {
		panic(err)
	}
	c := &Checker{router: router, declared: map[string]bool{}, seen: map[string]bool{}}
	for _, path := range doc.Paths.Map() {
		for _, op := range path.Operations() {
			for status, response := range op.Responses.Map() {
				c.declared[op.OperationID+" "+status] = response.Value.Extensions["x-only-upstream"] == nil
			}
			for _, p := range slices.Concat(path.Parameters, op.Parameters) {
				c.declared[op.OperationID+" ?"+p.Value.Name] = true
			}
			if op.RequestBody != nil {
				for _, content := range op.RequestBody.Value.Content {
					if content.Schema.Ref == "" {
						declareEnums(c.declared, op.OperationID, content.Schema)
					}
				}
			}
		}
	}
	for name, schema := range doc.Components.Schemas {
		declareEnums(c.declared, name, schema)
	}
	return c
}

// declareEnums adds every value of every enumeration in a schema. One behind a $ref is added where it is defined.
func declareEnums(declared map[string]bool, name string, ref *openapi3.SchemaRef) {
	for _, v := range ref.Value.Enum {
		declared[fmt.Sprintf("%s %v", name, v)] = true
	}
	for property, p := range ref.Value.Properties {
		if p.Ref == "" {
			declareEnums(declared, name+"."+property, p)
		}
	}
}

// seeEnums keeps the values of enumerations in a value. The name is that of a schema which is written at its operation.
func (c *Checker) seeEnums(name string, ref *openapi3.SchemaRef, value any) {
	if ref.Ref != "" {
		name = ref.Ref[strings.LastIndexByte(ref.Ref, '/')+1:]
	}
	if len(ref.Value.Enum) > 0 {
		c.seen[fmt.Sprintf("%s %v", name, value)] = true
	}
	for _, part := range ref.Value.AllOf {
		c.seeEnums(name, part, value)
	}
	switch value := value.(type) {
	case map[string]any:
		for property, v := range value {
			if p := ref.Value.Properties[property]; p != nil {
				c.seeEnums(name+"."+property, p, v)
			}
		}
	case []any:
		for _, item := range value {
			c.seeEnums(name, ref.Value.Items, item)
		}
	}
}

// see keeps what an exchange has shown.
func (c *Checker) see(route *routers.Route, r *http.Request, sent []byte, resp *http.Response, got []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[fmt.Sprintf("%s %d", route.Operation.OperationID, resp.StatusCode)] = true
	decode := func(body []byte, content openapi3.Content, media string) {
		var value any
		if m := content.Get(media); m != nil && json.Unmarshal(body, &value) == nil {
			c.seeEnums(route.Operation.OperationID, m.Schema, value)
		}
	}
	decode(got, route.Operation.Responses.Status(resp.StatusCode).Value.Content, resp.Header.Get("Content-Type"))
	if resp.StatusCode >= 300 {
		return
	}
	if body := route.Operation.RequestBody; body != nil {
		decode(sent, body.Value.Content, "application/json")
	}
	for _, p := range slices.Concat(route.PathItem.Parameters, route.Operation.Parameters) {
		if p.Value.In == openapi3.ParameterInPath || r.URL.Query().Has(p.Value.Name) || r.Header.Get(p.Value.Name) != "" {
			c.seen[route.Operation.OperationID+" ?"+p.Value.Name] = true
		}
	}
}

// Transport returns a round tripper that checks every exchange with an operation of the contract and reports what is
// wrong to tb: a status or header that is not declared, a body that does not fit, a request that was accepted and should not
// have been. Paths outside the contract pass unchecked.
func (c *Checker) Transport(tb testing.TB, next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		var sent []byte
		if r.Body != nil {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			sent = b
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(bytes.NewReader(sent))
		}
		resp, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(got))
		if err := c.check(r, sent, resp, got); err != nil {
			tb.Errorf("%s %s answered %d and breaks the contract: %v\n%s", r.Method, r.URL.Path, resp.StatusCode, err, got)
		}
		return resp, nil
	})
}

func (c *Checker) check(r *http.Request, sent []byte, resp *http.Response, got []byte) error {
	route, params, err := c.router.FindRoute(r)
	if err != nil || strings.HasSuffix(r.URL.Path, "/") { // kin's router forgives a slash at the end, the server does not
		return nil //nolint:nilerr // not an operation of the contract
	}
	options := &openapi3filter.Options{
		MultiError:            true,
		IncludeResponseStatus: true,
		SkipSettingDefaults:   true,
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.WithStringFormatValidator("uuid",
			openapi3.NewRegexpFormatValidator(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`))},
	}
	r = r.Clone(r.Context())
	sent = bytes.TrimPrefix(sent, []byte("\ufeff")) // it may be ignored (RFC 8259, section 8.1)
	r.Body, r.GetBody = io.NopCloser(bytes.NewReader(sent)), nil
	input := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	if resp.StatusCode < 400 {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			return fmt.Errorf("the request should have been refused: %w", err)
		}
	}
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 resp.StatusCode,
		Header:                 resp.Header,
		Body:                   io.NopCloser(bytes.NewReader(got)),
		Options:                options,
	})
	if err != nil {
		return err
	}
	if resp.StatusCode >= 400 && !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
		return fmt.Errorf("an error came as %q", resp.Header.Get("Content-Type"))
	}
	if bytes.Contains(got, []byte("null")) && nullList.Match(got) {
		return fmt.Errorf("a list came as null")
	}
	c.see(route, r, sent, resp, got)
	return nil
}

// nullList finds the slip that Go makes easy: a nil slice on the wire.
var nullList = regexp.MustCompile(`"(data|allowedOrigins|errors)":\s*null`)

// Declared returns how many statuses, parameters and values of enumerations the contract has.
func (c *Checker) Declared() int { return len(c.declared) }

// Unseen lists those that no exchange has shown, such as "createShareLink 201".
func (c *Checker) Unseen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var unseen []string
	for pair, ours := range c.declared {
		if ours && !c.seen[pair] {
			unseen = append(unseen, pair)
		}
	}
	slices.Sort(unseen)
	return unseen
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
