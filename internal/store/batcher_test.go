package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// held is a SQLite store whose writer can be held, so that a test says what is waiting when it goes on.
type held struct {
	*Store
	group   *batcher
	release func()
	batches *[]int // safe to read when no write is under way
}

func openHeld(t *testing.T, queue int) held {
	t.Helper()
	var batches []int
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "links.db"), Options{
		Queue:        queue,
		ObserveBatch: func(writes int) { batches = append(batches, writes) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h := held{Store: s, group: s.engine.(*sqlite).writer, batches: &batches}
	h.do(t, "CREATE TABLE t (n INTEGER PRIMARY KEY)")
	batches = nil

	running, release := make(chan struct{}), make(chan struct{})
	var holder sync.WaitGroup
	holder.Go(func() {
		err := perform(context.Background(), s, func(context.Context, querier) error {
			close(running)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-running
	h.release = sync.OnceFunc(func() { close(release); holder.Wait() })
	t.Cleanup(func() {
		h.release()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// do runs one statement as a write of its own.
func (h held) do(t *testing.T, statement string) {
	t.Helper()
	if err := perform(t.Context(), h.Store, run(statement)); err != nil {
		t.Fatal(err)
	}
}

// perform runs fn as a write.
func perform(ctx context.Context, s *Store, fn func(ctx context.Context, tx querier) error) error {
	_, err := change(ctx, s, uuid.Nil, "test", func(ctx context.Context, tx querier) (struct{}, error) { return struct{}{}, fn(ctx, tx) })
	return err
}

func run(statements ...string) func(ctx context.Context, tx querier) error {
	return func(ctx context.Context, tx querier) error {
		for _, s := range statements {
			if err := tx.run(ctx, &statement{sql: s}); err != nil {
				return err
			}
		}
		return nil
	}
}

// enqueue begins writes, in this order, and returns what gives their outcomes.
func (h held) enqueue(t *testing.T, writes ...func(ctx context.Context, tx querier) error) (outcomes func() []error) {
	t.Helper()
	errs := make([]error, len(writes))
	var group sync.WaitGroup
	for i, fn := range writes {
		before := len(h.group.queue)
		group.Go(func() { errs[i] = perform(context.Background(), h.Store, fn) })
		h.await(t, func() bool { return len(h.group.queue) == before+1 })
	}
	return func() []error { group.Wait(); return errs }
}

func (h held) await(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}

// rows returns what is in the table.
func (h held) rows(t *testing.T) []int {
	t.Helper()
	rows, err := read(t.Context(), h.Store, uuid.Nil, "test", all(number[int], "SELECT n FROM t ORDER BY n"))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestBatchKeepsFailuresApart(t *testing.T) {
	t.Parallel()
	h := openHeld(t, 0)
	errOwn := errors.New("its own")
	outcomes := h.enqueue(t,
		run("INSERT INTO t VALUES (1)"),
		func(ctx context.Context, tx querier) error {
			return errors.Join(run("INSERT INTO t VALUES (2)")(ctx, tx), errOwn)
		},
		run("INSERT INTO t VALUES (3)"),
		func(ctx context.Context, tx querier) error {
			_ = run("INSERT INTO t VALUES (4)")(ctx, tx)
			panic("oh")
		},
		run("INSERT INTO t VALUES (5)", "INSERT INTO t VALUES (1)"),
		run("INSERT INTO t VALUES (6)"),
	)
	h.release()
	errs := outcomes()
	for i, ok := range []bool{true, false, true, false, false, true} {
		if (errs[i] == nil) != ok {
			t.Errorf("write %d: error is %v", i+1, errs[i])
		}
	}
	if !errors.Is(errs[1], errOwn) || !strings.Contains(fmt.Sprint(errs[3]), "panic: oh") {
		t.Errorf("the errors are %v and %v", errs[1], errs[3])
	}
	if got := h.rows(t); !slices.Equal(got, []int{1, 3, 6}) {
		t.Errorf("rows are %v", got)
	}
	h.do(t, "INSERT INTO t VALUES (7)") // the writer lives
	if !slices.Equal(*h.batches, []int{1, 6, 1}) {
		t.Errorf("batches were of %v", *h.batches)
	}
}

func TestBatchThatCannotBeCommitted(t *testing.T) {
	t.Parallel()
	for name, spoiler := range map[string]func(ctx context.Context, tx querier) error{
		// The constraint is looked at when the transaction ends, and fails the commit of all.
		"commit fails": run("PRAGMA defer_foreign_keys = ON", `INSERT INTO personas VALUES ('no such organization', 'id', 'name', 0)`),
		// As SQLite does by itself on some errors of the disk.
		"rolled back": run("ROLLBACK"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := openHeld(t, 0)
			errOwn := errors.New("its own")
			outcomes := h.enqueue(t,
				run("INSERT INTO t VALUES (1)"),
				func(context.Context, querier) error { return errOwn },
				spoiler,
				run("INSERT INTO t VALUES (2)"),
			)
			h.release()
			for i, err := range outcomes() {
				if err == nil || errors.Is(err, errOwn) != (i == 1) {
					t.Errorf("write %d of a batch that was not committed: error is %v", i+1, err)
				}
			}
			if got := h.rows(t); len(got) != 0 {
				t.Errorf("rows are %v", got)
			}
			h.do(t, "INSERT INTO t VALUES (3)")
			if got := h.rows(t); !slices.Equal(got, []int{3}) {
				t.Errorf("rows are %v", got)
			}
		})
	}
}

func TestCallerThatGivesUpInTheQueue(t *testing.T) {
	t.Parallel()
	h := openHeld(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	ran := false
	done := make(chan error)
	go func() {
		done <- perform(ctx, h.Store, func(context.Context, querier) error { ran = true; return nil })
	}()
	h.await(t, func() bool { return len(h.group.queue) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) { // answered while the writer is held
		t.Errorf("error is %v", err)
	}
	h.release()
	h.do(t, "INSERT INTO t VALUES (1)") // its turn would have been before this one's
	if ran {
		t.Error("a write whose caller had given up was run")
	}
}

func TestCallerThatGivesUpTooLate(t *testing.T) {
	t.Parallel()
	h := openHeld(t, 0)
	h.release()
	ctx, cancel := context.WithCancel(t.Context())
	err := perform(ctx, h.Store, func(ctx context.Context, tx querier) error {
		cancel()
		if ctx.Err() != nil {
			t.Error("the write sees its caller's context")
		}
		return run("INSERT INTO t VALUES (1)")(ctx, tx)
	})
	if got := h.rows(t); err != nil || !slices.Equal(got, []int{1}) {
		t.Errorf("error is %v, rows are %v", err, got)
	}
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	h := openHeld(t, 2)
	outcomes := h.enqueue(t, run("INSERT INTO t VALUES (1)"), run("INSERT INTO t VALUES (2)"))
	err := perform(t.Context(), h.Store, run("INSERT INTO t VALUES (3)"))
	if e, ok := errors.AsType[*sharelink.Error](err); !ok || e.Code != sharelink.Unavailable || e.RetryAfter < time.Second {
		t.Errorf("error is %#v", err)
	}
	h.release()
	if err := errors.Join(outcomes()...); err != nil {
		t.Error(err)
	}
	h.do(t, "INSERT INTO t VALUES (4)")
	if got := h.rows(t); !slices.Equal(got, []int{1, 2, 4}) {
		t.Errorf("rows are %v", got)
	}
}

// What must be written waits for room in a queue that is full.
func TestSettleWhileQueueIsFull(t *testing.T) {
	t.Parallel()
	h := openHeld(t, 1)
	outcomes := h.enqueue(t, run("INSERT INTO t VALUES (1)"))
	impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := h.Settle(impatient, sharelink.Visit{}, sharelink.UpstreamRefused); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a caller who does not wait: error is %v", err)
	}
	settled := make(chan error)
	go func() {
		_, err := h.Settle(context.Background(), sharelink.Visit{}, sharelink.UpstreamRefused)
		settled <- err
	}()
	h.release()
	if err := errors.Join(append(outcomes(), <-settled)...); err != nil {
		t.Error(err)
	}
}

func TestCloseFinishesWhatIsWaiting(t *testing.T) {
	t.Parallel()
	h := openHeld(t, 0)
	outcomes := h.enqueue(t, run("INSERT INTO t VALUES (1)"), run("INSERT INTO t VALUES (2)"))
	closed := make(chan error)
	go func() { closed <- h.Close() }()
	h.await(t, func() bool { h.group.mu.RLock(); defer h.group.mu.RUnlock(); return h.group.stopped })
	if err := perform(t.Context(), h.Store, run("INSERT INTO t VALUES (3)")); sharelink.CodeOf(err) != sharelink.Unavailable {
		t.Errorf("a write to a store that is closing: error is %v", err)
	}
	h.release()
	if err := errors.Join(append(outcomes(), <-closed)...); err != nil {
		t.Error(err)
	}
	if err := h.Ping(t.Context()); sharelink.CodeOf(err) != sharelink.Unavailable {
		t.Errorf("ping of a closed store: error is %v", err)
	}
}

// TestDiskFull has SQLite meet the end of the disk, which it believes when told so.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	h := openHeld(t, 0)
	h.release()
	h.do(t, "CREATE TABLE big (b BLOB)")
	h.do(t, "PRAGMA max_page_count = 1") // it takes the present size instead
	err := perform(t.Context(), h.Store, run("INSERT INTO t VALUES (1)", "INSERT INTO big VALUES (zeroblob(1000000))"))
	if sharelink.CodeOf(err) != sharelink.Unavailable {
		t.Errorf("error is %v", err)
	}
	if got := h.rows(t); len(got) != 0 {
		t.Errorf("rows are %v", got)
	}
	h.do(t, "PRAGMA max_page_count = 1000000")
	h.do(t, "INSERT INTO big VALUES (zeroblob(1000000))")
}
