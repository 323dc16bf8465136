package sharelink

import (
	"context"
	"crypto/ed25519"
	"time"
)

// SigningKey is what the service signs its own sessions with.
type SigningKey struct {
	Seed      [ed25519.SeedSize]byte // the private key (RFC 8032)
	CreatedAt time.Time
}

// SigningKeyStore remembers one signing key.
type SigningKeyStore interface {
	// SigningKey returns the key that the store has. A store that has none keeps this one first; of several callers at
	// once all get the same. Errors: Unavailable.
	SigningKey(ctx context.Context, first SigningKey) (SigningKey, error)
}
