package server

import (
	"maps"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

func loadDocument(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(sharelinks.Spec())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// schemasOf returns the schemas of a document by name. A request body that is written at its operation has its name in Go.
func schemasOf(doc *openapi3.T) openapi3.Schemas {
	schemas := maps.Clone(doc.Components.Schemas)
	for _, path := range doc.Paths.Map() {
		for _, op := range path.Operations() {
			if op.RequestBody == nil {
				continue
			}
			for _, content := range op.RequestBody.Value.Content {
				if name, ok := content.Schema.Value.Extensions["x-go-type-name"].(string); ok {
					schemas[name] = content.Schema
				}
			}
		}
	}
	return schemas
}

func TestContractIsValidWithItsExamples(t *testing.T) {
	t.Parallel()
	doc := loadDocument(t)
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Error(err)
	}
	for name, schema := range schemasOf(doc) {
		if schema.Value.Example == nil && name != "Problem" && name != "Violation" && name != "ShareLinkPage" {
			t.Errorf("schema %s has no example", name)
		}
	}
	for name, response := range doc.Components.Responses {
		for media, content := range response.Value.Content {
			if content.Example == nil {
				t.Errorf("response %s (%s) has no example", name, media)
			}
		}
	}
}

// An enumeration behind allOf is one that tools overlook: a value that is taken away breaks clients, and no diff says so.
func TestNoSchemaIsComposed(t *testing.T) {
	t.Parallel()
	for name, schema := range schemasOf(loadDocument(t)) {
		all := openapi3.Schemas{"": schema}
		maps.Copy(all, schema.Value.Properties)
		for property, p := range all {
			if len(p.Value.AllOf)+len(p.Value.AnyOf)+len(p.Value.OneOf) > 0 {
				t.Errorf("%s.%s is composed of other schemas", name, property)
			}
		}
	}
}

// The domain's defaults are Go; the contract's are what people read. They must be the same.
func TestDomainHasTheContractsDefaults(t *testing.T) {
	t.Parallel()
	doc := loadDocument(t)
	d := sharelink.DefaultTerms(day)
	domain := map[string]any{
		"type":            string(d.Type),
		"expiresInHours":  d.ExpiresAt.Sub(day).Hours(),
		"usageLimit":      float64(d.UsageLimit),
		"allowedOrigins":  []any{},
		"allowAllOrigins": d.AllowAllOrigins,
		"removeWatermark": d.RemoveWatermark,
		"enabled":         d.Enabled,
		"isPrimary":       d.IsPrimary,
	}
	create := schemasOf(doc)["CreateShareLinkRequest"].Value
	contract := map[string]any{}
	besideRefs, _ := create.Extensions["x-defaults"].(map[string]any)
	maps.Copy(contract, besideRefs)
	for name, p := range create.Properties {
		if p.Value.Default != nil {
			contract[name] = p.Value.Default
		}
	}
	if diff := cmp.Diff(contract, domain); diff != "" {
		t.Errorf("contract (-) and domain (+) differ:\n%s", diff)
	}
	p, params := sharelink.DefaultPaging(), doc.Components.Parameters
	if got := params["Page"].Value.Schema.Value.Default; got != float64(p.Page) {
		t.Errorf("page: contract %v, domain %v", got, p.Page)
	}
	if got := params["PerPage"].Value.Schema.Value.Default; got != float64(p.PerPage) {
		t.Errorf("perPage: contract %v, domain %v", got, p.PerPage)
	}
}

// An alias must not hide a name that the contract has.
func TestNamesThatFieldsAreMistakenForAreNotFields(t *testing.T) {
	t.Parallel()
	for name, schema := range schemasOf(loadDocument(t)) {
		for field, p := range schema.Value.Properties {
			aliases, _ := p.Value.Extensions["x-also-called"].([]any)
			for _, other := range aliases {
				if schema.Value.Properties[other.(string)] != nil {
					t.Errorf("%s.%s is also called %s, which is a field of its own", name, field, other)
				}
			}
		}
	}
}
