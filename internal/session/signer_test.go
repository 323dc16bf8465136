package session

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

var day = time.Date(2026, 4, 20, 10, 0, 0, 123e6, time.UTC)

// keeping is a store with these keys, or one that fails.
type keeping struct {
	keys []sharelink.SigningKey
	err  error
}

func (k *keeping) SigningKeys(context.Context, sharelink.SigningKey) ([]sharelink.SigningKey, error) {
	return k.keys, k.err
}

func (k *keeping) AddSigningKey(_ context.Context, key sharelink.SigningKey, oldest int) error {
	k.keys = append(slices.DeleteFunc(k.keys, func(k sharelink.SigningKey) bool { return k.Number < oldest }), key)
	return k.err
}

// newSigner returns a signer with one key, which began a day ago, and its store.
func newSigner(t *testing.T, algorithm string, seed [32]byte, now func() time.Time) (*Signer, *keeping) {
	t.Helper()
	store := &keeping{keys: []sharelink.SigningKey{{Number: 1, Seed: seed, SignsFrom: day.Add(-24 * time.Hour)}}}
	s, err := NewSigner(t.Context(), Options{Store: store, Now: now, Algorithm: algorithm, Issuer: issuer})
	if err != nil {
		t.Fatal(err)
	}
	return s, store
}

func today() time.Time { return day }

func issuer() string { return "https://links.example.com" }

// The key and its thumbprint are those of RFC 8037, appendix A.
func TestKeySet(t *testing.T) {
	t.Parallel()
	seed, err := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := newSigner(t, EdDSA, [32]byte(seed), today)
	const want = `{"keys":[{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","use":"sig","alg":"EdDSA"},` +
		`{"crv":"P-256","kty":"EC","x":"NVI_bVzHtFWXZvjU1WxA7TKlBN0OjCD9W2DCrujTkoE","y":"MvVFgUkWTn3ugtCart8lWIDhNavV4-H47nfcfcwSJOM","kid":"KVIwBGqUqi4cVT36Fl7DhwQoxfx3xje4S0WOzKNGtxA","use":"sig","alg":"ES256"}]}` // the key of ES256 is derived in our own way: to change it ends sessions
	if got := string(s.KeySet()); got != want {
		t.Errorf("%s", got)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{EdDSA, ES256} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			testSession(t, algorithm)
		})
	}
}

func testSession(t *testing.T, algorithm string) {
	s, _ := newSigner(t, algorithm, [32]byte{7}, today)
	link := sharelink.Link{ID: uuid.New(), Token: "sh_secret", PersonaID: uuid.New(), OrganizationID: uuid.New()}
	visit := sharelink.Visit{ID: uuid.New(), At: day}
	session, err := s.Session(t.Context(), link, visit)
	if err != nil {
		t.Fatal(err)
	}
	kid, public := publicKey(t, s.KeySet(), algorithm)
	check := func(at time.Time) (jwt.MapClaims, error) {
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(session.Token, claims, func(token *jwt.Token) (any, error) {
			if token.Header["kid"] != kid || token.Header["typ"] != "JWT" {
				t.Errorf("header %v", token.Header)
			}
			return public, nil
		}, jwt.WithValidMethods([]string{algorithm}), jwt.WithTimeFunc(func() time.Time { return at }), jwt.WithIssuer(issuer()))
		return claims, err
	}
	claims, err := check(day)
	if err != nil {
		t.Fatal(err)
	}
	from := float64(day.Unix())
	for name, want := range map[string]any{
		"iss": issuer(), "sub": link.PersonaID.String(), "jti": visit.ID.String(), "iat": from, "nbf": from, "exp": from + 3600,
		"shareLinkId": link.ID.String(), "organizationId": link.OrganizationID.String(),
	} {
		if claims[name] != want {
			t.Errorf("%s: %v, want %v", name, claims[name], want)
		}
	}
	if len(claims) != 8 {
		t.Errorf("claims %v", claims)
	}
	if !session.ExpiresAt.Equal(time.Unix(int64(from)+3600, 0)) {
		t.Errorf("expires at %v", session.ExpiresAt)
	}
	if _, err := check(session.ExpiresAt); err == nil {
		t.Error("it is good for longer than it says")
	}
	if _, err := check(day.Add(-time.Second)); err == nil {
		t.Error("it is good before it was made")
	}
}

// publicKey returns the key of an algorithm from a key set, as a backend reads it.
func publicKey(t *testing.T, keySet []byte, algorithm string) (kid string, public any) {
	t.Helper()
	var set struct {
		Keys []struct{ Alg, Crv, Kty, Kid, Use, X, Y string }
	}
	if err := json.Unmarshal(keySet, &set); err != nil || len(set.Keys) != 2 {
		t.Fatal(err, string(keySet))
	}
	for _, k := range set.Keys {
		if k.Alg != algorithm || k.Use != "sig" {
			continue
		}
		x, _ := base64.RawURLEncoding.DecodeString(k.X)
		y, _ := base64.RawURLEncoding.DecodeString(k.Y)
		if k.Kty == "OKP" && k.Crv == "Ed25519" && algorithm == EdDSA {
			return k.Kid, ed25519.PublicKey(x)
		}
		if k.Kty == "EC" && k.Crv == "P-256" && algorithm == ES256 {
			p, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
			if err != nil {
				t.Fatal(err)
			}
			return k.Kid, p
		}
	}
	t.Fatalf("no key of %s: %s", algorithm, keySet)
	return "", nil
}

// A signer that cannot read its keys is none; one that could goes on with those that it read.
func TestSignerNeedsItsKeys(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	_, err := NewSigner(t.Context(), Options{Store: &keeping{err: down}, Now: today, Algorithm: EdDSA, Issuer: issuer})
	if !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
	s, store := newSigner(t, EdDSA, [32]byte{7}, today)
	before := string(s.KeySet())
	store.err = down
	if err := s.Refresh(t.Context()); !errors.Is(err, down) || string(s.KeySet()) != before {
		t.Errorf("%v: %s", err, s.KeySet())
	}
}
