// Package storetest is the suite that every store passes: the laws that sharelink.Store, sharelink.AccountStore and
// sharelink.VisitStore state in their comments, each a subtest. A store that breaks one fails the subtest of that name.
package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Store is what is tested.
type Store interface {
	sharelink.Store
	sharelink.AccountStore
	sharelink.VisitStore
	sharelink.SigningKeyStore
	Close() error // may be called again
}

// Backend is a store and the way to open its data once more.
type Backend struct {
	Store
	// Open opens another store on the same data, beside the first or after it was closed, and closes it when t ends.
	Open func(t *testing.T) Store
}

// Run tests stores. open makes one on no data and closes it when t ends.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	// Most laws hold for an organization, so most tests share one store, each with organizations of its own: that they do
	// not see one another's is a law too. Those that need all of the data for themselves open another.
	shared := suite{Backend: open(t)}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s suite)
	}{
		{"RoundTrip", testRoundTrip},
		{"CreateInNoOrganization", testCreateInNoOrganization},
		{"Isolation", testIsolation},
		{"UniqueTokens", testUniqueTokens},
		{"UpdateEachField", testUpdateEachField},
		{"UpdateLifetime", testUpdateLifetime},
		{"UpdateConcurrently", testUpdateConcurrently},
		{"Delete", testDelete},
		{"CancelledContext", testCancelledContext},

		{"ListOrder", testListOrder},
		{"ListPages", testListPages},
		{"ListStableUnderInserts", testListStableUnderInserts},
		{"ListFilter", testListFilter},
		{"SearchName", testSearchName},
		{"SearchToken", testSearchToken},
		{"SearchID", testSearchID},
		{"SearchAnything", testSearchAnything},

		{"PrimaryOnCreate", testPrimaryOnCreate},
		{"PrimaryOnUpdate", testPrimaryOnUpdate},
		{"PrimaryConcurrently", testPrimaryConcurrently},

		{"IdempotentReplay", testIdempotentReplay},
		{"IdempotentReuse", testIdempotentReuse},
		{"IdempotentBoundary", testIdempotentBoundary},
		{"IdempotentConcurrently", testIdempotentConcurrently},
		{"IdempotentPrimary", testIdempotentPrimary},
		{"IdempotentFailure", testIdempotentFailure},

		{"LinkByToken", testLinkByToken},
		{"Spend", testSpend},
		{"SpendAtTheInstant", testSpendAtTheInstant},
		{"SpendConcurrently", testSpendConcurrently},
		{"SpendWhileChanging", testSpendWhileChanging},
		{"SettleOnce", testSettleOnce},
		{"SettleConcurrently", testSettleConcurrently},
		{"VisitPages", testVisitPages},
		{"VisitsOfOthers", testVisitsOfOthers},

		{"Organizations", testOrganizations},
		{"Personas", testPersonas},
		{"PersonaRemovalKeepsLinks", testPersonaRemovalKeepsLinks},
		{"Keys", testKeys},
		{"KeyRevoked", testKeyRevoked},
		{"NothingThere", testNothingThere},

		{"Model", testModel},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, shared)
		})
	}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s suite)
	}{
		{"ForgetKeys", testForgetKeys},
		{"ForgetVisits", testForgetVisits},
		{"SigningKey", testSigningKey},
		{"Reopen", testReopen},
		{"OrganizationsByName", testOrganizationsByName},
		{"Bootstrap", testBootstrap},
		{"BootstrapAllOrNothing", testBootstrapAllOrNothing},
		{"BootstrapConcurrently", testBootstrapConcurrently},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, suite{Backend: open(t)})
		})
	}
}

// suite is a backend with what the tests say of it often.
type suite struct{ Backend }

// epoch is when the tests happen. It has milliseconds, as every instant that is kept.
var epoch = time.Date(2026, 4, 20, 10, 0, 0, 123e6, time.UTC)

// concurrency is how many callers meet in the tests of what happens at the same time.
const concurrency = 50

// organization adds an organization of a name that nobody else has.
func (s suite) organization(t *testing.T) uuid.UUID {
	t.Helper()
	o := sharelink.Organization{ID: newID(t, epoch), CreatedAt: epoch}
	o.Name = "organization " + o.ID.String()
	noError(t, s.CreateOrganization(t.Context(), o))
	return o.ID
}

// link returns a link that is not in the store yet.
func (s suite) link(t *testing.T, organization uuid.UUID, at time.Time) sharelink.Link {
	t.Helper()
	token, err := sharelink.NewToken()
	noError(t, err)
	return sharelink.Link{
		ID: newID(t, at), Token: token, Type: "LINK", ExpiresAt: at.Add(168 * time.Hour), UsageLimit: 10,
		AllowedOrigins: []string{}, Enabled: true, CreatedAt: at,
		PersonaID: persona, PersonaName: "Cara", OrganizationID: organization,
	}
}

// persona is whom the tests' links lead to, unless they say otherwise.
var persona = uuid.MustParse("30fa96d0-26c4-4e55-94a0-517025942e18")

// create adds a link, changed by edit.
func (s suite) create(t *testing.T, organization uuid.UUID, at time.Time, edit ...func(*sharelink.Link)) sharelink.Link {
	t.Helper()
	link := s.link(t, organization, at)
	for _, e := range edit {
		e(&link)
	}
	created, err := s.CreateLink(t.Context(), link, nil)
	noError(t, err)
	equal(t, "created", created, link)
	return created
}

// holds checks what the store has of a link.
func (s suite) holds(t *testing.T, want sharelink.Link) {
	t.Helper()
	got, err := s.Link(t.Context(), want.OrganizationID, want.ID)
	noError(t, err)
	equal(t, "kept", got, want)
}

// all returns every link of an organization, in the order of the list.
func (s suite) all(t *testing.T, organization uuid.UUID) []sharelink.Link {
	t.Helper()
	page, err := s.Links(t.Context(), organization, sharelink.Filter{Page: 1, PerPage: 100})
	noError(t, err)
	if page.Total != len(page.Links) && page.Total <= 100 {
		t.Errorf("the list of %d links says that there are %d", len(page.Links), page.Total)
	}
	return page.Links
}

// finds checks which links a filter picks, whatever their order.
func (s suite) finds(t *testing.T, organization uuid.UUID, f sharelink.Filter, want ...sharelink.Link) {
	t.Helper()
	f.Page, f.PerPage = 1, 100
	page, err := s.Links(t.Context(), organization, f)
	if err != nil {
		t.Errorf("search %q: %v", f.Search, err)
		return
	}
	if page.Total != len(want) {
		t.Errorf("search %q: total is %d, want %d", f.Search, page.Total, len(want))
	}
	got, wanted := make(map[uuid.UUID]bool), make(map[uuid.UUID]bool)
	for _, l := range page.Links {
		got[l.ID] = true
	}
	for _, l := range want {
		wanted[l.ID] = true
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("search %q finds others than it should (-want +got):\n%s", f.Search, diff)
	}
}

func newID(t *testing.T, at time.Time) uuid.UUID {
	t.Helper()
	id, err := sharelink.NewID(at)
	noError(t, err)
	return id
}

func to[T any](v T) *T { return &v }

// together calls f from n goroutines that begin as much at the same time as can be.
func together(n int, f func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	group.Wait()
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, want sharelink.Code) {
	t.Helper()
	if sharelink.CodeOf(err) != want {
		t.Errorf("%s: error is %v, want a %s", what, err, want)
	}
}

// equal compares what a store answers. An empty list may be nil or not, for all but a link's origins, which the wire shows.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: not as it should be (-want +got):\n%s", what, diff)
	}
	if link, ok := got.(sharelink.Link); ok && link.AllowedOrigins == nil {
		t.Errorf("%s: the allowed origins are nil, want an empty list", what)
	}
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
