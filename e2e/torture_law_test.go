//go:build torture

package e2e

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/api"
)

const (
	callers  = 8
	hotLimit = 40 // uses of the link that all callers open
)

// ledger is what the callers of a service were told. It is safe for concurrent use.
type ledger struct {
	t      *testing.T
	tally  *tally
	random *rand.Rand // of the scenario; each caller has its own

	unavailable atomic.Int64 // answers of 503
	upstream    bool         // whether sessions come from elsewhere, which may refuse

	mu           sync.Mutex
	links        map[string]*known // by id
	hot          *known            // the link that all callers open
	keyed        []keyed
	acknowledged int64 // operations that the law has not been held to yet
	revisions    int
}

// known is what is known of a link.
type known struct {
	id, token string
	limit     int
	opened    int      // opens that were acknowledged
	maybe     int      // opens that may have happened: those in flight, and those without an answer that tells
	origins   []string // of its last change that was acknowledged, and of those since that may have happened; "" is none
	deleting  bool     // it may have been deleted
	deleted   bool     // that was acknowledged
	touched   bool     // it was opened since its visits were compared with its uses
}

// keyed is a create under an idempotency key.
type keyed struct {
	key   string
	limit int
	id    string // "" when there was no answer
}

func newLedger(t *testing.T, n *tally) *ledger {
	name := fnv.New64a()
	_, _ = name.Write([]byte(t.Name()))
	return &ledger{t: t, tally: n, random: rand.New(rand.NewPCG(*seed, name.Sum64())), links: map[string]*known{}}
}

// anew is an empty ledger for another database of the same scenario.
func (l *ledger) anew() *ledger {
	return &ledger{t: l.t, tally: l.tally, random: l.random, links: map[string]*known{}}
}

// event is what happens once so many operations have ended.
type event struct {
	after int
	do    func()
}

// load has callers do all that can be done, until so many operations have ended or the server has.
func (l *ledger) load(p *process, operations int, events ...event) {
	var ended atomic.Int64
	var group sync.WaitGroup
	for range callers {
		l.mu.Lock()
		random := rand.New(rand.NewPCG(l.random.Uint64(), l.random.Uint64()))
		l.mu.Unlock()
		group.Go(func() {
			var own []*known
			for ended.Load() < int64(operations) && !p.hasEnded() {
				own = l.act(p, random, own)
				n := ended.Add(1)
				for _, e := range events {
					if int64(e.after) == n {
						e.do()
					}
				}
			}
		})
	}
	group.Wait()
}

// act does one operation. A caller changes and deletes only its own links, so it knows what they are.
func (l *ledger) act(p *process, random *rand.Rand, own []*known) []*known {
	l.mu.Lock()
	hot := l.hot
	l.mu.Unlock()
	switch n := random.IntN(100); {
	case hot == nil:
		if k := l.create(p, hotLimit, random); k != nil {
			l.mu.Lock()
			l.hot = k
			l.mu.Unlock()
		}
	case n < 30 || len(own) == 0:
		if k := l.create(p, 1+random.IntN(4), random); k != nil {
			own = append(own, k)
		}
	case n < 50:
		l.open(p, hot)
	case n < 65:
		l.open(p, own[random.IntN(len(own))])
	case n < 78:
		l.update(p, own[random.IntN(len(own))], random)
	case n < 84:
		i := random.IntN(len(own))
		l.delete(p, own[i])
		own = slices.Delete(own, i, i+1)
	default:
		l.look(p, own[random.IntN(len(own))], random)
	}
	return own
}

// outcome is what an answer tells a caller.
type outcome int

const (
	unknown outcome = iota // it may have happened or not
	done
	refused // it has not happened
)

// read returns what an answer tells. One that no fault of the environment explains is an error.
func (l *ledger) read(what string, status int, body []byte, success int, refusals ...int) outcome {
	switch {
	case status == success:
		return done
	case slices.Contains(refusals, status):
		return refused
	case status == 503:
		l.unavailable.Add(1)
	case status == 504 && l.upstream:
	default:
		l.t.Errorf("%s: status %d: %s", what, status, body)
	}
	return unknown
}

// answered counts requests without an answer.
func (l *ledger) answered(err error) bool {
	if err != nil {
		l.tally.unanswered.Add(1)
	}
	return err == nil
}

// acknowledge counts an operation that was acknowledged. The lock is held.
func (l *ledger) acknowledge(o outcome) bool {
	if o == done {
		l.acknowledged++
	}
	return o == done
}

func (l *ledger) create(p *process, limit int, random *rand.Rand) *known {
	body := api.CreateShareLinkRequest{PersonaID: uuid.Nil.String()}
	body.UsageLimit.Set(limit)
	params := &api.CreateShareLinkParams{}
	switch random.IntN(8) {
	case 0:
		params.IdempotencyKey = new(uuid.NewString())
	case 1:
		body.IsPrimary = new(true)
	}
	resp, err := p.client.CreateShareLinkWithResponse(l.t.Context(), params, body)
	l.mu.Lock()
	defer l.mu.Unlock()
	var k *known
	if l.answered(err) && l.acknowledge(l.read("create", resp.StatusCode(), resp.Body, 201)) {
		k = &known{id: resp.JSON201.ID, token: resp.JSON201.Token, limit: limit, origins: []string{""}}
		l.links[k.id] = k
	}
	if params.IdempotencyKey != nil {
		l.keyed = append(l.keyed, keyed{key: *params.IdempotencyKey, limit: limit})
		if k != nil {
			l.keyed[len(l.keyed)-1].id = k.id
		}
	}
	return k
}

func (l *ledger) open(p *process, k *known) {
	l.mu.Lock()
	k.touched = true
	k.maybe++
	l.mu.Unlock()
	resp, err := p.client.OpenShareLinkWithResponse(l.t.Context(), k.token)
	l.mu.Lock()
	defer l.mu.Unlock()
	o := unknown
	if l.answered(err) {
		if l.upstream && givenBack(resp.StatusCode(), resp.Body) {
			o = refused
		} else {
			o = l.read("open", resp.StatusCode(), resp.Body, 201, 410)
		}
	}
	if o != unknown {
		k.maybe--
	}
	if l.acknowledge(o) {
		k.opened++
	}
	if o == refused && l.hot == k && resp.StatusCode() == 410 {
		l.hot = nil // used up
	}
}

// givenBack tells whether an answer says that the upstream made no session, so that no use was spent.
func givenBack(status int, body []byte) bool {
	var problem struct{ Type string }
	return status >= 500 && json.Unmarshal(body, &problem) == nil && strings.HasSuffix(problem.Type, "/problems/persona-unavailable")
}

func (l *ledger) update(p *process, k *known, random *rand.Rand) {
	l.mu.Lock()
	l.revisions++
	origin := fmt.Sprintf("https://revision-%d.example", l.revisions)
	k.origins = append(k.origins, origin)
	l.mu.Unlock()
	change := api.UpdateShareLinkRequest{AllowedOrigins: &[]string{origin}}
	if random.IntN(8) == 0 {
		change.IsPrimary = new(true)
	}
	resp, err := p.client.UpdateShareLinkWithResponse(l.t.Context(), k.id, change)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answered(err) && l.acknowledge(l.read("update", resp.StatusCode(), resp.Body, 200)) {
		k.origins = []string{origin}
	}
}

func (l *ledger) delete(p *process, k *known) {
	l.mu.Lock()
	k.deleting = true
	l.mu.Unlock()
	resp, err := p.client.DeleteShareLinkWithResponse(l.t.Context(), k.id)
	l.mu.Lock()
	defer l.mu.Unlock()
	k.deleted = l.answered(err) && l.acknowledge(l.read("delete", resp.StatusCode(), resp.Body, 200))
}

// look reads. What is read is compared by the law.
func (l *ledger) look(p *process, k *known, random *rand.Rand) {
	ctx := l.t.Context()
	switch random.IntN(3) {
	case 0:
		if resp, err := p.client.GetShareLinkWithResponse(ctx, k.id); l.answered(err) {
			l.read("get", resp.StatusCode(), resp.Body, 200)
		}
	case 1:
		if resp, err := p.client.PreviewShareLinkWithResponse(ctx, k.token); l.answered(err) {
			l.read("preview", resp.StatusCode(), resp.Body, 200)
		}
	default:
		if resp, err := p.client.ListShareLinksWithResponse(ctx, &api.ListShareLinksParams{Page: new(1 + random.IntN(3))}); l.answered(err) {
			l.read("list", resp.StatusCode(), resp.Body, 200)
		}
	}
}

// law holds a server that answers to the ledger. A violation is one that stays: a use may just be on its way back. What was
// held once is held again each time, but for keys, which are repeated once.
func (l *ledger) law(p *process) {
	l.t.Helper()
	l.tally.faults.Add(1)
	var found []violation
	within(time.Minute, func() bool {
		found = l.violations(p)
		return len(found) == 0
	})
	for _, v := range found {
		v.count.Add(1)
		l.t.Error(v.text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keyed = nil
	l.tally.operations.Add(l.acknowledged)
	l.acknowledged = 0
}

type violation struct {
	count *atomic.Int64
	text  string
}

func (l *ledger) violations(p *process) (found []violation) {
	ctx := l.t.Context()
	broken := func(count *atomic.Int64, format string, args ...any) {
		found = append(found, violation{count, fmt.Sprintf(format, args...)})
	}
	for i, k := range l.keyed {
		link, err := p.create(ctx, func(r *api.CreateShareLinkRequest) { r.UsageLimit.Set(k.limit) }, k.key)
		if err != nil || k.id != "" && link.ID != k.id {
			broken(&l.tally.losses, "LOST: the repeat of a create under its key made %v, %v; first it was %s", link, err, k.id)
		} else {
			l.keyed[i].id = link.ID
		}
	}
	links := p.all(ctx)
	primaries := 0
	for _, link := range links {
		if link.IsPrimary {
			primaries++
		}
	}
	if primaries > 1 {
		broken(&l.tally.losses, "LOST: there are %d primary links of one persona", primaries)
	}
	for id, k := range l.links {
		link, there := links[id]
		if k.deleted && there || !k.deleting && !there || there && link.Token != k.token {
			broken(&l.tally.losses, "LOST: link %s, of which is known %+v, is there: %v", id, *k, there)
		}
		if !there {
			continue
		}
		if origin := strings.Join(link.AllowedOrigins, " "); !slices.Contains(k.origins, origin) {
			broken(&l.tally.losses, "LOST: the last change of link %s: it allows %q, not one of %q", id, origin, k.origins)
		}
		if link.UsageCount < k.opened {
			broken(&l.tally.losses, "LOST: link %s: %d opens were acknowledged and %d uses are counted", id, k.opened, link.UsageCount)
		}
		if link.UsageCount > min(k.limit, k.opened+k.maybe) {
			broken(&l.tally.overspends, "OVERSPENT: link %s: %d uses are counted; %d opens were acknowledged, %d may have happened, the limit is %d",
				id, link.UsageCount, k.opened, k.maybe, k.limit)
		}
		if !k.touched {
			continue
		}
		if visits := spent(l.t, p, id); visits != link.UsageCount {
			broken(&l.tally.orphans, "ORPHANED: link %s: %d uses are counted, and %d visits spent one", id, link.UsageCount, visits)
		} else {
			k.touched = false
		}
	}
	return found
}

// spent counts the visits to a link that spent a use.
func spent(t *testing.T, p *process, id string) (n int) {
	t.Helper()
	for page := 1; ; page++ {
		resp, err := p.client.ListShareLinkVisitsWithResponse(t.Context(), id, &api.ListShareLinkVisitsParams{Page: &page, PerPage: new(100)})
		if err != nil || resp.JSON200 == nil {
			t.Fatalf("visits: %v, %v", err, resp)
		}
		for _, v := range resp.JSON200.Data {
			if v.Outcome == api.VisitOutcomeOpened || v.Outcome == api.VisitOutcomeUpstreamTimeout {
				n++
			}
		}
		if resp.JSON200.Meta.Next == nil {
			return n
		}
	}
}

// within asks until the answer is yes, and at most for so long.
func within(limit time.Duration, yes func() bool) bool {
	for deadline := time.Now().Add(limit); !yes(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
