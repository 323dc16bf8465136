package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/session"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
)

type signingKeyJSON struct {
	KID        string         `json:"kid"`
	Algorithm  string         `json:"algorithm"`
	State      string         `json:"state"`
	SignsFrom  api.Timestamp  `json:"signsFrom"`
	ShownUntil *api.Timestamp `json:"shownUntil"` // null: until a key comes after it
}

func viewSigningKey(k session.Key) (value any, row []string) {
	shown := signingKeyJSON{KID: k.ID(), Algorithm: k.Algorithm(), State: k.State, SignsFrom: api.Timestamp{Time: k.SignsFrom}}
	if !k.ShownUntil.IsZero() {
		shown.ShownUntil = &api.Timestamp{Time: k.ShownUntil}
	}
	return shown, []string{k.ID(), k.Algorithm(), k.State, instant(k.SignsFrom), instant(k.ShownUntil)}
}

// signingKey returns the commands for the keys that the service signs its own sessions with.
func (d *database) signingKey() *cobra.Command {
	records := newView(d.show, viewSigningKey, "KID", "ALGORITHM", "STATE", "SIGNS FROM", "SHOWN UNTIL")
	var endSessions bool

	list := &cobra.Command{
		Use:   "list",
		Short: "List the signing keys, oldest first",
		RunE: d.open(func(ctx context.Context, db *store.Store, _ []string) error {
			return records.list(session.Keys(ctx, db, time.Now()))
		}),
	}

	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Add a signing key that takes over from the old one",
		Long: fmt.Sprintf(`Rotate adds a signing key. All servers show it in their key set within %.0f seconds and sign with it
after %.0f minutes, so that every backend has it by then. The old key stays in the key set until the
last of its sessions has ended. Nothing is restarted, and no session ends.

With --end-sessions, for keys that somebody else may have, the new key takes over within %.0[1]f seconds
and the others are removed: no session that they signed is good any longer. A backend that keeps the
key set refuses new sessions until it asks again, and accepts old ones until then.`,
			session.RefreshInterval.Seconds(), session.Lead.Minutes()),
		Example: `  sharelinks signing-key rotate
  sharelinks signing-key rotate --end-sessions`,
		RunE: d.open(func(ctx context.Context, db *store.Store, _ []string) error {
			keys, err := session.Rotate(ctx, db, time.Now(), endSessions)
			if sharelink.CodeOf(err) == sharelink.Conflict {
				return &failure{err: err, hint: "sharelinks signing-key list shows the keys; --end-sessions replaces all of them at once"}
			}
			return records.list(keys, err)
		}),
	}
	rotate.Flags().BoolVar(&endSessions, "end-sessions", false, "replace all keys at once: the sessions that they signed end")

	return d.group(&cobra.Command{
		Use:   "signing-key",
		Short: "List and rotate the keys that sessions are signed with",
		Long: `The service signs its own sessions, those that are not Anam's, with a key in the database. Backends
check them with the key set at /.well-known/jwks.json. Of each key there is one for each algorithm;
serve --session-algorithm says which signs.`,
	}, list, rotate)
}
