package store

import (
	"context"
	"fmt"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	// On PostgreSQL the second of two waits here for the first to commit.
	insertSigningKey = `
INSERT INTO signing_key (id, seed, created_at) VALUES (1, $1, $2)
ON CONFLICT (id) DO NOTHING`

	selectSigningKey = `
SELECT seed, created_at FROM signing_key WHERE id = 1`
)

// SigningKey implements sharelink.Store.
func (s *Store) SigningKey(ctx context.Context, first sharelink.SigningKey) (sharelink.SigningKey, error) {
	var key sharelink.SigningKey
	err := s.write(ctx, "signing_key", func(ctx context.Context, tx querier) error {
		if _, err := tx.ExecContext(ctx, insertSigningKey, first.Seed[:], first.CreatedAt.UnixMilli()); err != nil {
			return err
		}
		var seed []byte
		if err := tx.QueryRowContext(ctx, selectSigningKey).Scan(&seed, (*instant)(&key.CreatedAt)); err != nil {
			return err
		}
		if len(seed) != len(key.Seed) {
			return fmt.Errorf("the signing key has %d bytes", len(seed))
		}
		copy(key.Seed[:], seed)
		return nil
	})
	return key, err
}
