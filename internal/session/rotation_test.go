package session

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// kidAt returns which key signs at an instant.
func kidAt(t *testing.T, s *Signer, at time.Time) string {
	t.Helper()
	session, err := s.Session(t.Context(), sharelink.Link{}, sharelink.Visit{At: at})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := jwt.NewParser().ParseUnverified(session.Token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Header["kid"].(string)
}

// Through two rotations, step by step: a session's key was in every key set that a backend may have kept,
// is in each until the session ends, and is shown no longer than that.
func TestRotation(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{EdDSA, ES256} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			now := day
			s, store := newSigner(t, algorithm, [32]byte{7}, func() time.Time { return now })
			sets := map[time.Time]string{} // at each instant
			signed := map[string][2]time.Time{}
			const step = 2 * time.Minute
			for ; now.Before(day.Add(8 * time.Hour)); now = now.Add(step) {
				if at := now.Sub(day); at == 10*time.Minute || at == 3*time.Hour {
					if _, err := Rotate(t.Context(), store, now, false); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				sets[now] = string(s.KeySet())
				kid := kidAt(t, s, now)
				if _, seen := signed[kid]; !seen {
					signed[kid] = [2]time.Time{now}
				}
				signed[kid] = [2]time.Time{signed[kid][0], now}
			}
			if len(signed) != 3 {
				t.Errorf("%d keys signed", len(signed))
			}
			shown := map[string]time.Duration{}
			for at, set := range sets {
				for kid, use := range signed {
					is := strings.Contains(set, kid)
					if is {
						shown[kid] += step
					}
					if !is && at.After(use[0].Add(-Lead)) && !at.After(use[1].Add(Lifetime)) {
						t.Fatalf("%v: %s is not shown, and it signs from %v to %v", at, kid, use[0], use[1])
					}
				}
			}
			for kid, use := range signed {
				if most := Lead + use[1].Sub(use[0]) + Lifetime + skew + 2*step; shown[kid] > most {
					t.Errorf("%s was shown for %v, at most %v is needed", kid, shown[kid], most)
				}
			}
			if keys := keysAt(now, store.keys); keys[0].State != Ended || len(store.keys) != 2 {
				t.Errorf("%d keys are kept, the first of which is %s", len(store.keys), keys[0].State)
			}
		})
	}
}

// The states of the keys of a rotation at each of its instants.
func TestStates(t *testing.T) {
	t.Parallel()
	_, store := newSigner(t, EdDSA, [32]byte{7}, today)
	if _, err := Rotate(t.Context(), store, day, false); err != nil {
		t.Fatal(err)
	}
	_, err := Rotate(t.Context(), store, day.Add(Lead-time.Second), false)
	if sharelink.CodeOf(err) != sharelink.Conflict || !strings.Contains(err.Error(), "it takes over at 2026-04-20T11:00:00Z") {
		t.Errorf("a second rotation while a key waits: %v", err)
	}
	until := Lead + Lifetime + skew
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{-time.Hour, "signing next"},
		{0, "signing next"},
		{Lead - time.Millisecond, "signing next"},
		{Lead, "retiring signing"},
		{until - time.Millisecond, "retiring signing"},
		{until, "ended signing"},
	} {
		keys := keysAt(day.Add(c.after), store.keys)
		if got := keys[0].State + " " + keys[2].State; got != c.want {
			t.Errorf("after %v: %s, want %s", c.after, got, c.want)
		}
		if !keys[0].ShownUntil.Equal(day.Truncate(time.Millisecond).Add(until)) || !keys[2].ShownUntil.IsZero() {
			t.Errorf("after %v: shown until %v and %v", c.after, keys[0].ShownUntil, keys[2].ShownUntil)
		}
	}
}

// Where somebody else may have the keys, all sessions end, also with a key that waits; the first refresh of a server is enough.
func TestEndSessions(t *testing.T) {
	t.Parallel()
	s, store := newSigner(t, EdDSA, [32]byte{7}, today)
	before := kidAt(t, s, day)
	if _, err := Rotate(t.Context(), store, day, false); err != nil {
		t.Fatal(err)
	}
	waiting := keysAt(day, store.keys)[2].ID()
	keys, err := Rotate(t.Context(), store, day, true)
	if err != nil || len(keys) != 2 || keys[0].State != Signing {
		t.Fatalf("%v: %v", err, keys)
	}
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	set, signs := string(s.KeySet()), kidAt(t, s, day)
	if signs != keys[0].ID() || !strings.Contains(set, signs) || strings.Contains(set, before) || strings.Contains(set, waiting) {
		t.Errorf("%s signs, and shown are %s", signs, set)
	}
}

// A clock that went back signs with the oldest key, not with none.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	now := day
	s, store := newSigner(t, EdDSA, [32]byte{7}, func() time.Time { return now })
	if _, err := Rotate(t.Context(), store, day, true); err != nil {
		t.Fatal(err)
	}
	now = day.Add(-time.Hour)
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kid := kidAt(t, s, now); !strings.Contains(string(s.KeySet()), kid) {
		t.Errorf("%s signs, and shown are %s", kid, s.KeySet())
	}
}
