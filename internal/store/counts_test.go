package store

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// TestBlocks has two servers create and delete more links than a block has, at the same time and with ids in any order, and
// compares pages from the whole depth of the lists.
func TestBlocks(t *testing.T) {
	t.Parallel()
	const links, gone = 2200, 200
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			var stores []*Store
			for range 2 {
				s, err := Open(t.Context(), url, Options{Volatile: true, Connections: 5, blockSize: 100})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				stores = append(stores, s)
			}
			s := stores[0]
			org := sharelink.Organization{ID: uuid.New(), Name: "default", CreatedAt: time.UnixMilli(1)}
			if err := s.CreateOrganization(t.Context(), org); err != nil {
				t.Fatal(err)
			}
			cara, carl := uuid.UUID{1}, uuid.UUID{2}
			created := make([]sharelink.Link, links)
			for i, ms := range rand.Perm(links) { // most of them near the end, as with clocks that differ a little
				at := time.UnixMilli(int64(1_000_000 + i + ms%50))
				created[i] = sharelink.Link{
					ID: sharelink.NewID(at), Token: sharelink.NewToken(), CreatedAt: at, OrganizationID: org.ID,
					PersonaID: cara, PersonaName: "Cara", Terms: sharelink.DefaultTerms(at),
				}
				if i%3 > 0 {
					created[i].Label = "Carl's sale"
				}
				if i%10 == 0 {
					created[i].PersonaID, created[i].PersonaName = carl, "Carl"
				}
			}
			var group sync.WaitGroup
			next := make(chan int)
			for w := range 32 {
				group.Go(func() {
					for i := range next {
						if _, err := stores[w%2].CreateLink(context.Background(), created[i], nil); err != nil {
							t.Error(err)
						}
						if i >= links-gone {
							if _, err := stores[(w+1)%2].DeleteLink(context.Background(), org.ID, created[i].ID); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			for i := range created {
				next <- i
			}
			close(next)
			group.Wait()
			if wrong, err := s.CheckCounts(t.Context()); err != nil || len(wrong) > 0 {
				t.Errorf("counts are wrong: %q, %v", wrong, err)
			}
			blocks, err := read(t.Context(), s, uuid.Nil, "test", blocksOf(org.ID))
			if err != nil || len(blocks) < 10 {
				t.Errorf("%d blocks of all links, %v", len(blocks), err)
			}

			left := slices.Clone(created[:links-gone])
			slices.SortFunc(left, func(a, b sharelink.Link) int { return -bytes.Compare(a.ID[:], b.ID[:]) })
			for name, f := range map[string]sharelink.Filter{
				"all":        {},
				"one":        {PersonaID: uuid.NullUUID{UUID: cara, Valid: true}},
				"name":       {Search: "CARL"},
				"both names": {Search: "car"},
				"tokens":     {Search: "sh"},
				"token":      {Search: created[0].Token[:4]},
				"label":      {Search: "SALE"},
				"and name":   {Search: "carl"},
				"of one":     {Search: "sale", PersonaID: uuid.NullUUID{UUID: cara, Valid: true}},
			} {
				text := sharelink.Fold(f.Search)
				var want []uuid.UUID
				for _, l := range left {
					if (!f.PersonaID.Valid || l.PersonaID == cara) && (strings.Contains(sharelink.Fold(l.PersonaName), text) || strings.Contains(sharelink.Fold(l.Label), text) || strings.HasPrefix(l.Token, f.Search)) {
						want = append(want, l.ID)
					}
				}
				for _, page := range []int{1, 2, 11, 12, 13, 18, 19, 20, 21, 1000} {
					f.Paging = sharelink.Paging{Page: page, PerPage: 100}
					got, err := s.Links(t.Context(), org.ID, f)
					if err != nil || got.Total != len(want) {
						t.Fatalf("%s: %d links, want %d, error %v", name, got.Total, len(want), err)
					}
					ids := []uuid.UUID{}
					for _, l := range got.Items {
						ids = append(ids, l.ID)
					}
					from := min((page-1)*100, len(want))
					if diff := cmp.Diff(append([]uuid.UUID{}, want[from:min(from+100, len(want))]...), ids); diff != "" {
						t.Errorf("%s, page %d:\n%s", name, page, diff)
					}
				}
			}
		})
	}
}

// blocksOf lists the blocks of all links of an organization.
func blocksOf(org uuid.UUID) operation[[]uuid.UUID] {
	return all(func(first *uuid.UUID) []any { return []any{first, new(int)} }, selectBlocks, org, "")
}

// TestRecount has counts that are wrong in every way.
func TestRecount(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), database(t), Options{Volatile: true, Connections: 5})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for i, org := range []string{"a", "b"} {
				o := sharelink.Organization{ID: uuid.UUID{byte(i)}, Name: org, CreatedAt: time.UnixMilli(1)}
				if err := s.CreateOrganization(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				for _, persona := range []string{"Cara", "Zoë"} {
					l := sharelink.Link{ID: sharelink.NewID(time.UnixMilli(1)), Token: sharelink.NewToken(), OrganizationID: o.ID, CreatedAt: time.UnixMilli(1), PersonaName: persona, Terms: sharelink.DefaultTerms(time.UnixMilli(1))}
					if _, err := s.CreateLink(t.Context(), l, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			err = perform(t.Context(), s, run(
				"UPDATE link_counts SET links = 7 WHERE organization_id = '00000000-0000-0000-0000-000000000000' AND scope = ''",
				"DELETE FROM link_counts WHERE organization_id = '01000000-0000-0000-0000-000000000000' AND scope LIKE '%cara'",
				"INSERT INTO link_counts SELECT id, 'x', id, 3 FROM organizations WHERE name = 'b'"))
			if err != nil {
				t.Fatal(err)
			}
			wrong, err := s.CheckCounts(t.Context())
			if text := strings.Join(wrong, "\n"); err != nil || len(wrong) != 3 || !strings.Contains(text, "7 are counted, 2 are there") ||
				!strings.Contains(text, "1 are not counted") || !strings.Contains(text, "3 are counted, 0 are there") {
				t.Errorf("%s, %v", text, err)
			}
			if err := s.Recount(t.Context()); err != nil {
				t.Fatal(err)
			}
			if wrong, err := s.CheckCounts(t.Context()); err != nil || len(wrong) > 0 {
				t.Errorf("after a recount: %q, %v", wrong, err)
			}
		})
	}
}
