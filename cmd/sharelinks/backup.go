package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/internal/store"
)

// backup returns the command that copies the database while it is in use.
func (d *database) backup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the SQLite database, also while the service runs",
		Long: `Backup writes a copy of the SQLite database, as it is at one instant, to a new file. The service
may run meanwhile and waits for nothing. The copy has tokens and the key that signs sessions: only
its owner may read it, and it should be kept as carefully as the database.

A database of PostgreSQL is backed up by its own programs.`,
		Example: "  sharelinks backup --database sqlite:/var/lib/sharelinks/sharelinks.db /backup/monday.db",
	}
	cmd.RunE = d.open(func(ctx context.Context, db *store.Store, args []string) error {
		bar := d.newProgress("copied", 0)
		err := db.Backup(ctx, args[0], bar.at)
		bar.end()
		if err != nil {
			return err
		}
		info, err := os.Stat(args[0])
		if err != nil {
			return err
		}
		return d.show(map[string]any{"file": args[0], "bytes": info.Size()}, fmt.Sprintf("%s has the database, %d bytes\n", args[0], info.Size()))
	})
	d.group(cmd)
	return cmd
}

// restore returns the command that puts a backup in the place of the database.
func (d *database) restore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the SQLite database",
		Long: `Restore puts a backup in the place of the SQLite database. It reads all of the backup first and
refuses one that is damaged. The service must not run. The old database is not lost: it is moved
beside the new one, under a name with the time in it.

Links that were created after the backup are gone, and opens after it are not counted: a link may
be opened as often again as it was since.`,
		Example: "  sharelinks restore --database sqlite:/var/lib/sharelinks/sharelinks.db /backup/monday.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := d.configure(cmd, d.settings, &d.config); err != nil {
				return err
			}
			old, err := store.Restore(cmd.Context(), d.config.Database, args[0], time.Now())
			if err != nil {
				return err
			}
			text := fmt.Sprintf("%s is what %s has\n", d.config.Database, args[0])
			if old != "" {
				text += fmt.Sprintf("what it was before is %s\n", old)
			}
			return d.show(map[string]any{"database": d.config.Database, "before": old}, text)
		},
	}
	d.group(cmd)
	return cmd
}
