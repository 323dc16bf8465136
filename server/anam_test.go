package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/server"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

// The whole of an open with Anam as the upstream, against the stub's Anam.

var once = client.WithRetry(client.Retry{Attempts: 1})

// withAnam starts a server with an Anam, and makes a link to a persona of it that can be opened so often.
func withAnam(t *testing.T, limit int, opts ...sharelinkstest.Option) (*sharelinkstest.Server, client.ShareLink) {
	t.Helper()
	srv := sharelinkstest.NewServer(t, append(opts, sharelinkstest.WithAnam())...)
	link, err := srv.Client(server.Checked(t)).Create(t.Context(), client.CreateRequest{
		PersonaID: srv.AddPersona("Ada <b>of</b> Anam"), UsageLimit: client.Uses(limit),
	})
	if err != nil {
		t.Fatal(err)
	}
	return srv, link
}

// outcomes returns the outcomes of a link's visits, newest first.
func outcomes(t *testing.T, srv *sharelinkstest.Server, link client.ShareLink) (list []api.VisitOutcome) {
	t.Helper()
	page, err := srv.Client(server.Checked(t)).Visits(t.Context(), link.ID, 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range page.Data {
		list = append(list, v.Outcome)
	}
	return list
}

func uses(t *testing.T, srv *sharelinkstest.Server, link client.ShareLink) int {
	t.Helper()
	now, err := srv.Client().Get(t.Context(), link.ID)
	if err != nil {
		t.Fatal(err)
	}
	return now.UsageCount
}

func TestOpeningWithAnam(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	srv, link := withAnam(t, 3, sharelinkstest.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), sharelinkstest.WithRandomSeed(1))
	visitor := srv.Client(server.Checked(t), once)
	for _, c := range []struct {
		upstream int
		problem  string
		status   int
		uses     int
	}{{402, "/persona-unavailable", 502, 0}, {429, "/persona-unavailable", 503, 0}, {504, "/persona-timeout", 504, 1}} {
		srv.Anam().Fail(sharelinkstest.Fault{Status: c.upstream, RetryAfter: 30})
		_, err := visitor.Open(t.Context(), link.Token)
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Status != c.status || !strings.HasSuffix(e.Type, c.problem) || e.RetryAfter != 30*time.Second && c.status < 504 {
			t.Errorf("Anam answers %d: %v", c.upstream, err)
		}
		if n := uses(t, srv, link); n != c.uses {
			t.Errorf("Anam answers %d: %d uses, want %d", c.upstream, n, c.uses)
		}
		srv.Advance(time.Second)
	}
	want := client.Session{
		SessionToken: "session-1", ExpiresAt: client.Timestamp{Time: srv.Now().Add(time.Hour)},
		PersonaID: strings.TrimPrefix(strings.TrimSpace(srv.Anam().Requests()[0]), "GET /v1/personas/"), PersonaName: "Ada <b>of</b> Anam",
	}
	got, err := visitor.Open(t.Context(), link.Token)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	srv.Advance(time.Second)
	if _, err := visitor.Open(t.Context(), link.Token); err != nil {
		t.Error(err) // those that were refused were given back
	}
	srv.Advance(time.Second)
	if _, err := visitor.Open(t.Context(), link.Token); !errors.Is(err, client.ErrGone) {
		t.Error(err)
	}
	if diff := cmp.Diff([]api.VisitOutcome{
		"EXHAUSTED", "OPENED", "OPENED", "UPSTREAM_TIMEOUT", "UPSTREAM_REFUSED", "UPSTREAM_REFUSED",
	}, outcomes(t, srv, link)); diff != "" {
		t.Error(diff)
	}
	text := log.String()
	if strings.Contains(text, srv.Anam().Key) || strings.Contains(text, "session-1") || !strings.Contains(text, "402") {
		t.Error("a secret is in the log, or what Anam answered is not")
	}
}

// Local personas with Anam's sessions: an operator may let organizations have some personas of the account only.
func TestAnamsSessionsForLocalPersonas(t *testing.T) {
	t.Parallel()
	srv, link := withAnam(t, 1, sharelinkstest.WithLocalPersonas())
	if s, err := srv.Client().Open(t.Context(), link.Token); err != nil || s.SessionToken != "session-1" {
		t.Errorf("%v, %v", s, err)
	}
	if requests := srv.Anam().Requests(); len(requests) != 1 {
		t.Errorf("Anam was asked %v", requests)
	}
}

// The personas are those of the account with Anam, asked for with the same words, unless they are kept here.
func TestListOfAnamsPersonas(t *testing.T) {
	t.Parallel()
	srv := sharelinkstest.NewServer(t, sharelinkstest.WithAnam())
	id := srv.AddPersona("Ada")
	srv.AddPersona("Bea")
	c := srv.Client(server.Checked(t))
	page, err := c.Personas(t.Context(), client.PersonaFilter{Search: " aDa ", PerPage: 7})
	want := client.PersonaPage{Data: []client.Persona{{ID: id, Name: "Ada"}}, Meta: api.PageMeta{Total: 1, LastPage: 1, CurrentPage: 1, PerPage: 7}}
	if diff := cmp.Diff(want, page); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if diff := cmp.Diff([]string{"GET /v1/personas?page=1&perPage=7&search=aDa "}, srv.Anam().Requests()); diff != "" {
		t.Error(diff)
	}
	srv = sharelinkstest.NewServer(t, sharelinkstest.WithAnam(), sharelinkstest.WithLocalPersonas())
	srv.AddPersona("Local")
	page, err = srv.Client(server.Checked(t)).Personas(t.Context(), client.PersonaFilter{Search: "Local"})
	if err != nil || len(page.Data) != 1 || len(srv.Anam().Requests()) != 0 {
		t.Errorf("%v, %v; Anam was asked %q", page, err, srv.Anam().Requests())
	}
}

// An upstream that refuses every other visitor: as many uses are spent as sessions were handed out, however many come at
// once, and all who were refused can be let in later.
func TestAnUpstreamThatRefusesHalf(t *testing.T) {
	t.Parallel()
	const limit = 50
	srv, link := withAnam(t, limit)
	for range 300 {
		srv.Anam().Fail(sharelinkstest.Fault{}, sharelinkstest.Fault{Status: 429})
	}
	var mu sync.Mutex
	got := map[int]int{}
	var group sync.WaitGroup
	for range 500 {
		group.Go(func() {
			_, err := srv.Client(once).Open(t.Context(), link.Token)
			status := 201
			if e, ok := errors.AsType[*client.Error](err); ok {
				status = e.Status
			}
			mu.Lock()
			defer mu.Unlock()
			got[status]++
		})
	}
	group.Wait()
	n := uses(t, srv, link)
	if got[201] != srv.Anam().Sessions() || got[201] != n || n > limit || got[201]+got[410]+got[503] != 500 {
		t.Errorf("%v, %d sessions made, %d uses", got, srv.Anam().Sessions(), n)
	}
	for range 2 * limit { // what is left is not lost
		_, _ = srv.Client(once).Open(t.Context(), link.Token)
	}
	if n := uses(t, srv, link); n != limit || srv.Anam().Sessions() != limit {
		t.Errorf("%d uses, %d sessions", n, srv.Anam().Sessions())
	}
}

// A visitor who leaves while Anam thinks leaves no use in between: it is settled as if they had stayed.
func TestLeavingDoesNotKeepAUseFromBeingGivenBack(t *testing.T) {
	t.Parallel()
	srv, link := withAnam(t, 1)
	for left := false; !left; { // unless Anam has answered by then
		asked := len(srv.Anam().Requests())
		srv.Anam().Fail(sharelinkstest.Fault{Status: 429, Delay: 100 * time.Millisecond})
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := srv.Client(once).Open(ctx, link.Token)
			done <- err
		}()
		for len(srv.Anam().Requests()) == asked {
			time.Sleep(time.Millisecond)
		}
		leave()
		left = errors.Is(<-done, context.Canceled)
	}
	for outcomes(t, srv, link)[0] == "OPENED" { // it is the suite's time-out that notices a use which stays
		time.Sleep(time.Millisecond)
	}
	if n := uses(t, srv, link); n != 0 {
		t.Errorf("%d uses", n)
	}
}
