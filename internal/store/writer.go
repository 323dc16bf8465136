package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// maxBatch bounds how many writes share a commit, and so how long the first of them waits.
const maxBatch = 256

// groupCommit is the writer of a SQLite database, which lets one write at a time and makes each commit wait for the
// disk. One goroutine owns the connection that writes; it puts whatever is waiting into one transaction, so that one
// wait for the disk serves all of them. There is no timer: with one caller a batch is one write and none waits, under
// load the batch is what arrived during the last commit.
type groupCommit struct {
	conn    *prepared
	queue   chan *job
	observe func(writes int)
	done    chan struct{} // closed when the goroutine has ended

	mu      sync.RWMutex // held for writing while queue is closed
	stopped bool
}

// job is a write that waits for its turn.
type job struct {
	fn    func(ctx context.Context, tx querier) error
	state atomic.Int32
	err   error
	done  chan struct{} // closed when err tells what became of it
}

// A job is waiting until either the writer claims it or its caller abandons it, whichever comes first.
const (
	waiting int32 = iota
	claimed
	abandoned
)

func startGroupCommit(conn *sql.Conn, queue int, observe func(writes int)) *groupCommit {
	g := &groupCommit{
		conn:    newPrepared(conn),
		queue:   make(chan *job, queue),
		observe: observe,
		done:    make(chan struct{}),
	}
	go g.run()
	return g
}

// stop refuses further writes, waits until those that are waiting are done, and ends the goroutine.
func (g *groupCommit) stop() {
	g.mu.Lock()
	if !g.stopped {
		g.stopped = true
		close(g.queue)
	}
	g.mu.Unlock()
	<-g.done
}

func (g *groupCommit) write(ctx context.Context, fn func(ctx context.Context, tx querier) error) error {
	j := &job{fn: fn, done: make(chan struct{})}
	if err := g.enqueue(j); err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, abandoned) {
			return ctx.Err()
		}
		<-j.done
	}
	return j.err
}

func (g *groupCommit) enqueue(j *job) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.stopped {
		return errors.New("the store is closed") // Unavailable, as every error of a closed store
	}
	select {
	case g.queue <- j:
		return nil
	default:
		return &sharelink.Error{Code: sharelink.Unavailable, Detail: "the store is busy; try again in a moment", RetryAfter: time.Second}
	}
}

func (g *groupCommit) run() {
	defer close(g.done)
	batch := make([]*job, 0, maxBatch)
	for first := range g.queue {
		batch = g.drain(claim(batch[:0], first))
		if len(batch) == 0 {
			continue
		}
		g.commit(batch)
		if g.observe != nil {
			g.observe(len(batch))
		}
		for i, j := range batch {
			close(j.done)
			batch[i] = nil // what the operation holds is garbage from here on
		}
	}
}

// drain adds what is waiting to the batch, and does not wait for more.
func (g *groupCommit) drain(batch []*job) []*job {
	for len(batch) < maxBatch {
		select {
		case j, ok := <-g.queue:
			if !ok {
				return batch
			}
			batch = claim(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// claim adds a job to the batch unless its caller has given up.
func claim(batch []*job, j *job) []*job {
	if j.state.CompareAndSwap(waiting, claimed) {
		batch = append(batch, j)
	}
	return batch
}

// commit runs the jobs in one transaction and sets the err of each. No context of a caller is used: a statement that is
// interrupted in the middle of a shared transaction would abort the whole batch.
//
// Nearly always all of them succeed, so that is tried first. When one fails the transaction is rolled back and begun anew with
// a savepoint for each job, so that the failure takes only its own changes with it. Savepoints from the start would cost
// a third of the writes a second: SQLite keeps a copy of each page that each of them touches.
func (g *groupCommit) commit(batch []*job) {
	ctx := context.Background()
	fails := func(j *job) bool { return g.runOne(ctx, j) != nil }
	err := g.exec(ctx, "BEGIN IMMEDIATE")
	if err == nil && slices.ContainsFunc(batch, fails) && len(batch) > 1 {
		// SQLite may have rolled back already; then there is nothing to roll back and the second BEGIN says what is wrong.
		_ = g.exec(ctx, "ROLLBACK")
		if err = g.exec(ctx, "BEGIN IMMEDIATE"); err == nil {
			err = g.eachByItself(ctx, batch)
		}
	}
	if err == nil && len(batch) == 1 {
		err = batch[0].err
	}
	if err == nil {
		err = g.exec(ctx, "COMMIT")
	}
	if err != nil {
		_ = g.exec(ctx, "ROLLBACK")
		for _, j := range batch {
			if j.err == nil {
				j.err = err
			}
		}
	}
}

// eachByItself runs each job in a savepoint. The error is one that leaves nothing to commit.
func (g *groupCommit) eachByItself(ctx context.Context, batch []*job) error {
	for _, j := range batch {
		if err := g.exec(ctx, "SAVEPOINT job"); err != nil {
			return err
		}
		if g.runOne(ctx, j) != nil {
			if err := g.exec(ctx, "ROLLBACK TO job"); err != nil {
				return fmt.Errorf("the transaction was rolled back by the database: %w", err)
			}
		}
		if err := g.exec(ctx, "RELEASE job"); err != nil {
			return err
		}
	}
	return nil
}

// runOne sets the error of a job and returns it too.
func (g *groupCommit) runOne(ctx context.Context, j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		j.err = err
	}()
	return j.fn(ctx, g.conn)
}

func (g *groupCommit) exec(ctx context.Context, statement string) error {
	_, err := g.conn.ExecContext(ctx, statement)
	return err
}
