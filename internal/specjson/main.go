// Specjson writes openapi.yaml as JSON, unless it is not valid OpenAPI. kin-openapi reads JSON in half the time, for which each
// start of a server waits.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"
)

func main() {
	log.SetFlags(0)
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		log.Fatal(err)
	}
	if text, err = asJSON(text); err != nil {
		log.Fatal("openapi.yaml: ", err)
	}
	if err := os.WriteFile("openapi.gen.json", text, 0o644); err != nil { //nolint:gosec // it is committed
		log.Fatal(err)
	}
}

// asJSON returns an OpenAPI document in YAML as one line of JSON. The error says why it is not valid; its examples are part of that.
func asJSON(text []byte) ([]byte, error) {
	var document map[string]any // JSON has no other keys than texts
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), doc.Validate(context.Background(), openapi3.EnableExamplesValidation())
}
