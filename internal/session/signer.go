// Package session signs sessions that any backend can check.
package session

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Lifetime is how long a session is valid. Anam's are as long.
const Lifetime = time.Hour

// Signer makes sessions that are signed tokens (JWT, EdDSA): a backend with the public key can check a visitor on its own.
type Signer struct {
	key    ed25519.PrivateKey
	kid    string
	keySet []byte
	issuer func() string
}

var _ service.Sessions = (*Signer)(nil)

// claims are the content of a session: iss the service, sub the persona, jti the visit, and these. Personas' ids are unique
// only within an organization.
type claims struct {
	jwt.RegisteredClaims
	ShareLinkID    string `json:"shareLinkId"`
	OrganizationID string `json:"organizationId"`
}

// keyStore keeps the signing key.
type keyStore interface {
	SigningKey(ctx context.Context, first sharelink.SigningKey) (sharelink.SigningKey, error)
}

// NewSigner returns a signer with the key of the store, made now if the store has none. issuer returns the service's public
// URL.
func NewSigner(ctx context.Context, store keyStore, now time.Time, issuer func() string) (*Signer, error) {
	first := sharelink.SigningKey{CreatedAt: now}
	_, _ = rand.Read(first.Seed[:]) // it never fails
	key, err := store.SigningKey(ctx, first)
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	s := &Signer{key: ed25519.NewKeyFromSeed(key.Seed[:]), issuer: issuer}
	x := base64.RawURLEncoding.EncodeToString(s.key.Public().(ed25519.PublicKey))
	// The key id is the thumbprint (RFC 7638, of the members that RFC 8037 requires).
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	s.kid = base64.RawURLEncoding.EncodeToString(sum[:])
	const keySet = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"%s","kid":"%s","use":"sig","alg":"EdDSA"}]}`
	s.keySet = fmt.Appendf(nil, keySet, x, s.kid)
	return s, nil
}

// Session makes a session that begins at the visit. The instants in it are whole seconds.
func (s *Signer) Session(_ context.Context, link sharelink.Link, visit sharelink.Visit) (sharelink.Session, error) {
	from := visit.At.Truncate(time.Second)
	until := from.Add(Lifetime)
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    s.issuer(),
			Subject:   link.PersonaID.String(),
			ID:        visit.ID.String(),
			IssuedAt:  jwt.NewNumericDate(from),
			NotBefore: jwt.NewNumericDate(from),
			ExpiresAt: jwt.NewNumericDate(until),
		},
		ShareLinkID:    link.ID.String(),
		OrganizationID: link.OrganizationID.String(),
	})
	token.Header["kid"] = s.kid
	text, err := token.SignedString(s.key)
	if err != nil {
		return sharelink.Session{}, &sharelink.Error{Code: sharelink.PersonaUnavailable, Detail: "the session could not be signed", Err: err}
	}
	return sharelink.Session{Token: text, ExpiresAt: until}, nil
}

// KeySet returns the public half of the key as a JSON Web Key Set (RFC 7517, RFC 8037).
func (s *Signer) KeySet() []byte { return s.keySet }
