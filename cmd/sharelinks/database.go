package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/store"
	"github.com/sharelinks-dev/sharelinks/server"
)

// database is the setting that says which database a command works on. serve may be using it at the same time.
type database struct {
	config   server.Config // of which only the database counts
	create   bool          // whether the command may make a SQLite file that does not exist
	settings []setting
}

func (d *database) add(cmd *cobra.Command) {
	d.config = server.DefaultConfig()
	d.settings = []setting{databaseSetting(&d.config)}
	addSettings(cmd, d.settings)
}

func databaseSetting(c *server.Config) setting {
	return setting{field: &c.Database, name: "database", kind: "URL", help: "sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE"}
}

// on runs do on a service on the database.
func (p *program) on(cmd *cobra.Command, d *database, do func(*service.Service) error) (err error) {
	if err := p.settle(cmd, d.settings, &d.config); err != nil {
		return err
	}
	if !d.create {
		if err := d.exists(); err != nil {
			return err
		}
	}
	db, err := store.Open(cmd.Context(), d.config.Database, store.Options{Logger: newLogger(p.stderr, logOptions{format: logAuto, level: "warn"})})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(service.New(service.Options{Store: db}))
}

// exists refuses a SQLite file that does not exist: a command that lists or revokes there has the wrong path, and an empty
// database would hide it.
func (d *database) exists() error {
	path, ok := strings.CutPrefix(d.config.Database, "sqlite:")
	if !ok {
		return nil
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // the store says any other trouble
	}
	return &failure{
		err:  fmt.Errorf("the database %s does not exist", path),
		hint: "give the one that the service uses with --database; sharelinks serve or organization create makes a new one",
	}
}
