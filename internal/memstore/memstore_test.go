package memstore

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(storetest.T) storetest.Backend {
		s := New()
		return storetest.Backend{Store: s, Open: func(storetest.T) sharelink.Store { return &Store{memory: s.memory} }}
	})
}

func TestDataIsACopy(t *testing.T) {
	t.Parallel()
	s := New()
	add := func(name string) {
		t.Helper()
		if err := s.CreateOrganization(t.Context(), sharelink.Organization{ID: sharelink.NewID(time.Now()), Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (names []string) {
		t.Helper()
		organizations, err := s.Organizations(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range organizations {
			names = append(names, o.Name)
		}
		return names
	}
	add("a")
	one := s.Data()
	for range 2 {
		add("b")
		if diff := cmp.Diff([]string{"a", "b"}, names()); diff != "" {
			t.Error(diff)
		}
		s.SetData(one)
		if diff := cmp.Diff([]string{"a"}, names()); diff != "" {
			t.Error(diff)
		}
	}
}
