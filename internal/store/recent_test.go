package store

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// TestRemember has two servers on one database, which remember for longer than the test takes, and then for an instant.
func TestRemember(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		for _, lasts := range []time.Duration{time.Hour, time.Nanosecond} {
			t.Run(name+" "+lasts.String(), func(t *testing.T) {
				t.Parallel()
				url := database(t)
				var stores []*Store
				for range 2 {
					s, err := Open(t.Context(), url, Options{Volatile: true, Remember: lasts, Connections: 5})
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					stores = append(stores, s)
				}
				ours, other := stores[0], stores[1]
				org := sharelink.Organization{ID: uuid.New(), Name: "default", CreatedAt: time.UnixMilli(1)}
				persona := sharelink.Persona{ID: uuid.New(), OrganizationID: org.ID, Name: "Cara", CreatedAt: time.UnixMilli(1)}
				key := sharelink.Key{Prefix: "ak_1", OrganizationID: org.ID, CreatedAt: time.UnixMilli(1)}
				finds := func(s *Store, want bool) {
					t.Helper()
					if _, err := s.HolderOfKey(t.Context(), sharelink.Hash{1}); (err == nil) != want {
						t.Errorf("key: error is %v", err)
					}
					if _, err := s.Persona(t.Context(), org.ID, persona.ID); (err == nil) != want {
						t.Errorf("persona: error is %v", err)
					}
					if found, err := s.OrganizationNamed(t.Context(), org.Name); err == nil && found.WatermarkRemoval == want {
						t.Errorf("organization: %+v", found)
					}
				}
				check := func(err error) {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
				}
				finds(ours, false)
				check(ours.CreateOrganization(t.Context(), org))
				check(ours.AddPersona(t.Context(), persona))
				check(ours.AddKey(t.Context(), key, sharelink.Hash{1}))
				finds(ours, true) // though it was not found before
				finds(other, true)
				_, err := ours.RevokeKey(t.Context(), key.Prefix, time.UnixMilli(2))
				check(err)
				_, err = ours.RemovePersona(t.Context(), org.ID, persona.ID)
				check(err)
				_, err = ours.SetWatermarkRemoval(t.Context(), org.Name, true)
				check(err)
				finds(ours, false)
				finds(other, lasts == time.Hour)
			})
		}
	}
}

// TestRememberDuringAChange has a key found, and revoked before what was found is remembered.
func TestRememberDuringAChange(t *testing.T) {
	t.Parallel()
	r := newRecent[string, int](time.Hour)
	find := func(n int, meanwhile func()) int {
		got, err := r.get("key", func() (int, error) { meanwhile(); return n, nil })
		if err != nil {
			t.Error(err)
		}
		return got
	}
	if got := find(1, r.forget); got != 1 {
		t.Errorf("found %d", got)
	}
	if got := find(2, func() {}); got != 2 {
		t.Errorf("what was found before the change is remembered: %d", got)
	}
	if got := find(3, func() {}); got != 2 {
		t.Errorf("nothing is remembered: %d", got)
	}
}
