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
	return d.open(func(ctx context.Context, db *store.Store, args []string) error {
		err := call(ctx, service.New(service.Options{Store: db}), args)
		if hint := help[sharelink.CodeOf(err)]; hint != "" {
			return &failure{err: err, hint: hint}
		}
		return err
	})
}

// open returns the RunE of a command that works on the store itself.
func (d *database) open(call func(context.Context, *store.Store, []string) error) runE {
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
		return cmp.Or(call(cmd.Context(), db, args), db.Close())
	}
}

// check returns the command that looks whether the database is as it should be.
func (d *database) check() *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that the database is sound",
		Long: `Check reads all of the database and looks for what cannot be: damaged pages (of SQLite), counts of
share links that are not how many there are, and links with fewer uses than visits that spent one.
The service may run meanwhile. It prints a line for each fault and exits with 1.

A count is wrong when something else than the service changed the database, such as a service of an
older version that went on after the database was upgraded. --repair makes all counts anew; creates
and deletes wait for it.`,
		Example: "  sharelinks check --database sqlite:/var/lib/sharelinks/sharelinks.db",
		RunE: d.open(func(ctx context.Context, db *store.Store, _ []string) error {
			if repair {
				if err := db.Recount(ctx); err != nil {
					return err
				}
			}
			faults := []string{}
			for _, look := range []func(context.Context) ([]string, error){db.CheckPages, db.CheckCounts, db.CheckUses} {
				found, err := look(ctx)
				if err != nil {
					return err
				}
				if faults = append(faults, found...); len(faults) > 0 {
					break // what is read of damaged pages tells nothing
				}
			}
			text := "the database is sound\n"
			if len(faults) > 0 {
				text = strings.Join(faults, "\n") + "\n"
			}
			if err := d.show(map[string]any{"faults": faults}, text); err != nil || len(faults) == 0 {
				return err
			}
			return &failure{
				err:  fmt.Errorf("%d faults in the database", len(faults)),
				hint: "sharelinks check --repair makes wrong counts anew; for damaged pages, sharelinks restore puts a backup in the place of the database",
			}
		}),
	}
	d.group(cmd)
	cmd.Flags().BoolVar(&repair, "repair", false, "make all counts anew first")
	return cmd
}
