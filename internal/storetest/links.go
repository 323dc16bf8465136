package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

func testRoundTrip(t T, s suite) {
	org := s.organization(t)
	for _, edit := range map[string]func(*sharelink.Link){
		"as documented": func(*sharelink.Link) {},
		"all set": func(l *sharelink.Link) {
			l.Type = "PLAYER_EMBED"
			l.UsageLimit, l.UsageCount = math.MaxInt32, math.MaxInt32
			l.AllowedOrigins = []string{"https://www.example.com", "http://localhost:3000", "http://[::1]:8080"}
			l.AllowAllOrigins, l.RemoveWatermark, l.IsPrimary = true, true, true
			l.PersonaID = uuid.Max
			l.Label = `'Ünïcödé' "label" \ %_ 🎭 ` + strings.Repeat("ä", 60)
			l.PersonaName = `Ünïcödé "quoted" 'single' \ %_ 🎭`
		},
		"nothing set": func(l *sharelink.Link) {
			l.ExpiresAt, l.UsageLimit, l.Enabled = time.Time{}, 0, false
			l.PersonaID = uuid.Nil
		},
		"expires in a millisecond": func(l *sharelink.Link) { l.ExpiresAt = l.CreatedAt.Add(time.Millisecond) },
		"long ago":                 func(l *sharelink.Link) { l.CreatedAt, l.ExpiresAt = time.UnixMilli(0).UTC(), time.UnixMilli(1).UTC() },
		"far ahead":                func(l *sharelink.Link) { l.ExpiresAt = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC) },
		"many origins": func(l *sharelink.Link) {
			for i := range 50 {
				l.AllowedOrigins = append(l.AllowedOrigins, "https://"+strings.Repeat("a", 60)+"."+strings.Repeat("b", i+1)+".example")
			}
		},
	} {
		s.holds(t, s.create(t, org, epoch, edit))
	}
}

// Every field of a link is kept, one that was added yesterday too, and every field of a change is applied.
func testEveryField(t T, s suite) {
	org := s.organization(t)
	link := s.create(t, org, epoch, func(l *sharelink.Link) {
		fill(t, reflect.ValueOf(l).Elem())
		l.ID, l.OrganizationID = newID(t, epoch), org
	})
	s.holds(t, link)

	change, now := sharelink.Change{}, epoch.Add(time.Hour)
	changes := reflect.ValueOf(&change).Elem()
	for i := range changes.NumField() {
		changes.Field(i).Set(reflect.New(changes.Field(i).Type().Elem()))
		fill(t, changes.Field(i).Elem())
	}
	fresh := s.create(t, org, epoch)
	got, err := s.UpdateLink(t.Context(), org, fresh.ID, change, now)
	noError(t, err)
	fresh.Terms = change.Apply(fresh.Terms, now)
	equal(t, "updated", got, fresh)
	s.holds(t, fresh)
}

// fill sets a value, and every field of a struct, to something other than its zero value.
func fill(t T, v reflect.Value) {
	switch value := v.Addr().Interface().(type) {
	case *time.Time:
		*value = epoch.Add(time.Minute)
		return
	case *time.Duration:
		*value = time.Minute
		return
	case *uuid.UUID:
		*value = newID(t, epoch)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.String:
		v.SetString("text " + rand.Text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
		fill(t, v.Index(1))
	default:
		t.Fatalf("storetest does not know how to fill a %v: add it to fill", v.Type())
	}
}

func testCreateInNoOrganization(t T, s suite) {
	_, err := s.CreateLink(t.Context(), s.link(t, newID(t, epoch), epoch), nil)
	wantCode(t, "create a link of an organization that does not exist", err, sharelink.NotFound)
}

func testIsolation(t T, s suite) {
	mine, other := s.organization(t), s.organization(t)
	link := s.create(t, mine, epoch, func(l *sharelink.Link) { l.IsPrimary, l.Label = true, "Spring newsletter" })
	ctx := t.Context()

	_, err := s.Link(ctx, other, link.ID)
	wantCode(t, "get", err, sharelink.NotFound)
	_, err = s.UpdateLink(ctx, other, link.ID, sharelink.Change{Enabled: to(false), IsPrimary: to(true)}, epoch)
	wantCode(t, "update", err, sharelink.NotFound)
	_, err = s.DeleteLink(ctx, other, link.ID)
	wantCode(t, "delete", err, sharelink.NotFound)
	s.finds(t, other, sharelink.Filter{})
	s.finds(t, other, sharelink.Filter{Search: link.Token})
	s.finds(t, other, sharelink.Filter{Search: link.Label})
	s.finds(t, other, sharelink.Filter{Search: link.ID.String()})
	s.finds(t, other, sharelink.Filter{PersonaID: uuid.NullUUID{UUID: link.PersonaID, Valid: true}})

	// The same persona, primary in both.
	theirs := s.create(t, other, epoch, func(l *sharelink.Link) { l.IsPrimary = true })
	s.holds(t, link)
	s.holds(t, theirs)

	// The same idempotency key in both.
	key := sharelink.Idempotency{Key: "the same", Request: [32]byte{1}, CreatedAt: epoch, ValidFrom: epoch.Add(-window)}
	_, err = s.CreateLink(ctx, s.link(t, mine, epoch), &key)
	noError(t, err)
	_, err = s.Replay(ctx, other, key)
	wantCode(t, "replay", err, sharelink.NotFound)
	key.Request[0] = 2
	second := s.link(t, other, epoch)
	got, err := s.CreateLink(ctx, second, &key)
	noError(t, err)
	equal(t, "created under another's key", got, second)

	// The same persona id in both, and links to it.
	for _, org := range []uuid.UUID{mine, other} {
		noError(t, s.AddPersona(ctx, sharelink.Persona{ID: persona, OrganizationID: org, Name: "Cara", CreatedAt: epoch}))
	}
	left, err := s.RemovePersona(ctx, other, persona)
	noError(t, err)
	if left != 2 {
		t.Errorf("%d links to the removed persona remain, want 2", left)
	}
	_, err = s.Persona(ctx, mine, persona)
	noError(t, err)
}

func testUniqueTokens(t T, s suite) {
	mine, other := s.organization(t), s.organization(t)
	first := s.create(t, mine, epoch, func(l *sharelink.Link) { l.IsPrimary = true })

	for name, edit := range map[string]func(*sharelink.Link){
		"token":                    func(l *sharelink.Link) { l.Token = first.Token },
		"id":                       func(l *sharelink.Link) { l.ID = first.ID },
		"token, and to be primary": func(l *sharelink.Link) { l.Token, l.IsPrimary = first.Token, true },
	} {
		second := s.link(t, mine, epoch)
		edit(&second)
		_, err := s.CreateLink(t.Context(), second, nil)
		wantCode(t, "create with a taken "+name, err, sharelink.Conflict)
	}
	equal(t, "all", s.all(t, mine), []sharelink.Link{first})

	second := s.link(t, other, epoch)
	second.Token = first.Token
	_, err := s.CreateLink(t.Context(), second, nil)
	wantCode(t, "create with another organization's token", err, sharelink.Conflict)
	equal(t, "all", s.all(t, other), []sharelink.Link{})

	var created sync.Map
	links := make([]sharelink.Link, concurrency)
	for i := range links {
		links[i] = s.link(t, mine, epoch.Add(time.Hour))
		links[i].Token = links[0].Token
	}
	together(concurrency, func(i int) {
		switch got, err := s.CreateLink(t.Context(), links[i], nil); {
		case err == nil:
			created.Store(i, got)
		case sharelink.CodeOf(err) != sharelink.Conflict:
			t.Errorf("create with a taken token: error is %v, want a conflict", err)
		}
	})
	n := 0
	created.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("of %d links with one token %d were created", concurrency, n)
	}
}

func testUpdateEachField(t T, s suite) {
	org := s.organization(t)
	now := epoch.Add(time.Hour)
	link := s.create(t, org, epoch, func(l *sharelink.Link) {
		l.UsageCount = 7
		l.AllowedOrigins = []string{"https://example.com"}
	})
	for _, step := range []struct {
		name   string
		change sharelink.Change
		want   func(*sharelink.Link)
	}{
		{"nothing", sharelink.Change{}, func(*sharelink.Link) {}},
		{"type", sharelink.Change{Type: to(sharelink.Type("ORB_EMBED"))}, func(l *sharelink.Link) { l.Type = "ORB_EMBED" }},
		{"lifetime", sharelink.Change{ExpiresIn: to(90 * time.Minute)}, func(l *sharelink.Link) { l.ExpiresAt = now.Add(90 * time.Minute) }},
		{"lifetime without end", sharelink.Change{ExpiresIn: to(time.Duration(0))}, func(l *sharelink.Link) { l.ExpiresAt = time.Time{} }},
		{"limit", sharelink.Change{UsageLimit: to(math.MaxInt32)}, func(l *sharelink.Link) { l.UsageLimit = math.MaxInt32 }},
		{"limit below the count", sharelink.Change{UsageLimit: to(1)}, func(l *sharelink.Link) { l.UsageLimit = 1 }},
		{"no limit", sharelink.Change{UsageLimit: to(0)}, func(l *sharelink.Link) { l.UsageLimit = 0 }},
		{"origins", sharelink.Change{AllowedOrigins: &[]string{"https://a.example", "https://b.example"}}, func(l *sharelink.Link) {
			l.AllowedOrigins = []string{"https://a.example", "https://b.example"}
		}},
		{"no origins", sharelink.Change{AllowedOrigins: &[]string{}}, func(l *sharelink.Link) { l.AllowedOrigins = []string{} }},
		{"all origins", sharelink.Change{AllowAllOrigins: to(true)}, func(l *sharelink.Link) { l.AllowAllOrigins = true }},
		{"not all origins", sharelink.Change{AllowAllOrigins: to(false)}, func(l *sharelink.Link) { l.AllowAllOrigins = false }},
		{"no watermark", sharelink.Change{RemoveWatermark: to(true)}, func(l *sharelink.Link) { l.RemoveWatermark = true }},
		{"watermark", sharelink.Change{RemoveWatermark: to(false)}, func(l *sharelink.Link) { l.RemoveWatermark = false }},
		{"disabled", sharelink.Change{Enabled: to(false)}, func(l *sharelink.Link) { l.Enabled = false }},
		{"enabled", sharelink.Change{Enabled: to(true)}, func(l *sharelink.Link) { l.Enabled = true }},
		{"primary", sharelink.Change{IsPrimary: to(true)}, func(l *sharelink.Link) { l.IsPrimary = true }},
		{"primary again", sharelink.Change{IsPrimary: to(true)}, func(*sharelink.Link) {}},
		{"not primary", sharelink.Change{IsPrimary: to(false)}, func(l *sharelink.Link) { l.IsPrimary = false }},
		{"label", sharelink.Change{Label: to("Spring newsletter")}, func(l *sharelink.Link) { l.Label = "Spring newsletter" }},
		{"no label", sharelink.Change{Label: to("")}, func(l *sharelink.Link) { l.Label = "" }},
		{"several", sharelink.Change{Type: to(sharelink.Type("LINK")), UsageLimit: to(5), Enabled: to(false)}, func(l *sharelink.Link) {
			l.Type, l.UsageLimit, l.Enabled = "LINK", 5, false
		}},
	} {
		step.want(&link)
		got, err := s.UpdateLink(t.Context(), org, link.ID, step.change, now)
		noError(t, err)
		equal(t, step.name, got, link)
		s.holds(t, link)
	}
	_, err := s.UpdateLink(t.Context(), org, newID(t, epoch), sharelink.Change{Enabled: to(true), IsPrimary: to(true)}, now)
	wantCode(t, "update a link that does not exist", err, sharelink.NotFound)
}

func testUpdateLifetime(t T, s suite) {
	org := s.organization(t)
	link := s.create(t, org, epoch)
	for _, lifetime := range []time.Duration{time.Millisecond, 87600 * time.Hour} {
		now := epoch.Add(time.Hour)
		got, err := s.UpdateLink(t.Context(), org, link.ID, sharelink.Change{ExpiresIn: &lifetime}, now)
		noError(t, err)
		if !got.ExpiresAt.Equal(now.Add(lifetime)) {
			t.Errorf("updated at %v to live %v, it expires at %v", now, lifetime, got.ExpiresAt)
		}
	}
}

func testUpdateConcurrently(t T, s suite) {
	org := s.organization(t)
	for range 10 {
		link := s.create(t, org, epoch)
		changes := []sharelink.Change{
			{Type: to(sharelink.Type("ORB_EMBED"))},
			{ExpiresIn: to(time.Duration(0))},
			{UsageLimit: to(0)},
			{AllowedOrigins: &[]string{"https://example.com"}},
			{AllowAllOrigins: to(true)},
			{RemoveWatermark: to(true)},
			{Enabled: to(false)},
			{IsPrimary: to(true)},
			{Label: to("late")},
		}
		together(len(changes), func(i int) {
			if _, err := s.UpdateLink(t.Context(), org, link.ID, changes[i], epoch); err != nil {
				t.Error(err)
			}
		})
		link.Type, link.ExpiresAt, link.UsageLimit, link.AllowedOrigins = "ORB_EMBED", time.Time{}, 0, []string{"https://example.com"}
		link.AllowAllOrigins, link.RemoveWatermark, link.Enabled, link.IsPrimary, link.Label = true, true, false, true, "late"
		s.holds(t, link)
	}
}

func testDelete(t T, s suite) {
	org := s.organization(t)
	link, other := s.create(t, org, epoch, func(l *sharelink.Link) { l.IsPrimary = true }), s.create(t, org, epoch)
	got, err := s.DeleteLink(t.Context(), org, link.ID)
	noError(t, err)
	equal(t, "deleted", got, link)
	_, err = s.Link(t.Context(), org, link.ID)
	wantCode(t, "get a deleted link", err, sharelink.NotFound)
	_, err = s.UpdateLink(t.Context(), org, link.ID, sharelink.Change{Enabled: to(true)}, epoch)
	wantCode(t, "update a deleted link", err, sharelink.NotFound)
	_, err = s.DeleteLink(t.Context(), org, link.ID)
	wantCode(t, "delete a deleted link", err, sharelink.NotFound)
	equal(t, "all", s.all(t, org), []sharelink.Link{other})
}

func testCancelledContext(t T, s suite) {
	org := s.organization(t)
	link := s.create(t, org, epoch)
	persona := sharelink.Persona{ID: newID(t, epoch), OrganizationID: org, Name: "Nobody", CreatedAt: epoch}
	for name, call := range map[string]func(ctx context.Context) error{
		"create": func(ctx context.Context) error { _, err := s.CreateLink(ctx, s.link(t, org, epoch), nil); return err },
		"update": func(ctx context.Context) error {
			_, err := s.UpdateLink(ctx, org, link.ID, sharelink.Change{Enabled: to(false)}, epoch)
			return err
		},
		"delete": func(ctx context.Context) error { _, err := s.DeleteLink(ctx, org, link.ID); return err },
		"get":    func(ctx context.Context) error { _, err := s.Link(ctx, org, link.ID); return err },
		"list": func(ctx context.Context) error {
			_, err := s.Links(ctx, org, sharelink.Filter{Paging: sharelink.DefaultPaging()})
			return err
		},
		"persona": func(ctx context.Context) error { return s.AddPersona(ctx, persona) },
	} {
		if err := call(cancelled()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: error is %v", name, err)
		}
	}
	equal(t, "all", s.all(t, org), []sharelink.Link{link})
	_, err := s.Persona(t.Context(), org, persona.ID)
	wantCode(t, "get the persona that was not added", err, sharelink.NotFound)
}

func testReopen(t T, s suite) {
	ctx := t.Context()
	org := s.organization(t)
	noError(t, s.AddPersona(ctx, sharelink.Persona{ID: persona, OrganizationID: org, Name: "Cara", CreatedAt: epoch}))
	noError(t, s.AddKey(ctx, sharelink.Key{Prefix: "ak_reopen", OrganizationID: org, CreatedAt: epoch}, sharelink.Hash{1}))
	key := sharelink.Idempotency{Key: "key", Request: [32]byte{1}, CreatedAt: epoch, ValidFrom: epoch.Add(-window)}
	first := s.link(t, org, epoch)
	_, err := s.CreateLink(ctx, first, &key)
	noError(t, err)
	links := []sharelink.Link{s.create(t, org, epoch.Add(time.Second), func(l *sharelink.Link) { l.IsPrimary = true }), first}

	// Opened twice at once beside the first, and again after all were closed: each finds tables that are up to date.
	for range 2 {
		together(2, func(int) {
			again := suite{Backend{Store: s.Open(t)}}
			equal(t, "all", again.all(t, org), links)
		})
		noError(t, s.Close())
	}
	again := suite{Backend{Store: s.Open(t)}}
	_, err = again.Persona(ctx, org, persona)
	noError(t, err)
	holder, err := again.HolderOfKey(ctx, sharelink.Hash{1})
	noError(t, err)
	equal(t, "organization of the key", holder.Organization.ID, org)
	replayed, err := again.Replay(ctx, org, key)
	noError(t, err)
	equal(t, "replayed", replayed, first)

	_, err = s.Link(ctx, org, first.ID)
	wantCode(t, "get from a closed store", err, sharelink.Unavailable)
	_, err = s.DeleteLink(ctx, org, first.ID)
	wantCode(t, "delete from a closed store", err, sharelink.Unavailable)
	equal(t, "all", again.all(t, org), links)
}
