// Package session signs sessions that any backend can check.
package session

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Lifetime is how long a session is valid. Anam's are as long.
const Lifetime = time.Hour

// The algorithms that sessions can be signed with (RFC 8037, RFC 7518).
const (
	EdDSA = "EdDSA"
	ES256 = "ES256" // for backends whose library does not know EdDSA
)

// Signer makes sessions that are signed tokens (JWT): a backend with the public key can check a visitor on its own.
type Signer struct {
	Options
	ring atomic.Pointer[ring] // as it was when the keys were last read
}

// Options are what a signer is made from.
type Options struct {
	Store     keyStore
	Now       func() time.Time
	Algorithm string        // EdDSA or ES256
	Issuer    func() string // returns the service's public URL
}

// ring is what a signer has: the keys that it may sign with, and the set that shows them.
type ring struct {
	keys   []Key // of its algorithm, in the order in which they take over
	keySet []byte
}

// key is a private key, and how a key set shows its public half.
type key struct {
	method  jwt.SigningMethod
	private crypto.Signer
	kid     string
	public  string
}

var _ service.Sessions = (*Signer)(nil)

// claims are the content of a session: iss the service, sub the persona, jti the visit, and these. Personas' ids are unique
// only within an organization.
type claims struct {
	jwt.RegisteredClaims
	ShareLinkID    string `json:"shareLinkId"`
	OrganizationID string `json:"organizationId"`
}

// NewSigner returns a signer with the keys of the store, the first of which is made now if the store has none.
func NewSigner(ctx context.Context, o Options) (*Signer, error) {
	s := &Signer{Options: o}
	return s, s.Refresh(ctx)
}

// Refresh reads the keys again. It is to be called every RefreshInterval.
func (s *Signer) Refresh(ctx context.Context) error {
	now := s.Now()
	keys, err := Keys(ctx, s.Store, now)
	if err != nil {
		return fmt.Errorf("read the signing keys: %w", err)
	}
	var r ring
	var shown []string
	for _, k := range keys {
		if k.State == Ended {
			continue
		}
		shown = append(shown, k.public)
		if k.Algorithm() == s.Algorithm {
			r.keys = append(r.keys, k)
		}
	}
	r.keySet = fmt.Appendf(nil, `{"keys":[%s]}`, strings.Join(shown, ","))
	s.ring.Store(&r)
	return nil
}

// keyAt returns the key that signs at an instant: the newest that has taken over, or the first if a clock went back.
func (r *ring) keyAt(at time.Time) Key {
	signs := r.keys[0]
	for _, k := range r.keys[1:] {
		if !at.Before(k.SignsFrom) {
			signs = k
		}
	}
	return signs
}

func edwardsKey(seed [32]byte) key {
	private := ed25519.NewKeyFromSeed(seed[:])
	x := base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	return newKey(jwt.SigningMethodEdDSA, private, `"crv":"Ed25519","kty":"OKP","x":"`+x+`"`)
}

// p256Key derives a key from the seed of the other: the store keeps one. No key serves two algorithms.
func p256Key(seed [32]byte) key {
	for try := 1; ; try++ { // one of 4 billion scalars is out of range
		scalar, err := hkdf.Key(sha256.New, seed[:], nil, fmt.Sprint("sharelinks ES256 ", try), 32)
		if err != nil {
			panic(err) // of sizes that do not fit
		}
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
		if err != nil {
			continue
		}
		point, err := private.PublicKey.Bytes()
		if err != nil {
			panic(err) // the curve is known
		}
		x, y := base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:])
		return newKey(jwt.SigningMethodES256, private, `"crv":"P-256","kty":"EC","x":"`+x+`","y":"`+y+`"`)
	}
}

// newKey returns a key whose public half has these members, sorted, which are those of its thumbprint (RFC 7638): its id.
func newKey(method jwt.SigningMethod, private crypto.Signer, members string) key {
	sum := sha256.Sum256([]byte("{" + members + "}"))
	kid := base64.RawURLEncoding.EncodeToString(sum[:])
	return key{method, private, kid, fmt.Sprintf(`{%s,"kid":"%s","use":"sig","alg":"%s"}`, members, kid, method.Alg())}
}

// Session makes a session that begins at the visit. The instants in it are whole seconds.
func (s *Signer) Session(_ context.Context, link sharelink.Link, visit sharelink.Visit) (sharelink.Session, error) {
	from := visit.At.Truncate(time.Second)
	until := from.Add(Lifetime)
	key := s.ring.Load().keyAt(visit.At)
	token := jwt.NewWithClaims(key.method, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    s.Issuer(),
			Subject:   link.PersonaID.String(),
			ID:        visit.ID.String(),
			IssuedAt:  jwt.NewNumericDate(from),
			NotBefore: jwt.NewNumericDate(from),
			ExpiresAt: jwt.NewNumericDate(until),
		},
		ShareLinkID:    link.ID.String(),
		OrganizationID: link.OrganizationID.String(),
	})
	token.Header["kid"] = key.kid
	text, err := token.SignedString(key.private)
	if err != nil {
		return sharelink.Session{}, &sharelink.Error{Code: sharelink.PersonaUnavailable, Detail: "the session could not be signed", Err: err}
	}
	return sharelink.Session{Token: text, ExpiresAt: until}, nil
}

// KeySet returns the public halves of the keys as a JSON Web Key Set (RFC 7517, RFC 8037).
func (s *Signer) KeySet() []byte { return s.ring.Load().keySet }
