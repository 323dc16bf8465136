package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// stranger adds an organization with a persona and returns an API key of it.
func (ts *testServer) stranger(readOnly bool) (key string) {
	ts.t.Helper()
	name := "stranger " + uuid.NewString()
	_, err := ts.service.CreateOrganization(ts.t.Context(), name, false)
	if err == nil {
		_, err = ts.service.AddPersona(ts.t.Context(), name, nil, "Bob")
	}
	if err == nil {
		key, _, err = ts.service.CreateKey(ts.t.Context(), name, "", readOnly)
	}
	if err != nil {
		ts.t.Fatal(err)
	}
	return key
}

// alike fails the test unless two answers are the same, byte for byte, but for their date.
func alike(t *testing.T, what string, a, b answer) {
	t.Helper()
	for _, h := range []http.Header{a.header, b.header} {
		h.Del("Date")
	}
	if a.status != b.status || !bytes.Equal(a.body, b.body) {
		t.Errorf("%s: %d %s\nand %d %s", what, a.status, a.body, b.status, b.body)
	}
	if diff := cmp.Diff(a.header, b.header); diff != "" {
		t.Errorf("%s: the headers differ:\n%s", what, diff)
	}
}

// Whatever is asked of another organization's link, persona or token is answered as it is for one that does not exist.
func TestAnotherOrganizationsLinkDoesNotExist(t *testing.T) {
	t.Parallel()
	// What is asked, %s being the id, with the body. Each operation that takes an API key must be here.
	asked := map[string][]request{
		"getShareLink": {{"GET", "/v1/share-links/%s", ""}, {"HEAD", "/v1/share-links/%s", ""}},
		"updateShareLink": {
			{"PUT", "/v1/share-links/%s", `{}`},
			{"PUT", "/v1/share-links/%s", `{"enabled":false}`},
			{"PUT", "/v1/share-links/%s", `{"isPrimary":true}`},
			{"PUT", "/v1/share-links/%s", `{"removeWatermark":true}`}, // which neither organization may
			{"PUT", "/v1/share-links/%s", `{"usageLimit":0}`},
			{"PUT", "/v1/share-links/%s", `{"allowedOrigins":["*"]}`},
		},
		"deleteShareLink":     {{"DELETE", "/v1/share-links/%s", ""}},
		"listShareLinkVisits": {{"GET", "/v1/share-links/%s/visits", ""}, {"GET", "/v1/share-links/%s/visits?page=2&perPage=1", ""}},
		"listShareLinks":      {{"GET", "/v1/share-links?search=%s", ""}, {"GET", "/v1/share-links?personaId=%s", ""}},
		"createShareLink":     {{"POST", "/v1/share-links", `{"personaId":"%s"}`}},
		"listPersonas":        {{"GET", "/v1/personas?search=%s", ""}},
	}
	for engine, database := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			ts := start(t, nil, database(t))
			link := ts.create("")
			id, token := link["id"].(string), link["token"].(string)
			ts.open(token).want(201)
			before := ts.send("GET", "/v1/share-links/"+id, "").want(200).object()
			headers := []string{"Authorization: Bearer " + ts.stranger(false), "X-Request-Id: the-same"}
			readOnly := []string{"Authorization: Bearer " + ts.stranger(true), "X-Request-Id: the-same"}
			for _, op := range ts.contract.Operations {
				if !op.Public && asked[op.ID] == nil {
					t.Errorf("say what to ask of %s", op.ID)
				}
				for _, r := range asked[op.ID] {
					for theirs, none := range map[string]string{id: sharelink.NewID(day).String(), cara: uuid.NewString(), token: sharelink.NewToken()} {
						ask := func(id string, headers []string) answer {
							return ts.send(r.method, strings.ReplaceAll(r.path, "%s", id), strings.ReplaceAll(r.body, "%s", id), headers...)
						}
						what := fmt.Sprintf("%s %s %s of %s", r.method, r.path, r.body, theirs)
						alike(t, what, ask(theirs, headers), ask(none, headers))
						alike(t, what+", with a read-only key", ask(theirs, readOnly), ask(none, readOnly))
					}
				}
			}
			if diff := cmp.Diff(before, ts.send("GET", "/v1/share-links/"+id, "").want(200).object()); diff != "" {
				t.Errorf("a stranger changed a link:\n%s", diff)
			}
			ts.send("GET", "/v1/share-links/"+id, "", headers...).want(404)
			if diff := cmp.Diff([]string{"Bob"}, namesIn(ts.send("GET", "/v1/personas", "", headers...))); diff != "" {
				t.Errorf("a stranger sees other personas than its own:\n%s", diff)
			}
		})
	}
}

// keyed is a store that remembers which hashes it was asked for.
type keyed struct {
	sharelink.Store
	asked chan sharelink.Hash
}

func (k keyed) HolderOfKey(ctx context.Context, hash sharelink.Hash) (sharelink.Holder, error) {
	k.asked <- hash
	return k.Store.HolderOfKey(ctx, hash)
}

// A key is compared by its SHA-256 alone: what is like a key in all but its last letter is as wrong as any other, and the answer
// is the same. What time a look-up takes can tell of hashes at most, and no key follows from a hash.
func TestKeysAreComparedByTheirHash(t *testing.T) {
	t.Parallel()
	asked := make(chan sharelink.Hash, 1)
	ts := start(t, func(s sharelink.Store) sharelink.Store { return keyed{s, asked} })
	revoked, kept, err := ts.service.CreateKey(t.Context(), "default", "", false)
	if err == nil {
		_, err = ts.service.RevokeKey(t.Context(), kept.Prefix)
	}
	if err != nil {
		t.Fatal(err)
	}
	ask := func(key string) answer {
		a := ts.send("GET", "/v1/share-links", "", "Authorization: Bearer "+key, "X-Request-Id: the-same")
		if got := <-asked; got != sha256.Sum256([]byte(key)) {
			t.Errorf("the store was not asked for the SHA-256 of the key %q", key)
		}
		return a
	}
	ask(ts.key).want(200)
	other := ask(sharelink.NewSecret()).want(401)
	for what, key := range map[string]string{
		"another last letter": nearly(ts.key), "one letter less": ts.key[:len(ts.key)-1], "one more": ts.key + "1",
		"its visible part": sharelink.VisiblePrefix(ts.key), "a revoked key": revoked,
	} {
		alike(t, what, ask(key), other)
	}
}

// nearly returns an API key or a token that differs in its last letter.
func nearly(secret string) string {
	last := "1"
	if strings.HasSuffix(secret, last) {
		last = "2"
	}
	return secret[:len(secret)-1] + last
}

// What a stolen database file has: tokens as they are, and of API keys their hashes only.
func TestKeysAreNotInTheDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ts := start(t, nil, func(c *Config) { c.Database = "sqlite:" + filepath.Join(dir, "test.db") })
	token := ts.token()
	keys := []string{ts.key}
	for range 3 {
		key, _, err := ts.service.CreateKey(t.Context(), "default", "", false)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	var all []byte
	for _, name := range []string{"test.db", "test.db-wal"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	check := func(what, text string, want bool) {
		t.Helper()
		if bytes.Contains(all, []byte(text)) != want {
			t.Errorf("%s is in the database: %v, want %v", what, !want, want)
		}
	}
	check("the token of a link", token, true)
	more := 0
	for _, key := range keys {
		hash := sharelink.HashSecret(key)
		check("the hash of a key", string(hash[:]), true)
		check("the visible part of a key", sharelink.VisiblePrefix(key), true)
		check("the end of a key", key[len(key)-8:], false)
		if bytes.Contains(all, []byte(key[:len(sharelink.VisiblePrefix(key))+1])) {
			more++
		}
	}
	// In the file random bytes follow the visible part. Of one key in a hundred they are its next letter.
	if more == len(keys) {
		t.Error("more than the visible part of each key is in the database")
	}
}
