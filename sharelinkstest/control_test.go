package sharelinkstest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

// What another language does: the same as the methods, over HTTP.
func TestControl(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithRandomSeed(1))
	const links = "/v1/share-links"
	for _, step := range []struct {
		method, path, body string
		status             int
		answer             string // the beginning, or a part of it
	}{
		{"GET", "/_stub/clock", "", 200, `{"now":"2026-04-20T10:00:00.000Z"}`},
		{"POST", links, `{"personaId":"` + testPersona + `"}`, 201, `"expiresAt":"2026-04-27T10:00:00.000Z"`},
		{"POST", "/_stub/snapshot", `{"name":"one link"}`, 204, ""},
		{"POST", "/_stub/clock", `{"seconds":1.5}`, 200, `{"now":"2026-04-20T10:00:01.500Z"}`},
		{"PUT", "/_stub/clock", `{"now":"2027-01-01T00:00:00+01:00"}`, 200, `{"now":"2026-12-31T23:00:00.000Z"}`},
		{"POST", links, `{"personaId":"` + testPersona + `"}`, 201, ""},
		{"GET", links, "", 200, `"total":2`},
		{"POST", "/_stub/reset", `{"snapshot":"one link"}`, 204, ""},
		{"GET", links, "", 200, `"total":1`},
		{"GET", "/_stub/clock", "", 200, `{"now":"2026-04-20T10:00:00.000Z"}`},
		{"POST", "/_stub/reset", "", 204, ""},
		{"GET", links, "", 200, `"total":0`},
		{"POST", "/_stub/faults", `{"operation":"listShareLinks","faults":[{"status":503,"retryAfter":9},{"delay":0.001},{"status":418,"body":"nest"}]}`, 204, ""},
		{"GET", "/_stub/faults", "", 200, `{"listShareLinks":3}`},
		{"GET", links, "", 503, "the store is not available"},
		{"GET", links, "", 200, `"total":0`},
		{"GET", links, "", 418, `"statusCode":418`},
		{"POST", "/_stub/faults", `{"operation":"listShareLinks","faults":[{"status":503}]}`, 204, ""},
		{"DELETE", "/_stub/faults", "", 204, ""},
		{"GET", "/_stub/faults", "", 200, `{}`},
		{"GET", "/_stub/calls?operation=listShareLinks", "", 200, `{"calls":[{"operation":"listShareLinks","method":"GET","path":"/v1/share-links"`},
		{"GET", "/_stub/calls?operation=listShareLinks", "", 200, `"at":"2026-04-20T10:00:00.000Z"`},
		{"DELETE", "/_stub/calls", "", 204, ""},
		{"GET", "/_stub/calls", "", 200, `{"calls":[]}`},
		{"GET", "/_stub/openapi.yaml", "", 200, "openapi: 3.0.3"},

		{"GET", "/_stub/nothing", "", 404, "/_stub/openapi.yaml lists"},
		{"DELETE", "/_stub/clock", "", 404, "no such operation"},
		{"POST", "/_stub/clock", `{"seconds":-1,"days":1}`, 400, "the request has 2 violations: /days: unknown field days; known are seconds; /seconds: must be a number from 0 to 3155760000, not -1"},
		{"PUT", "/_stub/clock", `{"now":"soon"}`, 400, "/now: must be text in the format date-time"},
		{"POST", "/_stub/faults", `{"operation":"makeLink","faults":[{"status":503}]}`, 400, "it has createShareLink, "},
		{"POST", "/_stub/faults", `{"operation":"getShareLink","faults":[{"body":"nest"}]}`, 400, "need a status"},
		{"GET", "/_stub/calls?operation=x", "", 400, "no operation"},
		{"POST", "/_stub/reset", `{"snapshot":"another"}`, 400, "no snapshot of this name"},
	} {
		status, body, _ := send(t, srv, step.method, step.path, step.body)
		if status != step.status || !strings.Contains(body, step.answer) {
			t.Errorf("%s %s %s: %d %s", step.method, step.path, step.body, status, body)
		}
	}
	if text := fmt.Sprint(srv.Violations()); text != "[]" {
		t.Errorf("what the stub itself was told counts as a violation: %s", text)
	}
	for i := range 100 {
		if status, body, _ := send(t, srv, "POST", "/_stub/snapshot", fmt.Sprintf(`{"name":"%d"}`, i)); status != 204 && i < 99 {
			t.Errorf("%d %s", status, body)
		}
	}
	if status, body, _ := send(t, srv, "POST", "/_stub/snapshot", `{"name":"one more"}`); status != 400 || !strings.Contains(body, "at most 100") {
		t.Errorf("%d %s", status, body)
	}
}

// The document of the stub's own operations is valid, its examples too, and its answers fit it.
func TestControlDocument(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t)
	_, document, _ := send(t, srv, "GET", "/_stub/openapi.yaml", "")
	doc, err := openapi3.NewLoader().LoadFromData([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			body := ""
			if op.RequestBody != nil {
				media := op.RequestBody.Value.Content["application/json"]
				example, err := json.Marshal(media.Schema.Value.Example)
				if err != nil || media.Schema.Value.Example == nil {
					t.Errorf("%s has no example: %v", op.OperationID, err)
				}
				body = string(example)
			}
			if op.OperationID == "reset" {
				body = ""
			}
			status, answer, header := send(t, srv, method, path, body)
			response := op.Responses.Status(status)
			if response == nil || status >= 300 {
				t.Errorf("%s: %d %s", op.OperationID, status, answer)
				continue
			}
			if media := response.Value.Content[header.Get("Content-Type")]; media != nil && media.Schema != nil {
				var value any
				if err := json.Unmarshal([]byte(answer), &value); err != nil {
					t.Errorf("%s: %v", op.OperationID, err)
				} else if err := media.Schema.Value.VisitJSON(value); err != nil {
					t.Errorf("%s: %v", op.OperationID, err)
				}
			}
		}
	}
}
