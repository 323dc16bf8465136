package sharelinkstest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
)

// recorder is a TB that keeps its failures.
type recorder struct {
	TB
	failures []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// An answer of the service that breaks the contract fails the test.
func TestAnAnswerThatBreaksTheContract(t *testing.T) {
	t.Parallel()
	s := NewServer(t)
	r := &recorder{TB: t}
	s.tb = r
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"data":[]}`)
	})
	if resp := get(t, s, "/v1/share-links"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	if text := strings.Join(r.failures, ""); !strings.Contains(text, "200 to listShareLinks breaks the contract") || !strings.Contains(text, "/meta: is required") {
		t.Errorf("%q", text)
	}
}

// A new operation can be failed, and its calls are kept, by the document alone.
func TestANewOperation(t *testing.T) {
	t.Parallel()
	s := NewServer(t)
	document := strings.Replace(string(sharelinks.Spec()), "\n  /v1/share-links/{id}:\n", `
  /v1/share-links/{id}/qr:
    parameters:
      - $ref: '#/components/parameters/ShareLinkId'
    get:
      operationId: drawShareLink
      responses:
        '404': { $ref: '#/components/responses/NotFound' }
        '503': { $ref: '#/components/responses/Unavailable' }
  /v1/share-links/{id}:
`, 1)
	var err error
	if s.contract, err = contract.Load([]byte(document), contract.Options{Formats: map[string]contract.Format{"origin": func(string) error { return nil }}}); err != nil {
		t.Fatal(err)
	}
	s.FailNext("drawShareLink", 503)
	if resp := get(t, s, "/v1/share-links/00000000-0000-0000-0000-000000000000/qr"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	get(t, s, "/v1/share-links/x/qr")
	if calls := s.Calls("drawShareLink"); len(calls) != 2 || calls[1].Violations[0].Name != "id" {
		t.Errorf("%v", calls)
	}
}

func get(t *testing.T, s *Server, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Key)
	resp, err := s.transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}
