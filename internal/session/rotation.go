package session

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// A new key is shown before it signs, and an old one while its sessions live, by every server: no backend meets a session
// whose key is in no key set that it may have.
const (
	// RefreshInterval is how often a server reads the keys.
	RefreshInterval = 30 * time.Second
	// KeySetMaxAge is how long a cache may keep the key set.
	KeySetMaxAge = 5 * time.Minute
	// Lead is for how long a new key is shown before it signs: much longer than RefreshInterval and KeySetMaxAge together,
	// because libraries keep a key set for up to an hour, whatever they are told.
	Lead = time.Hour
	// skew is by how much the clocks of servers may differ.
	skew = time.Minute
)

// keyStore keeps the keys.
type keyStore interface {
	SigningKeys(ctx context.Context, first sharelink.SigningKey) ([]sharelink.SigningKey, error)
	AddSigningKey(ctx context.Context, key sharelink.SigningKey, oldest int) error
}

// The states of a key, in their order.
const (
	Next     = "next"     // shown, and does not sign yet
	Signing  = "signing"  // signs new sessions
	Retiring = "retiring" // shown until its last session has ended
	Ended    = "ended"    // no longer shown; the next rotation removes it
)

// Key is a signing key at some instant, for one algorithm.
type Key struct {
	key
	State      string
	SignsFrom  time.Time
	ShownUntil time.Time // zero: until a key comes after it
}

// ID returns the kid of its sessions.
func (k Key) ID() string { return k.kid }

// Algorithm returns what it signs with.
func (k Key) Algorithm() string { return k.method.Alg() }

// Keys returns the keys of a store, oldest first, as they are now. A store that has none gets one.
func Keys(ctx context.Context, store keyStore, now time.Time) ([]Key, error) {
	kept, err := store.SigningKeys(ctx, newSigningKey(1, now, now))
	return keysAt(now, kept), err
}

// keysAt returns what the keys of a store are at an instant: two of each, one for each algorithm, so that a change of the
// algorithm ends no session.
func keysAt(now time.Time, kept []sharelink.SigningKey) []Key {
	var keys []Key
	for i, k := range kept {
		of := Key{State: Signing, SignsFrom: k.SignsFrom}
		if i > 0 && now.Before(k.SignsFrom) {
			of.State = Next
		}
		if i+1 < len(kept) {
			takenOver := kept[i+1].SignsFrom
			of.ShownUntil = takenOver.Add(Lifetime + skew)
			switch {
			case !now.Before(of.ShownUntil):
				of.State = Ended
			case !now.Before(takenOver):
				of.State = Retiring
			}
		}
		for _, of.key = range []key{edwardsKey(k.Seed), p256Key(k.Seed)} {
			keys = append(keys, of)
		}
	}
	return keys
}

// Rotate adds a key, which takes over after Lead, and removes those that have ended. With endSessions it takes over at once and
// all others are removed: their sessions end. It returns the keys that there are then. The error is a Conflict while another key
// is waiting to take over.
func Rotate(ctx context.Context, store keyStore, now time.Time, endSessions bool) ([]Key, error) {
	kept, err := store.SigningKeys(ctx, newSigningKey(1, now, now))
	if err != nil {
		return nil, err
	}
	last := kept[len(kept)-1]
	next := newSigningKey(last.Number+1, now, now.Add(Lead))
	switch keys := keysAt(now, kept); {
	case endSessions:
		next.SignsFrom, kept = now, nil
	case keys[len(keys)-1].State == Next:
		return nil, &sharelink.Error{
			Code:   sharelink.Conflict,
			Detail: "a new signing key is waiting already; it takes over at " + last.SignsFrom.UTC().Format(time.RFC3339),
		}
	default:
		for keys[0].State == Ended {
			keys, kept = keys[2:], kept[1:]
		}
	}
	kept = append(kept, next)
	if err := store.AddSigningKey(ctx, next, kept[0].Number); err != nil {
		return nil, err
	}
	return keysAt(now, kept), nil
}

// newSigningKey returns a random key.
func newSigningKey(number int, now, from time.Time) sharelink.SigningKey {
	k := sharelink.SigningKey{
		Number: number, CreatedAt: now.UTC().Truncate(sharelink.Precision), SignsFrom: from.UTC().Truncate(sharelink.Precision),
	}
	_, _ = rand.Read(k.Seed[:]) // it never fails
	return k
}
