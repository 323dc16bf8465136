package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
	"github.com/sharelinks-dev/sharelinks/server"
)

const databaseDescription = "sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE"

// database is the setting that says which database a command works on. serve may be using it at the same time.
type database struct {
	url    string
	create bool // whether the command may make a SQLite file that does not exist
}

func (d *database) add(cmd *cobra.Command) {
	d.url = server.DefaultConfig().Database
	addSetting(cmd, "database", "URL", d.url, databaseDescription, func(text string) error {
		d.url = text
		return store.CheckURL(text)
	})
}

// on runs do on the accounts in the database.
func (p *program) on(cmd *cobra.Command, d *database, do func(*sharelink.Accounts) error) (err error) {
	if err := misconfigured(cmd, p.settle(cmd)); err != nil {
		return err
	}
	if !d.create {
		if err := d.exists(); err != nil {
			return err
		}
	}
	s, err := store.Open(cmd.Context(), d.url, store.Options{Logger: newLogger(p.stderr, logAuto, slog.LevelWarn.String())})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return do(sharelink.NewAccounts(s))
}

// exists refuses a SQLite file that is not there: whoever lists or revokes there has the wrong path, and an empty
// database would hide it.
func (d *database) exists() error {
	path, ok := strings.CutPrefix(d.url, "sqlite:")
	if !ok {
		return nil
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // any other trouble is told by the store
	}
	return &refusal{
		err:  fmt.Errorf("the database %s does not exist", path),
		hint: "give the one that the service uses with --database; sharelinks serve or organization create makes a new one",
	}
}
