//go:build torture

package e2e

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/memstore"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/server"
)

// TestTortureFindsFaults tests the law: a server that breaks it, though no answer tells, is found.
func TestTortureFindsFaults(t *testing.T) {
	t.Parallel()
	for fault, count := range map[string]func(*tally) *atomic.Int64{
		"forgets deletes":         func(n *tally) *atomic.Int64 { return &n.losses },
		"forgets changes":         func(n *tally) *atomic.Int64 { return &n.losses },
		"spends beyond the limit": func(n *tally) *atomic.Int64 { return &n.overspends },
		"spends without a visit":  func(n *tally) *atomic.Int64 { return &n.orphans },
		"hangs up":                func(n *tally) *atomic.Int64 { return &n.unanswered },
		"nothing":                 nil,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			var n tally
			l := newLedger(t, &n)
			config := server.DefaultConfig()
			config.APIKey, config.RateLimit, config.OpenRate, config.LinkOpenRate = key, 0, 0, 0
			s, err := server.NewOn(t.Context(), config, service.Options{Store: &faulty{Store: memstore.New(), fault: fault}})
			if err != nil {
				t.Fatal(err)
			}
			p := inThisProcess(l, s)
			l.load(p, 500)
			found := l.violations(p)
			if count == nil {
				if len(found) > 0 || n.unanswered.Load() > 0 {
					t.Errorf("violations of a server without faults: %v, and %d requests are not answered", found, n.unanswered.Load())
				}
				return
			}
			if count(&n).Load() > 0 { // it is counted at once
				return
			}
			for _, v := range found {
				if v.count == count(&n) {
					return
				}
			}
			t.Errorf("it is not found among %v", found)
		})
	}
}

// faulty is a store with a fault.
type faulty struct {
	sharelink.Store
	fault string
}

func (f *faulty) DeleteLink(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	if f.fault == "forgets deletes" {
		return f.Link(ctx, organization, id)
	}
	return f.Store.DeleteLink(ctx, organization, id)
}

func (f *faulty) UpdateLink(ctx context.Context, organization, id uuid.UUID, c sharelink.Change, now time.Time) (sharelink.Link, error) {
	if f.fault == "hangs up" {
		panic(http.ErrAbortHandler)
	}
	if f.fault == "forgets changes" {
		return f.Link(ctx, organization, id)
	}
	return f.Store.UpdateLink(ctx, organization, id, c, now)
}

func (f *faulty) LinkByToken(ctx context.Context, token string) (sharelink.Link, error) {
	link, err := f.Store.LinkByToken(ctx, token)
	if f.fault == "spends beyond the limit" && link.UsageCount < link.UsageLimit+3 {
		link.UsageLimit = 0 // the server looks before it spends
	}
	return link, err
}

func (f *faulty) Spend(ctx context.Context, token string, visit sharelink.Visit) (sharelink.Link, sharelink.Status, error) {
	link, err := f.Store.LinkByToken(ctx, token)
	if err != nil {
		return link, "", err
	}
	lift := f.fault == "spends beyond the limit" && link.UsageCount < link.UsageLimit+3
	if lift {
		_, err = f.Store.UpdateLink(ctx, link.OrganizationID, link.ID, sharelink.Change{UsageLimit: new(0)}, visit.At)
	}
	spent, status, spendErr := f.Store.Spend(ctx, token, visit)
	if lift && err == nil {
		_, err = f.Store.UpdateLink(ctx, link.OrganizationID, link.ID, sharelink.Change{UsageLimit: &link.UsageLimit}, visit.At)
	}
	if f.fault == "spends without a visit" && err == nil {
		_, err = f.ForgetVisits(ctx, visit.At.Add(time.Hour))
	}
	if err == nil {
		err = spendErr
	}
	return spent, status, err
}
