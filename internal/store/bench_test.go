package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
)

// prepare opens a store with an organization that has a key and this many links, and returns their ids.
func prepare(b *testing.B, url string, o store.Options, links int) (*store.Store, uuid.UUID, []uuid.UUID) {
	b.Helper()
	s := open(b, url, o)
	org := sharelink.Organization{ID: uuid.New(), Name: "bench", CreatedAt: time.Now()}
	if err := s.CreateOrganization(b.Context(), org); err != nil {
		b.Fatal(err)
	}
	if err := s.AddKey(b.Context(), sharelink.Key{Prefix: "ak_bench", OrganizationID: org.ID, CreatedAt: time.Now()}, sharelink.Hash{1}); err != nil {
		b.Fatal(err)
	}
	ids := make([]uuid.UUID, links)
	errs := make(chan error, 64)
	var next atomic.Int64
	for range cap(errs) {
		go func() {
			var err error
			for i := next.Add(1) - 1; i < int64(links) && err == nil; i = next.Add(1) - 1 {
				link := newLink(org.ID)
				ids[i] = link.ID
				_, err = s.CreateLink(context.Background(), link, nil)
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	return s, org.ID, ids
}

func newLink(org uuid.UUID) sharelink.Link {
	now := time.Now()
	return sharelink.Link{
		ID: sharelink.NewID(now), Token: sharelink.NewToken(), CreatedAt: now, Terms: sharelink.DefaultTerms(now),
		PersonaID: uuid.Max, PersonaName: "Cara", OrganizationID: org,
	}
}

func BenchmarkCreate(b *testing.B) {
	for name, database := range databases {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				var writes, batches atomic.Int64
				s, org, _ := prepare(b, database(b), store.Options{ObserveBatch: func(n int) {
					writes.Add(int64(n))
					batches.Add(1)
				}}, 0)
				writes.Store(0)
				batches.Store(0)
				b.ReportAllocs()
				b.SetParallelism(max(1, callers/2)) // times GOMAXPROCS
				b.ResetTimer()
				create := func() {
					if _, err := s.CreateLink(context.Background(), newLink(org), nil); err != nil {
						b.Error(err)
					}
				}
				if callers == 1 {
					for b.Loop() {
						create()
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							create()
						}
					})
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
				if n := batches.Load(); n > 0 {
					b.ReportMetric(float64(writes.Load())/float64(n), "writes/batch")
				}
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for name, database := range databases {
		s, org, ids := prepare(b, database(b), store.Options{}, 10_000)
		ctx := context.Background()
		for operation, f := range map[string]func(i int) error{
			"get": func(i int) error { _, err := s.Link(ctx, org, ids[i%len(ids)]); return err },
			"list page 1 of 10k": func(int) error {
				_, err := s.Links(ctx, org, sharelink.Filter{Paging: sharelink.DefaultPaging()})
				return err
			},
			"key": func(int) error { _, err := s.HolderOfKey(ctx, sharelink.Hash{1}); return err },
		} {
			b.Run(name+"/"+operation, func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if err := f(i); err != nil {
						b.Fatal(err)
					}
					i += 7919
				}
			})
		}
	}
}
