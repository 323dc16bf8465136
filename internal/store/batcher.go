package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// maxBatch bounds how many jobs are done together, and so how long the first of them waits.
const maxBatch = 256

// batcher hands over together whatever is waiting, so that one wait for the disk, or one message, serves all of it. There is no
// timer: with one caller a batch is one job and none waits, under load the batch is what arrived during the last one.
type batcher struct {
	queue   chan *job
	workers sync.WaitGroup

	mu      sync.RWMutex // held for writing while queue is closed
	stopped bool
}

// job is what waits for its turn: a row to find, a visit to record, a link to create, a link to open, or any other change.
type job struct {
	find   *statement
	visit  *statement
	create *creation
	spend  *spending
	do     func(ctx context.Context, tx querier) error
	must   bool // be accepted: it waits for room in the queue instead of being refused

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

// startBatcher starts goroutines that hand what waits to do, which sets the err of each job.
func startBatcher(workers, queue int, do func(batch []*job)) *batcher {
	b := &batcher{queue: make(chan *job, queue)}
	for range workers {
		b.workers.Go(func() { b.run(do) })
	}
	return b
}

// stop refuses further jobs, waits until those that are waiting are done, and ends the goroutines.
func (b *batcher) stop() {
	b.mu.Lock()
	if !b.stopped {
		b.stopped = true
		close(b.queue)
	}
	b.mu.Unlock()
	b.workers.Wait()
}

func (b *batcher) do(ctx context.Context, j *job) error {
	j.done = make(chan struct{})
	if err := b.enqueue(ctx, j); err != nil {
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

func (b *batcher) enqueue(ctx context.Context, j *job) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.stopped {
		return errClosed
	}
	if j.must {
		select {
		case b.queue <- j:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case b.queue <- j:
		return nil
	default:
		return &sharelink.Error{Code: sharelink.Unavailable, Detail: "the store is busy; try again in a moment", RetryAfter: time.Second}
	}
}

func (b *batcher) run(do func(batch []*job)) {
	batch := make([]*job, 0, maxBatch)
	for first := range b.queue {
		batch = b.drain(claim(batch[:0], first))
		if len(batch) == 0 {
			continue
		}
		do(batch)
		for i, j := range batch {
			close(j.done)
			batch[i] = nil // what the operation holds is garbage from here on
		}
	}
}

// drain adds what is waiting to the batch, and does not wait for more.
func (b *batcher) drain(batch []*job) []*job {
	for len(batch) < maxBatch {
		select {
		case j, ok := <-b.queue:
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
