package sharelinks

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestSpecJSON fails when openapi.yaml was changed and nothing was generated: the server would not know of the change.
func TestSpecJSON(t *testing.T) {
	t.Parallel()
	var written, read any
	if err := yaml.Unmarshal(Spec(), &written); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(written)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(SpecJSON(), &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written, read); diff != "" {
		t.Errorf("openapi.gen.json is not what openapi.yaml says; run go generate ./...\n%s", diff)
	}
}
