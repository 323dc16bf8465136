package memstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// link returns one link of an organization.
func (d *Data) link(organization, id uuid.UUID) (sharelink.Link, error) {
	link, ok := d.links[d.linkTokens[idOf{organization, id}]]
	if !ok {
		return sharelink.Link{}, notFound(sharelink.NoLink)
	}
	return link, nil
}

// put keeps a link. A primary one demotes the persona's other.
func (d *Data) put(link sharelink.Link) {
	if link.IsPrimary {
		for token, other := range d.links {
			if other.IsPrimary && other.OrganizationID == link.OrganizationID && other.PersonaID == link.PersonaID {
				other.IsPrimary = false
				d.links[token] = other
			}
		}
	}
	d.links[link.Token] = link
	d.linkTokens[idOf{link.OrganizationID, link.ID}] = link.Token
}

// CreateLink implements sharelink.Store.
func (s *Store) CreateLink(ctx context.Context, link sharelink.Link, key *sharelink.Idempotency) (sharelink.Link, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Link, error) {
		if key != nil {
			if first, err := d.replay(link.OrganizationID, *key); sharelink.CodeOf(err) != sharelink.NotFound {
				return first, err
			}
		}
		if _, ok := d.organizations[link.OrganizationID]; !ok {
			return sharelink.Link{}, notFound(sharelink.NoOrganization)
		}
		_, tokenTaken := d.links[link.Token]
		_, idTaken := d.linkTokens[idOf{link.OrganizationID, link.ID}]
		if tokenTaken || idTaken {
			return sharelink.Link{}, conflict(sharelink.LinkTaken)
		}
		if key != nil {
			d.repeats[repeatKey{link.OrganizationID, key.Key}] = repeat{*key, link}
		}
		d.put(link)
		i, _ := d.place(link)
		d.byAge = slices.Insert(d.byAge, i, link.Token) // nearly always at the end
		return link, nil
	})
}

// Replay implements sharelink.Store.
func (s *Store) Replay(ctx context.Context, organization uuid.UUID, key sharelink.Idempotency) (sharelink.Link, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Link, error) { return d.replay(organization, key) })
}

func (d *Data) replay(organization uuid.UUID, key sharelink.Idempotency) (sharelink.Link, error) {
	first, ok := d.repeats[repeatKey{organization, key.Key}]
	switch {
	case !ok || first.key.CreatedAt.Before(key.ValidFrom):
		return sharelink.Link{}, notFound(sharelink.NoReplay)
	case first.key.Request != key.Request:
		return sharelink.Link{}, sharelink.ErrKeyReused
	}
	return first.link, nil
}

// ForgetKeys implements sharelink.Store.
func (s *Store) ForgetKeys(ctx context.Context, before time.Time) (int, error) {
	return alone(ctx, s, func(d *Data) (int, error) {
		return deleteOld(d.repeats, func(r repeat) bool { return r.key.CreatedAt.Before(before) }), nil
	})
}

// deleteOld deletes what is old and returns how much that was.
func deleteOld[K comparable, V any](m map[K]V, old func(V) bool) int {
	n := len(m)
	for k, v := range m {
		if old(v) {
			delete(m, k)
		}
	}
	return n - len(m)
}

// Link implements sharelink.Store.
func (s *Store) Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Link, error) { return d.link(organization, id) })
}

// Links implements sharelink.Store.
func (s *Store) Links(ctx context.Context, organization uuid.UUID, f sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	return alone(ctx, s, func(d *Data) (sharelink.Page[sharelink.Link], error) {
		var page sharelink.Page[sharelink.Link]
		for _, token := range slices.Backward(d.byAge) {
			l := d.links[token]
			if l.OrganizationID == organization && (!f.PersonaID.Valid || l.PersonaID == f.PersonaID.UUID) && matches(l, f.Search) {
				add(&page, l, f.Paging)
			}
		}
		return page, nil
	})
}

// add counts an item, and takes it into the page that it is on.
func add[T any](page *sharelink.Page[T], item T, p sharelink.Paging) {
	if int64(page.Total) >= p.Offset() && len(page.Items) < p.PerPage {
		page.Items = append(page.Items, item)
	}
	page.Total++
}

func matches(l sharelink.Link, search string) bool {
	folded := sharelink.Fold(search)
	return strings.Contains(sharelink.Fold(l.PersonaName), folded) || strings.Contains(sharelink.Fold(l.Label), folded) ||
		strings.HasPrefix(l.Token, search) || strings.EqualFold(l.ID.String(), search)
}

// UpdateLink implements sharelink.Store.
func (s *Store) UpdateLink(ctx context.Context, organization, id uuid.UUID, c sharelink.Change, now time.Time) (sharelink.Link, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Link, error) {
		link, err := d.link(organization, id)
		if err != nil {
			return link, err
		}
		link.Terms = c.Apply(link.Terms, now)
		d.put(link)
		return link, nil
	})
}

// DeleteLink implements sharelink.Store.
func (s *Store) DeleteLink(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Link, error) {
		link, err := d.link(organization, id)
		if err == nil {
			i, _ := d.place(link)
			d.byAge = slices.Delete(d.byAge, i, i+1)
			delete(d.links, link.Token)
			delete(d.linkTokens, idOf{organization, id})
		}
		return link, err
	})
}

// LinkByToken implements sharelink.Store.
func (s *Store) LinkByToken(ctx context.Context, token string) (sharelink.Link, error) {
	return alone(ctx, s, func(d *Data) (sharelink.Link, error) { return d.byToken(token) })
}

func (d *Data) byToken(token string) (sharelink.Link, error) {
	link, ok := d.links[token]
	if !ok {
		return link, notFound(sharelink.NoToken)
	}
	return link, nil
}

// Spend implements sharelink.Store.
func (s *Store) Spend(ctx context.Context, token string, visit sharelink.Visit) (link sharelink.Link, status sharelink.Status, err error) {
	err = do(ctx, s, func(d *Data) error {
		if link, err = d.byToken(token); err != nil {
			return err
		}
		status = link.StatusAt(visit.At)
		visit.LinkID, visit.OrganizationID, visit.Outcome = link.ID, link.OrganizationID, sharelink.OutcomeOf(status)
		visit.Pending = visit.Pending && status == sharelink.Active
		if err := d.addVisit(visit); err != nil {
			return err
		}
		if status == sharelink.Active {
			link.UsageCount++
			d.links[token] = link
		}
		return nil
	})
	if err != nil {
		return sharelink.Link{}, "", err
	}
	return link, status, nil
}

// AddVisit implements sharelink.Store.
func (s *Store) AddVisit(ctx context.Context, visit sharelink.Visit) error {
	return do(ctx, s, func(d *Data) error { return d.addVisit(visit) })
}

func (d *Data) addVisit(visit sharelink.Visit) error {
	if _, ok := d.visits[visit.ID]; ok {
		return conflict(sharelink.VisitTaken)
	}
	d.visits[visit.ID] = visit
	return nil
}

// Settle implements sharelink.Store.
func (s *Store) Settle(ctx context.Context, visit sharelink.Visit, outcome sharelink.Outcome) (bool, error) {
	return alone(ctx, s, func(d *Data) (bool, error) {
		kept, ok := d.visits[visit.ID]
		if !ok || kept.LinkID != visit.LinkID || !kept.Pending {
			return false, nil
		}
		kept.Outcome, kept.Pending = outcome, false
		d.visits[visit.ID] = kept
		link, err := d.link(kept.OrganizationID, kept.LinkID)
		if err == nil && outcome == sharelink.UpstreamRefused && link.UsageCount > 0 {
			link.UsageCount--
			d.links[link.Token] = link
		}
		return true, nil
	})
}

// Abandon implements sharelink.Store.
func (s *Store) Abandon(ctx context.Context, before time.Time) (int, error) {
	return alone(ctx, s, func(d *Data) (n int, err error) {
		for id, v := range d.visits {
			if v.Pending && v.Outcome == sharelink.Opened && v.At.Before(before) {
				v.Outcome = sharelink.UpstreamTimeout
				d.visits[id] = v
				n++
			}
		}
		return n, nil
	})
}

// Visits implements sharelink.Store.
func (s *Store) Visits(ctx context.Context, organization, link uuid.UUID, p sharelink.Paging) (sharelink.Page[sharelink.Visit], error) {
	return alone(ctx, s, func(d *Data) (found sharelink.Page[sharelink.Visit], err error) {
		if _, err := d.link(organization, link); err != nil {
			return found, err
		}
		var visits []sharelink.Visit
		for _, v := range d.visits {
			if v.LinkID == link {
				visits = append(visits, v)
			}
		}
		slices.SortFunc(visits, func(a, b sharelink.Visit) int {
			return cmp.Or(b.At.Compare(a.At), bytes.Compare(b.ID[:], a.ID[:]))
		})
		for _, v := range visits {
			add(&found, v, p)
		}
		return found, nil
	})
}

// ForgetVisits implements sharelink.Store.
func (s *Store) ForgetVisits(ctx context.Context, before time.Time) (int, error) {
	return alone(ctx, s, func(d *Data) (int, error) {
		return deleteOld(d.visits, func(v sharelink.Visit) bool { return v.At.Before(before) }), nil
	})
}

// EraseVisits implements sharelink.Store.
func (s *Store) EraseVisits(ctx context.Context, organization, link uuid.UUID) (sharelink.Erasure, error) {
	return alone(ctx, s, func(d *Data) (erased sharelink.Erasure, err error) {
		for id, v := range d.visits {
			switch {
			case v.OrganizationID != organization || v.LinkID != link:
			case v.Pending:
				v.Origin, v.Client, v.Address = "", "", ""
				d.visits[id] = v
				erased.Pending++
			default:
				delete(d.visits, id)
				erased.Removed++
			}
		}
		if erased == (sharelink.Erasure{}) {
			_, err = d.link(organization, link)
		}
		return erased, err
	})
}
