package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// model is a store in its simplest form: the links of one organization, and what its idempotency keys keep.
type model struct {
	links map[uuid.UUID]sharelink.Link
	keys  map[string]remembered
}

type remembered struct {
	key  sharelink.Idempotency
	link sharelink.Link
}

func (m *model) create(link sharelink.Link, key *sharelink.Idempotency) (sharelink.Link, sharelink.Code) {
	if key != nil {
		if r, ok := m.keys[key.Key]; ok && !r.key.CreatedAt.Before(key.ValidFrom) {
			if r.key.Request != key.Request {
				return sharelink.Link{}, sharelink.KeyReused
			}
			return r.link, ""
		}
		m.keys[key.Key] = remembered{*key, link}
	}
	m.put(link)
	return link, ""
}

func (m *model) put(link sharelink.Link) {
	if link.IsPrimary {
		for id, other := range m.links {
			other.IsPrimary = other.IsPrimary && other.PersonaID != link.PersonaID
			m.links[id] = other
		}
	}
	m.links[link.ID] = link
}

func (m *model) update(id uuid.UUID, c sharelink.Change, now time.Time) (sharelink.Link, sharelink.Code) {
	link, ok := m.links[id]
	if !ok {
		return link, sharelink.NotFound
	}
	link.Terms = c.Apply(link.Terms, now)
	m.put(link)
	return link, ""
}

func (m *model) list(f sharelink.Filter) sharelink.Page[sharelink.Link] {
	var found []sharelink.Link
	for _, l := range m.links {
		text := strings.ToLower(f.Search)
		named := strings.Contains(strings.ToLower(l.PersonaName), text) || strings.Contains(strings.ToLower(l.Label), text)
		if (named || strings.HasPrefix(l.Token, f.Search) || l.ID.String() == f.Search) && (!f.PersonaID.Valid || f.PersonaID.UUID == l.PersonaID) {
			found = append(found, l)
		}
	}
	first := min(int(f.Offset()), len(found))
	return sharelink.Page[sharelink.Link]{Items: inOrder(found)[first:min(first+f.PerPage, len(found))], Total: len(found)}
}

// testModel does random operations to a store and to the model, and compares every answer.
func testModel(t T, s suite) {
	personas := []uuid.UUID{newID(t, epoch), newID(t, epoch)}
	rapid.Check(t, func(r *rapid.T) {
		org := s.organization(t)
		m := &model{links: make(map[uuid.UUID]sharelink.Link), keys: make(map[string]remembered)}
		ids := []uuid.UUID{newID(t, epoch)} // of all links that there ever were, and of one that never was
		now := epoch
		check := func(what string, got any, err error, want any, code sharelink.Code) {
			t.Helper()
			if sharelink.CodeOf(err) != code || code == "" && err != nil {
				r.Fatalf("%s: error is %v, want %q", what, err, code)
			}
			if err == nil && fmt.Sprint(got) != fmt.Sprint(want) { // times are all UTC and to the millisecond: nothing is lost
				r.Fatalf("%s: got\n%v, want\n%v", what, got, want)
			}
		}
		maybe := rapid.SampledFrom([]*bool{nil, to(true), to(false)})
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Millisecond, 13 * time.Hour}).Draw(r, "passed"))
			id := rapid.SampledFrom(ids).Draw(r, "id")
			switch what := rapid.SampledFrom([]string{"create", "create", "update", "delete", "get", "list"}).Draw(r, "do"); what {
			case "create":
				link := s.link(t, org, now)
				link.PersonaID = rapid.SampledFrom(personas).Draw(r, "persona")
				link.PersonaName = rapid.SampledFrom([]string{"Cara", "ZOË", "100%"}).Draw(r, "name")
				link.Label = rapid.SampledFrom([]string{"", "Cara's", "zoë", "sh_"}).Draw(r, "label")
				link.IsPrimary = rapid.Bool().Draw(r, "primary")
				key := rapid.SampledFrom([]*sharelink.Idempotency{nil, keyAt("a", 1, now), keyAt("a", 2, now), keyAt("b", 1, now)}).Draw(r, "key")
				want, code := m.create(link, key)
				got, err := s.CreateLink(t.Context(), link, key)
				check(what, got, err, want, code)
				ids = append(ids, link.ID)
			case "update":
				c := sharelink.Change{
					Type:           rapid.SampledFrom([]*sharelink.Type{nil, to(sharelink.Type("ORB_EMBED"))}).Draw(r, "type"),
					ExpiresIn:      rapid.SampledFrom([]*time.Duration{nil, to(time.Duration(0)), to(time.Hour)}).Draw(r, "lifetime"),
					UsageLimit:     rapid.SampledFrom([]*int{nil, to(0), to(1), to(1000)}).Draw(r, "limit"),
					AllowedOrigins: rapid.SampledFrom([]*[]string{nil, {}, {"https://example.com"}}).Draw(r, "origins"),
					Enabled:        maybe.Draw(r, "enabled"),
					IsPrimary:      maybe.Draw(r, "primary"),
					Label:          rapid.SampledFrom([]*string{nil, to(""), to("ZOË %")}).Draw(r, "label"),
				}
				want, code := m.update(id, c, now)
				got, err := s.UpdateLink(t.Context(), org, id, c, now)
				check(what, got, err, want, code)
			case "delete", "get":
				want, ok := m.links[id]
				code := sharelink.Code("")
				if !ok {
					code = sharelink.NotFound
				}
				call := s.Link
				if what == "delete" {
					call = s.DeleteLink
					delete(m.links, id)
				}
				got, err := call(t.Context(), org, id)
				check(what, got, err, want, code)
			case "list":
				f := sharelink.Filter{
					Search: rapid.SampledFrom([]string{"", "cara", "zoë", "%", "a's", "sh_", id.String()}).Draw(r, "search"),
					Paging: sharelink.Paging{Page: rapid.IntRange(1, 3).Draw(r, "page"), PerPage: rapid.IntRange(1, 5).Draw(r, "perPage")},
				}
				f.PersonaID = uuid.NullUUID{UUID: personas[0], Valid: rapid.Bool().Draw(r, "filter")}
				got, err := s.Links(t.Context(), org, f)
				check(what, got, err, m.list(f), "")
			}
		}
	})
}
