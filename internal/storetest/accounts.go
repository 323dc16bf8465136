package storetest

import (
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

func testOrganizations(t T, s suite) {
	ctx := t.Context()
	for _, watermarkRemoval := range []bool{false, true} {
		o := sharelink.Organization{ID: newID(t, epoch), WatermarkRemoval: watermarkRemoval, CreatedAt: epoch}
		o.Name = `Ünïcödé "quoted" 'n' \ %_ 🎭 ` + o.ID.String()
		noError(t, s.CreateOrganization(ctx, o))
		got, err := s.OrganizationNamed(ctx, o.Name)
		noError(t, err)
		equal(t, "organization", got, o)
		for _, allowed := range []bool{true, true, false} {
			o.WatermarkRemoval = allowed
			got, err := s.SetWatermarkRemoval(ctx, o.Name, allowed)
			noError(t, err)
			equal(t, "changed", got, o)
			got, err = s.OrganizationNamed(ctx, o.Name)
			noError(t, err)
			equal(t, "kept", got, o)
		}
		taken := sharelink.Organization{ID: newID(t, epoch), Name: o.Name, CreatedAt: epoch}
		wantCode(t, "create an organization with a taken name", s.CreateOrganization(ctx, taken), sharelink.Conflict)
		taken = sharelink.Organization{ID: o.ID, Name: o.Name + "x", CreatedAt: epoch}
		wantCode(t, "create an organization with a taken id", s.CreateOrganization(ctx, taken), sharelink.Conflict)
	}
}

func testOrganizationsByName(t T, s suite) {
	none, err := s.Organizations(t.Context())
	noError(t, err)
	equal(t, "organizations", none, []sharelink.Organization{})
	var want []sharelink.Organization
	for _, name := range []string{"10", "9", "B", "a", "b", "é"} { // by their bytes
		want = append(want, sharelink.Organization{ID: newID(t, epoch), Name: name, CreatedAt: epoch})
	}
	for _, i := range []int{3, 0, 5, 1, 4, 2} {
		noError(t, s.CreateOrganization(t.Context(), want[i]))
	}
	got, err := s.Organizations(t.Context())
	noError(t, err)
	equal(t, "organizations", got, want)
}

func testPersonas(t T, s suite) {
	ctx := t.Context()
	org, other := s.organization(t), s.organization(t)
	none, err := s.PersonasOf(ctx, org)
	noError(t, err)
	equal(t, "personas", none, []sharelink.Persona{})

	var want []sharelink.Persona
	for i, name := range []string{"Anna", "anna", "anna", "Zoë", "ÉA", "éb", "ÉC", "ÿ"} { // without regard to case, then as written, then by id
		hour := time.Duration([]int{5, 2, 6, 1, 7, 0, 4, 3}[i]) * time.Hour // neither as they were added nor by their ids
		want = append(want, sharelink.Persona{ID: newID(t, epoch.Add(hour)), OrganizationID: org, Name: name, CreatedAt: epoch})
	}
	for _, i := range []int{5, 2, 0, 7, 4, 1, 6, 3} {
		noError(t, s.AddPersona(ctx, want[i]))
	}
	got, err := s.PersonasOf(ctx, org)
	noError(t, err)
	equal(t, "personas", got, want)
	theirs, err := s.PersonasOf(ctx, other)
	noError(t, err)
	equal(t, "another's personas", theirs, []sharelink.Persona{})
	one, err := s.Persona(ctx, org, want[1].ID)
	noError(t, err)
	equal(t, "persona", one, want[1])
	_, err = s.Persona(ctx, other, want[1].ID)
	wantCode(t, "another's persona", err, sharelink.NotFound)
	_, err = s.RemovePersona(ctx, other, want[1].ID)
	wantCode(t, "remove another's persona", err, sharelink.NotFound)

	same := sharelink.Persona{ID: want[0].ID, OrganizationID: org, Name: "other", CreatedAt: epoch}
	wantCode(t, "add a persona with a taken id", s.AddPersona(ctx, same), sharelink.Conflict)
	same.OrganizationID = other
	noError(t, s.AddPersona(ctx, same)) // taken elsewhere is free here
	same.OrganizationID = newID(t, epoch)
	wantCode(t, "add a persona to no organization", s.AddPersona(ctx, same), sharelink.NotFound)
}

func testPersonaRemovalKeepsLinks(t T, s suite) {
	ctx := t.Context()
	org := s.organization(t)
	noError(t, s.AddPersona(ctx, sharelink.Persona{ID: persona, OrganizationID: org, Name: "Cara", CreatedAt: epoch}))
	first, second := s.create(t, org, epoch, primary), s.create(t, org, epoch)
	s.create(t, org, epoch, func(l *sharelink.Link) { l.PersonaID = newID(t, epoch) })
	links, err := s.RemovePersona(ctx, org, persona)
	noError(t, err)
	if links != 2 {
		t.Errorf("%d links to the removed persona remain, want 2", links)
	}
	s.holds(t, first)
	s.holds(t, second)
	_, err = s.UpdateLink(ctx, org, first.ID, sharelink.Change{Enabled: to(false)}, epoch)
	noError(t, err)
	_, err = s.Persona(ctx, org, persona)
	wantCode(t, "removed persona", err, sharelink.NotFound)
	_, err = s.RemovePersona(ctx, org, persona)
	wantCode(t, "remove it again", err, sharelink.NotFound)
}

// newKey returns a key of a prefix and a hash that nobody else has.
func newKey(t T, org uuid.UUID, at time.Time) (sharelink.Key, sharelink.Hash) {
	t.Helper()
	secret := sharelink.NewSecret()
	return sharelink.Key{Prefix: sharelink.VisiblePrefix(secret), Label: "läbel", OrganizationID: org, CreatedAt: at}, sharelink.HashSecret(secret)
}

func testKeys(t T, s suite) {
	ctx := t.Context()
	org, other := s.organization(t), s.organization(t)
	newer, newerHash := newKey(t, org, epoch.Add(time.Hour))
	older, olderHash := newKey(t, org, epoch)
	older.Label, older.ReadOnly = "", true
	theirs, theirsHash := newKey(t, other, epoch)
	noError(t, s.AddKey(ctx, newer, newerHash))
	noError(t, s.AddKey(ctx, older, olderHash))
	noError(t, s.AddKey(ctx, theirs, theirsHash))

	keys, err := s.KeysOf(ctx, org)
	noError(t, err)
	equal(t, "keys", keys, []sharelink.Key{older, newer})
	for hash, want := range map[sharelink.Hash]sharelink.Key{newerHash: newer, olderHash: older, theirsHash: theirs} {
		holder, err := s.HolderOfKey(ctx, hash)
		noError(t, err)
		equal(t, "organization of a key", holder.Organization.ID, want.OrganizationID)
		equal(t, "what a key may", holder.ReadOnly, want.ReadOnly)
	}

	same, hash := newKey(t, other, epoch)
	same.Prefix = older.Prefix
	wantCode(t, "add a key with a taken prefix", s.AddKey(ctx, same, hash), sharelink.Conflict)
	same, _ = newKey(t, other, epoch)
	wantCode(t, "add a key with a taken hash", s.AddKey(ctx, same, olderHash), sharelink.Conflict)
	same, hash = newKey(t, newID(t, epoch), epoch)
	wantCode(t, "add a key to no organization", s.AddKey(ctx, same, hash), sharelink.NotFound)
}

func testKeyRevoked(t T, s suite) {
	ctx := t.Context()
	org := s.organization(t)
	key, hash := newKey(t, org, epoch)
	still, stillHash := newKey(t, org, epoch.Add(time.Second))
	noError(t, s.AddKey(ctx, key, hash))
	noError(t, s.AddKey(ctx, still, stillHash))

	key.RevokedAt = epoch.Add(time.Hour)
	for _, at := range []time.Time{key.RevokedAt, key.RevokedAt.Add(time.Hour), epoch} { // the first stands
		got, err := s.RevokeKey(ctx, key.Prefix, at)
		noError(t, err)
		equal(t, "revoked", got, key)
	}
	keys, err := s.KeysOf(ctx, org)
	noError(t, err)
	equal(t, "keys", keys, []sharelink.Key{key, still})
	_, err = s.HolderOfKey(ctx, hash)
	wantCode(t, "owner of a revoked key", err, sharelink.NotFound)
	_, err = s.HolderOfKey(ctx, stillHash)
	noError(t, err)
}

func testNothingThere(t T, s suite) {
	ctx := t.Context()
	org := s.organization(t)
	for _, name := range []string{"", "no such name", "\x00", "\xff", "ak_\x00", "'"} {
		_, err := s.OrganizationNamed(ctx, name)
		wantCode(t, "organization", err, sharelink.NotFound)
		_, err = s.SetWatermarkRemoval(ctx, name, true)
		wantCode(t, "change an organization", err, sharelink.NotFound)
		_, err = s.RevokeKey(ctx, name, epoch)
		wantCode(t, "revoke a key", err, sharelink.NotFound)
	}
	_, err := s.Persona(ctx, org, persona)
	wantCode(t, "persona", err, sharelink.NotFound)
	_, err = s.RemovePersona(ctx, org, persona)
	wantCode(t, "remove a persona", err, sharelink.NotFound)
	_, err = s.Link(ctx, org, newID(t, epoch))
	wantCode(t, "link", err, sharelink.NotFound)
	_, err = s.HolderOfKey(ctx, sharelink.Hash{})
	wantCode(t, "owner of a key", err, sharelink.NotFound)
	keys, err := s.KeysOf(ctx, org)
	noError(t, err)
	equal(t, "keys", keys, []sharelink.Key{})
}

// firstStart returns what a first start adds.
func firstStart(t T, name string) (sharelink.Organization, sharelink.Persona, *sharelink.Key, sharelink.Hash) {
	t.Helper()
	o := sharelink.Organization{ID: newID(t, epoch), Name: name, CreatedAt: epoch}
	key, hash := newKey(t, o.ID, epoch)
	return o, sharelink.Persona{ID: uuid.Nil, OrganizationID: o.ID, Name: "Cara", CreatedAt: epoch}, &key, hash
}

func testBootstrap(t T, s suite) {
	ctx := t.Context()
	org, cara, key, hash := firstStart(t, "default")
	created, err := s.Bootstrap(ctx, org, cara, key, hash)
	noError(t, err)
	if !created {
		t.Error("the first start created nothing")
	}
	holder, err := s.HolderOfKey(ctx, hash)
	noError(t, err)
	equal(t, "holder of the first key", holder, sharelink.Holder{Organization: org})
	got, err := s.Persona(ctx, org.ID, uuid.Nil)
	noError(t, err)
	equal(t, "persona", got, cara)

	for _, name := range []string{"default", "another"} {
		org2, cara2, key2, hash2 := firstStart(t, name)
		created, err = s.Bootstrap(ctx, org2, cara2, key2, hash2)
		noError(t, err)
		if created {
			t.Error("the second start created something")
		}
		_, err = s.HolderOfKey(ctx, hash2)
		wantCode(t, "owner of the second start's key", err, sharelink.NotFound)
	}
	all, err := s.Organizations(ctx)
	noError(t, err)
	equal(t, "organizations", all, []sharelink.Organization{org})
}

func testBootstrapAllOrNothing(t T, s suite) {
	ctx := t.Context()
	org, cara, key, hash := firstStart(t, "default")
	key.OrganizationID = newID(t, epoch) // does not exist: the last thing that is added fails
	if created, err := s.Bootstrap(ctx, org, cara, key, hash); err == nil || created {
		t.Errorf("a first start that fails: created %v, error %v", created, err)
	}
	all, err := s.Organizations(ctx)
	noError(t, err)
	equal(t, "organizations", all, []sharelink.Organization{})

	created, err := s.Bootstrap(ctx, org, cara, nil, sharelink.Hash{})
	noError(t, err)
	keys, err := s.KeysOf(ctx, org.ID)
	noError(t, err)
	equal(t, "keys", keys, []sharelink.Key{})
	if !created {
		t.Error("a first start without a key created nothing")
	}
}

func testBootstrapConcurrently(t T, s suite) {
	second := s.Open(t)
	var creations atomic.Int64
	type start struct {
		org  sharelink.Organization
		cara sharelink.Persona
		key  *sharelink.Key
		hash sharelink.Hash
	}
	starts := make([]start, concurrency)
	for i := range starts {
		name := "default"
		if i%4 == 3 {
			name = "another" // that the names collide must not be what stops it
		}
		starts[i].org, starts[i].cara, starts[i].key, starts[i].hash = firstStart(t, name)
	}
	together(concurrency, func(i int) {
		store, x := s.Store, starts[i]
		if i%2 == 0 {
			store = second
		}
		created, err := store.Bootstrap(t.Context(), x.org, x.cara, x.key, x.hash)
		if err != nil {
			t.Error(err)
		}
		if created {
			creations.Add(1)
		}
	})
	all, err := s.Organizations(t.Context())
	noError(t, err)
	if creations.Load() != 1 || len(all) != 1 {
		t.Errorf("of %d starts at the same time %d say that they were first, and there are %d organizations", concurrency, creations.Load(), len(all))
	}
}
