package generators

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// What the fake of Anam has. Every program knows it.
const (
	anamLink  = "0f1a2b3c-4d5e-4f60-8a71-92b3c4d5e6f7"
	anamToken = "V1StGXR8_Z5jdHi6B-myT" // opaque, without a prefix
)

// anam returns the URL of a server that answers as Anam's newest document has it, and nothing more: no headers of ours, no
// url, an organization whose id is no UUID, {message} for a deletion, and errors as NestJS writes them.
func anam(t *testing.T) (url string) {
	t.Helper()
	link := map[string]any{
		"id": anamLink, "token": anamToken, "type": "PLAYER_EMBED", "expiresAt": "2026-04-27T10:00:00.000Z", "usageLimit": 10, "usageCount": 3,
		"allowedOrigins": []string{"https://www.example.com"}, "allowAllOrigins": false, "removeWatermark": false, "enabled": true,
		"isPrimary": false, "createdAt": "2026-04-20T10:00:00.520Z",
	}
	whole := map[string]any{"personaId": "30fa96d0-26c4-4e55-94a0-517025942e18", "personaName": "Cara", "organizationId": "Uakgb_J5m9g-0JDMbcJqL"}
	maps.Copy(whole, link)
	answer := func(status int, body any) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, body := status, body
			if id := r.PathValue("id"); id != "" && id != anamLink {
				status, body = 404, nest(404, "Share link not found")
			}
			if r.Header.Get("Authorization") != "Bearer "+key {
				status, body = 401, nest(401, "Unauthorized")
			}
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(body)
		})
	}
	changed := maps.Clone(link)
	changed["expiresAt"], changed["usageLimit"] = nil, nil

	meta := map[string]any{"total": 1, "lastPage": 1, "currentPage": 1, "perPage": 20, "prev": nil, "next": nil}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/share-links", answer(200, map[string]any{
		"data": []any{whole}, "meta": meta,
	}))
	mux.Handle("GET /v1/personas", answer(200, map[string]any{ // inferred from the list of share links
		"data": []any{map[string]any{"id": whole["personaId"], "name": "Cara", "description": nil}}, "meta": meta,
	}))
	mux.Handle("POST /v1/share-links", answer(201, link))
	mux.Handle("GET /v1/share-links/{id}", answer(200, whole))
	mux.Handle("PUT /v1/share-links/{id}", answer(200, changed))
	mux.Handle("DELETE /v1/share-links/{id}", answer(200, map[string]any{"message": "Share link deleted successfully"}))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// nest returns an error as NestJS, and so Anam, writes it.
func nest(status int, message string) map[string]any {
	return map[string]any{"statusCode": status, "message": message, "error": http.StatusText(status)}
}

// The Go client of this project, which the command uses, takes Anam's answers as they are.
func TestCommandWithAnam(t *testing.T) {
	t.Parallel()
	binary, url := sharelinks(t), anam(t)
	for args, wants := range map[string][]string{
		"create --persona 30fa96d0-26c4-4e55-94a0-517025942e18": {`"token": "` + anamToken + `"`, `"createdAt": "2026-04-20T10:00:00.520Z"`},
		"create --persona cara":                                 {`"token": "` + anamToken + `"`},
		"list":                                                  {`"organizationId": "Uakgb_J5m9g-0JDMbcJqL"`, `"personaName": "Cara"`},
		"get " + anamToken:                                      {`"id": "` + anamLink + `"`, anamToken + `"`},
		"update " + anamLink + " --enabled":                     {`"expiresAt": null`, `"usageLimit": null`},
		"delete " + anamLink + " --yes":                         {anamLink},
		"get 11111111-1111-4111-8111-111111111111":              {"sharelinks: Share link not found"},
	} {
		cmd := exec.CommandContext(t.Context(), binary, append([]string{"link"}, strings.Fields(args)...)...)
		cmd.Env = []string{"ANAM_API_URL=" + url, "ANAM_API_KEY=" + key}
		out, err := cmd.CombinedOutput()
		for _, want := range wants {
			if !strings.Contains(string(out), want) {
				t.Errorf("link %s: %v, and the output has no %s:\n%s", args, err, want, out)
			}
		}
	}
}
