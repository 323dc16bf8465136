package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// contract is openapi.yaml, ready to check requests and responses against.
type contract struct {
	json       []byte // the document as JSON
	operations map[string]*operation
}

// operation is what the contract says of one operation.
type operation struct {
	id        string
	public    bool // needs no API key
	params    openapi3.Parameters
	query     map[string]*openapi3.Parameter
	body      *openapi3.Schema // nil when it takes none
	responses *openapi3.Responses
}

// formats are those that kin-openapi does not check by itself. They are handed over with each check because its registry
// is global to the process.
var formats = map[string]openapi3.StringFormatValidator{
	"uuid":   openapi3.NewCallbackValidator(checkUUID),
	"origin": openapi3.NewCallbackValidator(checkOrigin),
}

var requestChecks = []openapi3.SchemaValidationOption{
	openapi3.MultiErrors(),
	openapi3.VisitAsRequest(),
	openapi3.WithStringFormatValidators(formats),
	openapi3.DisableSchemaErrorDetails(),
}

// paramOptions: authentication is done before, defaults are the domain's, so that null is not mistaken for absent.
var paramOptions = &openapi3filter.Options{
	MultiError:              true,
	SkipSettingDefaults:     true,
	SchemaValidationOptions: requestChecks,
}

func loadContract() (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(sharelinks.Spec)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	// The examples are checked by a test, once, rather than at every start.
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		return nil, fmt.Errorf("the contract is not valid: %w", err)
	}
	asJSON, err := doc.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("write the contract as JSON: %w", err)
	}
	c := &contract{json: asJSON, operations: map[string]*operation{}}
	for _, path := range doc.Paths.Map() {
		for _, op := range path.Operations() {
			o := &operation{id: op.OperationID, public: op.Security != nil && len(*op.Security) == 0, query: map[string]*openapi3.Parameter{}, responses: op.Responses}
			for _, p := range slices.Concat(path.Parameters, op.Parameters) {
				o.params = append(o.params, p)
				if p.Value.In == openapi3.ParameterInQuery {
					o.query[p.Value.Name] = p.Value
				}
			}
			if op.RequestBody != nil {
				o.body = op.RequestBody.Value.Content.Get("application/json").Schema.Value
			}
			c.operations[o.id] = o
		}
	}
	return c, nil
}

// middleware checks every request of the operation before its handler sees it.
func (o *operation) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := o.check(c); err != nil {
			return err
		}
		return next(c)
	}
}

// check holds a request to the contract. All faults of its parameters and its body come back together.
func (o *operation) check(c echo.Context) error {
	faults := o.checkParams(c)
	if o.body == nil {
		if err := skipBody(c.Request()); err != nil {
			return err
		}
	} else {
		body := &callOf(c).body
		if err := body.fill(c.Request()); err != nil {
			var p *problem
			if len(faults) > 0 && errors.As(err, &p) && p.faults != nil {
				return invalid(append(faults, p.faults...))
			}
			return err
		}
		if err := o.body.VisitJSON(body.value, requestChecks...); err != nil {
			faults = append(faults, bodyFaults(err)...)
		}
	}
	if len(faults) > 0 {
		return invalid(faults)
	}
	return nil
}

// skipBody reads past a body that the operation has no use for, within the limit that holds for all.
func skipBody(r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	_, err := io.Copy(io.Discard, http.MaxBytesReader(nil, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return nil
}

// checkParams checks the parameters of the path, the query and the header, each on its own: one fault a parameter.
func (o *operation) checkParams(c echo.Context) []api.Violation {
	r := c.Request()
	var faults []api.Violation
	var query url.Values
	if r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			faults = append(faults, api.Violation{In: api.ViolationInQuery, Detail: "the query is not well-formed; percent-encode what is not a letter or a digit"})
		}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			if o.query[name] == nil {
				detail, hint := unknown("query parameter", name, o.queryNames())
				faults = append(faults, paramFault(openapi3.ParameterInQuery, shown(name), detail, hint))
			}
		}
	}
	input := openapi3filter.RequestValidationInput{Request: r, QueryParams: query, Options: paramOptions}
	for _, ref := range o.params {
		p := ref.Value
		switch values := paramValues(p, c, query); {
		case len(values) == 0 && !p.Required:
		case len(values) > 1:
			faults = append(faults, paramFault(p.In, p.Name, fmt.Sprintf("is given %d times; give it once", len(values)), ""))
		case len(values) == 1 && !utf8.ValidString(values[0]):
			faults = append(faults, paramFault(p.In, p.Name, "must be UTF-8", ""))
		default:
			if p.In == openapi3.ParameterInPath {
				input.PathParams = map[string]string{p.Name: values[0]}
			}
			if err := openapi3filter.ValidateParameter(r.Context(), &input, p); err != nil {
				faults = append(faults, paramFault(p.In, p.Name, "must be "+expectation(p.Schema.Value), ""))
			}
		}
	}
	return faults
}

// paramValues returns every value that the request gives a parameter.
func paramValues(p *openapi3.Parameter, c echo.Context, query url.Values) []string {
	switch p.In {
	case openapi3.ParameterInQuery:
		return query[p.Name]
	case openapi3.ParameterInHeader:
		return c.Request().Header.Values(p.Name)
	}
	return []string{pathParam(c, p.Name)}
}

// pathParam is a parameter of the path as it was meant. Echo matches the escaped path when there is one, and then hands the
// parameter over still escaped.
func pathParam(c echo.Context, name string) string {
	value := c.Param(name)
	if c.Request().URL.RawPath != "" {
		if plain, err := url.PathUnescape(value); err == nil {
			return plain
		}
	}
	return value
}

func (o *operation) queryNames() map[string][]string {
	names := make(map[string][]string, len(o.query))
	for name, p := range o.query {
		names[name] = alsoCalled(p.Extensions)
	}
	return names
}

// checkResponse holds one of our own answers to the contract.
func (o *operation) checkResponse(ctx context.Context, status int, header http.Header, body []byte) error {
	ref := o.responses.Status(status)
	if ref == nil {
		return fmt.Errorf("status %d is not in the contract", status)
	}
	for name, h := range ref.Value.Headers {
		if h.Value.Required && header.Get(name) == "" {
			return fmt.Errorf("the header %s is missing", name)
		}
	}
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	content := ref.Value.Content[media]
	if content == nil {
		return fmt.Errorf("the content type %q is not in the contract", media)
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	return content.Schema.Value.VisitJSON(value, openapi3.MultiErrors(), openapi3.VisitAsResponse(),
		openapi3.WithStringFormatValidators(formats), openapi3.DisableSchemaErrorDetails())
}

// checkUUID accepts the one form that RFC 9562 shows, in either case. Parsers of UUIDs accept several more.
func checkUUID(s string) error {
	if len(s) != 36 {
		return errors.New("not a UUID")
	}
	for i := range len(s) {
		b := s[i] | 0x20 // lower case
		switch hyphen := i == 8 || i == 13 || i == 18 || i == 23; {
		case hyphen && s[i] == '-':
		case !hyphen && ('0' <= s[i] && s[i] <= '9' || 'a' <= b && b <= 'f'):
		default:
			return errors.New("not a UUID")
		}
	}
	return nil
}

func checkOrigin(s string) error {
	_, err := sharelink.ParseOrigin(s)
	return err
}
