package server

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/api"
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

func TestContractIsValidWithItsExamples(t *testing.T) {
	t.Parallel()
	doc := loadDocument(t)
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Error(err)
	}
	for name, schema := range doc.Components.Schemas {
		if schema.Value.Example == nil && name != "Problem" && name != "Fault" && name != "ShareLinkPage" {
			t.Errorf("schema %s has no example", name)
		}
	}
	for name, response := range doc.Components.Responses {
		for media, content := range response.Value.Content {
			if content.Example == nil {
				t.Errorf("response %s (%s) has no example", name, media)
			}
			// Examples are held to the formats too, which Validate does not do.
			if err := content.Schema.Value.VisitJSON(content.Example, openapi3.VisitAsResponse(), openapi3.WithStringFormatValidators(formats)); err != nil {
				t.Errorf("response %s: %v", name, err)
			}
		}
	}
}

// The domain's defaults are Go; the contract's are what people read. They must be the same.
func TestDomainHasTheContractsDefaults(t *testing.T) {
	t.Parallel()
	doc := loadDocument(t)
	d := sharelink.NewDraft(uuid.Nil)
	domain := map[string]any{
		"type":            string(d.Type),
		"expiresInHours":  d.ExpiresIn.Hours(),
		"usageLimit":      float64(d.UsageLimit),
		"allowedOrigins":  []any{},
		"allowAllOrigins": d.AllowAllOrigins,
		"removeWatermark": d.RemoveWatermark,
		"enabled":         d.Enabled,
		"isPrimary":       d.IsPrimary,
	}
	contract := map[string]any{}
	for name, p := range doc.Components.Schemas["CreateShareLinkRequest"].Value.Properties {
		if p.Value.Default != nil {
			contract[name] = p.Value.Default
		}
	}
	if diff := cmp.Diff(contract, domain); diff != "" {
		t.Errorf("contract (-) and domain (+) differ:\n%s", diff)
	}
	f := sharelink.NewFilter()
	params := doc.Components.Parameters
	if got := params["Page"].Value.Schema.Value.Default; got != float64(f.Page) {
		t.Errorf("page: contract %v, domain %v", got, f.Page)
	}
	if got := params["PerPage"].Value.Schema.Value.Default; got != float64(f.PerPage) {
		t.Errorf("perPage: contract %v, domain %v", got, f.PerPage)
	}
}

// The domain's statuses and outcomes go over the wire as they are.
func TestDomainHasTheContractsWords(t *testing.T) {
	t.Parallel()
	schemas := loadDocument(t).Components.Schemas
	var statuses, outcomes []any
	for _, s := range []sharelink.Status{sharelink.Active, sharelink.Expired, sharelink.Exhausted, sharelink.Disabled} {
		statuses = append(statuses, string(s))
	}
	for _, o := range []sharelink.Outcome{
		sharelink.Opened, sharelink.RefusedDisabled, sharelink.RefusedExpired, sharelink.RefusedUsedUp, sharelink.RefusedOrigin,
		sharelink.UpstreamRefused, sharelink.UpstreamTimeout,
	} {
		outcomes = append(outcomes, string(o))
	}
	if diff := cmp.Diff(schemas["ShareLinkStatus"].Value.Enum, statuses); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(schemas["VisitOutcome"].Value.Enum, outcomes); diff != "" {
		t.Error(diff)
	}
}

func TestEveryContractValueOfTypeHasAName(t *testing.T) {
	t.Parallel()
	for _, v := range loadDocument(t).Components.Schemas["ShareLinkType"].Value.Enum {
		if !api.ShareLinkType(v.(string)).Valid() {
			t.Errorf("api has no name for %v", v)
		}
	}
}

// An alias must not hide a name that the contract has.
func TestNamesThatFieldsAreMistakenForAreNotFields(t *testing.T) {
	t.Parallel()
	for name, schema := range loadDocument(t).Components.Schemas {
		for field, p := range schema.Value.Properties {
			for _, other := range alsoCalled(p.Value.Extensions) {
				if schema.Value.Properties[other] != nil {
					t.Errorf("%s.%s is also called %s, which is a field of its own", name, field, other)
				}
			}
		}
	}
}

func TestExpectationsAreSentences(t *testing.T) {
	t.Parallel()
	fields := loadDocument(t).Components.Schemas["CreateShareLinkRequest"].Value.Properties
	for field, want := range map[string]string{
		"personaId":      "a UUID such as 00000000-0000-0000-0000-000000000000",
		"expiresInHours": "a number above 0 and at most 87600, or null",
		"usageLimit":     "a whole number from 1 to 2147483647, or null",
		"type":           "one of LINK, PLAYER_EMBED, ORB_EMBED",
		"allowedOrigins": "a list of at most 50 items",
		"enabled":        "true or false",
	} {
		if got := expectation(fields[field].Value); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"page", "pgae", 2}, {"search", "serch", 1}, {"kitten", "sitting", 3}, {"x", strings.Repeat("x", 1000), 1000}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
