// Package storetest is the suite that every store passes: the laws that sharelink.Store states in its comments. A store that
// breaks one fails the law of that name.
package storetest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// T is what a law needs of a test. *testing.T is one; Failures has another, on which a law may fail.
type T interface {
	rapid.TB
	Context() context.Context
	Cleanup(func())
	TempDir() string
}

// Backend is a store and the way to open its data once more.
type Backend struct {
	sharelink.Store
	// Open opens another store on the same data, beside the first or after it was closed, and closes it when t ends.
	Open func(t T) sharelink.Store
}

// law is one test of the suite.
type law struct {
	name string
	test func(t T, s suite)
	// Most laws hold for an organization, so most tests share one store, each with organizations of its own: that they do
	// not see one another's is a law too. The others need all of the data for themselves.
	alone bool
}

var laws = []law{
	{"RoundTrip", testRoundTrip, false},
	{"CreateInNoOrganization", testCreateInNoOrganization, false},
	{"EveryField", testEveryField, false},
	{"Isolation", testIsolation, false},
	{"UniqueTokens", testUniqueTokens, false},
	{"UpdateEachField", testUpdateEachField, false},
	{"UpdateLifetime", testUpdateLifetime, false},
	{"UpdateConcurrently", testUpdateConcurrently, false},
	{"Delete", testDelete, false},
	{"CancelledContext", testCancelledContext, false},
	{"ListOrder", testListOrder, false},
	{"ListPages", testListPages, false},
	{"ListStableUnderInserts", testListStableUnderInserts, false},
	{"ListFilter", testListFilter, false},
	{"SearchName", testSearchName, false},
	{"SearchLabel", testSearchLabel, false},
	{"SearchToken", testSearchToken, false},
	{"SearchID", testSearchID, false},
	{"SearchAnything", testSearchAnything, false},
	{"PrimaryOnCreate", testPrimaryOnCreate, false},
	{"PrimaryOnUpdate", testPrimaryOnUpdate, false},
	{"PrimaryConcurrently", testPrimaryConcurrently, false},
	{"IdempotentReplay", testIdempotentReplay, false},
	{"IdempotentReuse", testIdempotentReuse, false},
	{"IdempotentBoundary", testIdempotentBoundary, false},
	{"IdempotentConcurrently", testIdempotentConcurrently, false},
	{"IdempotentPrimary", testIdempotentPrimary, false},
	{"IdempotentFailure", testIdempotentFailure, false},
	{"LinkByToken", testLinkByToken, false},
	{"Spend", testSpend, false},
	{"SpendAtTheInstant", testSpendAtTheInstant, false},
	{"SpendConcurrently", testSpendConcurrently, false},
	{"SpendWhileChanging", testSpendWhileChanging, false},
	{"SettleOnce", testSettleOnce, false},
	{"SettleConcurrently", testSettleConcurrently, false},
	{"VisitPages", testVisitPages, false},
	{"VisitsOfOthers", testVisitsOfOthers, false},
	{"EraseVisits", testEraseVisits, false},
	{"EraseManyVisits", testEraseManyVisits, false},
	{"Organizations", testOrganizations, false},
	{"Personas", testPersonas, false},
	{"PersonaRemovalKeepsLinks", testPersonaRemovalKeepsLinks, false},
	{"Keys", testKeys, false},
	{"KeyRevoked", testKeyRevoked, false},
	{"NothingThere", testNothingThere, false},
	{"Model", testModel, false},
	{"ForgetKeys", testForgetKeys, true},
	{"ForgetVisits", testForgetVisits, true},
	{"Abandon", testAbandon, true},
	{"FirstSigningKey", testFirstSigningKey, true},
	{"SigningKeys", testSigningKeys, true},
	{"Reopen", testReopen, true},
	{"OrganizationsByName", testOrganizationsByName, true},
	{"Bootstrap", testBootstrap, true},
	{"BootstrapAllOrNothing", testBootstrapAllOrNothing, true},
	{"BootstrapConcurrently", testBootstrapConcurrently, true},
}

// Run tests stores. open makes one on no data and closes it when t ends.
func Run(t *testing.T, open func(t T) Backend) {
	shared := suite{Backend: open(t)}
	for _, law := range laws {
		t.Run(law.name, func(t *testing.T) {
			t.Parallel()
			if law.alone {
				law.test(t, suite{Backend: open(t)})
			} else {
				law.test(t, shared)
			}
		})
	}
}

// Failures tests the suite: it runs one law on a store and returns how it failed, "" if it did not.
func Failures(t *testing.T, name string, open func(t T) Backend) string {
	t.Helper()
	for _, law := range laws {
		if law.name == name {
			r := &recorder{T: t}
			var done sync.WaitGroup
			done.Go(func() { law.test(r, suite{Backend: open(t)}) }) // FailNow ends its goroutine
			done.Wait()
			return r.failures
		}
	}
	t.Fatalf("there is no law %s", name)
	return ""
}

// recorder is a T that keeps failures to itself.
type recorder struct {
	*testing.T
	mu       sync.Mutex
	failures string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures += fmt.Sprintf(format, args...) + "\n"
}
func (r *recorder) Error(args ...any)                 { r.Errorf("%s", fmt.Sprint(args...)) }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fail()                             { r.Errorf("failed") }
func (r *recorder) FailNow()                          { r.Fatalf("failed") }
func (r *recorder) Failed() bool                      { r.mu.Lock(); defer r.mu.Unlock(); return r.failures != "" }

// suite is a backend with what the tests say of it often.
type suite struct{ Backend }

// window is how long the tests keep idempotency keys.
const window = 24 * time.Hour

// epoch is when the tests happen. It has milliseconds, as every instant that is kept.
var epoch = time.Date(2026, 4, 20, 10, 0, 0, 123e6, time.UTC)

// concurrency is how many callers meet in the tests of what happens at the same time.
const concurrency = 50

// organization adds an organization of a name that nobody else has.
func (s suite) organization(t T) uuid.UUID {
	t.Helper()
	o := sharelink.Organization{ID: newID(t, epoch), CreatedAt: epoch}
	o.Name = "organization " + o.ID.String()
	noError(t, s.CreateOrganization(t.Context(), o))
	return o.ID
}

// link returns a link that is not in the store yet.
func (s suite) link(t T, organization uuid.UUID, at time.Time) sharelink.Link {
	t.Helper()
	return sharelink.Link{
		ID: newID(t, at), Token: sharelink.NewToken(), CreatedAt: at, Terms: sharelink.DefaultTerms(at),
		PersonaID: persona, PersonaName: "Cara", OrganizationID: organization,
	}
}

// persona is whom the tests' links lead to, unless they say otherwise.
var persona = uuid.MustParse("30fa96d0-26c4-4e55-94a0-517025942e18")

// create adds a link, changed by edit.
func (s suite) create(t T, organization uuid.UUID, at time.Time, edit ...func(*sharelink.Link)) sharelink.Link {
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
func (s suite) holds(t T, want sharelink.Link) {
	t.Helper()
	got, err := s.Link(t.Context(), want.OrganizationID, want.ID)
	noError(t, err)
	equal(t, "kept", got, want)
}

// all returns every link of an organization, in the order of the list.
func (s suite) all(t T, organization uuid.UUID) []sharelink.Link {
	t.Helper()
	page, err := s.Links(t.Context(), organization, sharelink.Filter{Paging: sharelink.Paging{Page: 1, PerPage: 100}})
	noError(t, err)
	if page.Total != len(page.Items) && page.Total <= 100 {
		t.Errorf("the list of %d links says that there are %d", len(page.Items), page.Total)
	}
	return page.Items
}

// finds checks which links a filter picks, whatever their order.
func (s suite) finds(t T, organization uuid.UUID, f sharelink.Filter, want ...sharelink.Link) {
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
	for _, l := range page.Items {
		got[l.ID] = true
	}
	for _, l := range want {
		wanted[l.ID] = true
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("search %q finds others than it should (-want +got):\n%s", f.Search, diff)
	}
}

func newID(t T, at time.Time) uuid.UUID {
	t.Helper()
	return sharelink.NewID(at)
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

func noError(t T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t T, what string, err error, want sharelink.Code) {
	t.Helper()
	if sharelink.CodeOf(err) != want {
		t.Errorf("%s: error is %v, want a %s", what, err, want)
	}
}

// equal compares what a store answers. An empty list may be nil or not, for all but a link's origins, which the wire shows.
func equal(t T, what string, got, want any) {
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
