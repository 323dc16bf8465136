package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oapi-codegen/nullable"

	"github.com/sharelinks-dev/sharelinks/client/wire"
	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// unlimited are the flags of a server that takes as many opens from one address as come.
var unlimited = []string{"--open-rate", "0", "--link-open-rate", "0"}

// What docs/sessions.md shows checks a session, in another language, with nothing of ours.
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
	p := serve(t, "sqlite:"+filepath.Join(t.TempDir(), "links.db"))
	link, err := p.create(t.Context(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := p.client.OpenShareLinkWithResponse(t.Context(), link.Token)
	if err != nil || opened.JSON201 == nil {
		t.Fatalf("%v, %v", err, opened)
	}
	token := opened.JSON201.SessionToken
	out, err := exec.CommandContext(t.Context(), node, script, token, p.url).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var claims map[string]any
	if err := json.Unmarshal(out, &claims); err != nil || claims["shareLinkId"] != link.ID || claims["sub"] != opened.JSON201.PersonaID {
		t.Errorf("%v, %s", err, out)
	}
	parts := strings.Split(token, ".")
	for name, c := range map[string][2]string{
		"another body":      {parts[0] + "." + parts[1][1:] + "." + parts[2], p.url},
		"another signature": {parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), p.url},
		"no signature":      {"eyJhbGciOiJub25lIn0." + parts[1] + ".", p.url},
		"another service":   {token, p.url + "/"},
	} {
		if out, err := exec.CommandContext(t.Context(), node, script, c[0], c[1]).CombinedOutput(); err == nil {
			t.Errorf("%s was accepted: %s", name, out)
		}
	}
}

// Of 500 who come at once to two servers on one database, as many are let in as the link is for. Both servers sign with one
// key, made by whichever was first.
func TestTwoServersOpenALinkTogether(t *testing.T) {
	t.Parallel()
	const callers, limit = 500, 50
	ctx := t.Context()
	database := pgtest.NewDatabase(t)
	servers := make([]*process, 2)
	var starting sync.WaitGroup
	for i := range servers {
		starting.Go(func() { servers[i] = serve(t, database, unlimited...) })
	}
	starting.Wait()
	if t.Failed() {
		return
	}
	link, err := servers[0].create(ctx, func(r *wire.CreateShareLinkRequest) { r.UsageLimit = nullable.NewNullableWithValue(limit) }, "")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	got, kids := map[int]int{}, map[string]bool{}
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			resp, err := servers[i%2].client.OpenShareLinkWithResponse(ctx, link.Token)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			got[resp.StatusCode()]++
			if resp.JSON201 != nil {
				head, _, _ := strings.Cut(resp.JSON201.SessionToken, ".")
				kids[head] = true
			}
		})
	}
	group.Wait()
	if diff := cmp.Diff(map[int]int{201: limit, 410: callers - limit}, got); diff != "" || len(kids) != 1 {
		t.Errorf("%d keys, %s", len(kids), diff)
	}
	if l := servers[1].all(ctx)[link.ID]; l.UsageCount != limit {
		t.Errorf("%d uses", l.UsageCount)
	}
}

// A server that is killed while visitors come may cost them uses, and grants none: what was answered was spent, and no
// more than the limit is spent.
func TestCrashWhileOpening(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	database := "sqlite:" + filepath.Join(t.TempDir(), "links.db")
	p := serve(t, database, unlimited...)
	const limit = 300
	link, err := p.create(ctx, func(r *wire.CreateShareLinkRequest) { r.UsageLimit = nullable.NewNullableWithValue(limit) }, "")
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := make(chan struct{}, 10*limit)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for {
				resp, err := p.client.OpenShareLinkWithResponse(ctx, link.Token)
				if err != nil || resp.JSON201 == nil {
					return // it was killed, or the link is used up
				}
				acknowledged <- struct{}{}
			}
		})
	}
	for range limit / 3 {
		<-acknowledged
	}
	p.kill()
	group.Wait()
	opened := limit/3 + len(acknowledged)
	again := serve(t, database, unlimited...)
	if uses := again.all(ctx)[link.ID].UsageCount; uses < opened || uses > limit {
		t.Errorf("%d opens were acknowledged, %d are counted", opened, uses)
	}
}
