package storetest

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// visit returns a visit to a link that the store does not know yet.
func (s suite) visit(t T, link sharelink.Link, at time.Time) sharelink.Visit {
	t.Helper()
	return sharelink.Visit{
		ID: newID(t, at), LinkID: link.ID, OrganizationID: link.OrganizationID, At: at, Outcome: sharelink.Opened,
		Origin: "https://example.com", Client: "Firefox", Address: "192.0.2.0/24",
	}
}

// spend opens a link and returns the visit and the status that decided.
func (s suite) spend(t T, link sharelink.Link, at time.Time) (sharelink.Visit, sharelink.Status) {
	t.Helper()
	visit := s.visit(t, link, at)
	visit.Pending = true
	_, status, err := s.Spend(t.Context(), link.Token, visit)
	noError(t, err)
	visit.Outcome, visit.Pending = sharelink.OutcomeOf(status), status == sharelink.Active
	return visit, status
}

// visited returns the visits of a link, up to 100.
func (s suite) visited(t T, link sharelink.Link) []sharelink.Visit {
	t.Helper()
	page, err := s.Visits(t.Context(), link.OrganizationID, link.ID, sharelink.Paging{Page: 1, PerPage: 100})
	noError(t, err)
	if page.Total != len(page.Items) && page.Total <= 100 {
		t.Errorf("the list of %d visits says that there are %d", len(page.Items), page.Total)
	}
	return page.Items
}

func testLinkByToken(t T, s suite) {
	link := s.create(t, s.organization(t), epoch)
	got, err := s.LinkByToken(t.Context(), link.Token)
	noError(t, err)
	equal(t, "by token", got, link)
	for _, token := range []string{"", "sh_", link.Token[:len(link.Token)-1], link.Token + "x", link.ID.String(), "\x00", "\xff", "' OR 1=1 --", "%"} {
		_, err := s.LinkByToken(t.Context(), token)
		wantCode(t, fmt.Sprintf("link by %q", token), err, sharelink.NotFound)
	}
}

// Each open counts one, is remembered as it was, and answers the link as it then is. What is refused counts nothing.
func testSpend(t T, s suite) {
	org := s.organization(t)
	link := s.create(t, org, epoch, func(l *sharelink.Link) { l.UsageLimit = 2 })
	other := s.create(t, org, epoch)
	var visits []sharelink.Visit
	for i, want := range []sharelink.Status{sharelink.Active, sharelink.Active, sharelink.Exhausted, sharelink.Exhausted} {
		visit := s.visit(t, link, epoch.Add(time.Duration(i)*time.Millisecond))
		got, status, err := s.Spend(t.Context(), link.Token, visit)
		noError(t, err)
		if status != want {
			t.Errorf("open %d: %s, want %s", i, status, want)
		}
		link.UsageCount = min(i+1, 2)
		equal(t, "the link that was opened", got, link)
		visit.Outcome = sharelink.OutcomeOf(want)
		visits = append([]sharelink.Visit{visit}, visits...)
	}
	s.holds(t, link)
	s.holds(t, other)
	equal(t, "visits", s.visited(t, link), visits)
	equal(t, "visits of the other", s.visited(t, other), []sharelink.Visit{})

	for _, step := range []struct {
		change sharelink.Change
		want   sharelink.Status
	}{
		{sharelink.Change{UsageLimit: to(3)}, sharelink.Active},
		{sharelink.Change{UsageLimit: to(1)}, sharelink.Exhausted}, // below the count
		{sharelink.Change{UsageLimit: to(0)}, sharelink.Active},
		{sharelink.Change{Enabled: to(false)}, sharelink.Disabled},
		{sharelink.Change{Enabled: to(true)}, sharelink.Active},
	} {
		_, err := s.UpdateLink(t.Context(), org, link.ID, step.change, epoch)
		noError(t, err)
		if _, status := s.spend(t, link, epoch.Add(time.Second)); status != step.want {
			t.Errorf("after %+v: %s, want %s", step.change, status, step.want)
		}
	}
	_, err := s.DeleteLink(t.Context(), org, link.ID)
	noError(t, err)
	_, _, err = s.Spend(t.Context(), link.Token, s.visit(t, link, epoch))
	wantCode(t, "open a deleted link", err, sharelink.NotFound)

	refused := s.visit(t, other, epoch)
	refused.Outcome, refused.Origin, refused.Client, refused.Address = sharelink.OriginRefused, "", "", ""
	noError(t, s.AddVisit(t.Context(), refused))
	s.holds(t, other)
	equal(t, "visits of the other", s.visited(t, other), []sharelink.Visit{refused})
}

func testSpendAtTheInstant(t T, s suite) {
	link := s.create(t, s.organization(t), epoch, func(l *sharelink.Link) { l.ExpiresAt = epoch.Add(time.Second) })
	for at, want := range map[time.Duration]sharelink.Status{
		time.Second - time.Millisecond: sharelink.Active,
		time.Second:                    sharelink.Expired,
		time.Second + time.Millisecond: sharelink.Expired,
	} {
		if _, status := s.spend(t, link, epoch.Add(at)); status != want {
			t.Errorf("opened %v after it was made: %s, want %s", at, status, want)
		}
	}
	link.UsageCount = 1
	s.holds(t, link)
}

// However many open at once, no more are let in than the limit says.
func testSpendConcurrently(t T, s suite) {
	const callers, limit = 200, 50
	link := s.create(t, s.organization(t), epoch, func(l *sharelink.Link) { l.UsageLimit = limit })
	var opened atomic.Int64
	together(callers, func(int) {
		_, status, err := s.Spend(t.Context(), link.Token, s.visit(t, link, epoch))
		switch {
		case err != nil:
			t.Error(err)
		case status == sharelink.Active:
			opened.Add(1)
		case status != sharelink.Exhausted:
			t.Errorf("status %s", status)
		}
	})
	if opened.Load() != limit {
		t.Errorf("%d of %d were let in, the limit is %d", opened.Load(), callers, limit)
	}
	link.UsageCount = limit
	s.holds(t, link)
	page, err := s.Visits(t.Context(), link.OrganizationID, link.ID, sharelink.Paging{Page: 1, PerPage: 1})
	noError(t, err)
	if page.Total != callers {
		t.Errorf("%d visits are remembered, want %d", page.Total, callers)
	}
}

// Opens that meet changes of the link count exactly those that were let in.
func testSpendWhileChanging(t T, s suite) {
	link := s.create(t, s.organization(t), epoch, func(l *sharelink.Link) { l.UsageLimit = 0 })
	var opened atomic.Int64
	together(concurrency, func(i int) {
		if i%5 == 0 {
			if _, err := s.UpdateLink(t.Context(), link.OrganizationID, link.ID, sharelink.Change{Enabled: to(i%2 == 0), UsageLimit: to(i)}, epoch); err != nil {
				t.Error(err)
			}
			return
		}
		_, status, err := s.Spend(t.Context(), link.Token, s.visit(t, link, epoch))
		if err != nil {
			t.Error(err)
		}
		if status == sharelink.Active {
			opened.Add(1)
		}
	})
	got, err := s.Link(t.Context(), link.OrganizationID, link.ID)
	noError(t, err)
	if int64(got.UsageCount) != opened.Load() {
		t.Errorf("%d were let in, %d are counted", opened.Load(), got.UsageCount)
	}
}

func testSettleOnce(t T, s suite) {
	ctx := t.Context()
	link := s.create(t, s.organization(t), epoch, func(l *sharelink.Link) { l.UsageLimit = 3 })
	refused, _ := s.spend(t, link, epoch)
	lost, _ := s.spend(t, link, epoch.Add(time.Millisecond))
	opened, _ := s.spend(t, link, epoch.Add(2*time.Millisecond))
	late, status := s.spend(t, link, epoch.Add(3*time.Millisecond))
	if status != sharelink.Exhausted {
		t.Fatalf("the fourth of three was %s", status)
	}
	for _, step := range []struct {
		what    string
		visit   sharelink.Visit
		outcome sharelink.Outcome
		want    bool
		uses    int
	}{
		{"refused", refused, sharelink.UpstreamRefused, true, 2},
		{"refused again", refused, sharelink.UpstreamRefused, false, 2},
		{"lost", lost, sharelink.UpstreamTimeout, true, 2},
		{"opened", opened, sharelink.Opened, true, 2},
		{"opened, then refused", opened, sharelink.UpstreamRefused, false, 2},
		{"lost, then refused", lost, sharelink.UpstreamRefused, false, 2},
		{"refused, then lost", refused, sharelink.UpstreamTimeout, false, 2},
		{"never opened", late, sharelink.UpstreamRefused, false, 2},
		{"never there", s.visit(t, link, epoch), sharelink.UpstreamRefused, false, 2},
	} {
		got, err := s.Settle(ctx, step.visit, step.outcome)
		noError(t, err)
		if got != step.want {
			t.Errorf("%s: settled is %v, want %v", step.what, got, step.want)
		}
		link.UsageCount = step.uses
		s.holds(t, link)
	}
	refused.Outcome, lost.Outcome = sharelink.UpstreamRefused, sharelink.UpstreamTimeout
	refused.Pending, lost.Pending, opened.Pending = false, false, false
	equal(t, "visits", s.visited(t, link), []sharelink.Visit{late, opened, lost, refused})

	// A link that is gone takes nothing back, and the visit is settled all the same.
	last, _ := s.spend(t, link, epoch.Add(4*time.Millisecond))
	_, err := s.DeleteLink(ctx, link.OrganizationID, link.ID)
	noError(t, err)
	settled, err := s.Settle(ctx, last, sharelink.UpstreamRefused)
	noError(t, err)
	if !settled {
		t.Error("the visit of a deleted link was not settled")
	}
}

// A visit whose server is gone says so, its use stays spent, and a server that was only late can still settle it.
func testAbandon(t T, s suite) {
	ctx := t.Context()
	link := s.create(t, s.organization(t), epoch)
	settled, _ := s.spend(t, link, epoch)
	_, err := s.Settle(ctx, settled, sharelink.Opened)
	noError(t, err)
	settled.Pending = false
	gone, _ := s.spend(t, link, epoch.Add(time.Millisecond))
	late, _ := s.spend(t, link, epoch.Add(2*time.Millisecond))
	young, _ := s.spend(t, link, epoch.Add(3*time.Millisecond))
	for _, want := range []int{2, 0} {
		n, err := s.Abandon(ctx, young.At)
		noError(t, err)
		if n != want {
			t.Errorf("%d were abandoned, want %d", n, want)
		}
	}
	gone.Outcome, late.Outcome = sharelink.UpstreamTimeout, sharelink.UpstreamTimeout
	equal(t, "visits", s.visited(t, link), []sharelink.Visit{young, late, gone, settled})
	link.UsageCount = 4
	s.holds(t, link)
	if _, err := s.Settle(ctx, late, sharelink.UpstreamRefused); err != nil {
		t.Error(err)
	}
	link.UsageCount = 3
	s.holds(t, link)
}

// While some open and others give back, what is counted in the end is who opened and did not give back.
func testSettleConcurrently(t T, s suite) {
	link := s.create(t, s.organization(t), epoch, func(l *sharelink.Link) { l.UsageLimit = 20 })
	var kept atomic.Int64
	var mu sync.Mutex
	var given []sharelink.Visit
	together(concurrency, func(i int) {
		visit := s.visit(t, link, epoch)
		visit.Pending = true
		_, status, err := s.Spend(t.Context(), link.Token, visit)
		if err != nil {
			t.Error(err)
		}
		if status != sharelink.Active {
			return
		}
		if i%2 == 0 {
			kept.Add(1)
			return
		}
		mu.Lock()
		given = append(given, visit)
		mu.Unlock()
		if _, err := s.Settle(t.Context(), visit, sharelink.UpstreamRefused); err != nil {
			t.Error(err)
		}
	})
	together(len(given), func(i int) {
		if settled, err := s.Settle(t.Context(), given[i], sharelink.UpstreamRefused); settled || err != nil {
			t.Errorf("a use was given back twice: %v, %v", settled, err)
		}
	})
	got, err := s.Link(t.Context(), link.OrganizationID, link.ID)
	noError(t, err)
	if int64(got.UsageCount) != kept.Load() || got.UsageCount > 20 {
		t.Errorf("%d opened and kept it, %d are counted", kept.Load(), got.UsageCount)
	}
}

func testVisitPages(t T, s suite) {
	link := s.create(t, s.organization(t), epoch)
	var all []sharelink.Visit
	for i := range 7 {
		v := s.visit(t, link, epoch.Add(time.Duration(i)*time.Hour))
		noError(t, s.AddVisit(t.Context(), v))
		all = append([]sharelink.Visit{v}, all...)
	}
	for page, want := range map[int][]sharelink.Visit{1: all[:3], 2: all[3:6], 3: all[6:], 4: nil, math.MaxInt32: nil} {
		got, err := s.Visits(t.Context(), link.OrganizationID, link.ID, sharelink.Paging{Page: page, PerPage: 3})
		noError(t, err)
		equal(t, fmt.Sprintf("page %d", page), got, sharelink.Page[sharelink.Visit]{Items: want, Total: 7})
	}
}

func testVisitsOfOthers(t T, s suite) {
	link := s.create(t, s.organization(t), epoch)
	s.spend(t, link, epoch)
	for what, id := range map[string]uuid.UUID{"another organization's link": link.ID, "no link": newID(t, epoch)} {
		_, err := s.Visits(t.Context(), s.organization(t), id, sharelink.DefaultPaging())
		wantCode(t, "visits of "+what, err, sharelink.NotFound)
	}
}

func testForgetVisits(t T, s suite) {
	link := s.create(t, s.organization(t), epoch, func(l *sharelink.Link) { l.UsageLimit = 0 })
	const old = 1100 // more than any store forgets in one go
	together(concurrency, func(int) {
		for range old / concurrency {
			if err := s.AddVisit(t.Context(), s.visit(t, link, epoch.Add(-time.Millisecond))); err != nil {
				t.Error(err)
			}
		}
	})
	young := s.visit(t, link, epoch)
	noError(t, s.AddVisit(t.Context(), young))
	n, err := s.ForgetVisits(t.Context(), epoch)
	noError(t, err)
	if n != old {
		t.Errorf("%d visits were forgotten, want %d", n, old)
	}
	equal(t, "visits", s.visited(t, link), []sharelink.Visit{young})
}

// What is erased is gone, the uses stay, and a use that is not settled can still be given back. Other links keep their visits.
func testEraseVisits(t T, s suite) {
	ctx, org := t.Context(), s.organization(t)
	link, other := s.create(t, org, epoch), s.create(t, org, epoch)
	erase := func(what string, of uuid.UUID, want sharelink.Erasure) {
		t.Helper()
		got, err := s.EraseVisits(ctx, org, of)
		noError(t, err)
		equal(t, what, got, want)
	}
	erase("no visit", link.ID, sharelink.Erasure{})

	opened, _ := s.spend(t, link, epoch)
	_, err := s.Settle(ctx, opened, sharelink.Opened)
	noError(t, err)
	refused := s.visit(t, link, epoch.Add(time.Millisecond))
	refused.Outcome = sharelink.OriginRefused
	noError(t, s.AddVisit(ctx, refused))
	pending, _ := s.spend(t, link, epoch.Add(2*time.Millisecond))
	kept, _ := s.spend(t, other, epoch)
	link.UsageCount, other.UsageCount = 2, 1

	erase("one opened, one refused, one pending", link.ID, sharelink.Erasure{Removed: 2, Pending: 1})
	pending.Origin, pending.Client, pending.Address = "", "", ""
	equal(t, "visits", s.visited(t, link), []sharelink.Visit{pending})
	equal(t, "visits of the other", s.visited(t, other), []sharelink.Visit{kept})
	s.holds(t, link)
	s.holds(t, other)

	settled, err := s.Settle(ctx, pending, sharelink.UpstreamRefused)
	noError(t, err)
	if !settled {
		t.Error("the visit that was pending could not be settled")
	}
	link.UsageCount = 1
	s.holds(t, link)
	erase("the one that was pending", link.ID, sharelink.Erasure{Removed: 1})
	equal(t, "visits", s.visited(t, link), []sharelink.Visit{})
	s.holds(t, link)

	// The visits of a link that was deleted are still kept.
	_, err = s.DeleteLink(ctx, org, other.ID)
	noError(t, err)
	_, err = s.Settle(ctx, kept, sharelink.Opened)
	noError(t, err)
	_, err = s.EraseVisits(ctx, s.organization(t), other.ID)
	wantCode(t, "erase the visits of another organization's link", err, sharelink.NotFound)
	erase("of a deleted link", other.ID, sharelink.Erasure{Removed: 1})
	for what, id := range map[string]uuid.UUID{"a deleted link without visits": other.ID, "no link": newID(t, epoch)} {
		_, err := s.EraseVisits(ctx, org, id)
		wantCode(t, "erase the visits of "+what, err, sharelink.NotFound)
	}
}

// All are erased, however many there are, while others are added and settled. None that was there before is left.
func testEraseManyVisits(t T, s suite) {
	link := s.create(t, s.organization(t), epoch, func(l *sharelink.Link) { l.UsageLimit = 0 })
	const old = 1100 // more than any store erases in one go
	pending := make([]sharelink.Visit, concurrency)
	together(concurrency, func(i int) {
		for range old / concurrency {
			if err := s.AddVisit(t.Context(), s.visit(t, link, epoch)); err != nil {
				t.Error(err)
			}
		}
		pending[i] = s.visit(t, link, epoch)
		pending[i].Pending = true
		if _, _, err := s.Spend(t.Context(), link.Token, pending[i]); err != nil {
			t.Error(err)
		}
	})
	erased := make(chan sharelink.Erasure, 1)
	together(concurrency+1, func(i int) {
		if i == concurrency {
			n, err := s.EraseVisits(t.Context(), link.OrganizationID, link.ID)
			if err != nil {
				t.Error(err)
			}
			erased <- n
			return
		}
		if settled, err := s.Settle(t.Context(), pending[i], sharelink.UpstreamRefused); !settled || err != nil {
			t.Errorf("settled is %v, %v", settled, err)
		}
	})
	if n := <-erased; n.Removed+n.Pending != old+concurrency {
		t.Errorf("%d visits were removed and %d are pending, want %d together", n.Removed, n.Pending, old+concurrency)
	}
	s.holds(t, link) // every use was given back
	for _, v := range s.visited(t, link) {
		if v.Origin != "" || v.Client != "" || v.Address != "" {
			t.Errorf("this is left of a visitor: %+v", v)
		}
	}
}
