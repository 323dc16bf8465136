package session

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

var day = time.Date(2026, 4, 20, 10, 0, 0, 123e6, time.UTC)

// keeping is a store with this key, or one that fails.
type keeping struct {
	key sharelink.SigningKey
	err error
}

func (k keeping) SigningKey(context.Context, sharelink.SigningKey) (sharelink.SigningKey, error) {
	return k.key, k.err
}

func issuer() string { return "https://links.example.com" }

// The key and its thumbprint are those of RFC 8037, appendix A.
func TestKeySet(t *testing.T) {
	t.Parallel()
	seed, err := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(t.Context(), keeping{key: sharelink.SigningKey{Seed: [32]byte(seed)}}, day, issuer)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","use":"sig","alg":"EdDSA"}]}`
	if got := string(s.KeySet()); got != want {
		t.Errorf("%s", got)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	s, err := NewSigner(t.Context(), keeping{key: sharelink.SigningKey{Seed: [32]byte{7}}}, day, issuer)
	if err != nil {
		t.Fatal(err)
	}
	link := sharelink.Link{ID: uuid.New(), Token: "sh_secret", PersonaID: uuid.New(), OrganizationID: uuid.New()}
	visit := sharelink.Visit{ID: uuid.New(), At: day}
	session, err := s.Session(t.Context(), link, visit)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []struct{ X, Kid string } }
	if err := json.Unmarshal(s.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	x, err := base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	if err != nil {
		t.Fatal(err)
	}
	check := func(at time.Time) (jwt.MapClaims, error) {
		claims := jwt.MapClaims{}
		_, err := jwt.ParseWithClaims(session.Token, claims, func(token *jwt.Token) (any, error) {
			if token.Header["kid"] != set.Keys[0].Kid || token.Header["typ"] != "JWT" {
				t.Errorf("header %v", token.Header)
			}
			return ed25519.PublicKey(x), nil
		}, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithTimeFunc(func() time.Time { return at }), jwt.WithIssuer(issuer()))
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

func TestSignerNeedsItsKey(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	if _, err := NewSigner(t.Context(), keeping{err: down}, day, issuer); !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
}
