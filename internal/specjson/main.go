// Specjson writes openapi.yaml as JSON. kin-openapi reads that in half the time, for which each start of a server waits.
package main

import (
	"encoding/json"
	"log"
	"os"

	"go.yaml.in/yaml/v3"
)

func main() {
	log.SetFlags(0)
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		log.Fatal(err)
	}
	var document map[string]any // JSON has no other keys than texts
	if err := yaml.Unmarshal(text, &document); err != nil {
		log.Fatal("openapi.yaml: ", err)
	}
	if text, err = json.Marshal(document); err != nil {
		log.Fatal("openapi.yaml: ", err)
	}
	if err := os.WriteFile("openapi.gen.json", append(text, '\n'), 0o644); err != nil { //nolint:gosec // it is committed
		log.Fatal(err)
	}
}
