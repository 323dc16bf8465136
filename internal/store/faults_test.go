package store_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
	"github.com/sharelinks-dev/sharelinks/internal/storetest"
)

// TestSuiteFindsFaults tests the suite: a store that breaks a law fails that law.
func TestSuiteFindsFaults(t *testing.T) {
	t.Parallel()
	for fault, broken := range map[string][]string{
		"leaks links to other organizations":   {"Isolation"},
		"creates again under the same key":     {"IdempotentReplay", "IdempotentConcurrently"},
		"replays what the link is now":         {"IdempotentReplay"},
		"forgets keys too early":               {"IdempotentBoundary"},
		"sweeps too many keys":                 {"ForgetKeys"},
		"burns the key of a create that fails": {"IdempotentFailure"},
		"has two primary links":                {"PrimaryOnCreate", "PrimaryConcurrently"},
		"does not delete":                      {"Delete", "Model"},
		"does not update":                      {"UpdateEachField"},
		"reads, then updates":                  {"UpdateConcurrently"},
		"forgets allowed origins":              {"RoundTrip"},
		"lists the oldest first":               {"ListOrder", "ListPages"},
		"counts only the page":                 {"ListPages"},
		"searches in one case":                 {"SearchName"},
		"searches with wildcards":              {"SearchName"},
		"searches names only":                  {"SearchLabel"},
		"goes on without the caller":           {"CancelledContext"},
		"accepts revoked keys":                 {"KeyRevoked"},
		"revokes again":                        {"KeyRevoked"},
		"lets every key write":                 {"Keys"},
		"removes links with their persona":     {"PersonaRemovalKeepsLinks"},
		"lists personas by their bytes":        {"Personas"},
		"shows personas to everybody":          {"Personas"},
		"starts first twice":                   {"Bootstrap", "BootstrapConcurrently"},
		"keeps nothing":                        {"Reopen"},
		"reads, then spends":                   {"SpendConcurrently"},
		"spends what has expired":              {"SpendAtTheInstant"},
		"spends without a visit":               {"Spend"},
		"gives back whenever asked":            {"SettleOnce", "SettleConcurrently"},
		"gives back after a timeout":           {"SettleOnce"},
		"abandons what was settled":            {"Abandon"},
		"shows visits to everybody":            {"VisitsOfOthers"},
		"forgets visits too early":             {"ForgetVisits"},
		"does not erase visits":                {"EraseVisits", "EraseManyVisits"},
		"signs with any key":                   {"FirstSigningKey"},
		"keeps old signing keys":               {"SigningKeys"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			for _, law := range broken {
				failures := storetest.Failures(t, law, func(t storetest.T) storetest.Backend {
					dir := t.TempDir()
					again := func(t storetest.T) sharelink.Store {
						dir := dir
						if fault == "keeps nothing" {
							dir = t.TempDir()
						}
						return &faulty{Store: open(t, "sqlite:"+filepath.Join(dir, "links.db"), store.Options{Volatile: true}), fault: fault, crowded: make(chan struct{})}
					}
					return storetest.Backend{Store: again(t), Open: again}
				})
				if failures == "" {
					t.Errorf("a store that %s passes %s", fault, law)
				}
			}
		})
	}
}

// faulty is a store with a fault.
type faulty struct {
	sharelink.Store
	fault string
	ids   sync.Map // of links: those created or wrongly primary
	keys  sync.Map // burnt or known

	readers atomic.Int64
	crowded chan struct{}
}

// waitsFor waits until that many callers have read, so that none has written what another read.
func (f *faulty) waitsFor(readers int64) {
	if f.readers.Add(1) == readers {
		close(f.crowded)
	}
	<-f.crowded
}

func (f *faulty) CreateLink(ctx context.Context, link sharelink.Link, key *sharelink.Idempotency) (sharelink.Link, error) {
	f.ids.Store(link.ID, link.OrganizationID)
	given := link
	switch f.fault {
	case "creates again under the same key":
		key = nil
	case "forgets keys too early":
		key = early(key)
	case "forgets allowed origins":
		link.AllowedOrigins = nil
	case "has two primary links":
		if link.IsPrimary {
			f.keys.Store(link.ID, true)
			link.IsPrimary = false
		}
	case "goes on without the caller":
		ctx = context.WithoutCancel(ctx)
	}
	got, err := f.Store.CreateLink(ctx, link, key)
	switch {
	case f.fault == "burns the key of a create that fails" && err != nil && key != nil:
		f.keys.Store(key.Key, true)
	case f.fault == "replays what the link is now" && err == nil && key != nil:
		return f.Link(ctx, got.OrganizationID, got.ID)
	case f.fault == "forgets allowed origins" && err == nil:
		got = given
	}
	return f.primary(got), err
}

func early(key *sharelink.Idempotency) *sharelink.Idempotency {
	if key == nil {
		return nil
	}
	moved := *key
	moved.ValidFrom = key.ValidFrom.Add(time.Millisecond)
	return &moved
}

// primary makes links primary that were to be, whatever came after.
func (f *faulty) primary(link sharelink.Link) sharelink.Link {
	if _, ok := f.keys.Load(link.ID); ok {
		link.IsPrimary = true
	}
	return link
}

func (f *faulty) Replay(ctx context.Context, organization uuid.UUID, key sharelink.Idempotency) (sharelink.Link, error) {
	if f.fault == "forgets keys too early" {
		key = *early(&key)
	}
	if _, burnt := f.keys.Load(key.Key); burnt {
		return sharelink.Link{}, &sharelink.Error{Code: sharelink.KeyReused}
	}
	got, err := f.Store.Replay(ctx, organization, key)
	if f.fault == "replays what the link is now" && err == nil {
		return f.Link(ctx, organization, got.ID)
	}
	return got, err
}

func (f *faulty) Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	if owner, ok := f.ids.Load(id); ok && f.fault == "leaks links to other organizations" {
		organization = owner.(uuid.UUID)
	}
	got, err := f.Store.Link(ctx, organization, id)
	return f.primary(got), err
}

func (f *faulty) Links(ctx context.Context, organization uuid.UUID, filter sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	search := filter.Search
	if f.fault == "searches with wildcards" {
		filter.Search = strings.Trim(search, "%_")
	}
	page, err := f.Store.Links(ctx, organization, filter)
	for i := range page.Items {
		page.Items[i] = f.primary(page.Items[i])
	}
	switch f.fault {
	case "lists the oldest first":
		slices.Reverse(page.Items)
	case "counts only the page":
		page.Total = len(page.Items)
	case "searches names only":
		page.Items = slices.DeleteFunc(page.Items, func(l sharelink.Link) bool {
			return !strings.Contains(sharelink.Fold(l.PersonaName), sharelink.Fold(search))
		})
		page.Total = len(page.Items)
	case "searches in one case":
		page.Items = slices.DeleteFunc(page.Items, func(l sharelink.Link) bool { return !strings.Contains(l.PersonaName, search) })
		page.Total = len(page.Items)
	}
	return page, err
}

func (f *faulty) UpdateLink(ctx context.Context, organization, id uuid.UUID, c sharelink.Change, now time.Time) (sharelink.Link, error) {
	switch f.fault {
	case "does not update":
		return f.Link(ctx, organization, id)
	case "reads, then updates":
		l, err := f.Link(ctx, organization, id)
		if err != nil {
			return l, err
		}
		f.waitsFor(8) // as many as UpdateConcurrently has
		all := c.Apply(l.Terms, now)
		c = sharelink.Change{
			Type: &all.Type, UsageLimit: &all.UsageLimit, AllowedOrigins: &all.AllowedOrigins, AllowAllOrigins: &all.AllowAllOrigins,
			RemoveWatermark: &all.RemoveWatermark, Enabled: &all.Enabled, IsPrimary: &all.IsPrimary, ExpiresIn: c.ExpiresIn,
		}
	}
	got, err := f.Store.UpdateLink(ctx, organization, id, c, now)
	return f.primary(got), err
}

func (f *faulty) DeleteLink(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	if f.fault == "does not delete" {
		return f.Link(ctx, organization, id)
	}
	return f.Store.DeleteLink(ctx, organization, id)
}

func (f *faulty) ForgetKeys(ctx context.Context, before time.Time) (int, error) {
	if f.fault == "sweeps too many keys" {
		before = before.Add(time.Millisecond)
	}
	return f.Store.ForgetKeys(ctx, before)
}

func (f *faulty) RemovePersona(ctx context.Context, organization, id uuid.UUID) (int, error) {
	links, err := f.Store.RemovePersona(ctx, organization, id)
	if f.fault != "removes links with their persona" {
		return links, err
	}
	page, err := f.Links(ctx, organization, sharelink.Filter{PersonaID: uuid.NullUUID{UUID: id, Valid: true}, Paging: sharelink.Paging{Page: 1, PerPage: 100}})
	for _, l := range page.Items {
		_, err = f.Store.DeleteLink(ctx, organization, l.ID)
	}
	return links, err
}

func (f *faulty) AddPersona(ctx context.Context, p sharelink.Persona) error {
	if f.fault == "shows personas to everybody" {
		f.ids.Store(p.ID, p)
	}
	return f.Store.AddPersona(ctx, p)
}

func (f *faulty) PersonasOf(ctx context.Context, organization uuid.UUID) ([]sharelink.Persona, error) {
	personas, err := f.Store.PersonasOf(ctx, organization)
	switch f.fault {
	case "lists personas by their bytes":
		slices.SortFunc(personas, func(a, b sharelink.Persona) int { return strings.Compare(a.Name, b.Name) })
	case "shows personas to everybody":
		personas = []sharelink.Persona{}
		for _, p := range f.ids.Range {
			personas = append(personas, p.(sharelink.Persona))
		}
		sharelink.SortPersonas(personas)
	}
	return personas, err
}

func (f *faulty) HolderOfKey(ctx context.Context, hash sharelink.Hash) (sharelink.Holder, error) {
	if owner, ok := f.keys.Load(hash); ok {
		return owner.(sharelink.Holder), nil
	}
	holder, err := f.Store.HolderOfKey(ctx, hash)
	holder.ReadOnly = holder.ReadOnly && f.fault != "lets every key write"
	return holder, err
}

func (f *faulty) AddKey(ctx context.Context, k sharelink.Key, hash sharelink.Hash) error {
	err := f.Store.AddKey(ctx, k, hash)
	if f.fault == "accepts revoked keys" && err == nil {
		f.keys.Store(hash, sharelink.Holder{Organization: sharelink.Organization{ID: k.OrganizationID}})
	}
	return err
}

func (f *faulty) RevokeKey(ctx context.Context, prefix string, at time.Time) (sharelink.Key, error) {
	k, err := f.Store.RevokeKey(ctx, prefix, at)
	if f.fault == "revokes again" {
		k.RevokedAt = at
	}
	return k, err
}

func (f *faulty) Bootstrap(ctx context.Context, o sharelink.Organization, p sharelink.Persona, key *sharelink.Key, hash sharelink.Hash) (bool, error) {
	created, err := f.Store.Bootstrap(ctx, o, p, key, hash)
	return created || f.fault == "starts first twice", err
}

func (f *faulty) Spend(ctx context.Context, token string, visit sharelink.Visit) (sharelink.Link, sharelink.Status, error) {
	switch f.fault {
	case "reads, then spends":
		link, err := f.LinkByToken(ctx, token)
		if err != nil || link.StatusAt(visit.At) != sharelink.Active {
			break
		}
		f.waitsFor(100) // half of those of SpendConcurrently
		if _, _, err := f.Store.Spend(ctx, token, visit); err != nil {
			return link, "", err
		}
		return link, sharelink.Active, nil
	case "spends what has expired":
		visit.At = visit.At.Add(-time.Millisecond)
	case "spends without a visit":
		link, status, err := f.Store.Spend(ctx, token, visit)
		if err == nil {
			_, err = f.ForgetVisits(ctx, visit.At.Add(time.Hour))
		}
		return link, status, err
	}
	return f.Store.Spend(ctx, token, visit)
}

func (f *faulty) Abandon(ctx context.Context, before time.Time) (int, error) {
	n, err := f.Store.Abandon(ctx, before)
	if f.fault == "abandons what was settled" {
		n++
	}
	return n, err
}

func (f *faulty) Settle(ctx context.Context, visit sharelink.Visit, outcome sharelink.Outcome) (bool, error) {
	switch f.fault {
	case "gives back whenever asked":
		// A second visit of another id, opened for nothing else, is what is given back.
		if settled, err := f.Store.Settle(ctx, visit, outcome); settled || err != nil {
			return settled, err
		}
		page, err := f.Visits(ctx, visit.OrganizationID, visit.LinkID, sharelink.Paging{Page: 1, PerPage: 100})
		for _, v := range page.Items {
			if settled, _ := f.Store.Settle(ctx, v, outcome); settled {
				return true, nil
			}
		}
		return false, err
	case "gives back after a timeout":
		outcome = sharelink.UpstreamRefused
	}
	return f.Store.Settle(ctx, visit, outcome)
}

func (f *faulty) Visits(ctx context.Context, organization, link uuid.UUID, p sharelink.Paging) (sharelink.Page[sharelink.Visit], error) {
	if owner, ok := f.ids.Load(link); ok && f.fault == "shows visits to everybody" {
		organization = owner.(uuid.UUID)
	}
	return f.Store.Visits(ctx, organization, link, p)
}

func (f *faulty) EraseVisits(ctx context.Context, organization, link uuid.UUID) (sharelink.Erasure, error) {
	if f.fault == "does not erase visits" {
		return sharelink.Erasure{}, nil
	}
	return f.Store.EraseVisits(ctx, organization, link)
}

func (f *faulty) ForgetVisits(ctx context.Context, before time.Time) (int, error) {
	if f.fault == "forgets visits too early" {
		before = before.Add(time.Millisecond)
	}
	return f.Store.ForgetVisits(ctx, before)
}

func (f *faulty) SigningKeys(ctx context.Context, first sharelink.SigningKey) ([]sharelink.SigningKey, error) {
	if f.fault == "signs with any key" {
		return []sharelink.SigningKey{first}, nil
	}
	return f.Store.SigningKeys(ctx, first)
}

func (f *faulty) AddSigningKey(ctx context.Context, key sharelink.SigningKey, oldest int) error {
	if f.fault == "keeps old signing keys" {
		oldest = 0
	}
	return f.Store.AddSigningKey(ctx, key, oldest)
}
