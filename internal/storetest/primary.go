package storetest

import (
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

func primary(l *sharelink.Link) { l.IsPrimary = true }

// primaries returns the ids of an organization's primary links, by persona. Two of one persona are an error.
func (s suite) primaries(t T, org uuid.UUID) map[uuid.UUID]uuid.UUID {
	t.Helper()
	found := make(map[uuid.UUID]uuid.UUID)
	for _, l := range s.all(t, org) {
		if !l.IsPrimary {
			continue
		}
		if other, two := found[l.PersonaID]; two {
			t.Errorf("persona %v has two primary links: %v and %v", l.PersonaID, other, l.ID)
		}
		found[l.PersonaID] = l.ID
	}
	return found
}

func testPrimaryOnCreate(t T, s suite) {
	org, beside := s.organization(t), s.organization(t)
	other := newID(t, epoch)
	elsewhere := s.create(t, beside, epoch, primary)
	first := s.create(t, org, epoch, primary)
	ofOther := s.create(t, org, epoch, primary, func(l *sharelink.Link) { l.PersonaID = other })
	equal(t, "primaries", s.primaries(t, org), map[uuid.UUID]uuid.UUID{persona: first.ID, other: ofOther.ID})

	second := s.create(t, org, epoch, primary)
	s.create(t, org, epoch)
	equal(t, "primaries", s.primaries(t, org), map[uuid.UUID]uuid.UUID{persona: second.ID, other: ofOther.ID})
	first.IsPrimary = false
	s.holds(t, first) // it lost nothing else
	s.holds(t, elsewhere)
}

func testPrimaryOnUpdate(t T, s suite) {
	org, beside := s.organization(t), s.organization(t)
	other := newID(t, epoch)
	elsewhere := s.create(t, beside, epoch, primary)
	first, second := s.create(t, org, epoch, primary), s.create(t, org, epoch)
	ofOther := s.create(t, org, epoch, primary, func(l *sharelink.Link) { l.PersonaID = other })
	update := func(id uuid.UUID, to bool) {
		t.Helper()
		_, err := s.UpdateLink(t.Context(), org, id, sharelink.Change{IsPrimary: &to}, epoch)
		noError(t, err)
	}
	update(second.ID, true)
	equal(t, "primaries", s.primaries(t, org), map[uuid.UUID]uuid.UUID{persona: second.ID, other: ofOther.ID})
	update(second.ID, true)
	equal(t, "primaries", s.primaries(t, org), map[uuid.UUID]uuid.UUID{persona: second.ID, other: ofOther.ID})
	update(first.ID, false)
	equal(t, "primaries", s.primaries(t, org), map[uuid.UUID]uuid.UUID{persona: second.ID, other: ofOther.ID})
	update(second.ID, false)
	equal(t, "primaries", s.primaries(t, org), map[uuid.UUID]uuid.UUID{other: ofOther.ID})
	update(first.ID, true)
	equal(t, "primaries", s.primaries(t, org), map[uuid.UUID]uuid.UUID{persona: first.ID, other: ofOther.ID})

	// An update that finds no link demotes none, and neither does a demotion of what does not exist.
	_, err := s.UpdateLink(t.Context(), org, elsewhere.ID, sharelink.Change{IsPrimary: to(true)}, epoch)
	wantCode(t, "update another's link", err, sharelink.NotFound)
	s.holds(t, first)
	s.holds(t, elsewhere)

	_, err = s.DeleteLink(t.Context(), org, first.ID)
	noError(t, err)
	equal(t, "primaries", s.primaries(t, org), map[uuid.UUID]uuid.UUID{other: ofOther.ID})
}

func testPrimaryConcurrently(t T, s suite) {
	org := s.organization(t)
	links := make([]sharelink.Link, concurrency)
	for i := range links {
		links[i] = s.link(t, org, epoch.Add(time.Duration(i)*time.Millisecond))
		if i%2 == 0 { // half of them are there before and become primary, the others are created so
			_, err := s.CreateLink(t.Context(), links[i], nil)
			noError(t, err)
		}
		links[i].IsPrimary = true
	}
	together(concurrency+1, func(i int) {
		switch {
		case i == concurrency: // while it happens too
			for range 20 {
				s.primaries(t, org)
			}
			return
		case i%2 == 0:
			if _, err := s.UpdateLink(t.Context(), org, links[i].ID, sharelink.Change{IsPrimary: to(true)}, epoch); err != nil {
				t.Error(err)
			}
		default:
			if _, err := s.CreateLink(t.Context(), links[i], nil); err != nil {
				t.Error(err)
			}
		}
	})
	if n := len(s.primaries(t, org)); n != 1 {
		t.Errorf("after %d links were made primary %d are, want 1", concurrency, n)
	}
	if n := len(s.all(t, org)); n != concurrency {
		t.Errorf("%d of %d links are there", n, concurrency)
	}
}
