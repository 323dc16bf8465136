package store_test

import (
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// A link whose visits were erased has more uses than visits, and that is no fault, also when a use is given back afterwards.
func TestErasedVisitsAreNoFault(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, database(t), quick)
			at := time.UnixMilli(1)
			org := sharelink.Organization{ID: sharelink.NewID(at), Name: "o", CreatedAt: at}
			link := sharelink.Link{ID: sharelink.NewID(at), Token: sharelink.NewToken(), CreatedAt: at, OrganizationID: org.ID, Terms: sharelink.DefaultTerms(at)}
			err := s.CreateOrganization(t.Context(), org)
			if err == nil {
				_, err = s.CreateLink(t.Context(), link, nil)
			}
			var pending sharelink.Visit
			for i := range 3 {
				if err == nil {
					pending = sharelink.Visit{ID: sharelink.NewID(at), LinkID: link.ID, OrganizationID: org.ID, At: at, Pending: i == 2}
					_, _, err = s.Spend(t.Context(), link.Token, pending)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			sound := func(uses int) {
				t.Helper()
				got, err := s.Link(t.Context(), org.ID, link.ID)
				faults, checkErr := s.CheckUses(t.Context())
				if err != nil || checkErr != nil || got.UsageCount != uses || len(faults) > 0 {
					t.Errorf("%d uses, want %d, faults %q, errors %v, %v", got.UsageCount, uses, faults, err, checkErr)
				}
			}
			if got, err := s.EraseVisits(t.Context(), org.ID, link.ID); err != nil || got != (sharelink.Erasure{Removed: 2, Pending: 1}) {
				t.Errorf("%+v, %v", got, err)
			}
			sound(3)
			if settled, err := s.Settle(t.Context(), pending, sharelink.UpstreamRefused); err != nil || !settled {
				t.Errorf("settled is %v, %v", settled, err)
			}
			sound(2)
		})
	}
}
