package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/internal/anamtest"
)

// withAnam is a configuration with an account at this Anam.
func withAnam(url string) func(*Config) {
	return func(c *Config) { c.Personas, c.AnamURL, c.AnamAPIKey = PersonasAnam, url, anamtest.Key }
}

func TestOpeningWithAnam(t *testing.T) {
	t.Parallel()
	fake := anamtest.Start(t)
	ts := start(t, nil, withAnam(fake.URL))
	body := `{"personaId":"` + anamtest.Persona + `","usageLimit":2}`
	link := ts.send("POST", "/v1/share-links", body).want(201).object()
	ts.send("POST", "/v1/share-links", `{"personaId":"`+cara+`"}`).wantProblem("not-found", 404)
	token := link["token"].(string)

	want := map[string]any{"sessionToken": "session-1", "expiresAt": "2026-04-20T11:00:00.000Z", "personaId": anamtest.Persona, "personaName": anamtest.PersonaName}
	if diff := cmp.Diff(want, ts.open(token).want(201).object()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"GET /v1/personas/" + anamtest.Persona + " ",
		"GET /v1/personas/" + cara + " ",
		`POST /v1/auth/session-token {"clientLabel":"sharelinks","personaConfig":{"personaId":"` + anamtest.Persona + `"}}`,
	}, fake.Requests()); diff != "" {
		t.Error(diff)
	}
	fake.Refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusPaymentRequired)
		return true
	}
	ts.advance(time.Second)
	ts.open(token).wantProblem("persona-unavailable", 502)
	ts.advance(time.Second)
	fake.Refuse = nil
	ts.open(token).want(201) // the refused one was given back
	ts.advance(time.Second)
	ts.open(token).wantProblem("share-link-exhausted", 410)
	if strings.Contains(ts.log.String(), anamtest.Key) || strings.Contains(ts.log.String(), "session-1") || !strings.Contains(ts.log.String(), "402") {
		t.Error("a secret is in the log, or what Anam answered is not")
	}
	var outcomes []string
	for _, v := range ts.visitsTo(link) {
		outcomes = append(outcomes, v["outcome"].(string))
	}
	if diff := cmp.Diff([]string{"EXHAUSTED", "OPENED", "UPSTREAM_REFUSED", "OPENED"}, outcomes); diff != "" {
		t.Error(diff)
	}
}

// Local personas with Anam's sessions: an operator may let organizations have some personas of the account only.
func TestAnamsSessionsForLocalPersonas(t *testing.T) {
	t.Parallel()
	fake := anamtest.Start(t)
	ts := start(t, nil, withAnam(fake.URL), func(c *Config) { c.Personas = PersonasLocal })
	if s := ts.open(ts.token("")).want(201).object(); s["sessionToken"] != "session-1" {
		t.Errorf("%v", s)
	}
}

// An upstream that refuses every other visitor: as many uses are spent as sessions were handed out, however many come at
// once, and all who were refused can be let in later.
func TestAnUpstreamThatRefusesHalf(t *testing.T) {
	t.Parallel()
	const limit = 50
	fake := anamtest.Start(t)
	var asked atomic.Int32
	fake.Refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		refuse := asked.Add(1)%2 == 0
		if refuse {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		return refuse
	}
	ts := start(t, nil, withAnam(fake.URL))
	token := ts.send("POST", "/v1/share-links", fmt.Sprintf(`{"personaId":%q,"usageLimit":%d}`, anamtest.Persona, limit)).want(201).object()["token"].(string)
	var mu sync.Mutex
	got := map[int]int{}
	var group sync.WaitGroup
	for range 500 {
		group.Go(func() {
			a := ts.open(token)
			mu.Lock()
			defer mu.Unlock()
			got[a.status]++
		})
	}
	group.Wait()
	if got[201] != fake.Sessions() || got[201] != ts.uses(token) || got[201] > limit || got[201]+got[410]+got[503] != 500 {
		t.Errorf("%v, %d sessions made, %d uses", got, fake.Sessions(), ts.uses(token))
	}
	for range 2 * limit { // what is left is not lost
		ts.open(token)
	}
	if n := ts.uses(token); n != limit || fake.Sessions() != limit {
		t.Errorf("%d uses, %d sessions", n, fake.Sessions())
	}
}

// A visitor who leaves while Anam thinks leaves no use in between: it is settled as if they had stayed.
func TestLeavingDoesNotKeepAUseFromBeingGivenBack(t *testing.T) {
	t.Parallel()
	fake := anamtest.Start(t)
	asked, left := make(chan struct{}), make(chan struct{})
	fake.Refuse = func(w http.ResponseWriter, _ *http.Request) bool {
		close(asked)
		<-left
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	ts := start(t, nil, withAnam(fake.URL))
	token := ts.send("POST", "/v1/share-links", `{"personaId":"`+anamtest.Persona+`"}`).want(201).object()["token"].(string)
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-asked; leave(); close(left) }()
	r := httptest.NewRequestWithContext(ctx, "POST", "/v1/share/"+token+"/sessions", nil)
	ts.Handler().ServeHTTP(httptest.NewRecorder(), r)
	if n := ts.uses(token); n != 0 {
		t.Errorf("%d uses", n)
	}
}
