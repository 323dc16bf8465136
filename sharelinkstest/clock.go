package sharelinkstest

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// clock stands still until it is set, or runs on from where it was set.
type clock struct {
	runs bool

	mu   sync.Mutex
	at   time.Time
	from time.Time // when it was set, on the wall clock
}

func newClock(at time.Time, runs bool) *clock {
	c := &clock{runs: runs}
	c.set(at)
	return c
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs {
		return c.at.Add(time.Since(c.from)).Truncate(sharelink.Precision)
	}
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.from = at.UTC().Truncate(sharelink.Precision), time.Now()
}

// random makes ids and tokens: new ones, or with a seed the same ones in every run.
type random struct {
	mu     sync.Mutex
	seeded *mathrand.ChaCha8 // nil without a seed
	token  string            // that comes next, "" for any
}

func newRandom(seed *uint64) *random {
	if seed == nil {
		return &random{}
	}
	var bytes [32]byte
	binary.LittleEndian.PutUint64(bytes[:], *seed)
	return &random{seeded: mathrand.NewChaCha8(bytes)}
}

// reader returns the source of the bits, which never fails. It is used with the lock held.
func (r *random) reader() io.Reader {
	if r.seeded != nil {
		return r.seeded
	}
	return rand.Reader
}

func (r *random) newID(at time.Time) uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sharelink.NewIDFrom(r.reader(), at)
}

func (r *random) newToken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if token := r.token; token != "" {
		r.token = ""
		return token
	}
	if r.seeded == nil {
		return sharelink.NewToken()
	}
	var bits [11]byte
	_, _ = r.seeded.Read(bits[:])
	return fmt.Sprintf("sh_%x", bits)[:24] // as long as any other
}

// setToken sets the next token.
func (r *random) setToken(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token = token
}

// signingKey returns the key that sessions are signed with.
func (r *random) signingKey(at time.Time) sharelink.SigningKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := sharelink.SigningKey{CreatedAt: at, SignsFrom: at}
	_, _ = r.reader().Read(key.Seed[:])
	return key
}

func (r *random) state() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seeded == nil {
		return nil
	}
	state, err := r.seeded.MarshalBinary()
	if err != nil {
		panic(err) // ChaCha8 has no error to return
	}
	return state
}

func (r *random) setState(state []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seeded == nil {
		return
	}
	r.seeded = new(mathrand.ChaCha8) // UnmarshalBinary leaves bytes that were read ahead
	if err := r.seeded.UnmarshalBinary(state); err != nil {
		panic(err) // it is a state of this server
	}
}
