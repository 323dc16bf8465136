//go:build torture

package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// The fault suite: `make torture`. It is left out of `go test ./...`, which tests what should be, by its build tag.

var (
	rounds = flag.Int("rounds", 20, "how often TestTorture kills a server; the other faults are repeated in proportion")
	seed   = flag.Uint64("seed", 0, "what all that TestTorture draws by lot comes from; 0 is another one each time")
)

// scenarios are faults of the environment of a server, by name. Each keeps a ledger of what callers were told under a mixed
// load, and holds the server to it afterwards, see law.
//
// Faults that a test of one package proves at less cost are not repeated: files that are corrupt, truncated or of another
// program (TestRefusedFiles, TestDamagedWhileOpen), a folder or file that cannot be written at the start (TestNotWritable), the end of the
// disk in the middle of a batch (TestDiskFull), eight that make the tables at once (TestOpenTogether), uses that cannot be
// given back (TestSettle...), each way in which Anam can answer wrongly (internal/anam).
var scenarios = map[string]func(*ledger){
	"killed":                  func(l *ledger) { killed(l, *rounds, sqliteFile) },
	"killed on PostgreSQL":    func(l *ledger) { killed(l, *rounds/4, postgresDatabase) },
	"terminated":              terminated,
	"64 descriptors":          fewDescriptors,
	"disk full":               diskFull,
	"file taken away":         fileTakenAway,
	"directory closed":        directoryClosed,
	"files read-only":         filesReadOnly,
	"10,000 idle connections": idleConnections,
	"slow heads and bodies":   slowRequests,
	"PostgreSQL fails":        postgresFails,
	"PostgreSQL hangs":        postgresHangs,
	"network swallows":        networkSwallows,
	"failover":                failover,
	"two first starts":        twoFirstStarts,
	"upstream lies":           upstreamLies,
	"clock jumps":             clockJumps,
}

// TestTorture puts servers through faults. What is acknowledged is not lost, no limit is overspent, every use that is spent has
// its visit, nothing leaks, and a server that still runs answers again by itself.
func TestTorture(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("to repeat it: make torture ROUNDS=%d SEED=%d", *rounds, *seed)
	var total tally
	t.Cleanup(func() { t.Log(&total) })
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var own tally
			l := newLedger(t, &own)
			scenario(l)
			t.Log(&own)
			total.add(&own)
		})
	}
}

// tally is what was checked, and what was found. Requests without an answer are a fault only of a server that is not killed.
type tally struct{ faults, operations, losses, overspends, orphans, unanswered atomic.Int64 }

func (n *tally) add(other *tally) {
	n.faults.Add(other.faults.Load())
	n.operations.Add(other.operations.Load())
	n.losses.Add(other.losses.Load())
	n.overspends.Add(other.overspends.Load())
	n.orphans.Add(other.orphans.Load())
}

func (n *tally) String() string {
	return fmt.Sprintf("%d rounds, %d acknowledged operations checked: %d losses, %d overspends, %d orphaned uses",
		n.faults.Load(), n.operations.Load(), n.losses.Load(), n.overspends.Load(), n.orphans.Load())
}

// in is a number of repetitions, given for 20 rounds, in proportion to the rounds of this run.
func (l *ledger) in(short int) int { return max(1, short**rounds/20) }

// cannot ends a test that this machine cannot run: loudly, and with a failure where nothing may be left out silently.
func cannot(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip("NOT TESTED: " + what)
}

// sqliteFile is the URL of a database that does not exist yet.
func sqliteFile(l *ledger) string { return "sqlite:" + filepath.Join(l.t.TempDir(), "links.db") }
