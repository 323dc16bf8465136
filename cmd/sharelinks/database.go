package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
	"github.com/sharelinks-dev/sharelinks/server"
)

// database has the flags of the commands that work on the database itself. The service may use it at the same time.
type database struct {
	*program
	config           server.Config // only Database is used
	settings         []*setting
	createsFile      bool // whether to create the SQLite file if it does not exist
	organizationName string
	asJSON           bool
}

func (p *program) database() *database {
	d := &database{program: p, config: server.DefaultConfig()}
	d.settings = []*setting{databaseSetting(&d.config)}
	return d
}

// group adds commands to the one that is above them, and to that the flags that all of them have.
func (d *database) group(cmd *cobra.Command, below ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(below...)
	addSettings(cmd, cmd.PersistentFlags(), d.settings)
	cmd.PersistentFlags().BoolVar(&d.asJSON, "json", false, "print JSON")
	return cmd
}

// addOrganization adds the flag of commands that work within one organization.
func (d *database) addOrganization(flags ...*pflag.FlagSet) {
	for _, f := range flags {
		f.StringVar(&d.organizationName, "organization", service.DefaultOrganization, "`NAME` of the organization")
	}
}

// hints are what to do next after an error, by its code.
type hints map[sharelink.Code]string

// show prints a value, as JSON or as text.
func (d *database) show(value any, text string) error { return d.print(d.asJSON, value, text) }

// run returns the RunE of a command that calls the service on the database.
func (d *database) run(call func(context.Context, *service.Service, []string) error, help hints) runE {
	return func(cmd *cobra.Command, args []string) error {
		if err := d.configure(cmd, d.settings, &d.config); err != nil {
			return err
		}
		path, isFile := strings.CutPrefix(d.config.Database, "sqlite:")
		if _, err := os.Stat(path); isFile && !d.createsFile && errors.Is(err, fs.ErrNotExist) {
			// The path is wrong, and an empty database would hide that.
			return &failure{
				err: fmt.Errorf("the database %s does not exist", path),
				hint: "give the one that the service uses with --database; " +
					"sharelinks serve or organization create makes a new one",
			}
		}
		logger := newLogger(d.stderr, logOptions{format: "auto", level: "warn"})
		db, err := store.Open(cmd.Context(), d.config.Database, store.Options{Logger: logger})
		if err != nil {
			return err
		}
		err = cmp.Or(call(cmd.Context(), service.New(service.Options{Store: db}), args), db.Close())
		if hint := help[sharelink.CodeOf(err)]; hint != "" {
			return &failure{err: err, hint: hint}
		}
		return err
	}
}
