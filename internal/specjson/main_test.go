package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// read returns a file of the module.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// It fails when openapi.yaml was changed and nothing was generated: the server would not know of the change.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	text, err := asJSON(read(t, "openapi.yaml"))
	if err != nil || !bytes.Equal(text, read(t, "openapi.gen.json")) {
		t.Errorf("openapi.gen.json is not what openapi.yaml says (%v); run go generate ./...", err)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	document := string(read(t, "openapi.yaml"))
	for _, text := range []string{
		"", "[", "openapi: 3.0.3", "1: one",
		strings.Replace(document, "operationId: listShareLinks", "operationId: createShareLink", 1),
		strings.Replace(document, "'#/components/schemas/ShareLink'", "'#/components/schemas/None'", 1),
	} {
		if text == document {
			t.Fatal("the document has changed: this replaces nothing")
		}
		if _, err := asJSON([]byte(text)); err == nil {
			t.Errorf("%.20q was accepted", text)
		}
	}
}
