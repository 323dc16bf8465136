package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// maxBatch bounds how many writes share a commit, and so how long the first of them waits.
const maxBatch = 256

// writer puts whatever is waiting into one transaction, so that one wait for the disk serves all of it. There is no timer:
// with one caller a batch is one write and none waits, under load the batch is what arrived during the last commit.
type writer struct {
	queue   chan *job
	workers sync.WaitGroup

	mu      sync.RWMutex // held for writing while queue is closed
	stopped bool
}

// job is a write that waits for its turn: a link to create, a link to open, or anything else.
type job struct {
	create *creation
	spend  *spending
	do     func(ctx context.Context, tx querier) error

	state atomic.Int32
	err   error
	done  chan struct{} // closed when err tells what became of it
}

// A job is waiting until either a worker claims it or its caller abandons it, whichever comes first.
const (
	waiting int32 = iota
	claimed
	abandoned
)

// startWriter starts goroutines that hand what waits to commit, which sets the err of each job.
func startWriter(workers int, o Options, commit func(batch []*job)) *writer {
	w := &writer{queue: make(chan *job, o.Queue)}
	for range workers {
		w.workers.Go(func() { w.run(o.ObserveBatch, commit) })
	}
	return w
}

// stop refuses further writes, waits until those that are waiting are done, and ends the goroutines.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.stopped {
		w.stopped = true
		close(w.queue)
	}
	w.mu.Unlock()
	w.workers.Wait()
}

func (w *writer) write(ctx context.Context, j *job) error {
	j.done = make(chan struct{})
	if err := w.enqueue(j); err != nil {
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

func (w *writer) enqueue(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.stopped {
		return errClosed
	}
	select {
	case w.queue <- j:
		return nil
	default:
		return &sharelink.Error{Code: sharelink.Unavailable, Detail: "the store is busy; try again in a moment", RetryAfter: time.Second}
	}
}

func (w *writer) run(observe func(writes int), commit func(batch []*job)) {
	batch := make([]*job, 0, maxBatch)
	for first := range w.queue {
		batch = w.drain(claim(batch[:0], first))
		if len(batch) == 0 {
			continue
		}
		commit(batch)
		if observe != nil {
			observe(len(batch))
		}
		for i, j := range batch {
			close(j.done)
			batch[i] = nil // what the operation holds is garbage from here on
		}
	}
}

// drain adds what is waiting to the batch, and does not wait for more.
func (w *writer) drain(batch []*job) []*job {
	for len(batch) < maxBatch {
		select {
		case j, ok := <-w.queue:
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
