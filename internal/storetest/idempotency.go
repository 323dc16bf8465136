package storetest

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// at returns a key that is used at an instant.
func keyAt(name string, request byte, at time.Time) *sharelink.Idempotency {
	return &sharelink.Idempotency{Key: name, Request: [32]byte{31: request}, CreatedAt: at, ValidFrom: at.Add(-window)}
}

func testIdempotentReplay(t T, s suite) {
	ctx := t.Context()
	org := s.organization(t)
	_, err := s.Replay(ctx, org, *keyAt("key", 1, epoch))
	wantCode(t, "replay of nothing", err, sharelink.NotFound)

	first := s.link(t, org, epoch)
	first.AllowedOrigins = []string{"https://example.com"}
	created, err := s.CreateLink(ctx, first, keyAt("key", 1, epoch))
	noError(t, err)
	equal(t, "created", created, first)
	want, err := json.Marshal(created)
	noError(t, err)

	check := func(when string) {
		t.Helper()
		again, err := s.CreateLink(ctx, s.link(t, org, epoch.Add(time.Hour)), keyAt("key", 1, epoch.Add(time.Hour)))
		noError(t, err)
		replayed, err := s.Replay(ctx, org, *keyAt("key", 1, epoch.Add(time.Hour)))
		noError(t, err)
		for how, link := range map[string]sharelink.Link{"created again": again, "replayed": replayed} {
			equal(t, how+" "+when, link, created)
			got, err := json.Marshal(link)
			noError(t, err)
			if string(got) != string(want) {
				t.Errorf("%s %s: %s, want the same bytes as at first: %s", how, when, got, want)
			}
		}
	}
	check("at once")
	equal(t, "all", s.all(t, org), []sharelink.Link{first})

	_, err = s.UpdateLink(ctx, org, first.ID, sharelink.Change{
		Enabled: to(false), UsageLimit: to(0), AllowedOrigins: &[]string{}, ExpiresIn: to(time.Duration(0)), IsPrimary: to(true),
	}, epoch)
	noError(t, err)
	check("after an update")
	_, err = s.DeleteLink(ctx, org, first.ID)
	noError(t, err)
	check("after the link was deleted")
	equal(t, "all", s.all(t, org), []sharelink.Link{})
}

func testIdempotentReuse(t T, s suite) {
	ctx := t.Context()
	org := s.organization(t)
	first := s.link(t, org, epoch)
	_, err := s.CreateLink(ctx, first, keyAt("key", 1, epoch))
	noError(t, err)
	_, err = s.CreateLink(ctx, s.link(t, org, epoch), keyAt("key", 2, epoch))
	wantCode(t, "create with a used key", err, sharelink.KeyReused)
	_, err = s.Replay(ctx, org, *keyAt("key", 2, epoch))
	wantCode(t, "replay with a used key", err, sharelink.KeyReused)
	equal(t, "all", s.all(t, org), []sharelink.Link{first})

	second := s.link(t, org, epoch)
	got, err := s.CreateLink(ctx, second, keyAt("KEY", 2, epoch))
	noError(t, err)
	equal(t, "created with a key in another case", got, second)
}

func testIdempotentBoundary(t T, s suite) {
	ctx := t.Context()
	org := s.organization(t)
	first := s.link(t, org, epoch)
	_, err := s.CreateLink(ctx, first, keyAt("key", 1, epoch))
	noError(t, err)

	last := epoch.Add(window) // the window includes the instant it begins with
	got, err := s.CreateLink(ctx, s.link(t, org, last), keyAt("key", 1, last))
	noError(t, err)
	equal(t, "created again exactly a window later", got, first)
	_, err = s.Replay(ctx, org, *keyAt("key", 1, last))
	noError(t, err)

	over := last.Add(sharelink.Precision)
	_, err = s.Replay(ctx, org, *keyAt("key", 1, over))
	wantCode(t, "replay of what is forgotten", err, sharelink.NotFound)
	second := s.link(t, org, over)
	got, err = s.CreateLink(ctx, second, keyAt("key", 2, over)) // another request, even
	noError(t, err)
	equal(t, "created when the key is forgotten", got, second)
	got, err = s.Replay(ctx, org, *keyAt("key", 2, over.Add(window)))
	noError(t, err)
	equal(t, "replayed after that", got, second)
	equal(t, "all", s.all(t, org), []sharelink.Link{second, first})
}

func testIdempotentConcurrently(t T, s suite) {
	org := s.organization(t)
	links := make([]sharelink.Link, concurrency)
	for i := range links {
		links[i] = s.link(t, org, epoch)
	}
	for round, key := range []*sharelink.Idempotency{keyAt("key", 1, epoch), keyAt("key", 1, epoch.Add(48*time.Hour))} {
		var mu sync.Mutex
		answers := make(map[string]int)
		together(concurrency, func(i int) {
			link := links[i]
			link.ID, link.Token = newID(t, key.CreatedAt), link.Token+string(rune('a'+round))
			got, err := s.CreateLink(t.Context(), link, key)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			answers[got.ID.String()]++
		})
		if len(answers) != 1 {
			t.Errorf("%d creates at the same time under one key answered %d links, want 1", concurrency, len(answers))
		}
		if n := len(s.all(t, org)); n != round+1 {
			t.Errorf("%d links are there, want %d", n, round+1)
		}
	}
}

// testIdempotentPrimary has creates that take more than one lock meet: under few keys, all to be primary.
func testIdempotentPrimary(t T, s suite) {
	org := s.organization(t)
	const keys = 5
	links := make([]sharelink.Link, concurrency)
	for i := range links {
		links[i] = s.link(t, org, epoch)
		links[i].IsPrimary = true
	}
	together(concurrency, func(i int) {
		if _, err := s.CreateLink(t.Context(), links[i], keyAt(string(rune('a'+i%keys)), 1, epoch)); err != nil {
			t.Error(err)
		}
	})
	if n := len(s.all(t, org)); n != keys {
		t.Errorf("%d links are there, want one for each of %d keys", n, keys)
	}
	before := s.primaries(t, org)
	if len(before) != 1 {
		t.Errorf("%d links are primary, want 1", len(before))
	}
	for k := range keys { // a replay changes nothing
		_, err := s.CreateLink(t.Context(), links[k], keyAt(string(rune('a'+k)), 1, epoch))
		noError(t, err)
	}
	equal(t, "primaries", s.primaries(t, org), before)
}

func testIdempotentFailure(t T, s suite) {
	ctx := t.Context()
	org := s.organization(t)
	first := s.create(t, org, epoch)
	second := s.link(t, org, epoch)
	token := second.Token
	second.Token = first.Token
	_, err := s.CreateLink(ctx, second, keyAt("key", 1, epoch))
	wantCode(t, "create with a taken token", err, sharelink.Conflict)
	_, err = s.Replay(ctx, org, *keyAt("key", 1, epoch))
	wantCode(t, "replay of a create that failed", err, sharelink.NotFound)

	second.Token = token
	got, err := s.CreateLink(ctx, second, keyAt("key", 2, epoch))
	noError(t, err)
	equal(t, "created under the key of a create that failed", got, second)
}

func testForgetKeys(t T, s suite) {
	ctx := t.Context()
	one, two := s.organization(t), s.organization(t)
	links := make(map[string]sharelink.Link)
	for i, name := range []string{"a", "b", "c"} {
		link := s.link(t, one, epoch)
		_, err := s.CreateLink(ctx, link, keyAt(name, 1, epoch.Add(time.Duration(i)*sharelink.Precision)))
		noError(t, err)
		links[name] = link
	}
	_, err := s.CreateLink(ctx, s.link(t, two, epoch), keyAt("a", 1, epoch))
	noError(t, err)

	forget := func(before time.Time, want int) {
		t.Helper()
		n, err := s.ForgetKeys(ctx, before)
		noError(t, err)
		if n != want {
			t.Errorf("keys before %v: %d were forgotten, want %d", before, n, want)
		}
	}
	forget(epoch, 0)
	forget(epoch.Add(sharelink.Precision), 2) // in every organization
	forget(epoch.Add(sharelink.Precision), 0)
	_, err = s.Replay(ctx, one, *keyAt("a", 1, epoch))
	wantCode(t, "replay under a forgotten key", err, sharelink.NotFound)
	got, err := s.Replay(ctx, one, *keyAt("b", 1, epoch))
	noError(t, err)
	equal(t, "replayed", got, links["b"])
	s.holds(t, links["a"]) // the link is not forgotten
	forget(epoch.Add(time.Hour), 2)
}
