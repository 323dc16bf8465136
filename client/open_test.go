package client

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, err := New(WithURL(serve(t)), WithKey(testKey))
	if err != nil {
		t.Fatal(err)
	}
	link, err := c.Create(ctx, CreateRequest{PersonaID: cara, UsageLimit: Uses(1)})
	if err != nil {
		t.Fatal(err)
	}
	// A visitor has no key, or one that is worth nothing here.
	visitor, err := New(WithURL(c.settings.url), WithKey("nobodys-key"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // looking spends nothing
		if p, err := visitor.Preview(ctx, link.Token); err != nil || p.Status != Active || p.PersonaName != "Cara" || p.Type != Link {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	s, err := visitor.Open(ctx, link.Token)
	if err != nil || s.SessionToken == "" || s.PersonaID != cara || !s.ExpiresAt.After(day) {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := visitor.Open(ctx, link.Token); !errors.Is(err, ErrGone) || !strings.HasSuffix(err.(*Error).Type, "/share-link-exhausted") {
		t.Errorf("the second open: %v", err)
	}
	if p, err := visitor.Preview(ctx, link.Token); err != nil || p.Status != Exhausted {
		t.Errorf("%+v, %v", p, err)
	}
	if l, err := c.Get(ctx, link.ID); err != nil || l.UsageCount != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	for _, token := range []string{"sh_nobodysnobodysnobodys", "../share-links", "a b/c?d"} {
		if _, err := visitor.Preview(ctx, token); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", token, err)
		}
		if _, err := visitor.Open(ctx, token); !errors.Is(err, ErrNotFound) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v", token, err)
		}
	}
	if _, err := visitor.Open(ctx, ""); !errors.Is(err, ErrInvalid) {
		t.Errorf("no token: %v", err)
	}
	if _, err := visitor.Open(ctx, link.Token, WithURL("nowhere")); !errors.Is(err, ErrInvalid) {
		t.Errorf("no URL: %v", err)
	}
}

// An open goes out once, without the key, and what comes back instead of a session is not shown.
func TestOpenIsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"busy":       {503, `{"detail":"busy"}`},
		"cut off":    {201, `{"sessionToken":"secret-of-a-session"`},
		"no session": {201, `{"token":"secret-of-a-session"}`},
	} {
		opens := 0
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			opens++
			if r.Header.Get("Authorization") != "" {
				t.Error("the key was sent")
			}
			w.Header().Set("Idempotency-Key-Window", "86400")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		defer h.Close()
		client, err := New(WithURL(h.URL), WithKey("secret-of-a-client"), WithRetry(Retry{Creates: true}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Open(t.Context(), "sh_2kL9pQxYzR4vN8mBwHfJc")
		e, ok := errors.AsType[*Error](err)
		if !ok || opens != 1 || e.Attempts != 1 {
			t.Errorf("%s: %d opens, %v", name, opens, err)
		} else if strings.Contains(err.Error()+string(e.Body), "secret-of") || strings.Contains(err.Error(), "2kL9pQxYzR4vN8mBwHfJc") {
			t.Errorf("%s shows a secret: %v %s", name, err, e.Body)
		}
	}
}
