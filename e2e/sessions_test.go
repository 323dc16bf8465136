package e2e

import (
	"encoding/base64"
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
	for _, algorithm := range []string{"EdDSA", "ES256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			checkSession(t, serve(t, "sqlite:links.db", "--session-algorithm", algorithm), node, script, algorithm)
		})
	}
}

// checkSession has the script check a session of this server, and others that are none.
func checkSession(t *testing.T, p *process, node, script, algorithm string) {
	t.Helper()
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
	if head, err := base64.RawURLEncoding.DecodeString(parts[0]); err != nil || !strings.Contains(string(head), `"alg":"`+algorithm+`"`) {
		t.Errorf("%s, %v", head, err)
	}
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
