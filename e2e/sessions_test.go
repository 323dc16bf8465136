package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program in docs/sessions.md, in another language and without code of ours, checks a session.
func TestSessionsAreCheckedAsDocumented(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("docs/sessions.md NOT TESTED: node is missing")
		}
		t.Skip("docs/sessions.md NOT TESTED: node is missing")
	}
	script := filepath.Join(t.TempDir(), "check.mjs")
	for _, s := range samples(t, "docs/sessions.md") {
		if s.language == "js" {
			if err := os.WriteFile(script, []byte(s.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := serve(t, "sqlite:links.db")
	link, err := p.create(t.Context(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := p.client.OpenShareLinkWithResponse(t.Context(), link.Token)
	if err != nil || opened.JSON201 == nil {
		t.Fatalf("%v, %v", err, opened)
	}
	token := opened.JSON201.SessionToken
	out, err := command(node, script, token, p.url).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var claims map[string]any
	err = json.Unmarshal(out, &claims)
	if err != nil || claims["shareLinkId"] != link.ID || claims["sub"] != opened.JSON201.PersonaID {
		t.Errorf("%v, %s", err, out)
	}
	parts := strings.Split(token, ".")
	for name, c := range map[string][2]string{
		"another body":      {parts[0] + "." + parts[1][1:] + "." + parts[2], p.url},
		"another signature": {parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), p.url},
		"no signature":      {"eyJhbGciOiJub25lIn0." + parts[1] + ".", p.url},
		"another service":   {token, p.url + "/"},
	} {
		if out, err := command(node, script, c[0], c[1]).CombinedOutput(); err == nil {
			t.Errorf("%s was accepted: %s", name, out)
		}
	}
}
