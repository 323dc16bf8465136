package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Alternate returns a store that asks each of several stores in turn. When they are on the same data the suite shows that
// several servers keep every law together that one keeps alone.
func Alternate(stores ...sharelink.Store) sharelink.Store { return &alternating{stores: stores} }

type alternating struct {
	stores []sharelink.Store
	calls  atomic.Uint64
}

func (a *alternating) next() sharelink.Store { return a.stores[a.calls.Add(1)%uint64(len(a.stores))] }

func (a *alternating) Close() error {
	var errs []error
	for _, s := range a.stores {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

func (a *alternating) Ping(ctx context.Context) error { return a.next().Ping(ctx) }

func (a *alternating) CreateLink(ctx context.Context, link sharelink.Link, key *sharelink.Idempotency) (sharelink.Link, error) {
	return a.next().CreateLink(ctx, link, key)
}

func (a *alternating) Replay(ctx context.Context, organization uuid.UUID, key sharelink.Idempotency) (sharelink.Link, error) {
	return a.next().Replay(ctx, organization, key)
}

func (a *alternating) Link(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	return a.next().Link(ctx, organization, id)
}

func (a *alternating) Links(ctx context.Context, organization uuid.UUID, f sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	return a.next().Links(ctx, organization, f)
}

func (a *alternating) UpdateLink(ctx context.Context, organization, id uuid.UUID, change sharelink.Change, now time.Time) (sharelink.Link, error) {
	return a.next().UpdateLink(ctx, organization, id, change, now)
}

func (a *alternating) DeleteLink(ctx context.Context, organization, id uuid.UUID) (sharelink.Link, error) {
	return a.next().DeleteLink(ctx, organization, id)
}

func (a *alternating) ForgetKeys(ctx context.Context, before time.Time) (int, error) {
	return a.next().ForgetKeys(ctx, before)
}

func (a *alternating) CreateOrganization(ctx context.Context, o sharelink.Organization) error {
	return a.next().CreateOrganization(ctx, o)
}

func (a *alternating) Organizations(ctx context.Context) ([]sharelink.Organization, error) {
	return a.next().Organizations(ctx)
}

func (a *alternating) OrganizationNamed(ctx context.Context, name string) (sharelink.Organization, error) {
	return a.next().OrganizationNamed(ctx, name)
}

func (a *alternating) SetWatermarkRemoval(ctx context.Context, name string, allowed bool) (sharelink.Organization, error) {
	return a.next().SetWatermarkRemoval(ctx, name, allowed)
}

func (a *alternating) AddPersona(ctx context.Context, p sharelink.Persona) error {
	return a.next().AddPersona(ctx, p)
}

func (a *alternating) PersonasOf(ctx context.Context, organization uuid.UUID) ([]sharelink.Persona, error) {
	return a.next().PersonasOf(ctx, organization)
}

func (a *alternating) Persona(ctx context.Context, organization, id uuid.UUID) (sharelink.Persona, error) {
	return a.next().Persona(ctx, organization, id)
}

func (a *alternating) RemovePersona(ctx context.Context, organization, id uuid.UUID) (int, error) {
	return a.next().RemovePersona(ctx, organization, id)
}

func (a *alternating) AddKey(ctx context.Context, k sharelink.Key, hash sharelink.Hash) error {
	return a.next().AddKey(ctx, k, hash)
}

func (a *alternating) KeysOf(ctx context.Context, organization uuid.UUID) ([]sharelink.Key, error) {
	return a.next().KeysOf(ctx, organization)
}

func (a *alternating) RevokeKey(ctx context.Context, prefix string, at time.Time) (sharelink.Key, error) {
	return a.next().RevokeKey(ctx, prefix, at)
}

func (a *alternating) HolderOfKey(ctx context.Context, hash sharelink.Hash) (sharelink.Holder, error) {
	return a.next().HolderOfKey(ctx, hash)
}

func (a *alternating) Bootstrap(ctx context.Context, o sharelink.Organization, p sharelink.Persona, key *sharelink.Key, hash sharelink.Hash) (bool, error) {
	return a.next().Bootstrap(ctx, o, p, key, hash)
}

func (a *alternating) LinkByToken(ctx context.Context, token string) (sharelink.Link, error) {
	return a.next().LinkByToken(ctx, token)
}

func (a *alternating) Spend(ctx context.Context, token string, visit sharelink.Visit) (sharelink.Link, sharelink.Status, error) {
	return a.next().Spend(ctx, token, visit)
}

func (a *alternating) AddVisit(ctx context.Context, visit sharelink.Visit) error {
	return a.next().AddVisit(ctx, visit)
}

func (a *alternating) Settle(ctx context.Context, visit sharelink.Visit, outcome sharelink.Outcome) (bool, error) {
	return a.next().Settle(ctx, visit, outcome)
}

func (a *alternating) Abandon(ctx context.Context, before time.Time) (int, error) {
	return a.next().Abandon(ctx, before)
}

func (a *alternating) Visits(ctx context.Context, organization, link uuid.UUID, p sharelink.Paging) (sharelink.Page[sharelink.Visit], error) {
	return a.next().Visits(ctx, organization, link, p)
}

func (a *alternating) ForgetVisits(ctx context.Context, before time.Time) (int, error) {
	return a.next().ForgetVisits(ctx, before)
}

func (a *alternating) EraseVisits(ctx context.Context, organization, link uuid.UUID) (sharelink.Erasure, error) {
	return a.next().EraseVisits(ctx, organization, link)
}

func (a *alternating) SigningKeys(ctx context.Context, first sharelink.SigningKey) ([]sharelink.SigningKey, error) {
	return a.next().SigningKeys(ctx, first)
}

func (a *alternating) AddSigningKey(ctx context.Context, key sharelink.SigningKey, oldest int) error {
	return a.next().AddSigningKey(ctx, key, oldest)
}
