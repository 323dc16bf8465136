package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestVisits(t *testing.T) {
	t.Parallel()
	const id = "019daa55-2500-73e6-bede-75f926d0d51e"
	answers := map[string]string{
		"/v1/share-links/" + id + "/visits?page=2&perPage=5": `{"data":[{"id":"x","at":"2026-04-20T10:00:00.000Z","outcome":"SOMETHING_NEW","origin":null}],"meta":{"total":6}}`,
		"/v1/share-links/" + id + "/visits":                  `{}`,
	}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.String()]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(h.Close)
	c, err := New(WithURL(h.URL), WithKey("k"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := c.Visits(t.Context(), id, 2, 5)
	if err != nil || len(page.Data) != 1 || page.Data[0].Outcome != "SOMETHING_NEW" || page.Data[0].Origin != nil || page.Meta.Total != 6 {
		t.Errorf("%v, %v", page, err)
	}
	if _, err := c.Visits(t.Context(), id, 0, 0); err == nil {
		t.Error("an answer without data was taken for a page")
	}
	if _, err := c.Visits(t.Context(), id, 3, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	for _, call := range []func() error{
		func() error { _, err := c.Visits(t.Context(), "sh_x", 0, 0); return err },
		func() error { _, err := c.Visits(t.Context(), id, -1, 0); return err },
		func() error { _, err := c.Visits(t.Context(), id, 0, 101); return err },
	} {
		if err := call(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v", err)
		}
	}
}
