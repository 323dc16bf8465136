package client_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func second[T any](_ T, err error) error { return err }

// Every method works with the real server, whose rules and wording are tested in package server.
func TestServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithTime(started))
	c := srv.Client(client.WithURL(srv.URL + "/")) // a slash at the end is allowed

	created := must(c.Create(ctx, client.CreateRequest{
		PersonaID:      cara,
		ExpiresInHours: client.Hours(1.5),
		UsageLimit:     client.Uses(1),
		Type:           client.PlayerEmbed,
		AllowedOrigins: client.Origins("https://Example.com:443", "http://localhost:3000"),
		Enabled:        new(false),
		IsPrimary:      new(true),
		Label:          new("Spring newsletter"),
	}))(t)
	want := client.ShareLink{
		ID: created.ID, Token: created.Token, Type: client.PlayerEmbed,
		ExpiresAt: &client.Timestamp{Time: started.Add(90 * time.Minute)}, UsageLimit: new(1),
		AllowedOrigins: []string{"https://example.com", "http://localhost:3000"},
		IsPrimary:      true, Label: "Spring newsletter", CreatedAt: client.Timestamp{Time: started},
		URL: srv.URL + "/frame/" + created.Token,
	}
	if diff := cmp.Diff(want, created); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}

	got := must(c.Get(ctx, created.ID))(t)
	want.PersonaID, want.PersonaName, want.OrganizationID = cara, "Cara", got.OrganizationID
	if diff := cmp.Diff(want, got); diff != "" || got.OrganizationID == "" {
		t.Errorf("got (-want +got):\n%s", diff)
	}

	// A field that is left out stays, null removes a limit, and an empty list is sent.
	updated := must(c.Update(ctx, created.ID, client.UpdateRequest{
		ExpiresInHours: client.Never(), AllowedOrigins: client.Origins(), Enabled: new(true),
	}))(t)
	want.PersonaID, want.PersonaName, want.OrganizationID = "", "", ""
	want.ExpiresAt, want.AllowedOrigins, want.Enabled = nil, []string{}, true
	if diff := cmp.Diff(want, updated); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}
	if page := must(c.List(ctx, client.Filter{Search: "NEWS"}))(t); len(page.Data) != 1 || page.Data[0].ID != created.ID {
		t.Errorf("found by its label: %+v", page)
	}
	if updated := must(c.Update(ctx, created.ID, client.UpdateRequest{Label: new("")}))(t); updated.Label != "" {
		t.Errorf("the label %q was not removed", updated.Label)
	}
	unlimited := must(c.Create(ctx, client.CreateRequest{PersonaID: cara, UsageLimit: client.Unlimited()}))(t)
	if unlimited.UsageLimit != nil || unlimited.ExpiresAt == nil {
		t.Errorf("unlimited: %+v", unlimited)
	}

	if p := must(c.Preview(ctx, created.Token))(t); p.Status != client.Active || p.PersonaName != "Cara" {
		t.Errorf("preview: %+v", p)
	}
	if s := must(c.Open(ctx, created.Token))(t); s.SessionToken == "" || !s.ExpiresAt.After(started) {
		t.Errorf("session: %+v", s)
	}
	var e *client.Error
	err := second(c.Open(ctx, created.Token))
	if !errors.Is(err, client.ErrGone) || !errors.As(err, &e) || !strings.HasSuffix(e.Type, "/share-link-exhausted") {
		t.Errorf("the second open: %v", err)
	}
	visits := must(c.Visits(ctx, created.ID, 1, 1))(t)
	if len(visits.Data) != 1 || visits.Data[0].ID == "" || visits.Meta.Total != 2 {
		t.Errorf("visits: %+v", visits)
	}
	page := must(c.List(ctx, client.Filter{PersonaID: cara, Search: created.ID, Page: 1, PerPage: 1}))(t)
	if len(page.Data) != 1 || page.Data[0].ID != created.ID || page.Meta.Total != 1 {
		t.Errorf("list: %+v", page)
	}
	if l := must(c.FindByToken(ctx, created.Token))(t); l.ID != created.ID {
		t.Errorf("found %+v", l)
	}
	if err := c.Delete(ctx, created.ID); err != nil {
		t.Error(err)
	}

	err = second(c.Get(ctx, created.ID))
	if !errors.Is(err, client.ErrNotFound) || !errors.As(err, &e) || e.RequestID == "" || e.Attempts != 1 || e.Operation != "get" {
		t.Errorf("get after delete: %#v", err)
	}
	err = second(c.Create(ctx, client.CreateRequest{PersonaID: "cara", UsageLimit: client.Uses(0)}))
	if !errors.Is(err, client.ErrInvalid) || !errors.As(err, &e) || len(e.Violations) != 2 {
		t.Errorf("two violations: %#v", err)
	}
	key := client.WithIdempotencyKey("order-4711")
	must(c.Create(ctx, client.CreateRequest{PersonaID: cara}, key))(t)
	if err := second(c.Create(ctx, client.CreateRequest{PersonaID: cara, UsageLimit: client.Uses(3)}, key)); !errors.Is(err, client.ErrConflict) {
		t.Errorf("two requests with one key: %v", err)
	}
}
