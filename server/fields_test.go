package server

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sharelinks-dev/sharelinks/internal/service"
)

// wherePropertiesGo is what to look at when a property of the contract gets lost.
const wherePropertiesGo = `a property of a link is handled in
	server/links.go              changeOfCreate, changeOfUpdate, shareLink
	internal/sharelink/link.go   Terms, Change, Apply
	internal/store/links.go      termColumns, termFields, and a migration for each engine`

// Each property of a request body that a link has too is kept, whatever it is: what create and update are sent is what get
// and list answer, at the property's bounds. The properties and the values come from the document.
func TestEveryPropertyComesBack(t *testing.T) {
	t.Parallel()
	for engine, on := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			ts := start(t, nil, on(t))
			if _, err := ts.service.SetWatermarkRemoval(t.Context(), service.DefaultOrganization, true); err != nil {
				t.Fatal(err)
			}
			schemas := schemasOf(loadDocument(t))
			for property, schema := range sharedProperties(t, schemas, "CreateShareLinkRequest") {
				for _, value := range samples(t, schema) {
					link := ts.send("POST", "/v1/share-links", object("personaId", cara, property, value)).want(201).object()
					ts.wantProperty("createShareLink", link["id"].(string), property, value)
				}
			}
			id := ts.create("")["id"].(string)
			for property, schema := range sharedProperties(t, schemas, "UpdateShareLinkRequest") {
				for _, value := range samples(t, schema) {
					ts.send("PUT", "/v1/share-links/"+id, object(property, value)).want(200)
					ts.wantProperty("updateShareLink", id, property, value)
				}
			}
		})
	}
}

// sharedProperties returns the properties of a request that a link has too. The others are named here, so that one that is
// added is either answered or known not to be.
func sharedProperties(t *testing.T, schemas openapi3.Schemas, request string) map[string]*openapi3.Schema {
	t.Helper()
	link := schemas["PersonaShareLink"].Value.Properties
	requestOnly := []string{"expiresInHours"} // answered as expiresAt
	shared := map[string]*openapi3.Schema{}
	for property, p := range schemas[request].Value.Properties {
		switch {
		case link[property] != nil:
			shared[property] = p.Value
		case !slices.Contains(requestOnly, property):
			t.Errorf("%s.%s is in no answer: add it to ShareLink in openapi.yaml, or to requestOnly here", request, property)
		}
	}
	return shared
}

// wantProperty fails the test unless get and list answer this value.
func (ts *testServer) wantProperty(operation, id, property string, want any) {
	ts.t.Helper()
	got := ts.send("GET", "/v1/share-links/"+id, "").want(200).object()[property]
	listed := ts.send("GET", "/v1/share-links?search="+id, "").want(200).object()["data"].([]any)[0].(map[string]any)[property]
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(listed, want) {
		ts.t.Errorf("%s was sent %s = %v; getShareLink answers %v and listShareLinks %v.\n%s", operation, property, want, got, listed, wherePropertiesGo)
	}
}

// samples returns values that a schema accepts, as encoding/json decodes them: each of an enumeration, the bounds of a
// number or a text, null where it may be.
func samples(t *testing.T, s *openapi3.Schema) []any {
	t.Helper()
	if len(s.AllOf) == 1 {
		s = s.AllOf[0].Value
	}
	var values []any
	switch {
	case len(s.Enum) > 0:
		values = slices.Clone(s.Enum)
	case s.Type.Is(openapi3.TypeBoolean):
		values = []any{true, false}
	case s.Type.Is(openapi3.TypeInteger) || s.Type.Is(openapi3.TypeNumber):
		if s.Min == nil || s.Max == nil {
			t.Fatalf("a number without bounds: give %v a minimum and a maximum", s.Title)
		}
		values = []any{*s.Max, *s.Min}
	case s.Type.Is(openapi3.TypeArray):
		values = []any{[]any{}, []any{samples(t, s.Items.Value)[0]}}
	case s.Example != nil:
		values = []any{s.Example}
	case s.Format == "uuid":
		values = []any{cara}
	case s.Type.Is(openapi3.TypeString) && s.MaxLength != nil:
		values = []any{strings.Repeat("é", int(*s.MaxLength)), strings.Repeat("x", max(1, int(s.MinLength)))}
	default:
		t.Fatalf("no sample of %v: give it an example", s)
	}
	if s.Nullable {
		values = append(values, nil)
	}
	return values
}

// object returns a JSON object of these names and values in turn.
func object(members ...any) string {
	m := map[string]any{}
	for i := 0; i < len(members); i += 2 {
		m[fmt.Sprint(members[i])] = members[i+1]
	}
	b, _ := json.Marshal(m)
	return string(b)
}
