package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const (
	organizationHint = "sharelinks organization list shows those there are"
	personaHint      = "sharelinks persona list shows those there are"
)

var noOrganization = hints{sharelink.NotFound: organizationHint}

type organizationJSON struct {
	ID                    uuid.UUID     `json:"id"`
	Name                  string        `json:"name"`
	AllowWatermarkRemoval bool          `json:"allowWatermarkRemoval"`
	CreatedAt             api.Timestamp `json:"createdAt"`
}

func viewOrganization(o sharelink.Organization) (value any, row []string) {
	return organizationJSON{
		ID: o.ID, Name: o.Name, AllowWatermarkRemoval: o.WatermarkRemoval, CreatedAt: api.Timestamp{Time: o.CreatedAt},
	}, []string{o.Name, o.ID.String(), strconv.FormatBool(o.WatermarkRemoval), instant(o.CreatedAt)}
}

// organization returns the commands for organizations.
func (d *database) organization() *cobra.Command {
	records := newView(d.show, viewOrganization, "NAME", "ID", "WATERMARK REMOVAL", "CREATED")
	const watermarkFlag, watermarkUsage = "allow-watermark-removal", "allow its links to remove the watermark"
	var watermark bool

	create := &cobra.Command{
		Use:     "create NAME",
		Short:   "Create an organization",
		Example: "  sharelinks organization create acme --allow-watermark-removal",
		PreRun:  func(*cobra.Command, []string) { d.createsFile = true },
		RunE: d.run(func(ctx context.Context, s *service.Service, args []string) error {
			return records.one(s.CreateOrganization(ctx, args[0], watermark))
		}, hints{sharelink.Conflict: organizationHint}),
	}
	create.Flags().BoolVar(&watermark, watermarkFlag, false, watermarkUsage)

	list := &cobra.Command{
		Use:   "list",
		Short: "List all organizations, by name",
		RunE: d.run(func(ctx context.Context, s *service.Service, _ []string) error {
			return records.list(s.Organizations(ctx))
		}, nil),
	}

	update := &cobra.Command{
		Use:   "update NAME",
		Short: "Change what an organization may do",
		Example: `  sharelinks organization update acme --allow-watermark-removal
  sharelinks organization update acme --allow-watermark-removal=false`,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed(watermarkFlag) {
				return nil
			}
			return usage("give --"+watermarkFlag+" or --"+watermarkFlag+"=false", "there is nothing to change")
		},
		RunE: d.run(func(ctx context.Context, s *service.Service, args []string) error {
			return records.one(s.SetWatermarkRemoval(ctx, args[0], watermark))
		}, noOrganization),
	}
	update.Flags().BoolVar(&watermark, watermarkFlag, false, watermarkUsage)

	return d.group(&cobra.Command{
		Use:   "organization",
		Short: "Create, list and update organizations",
		Long: `An organization owns personas, API keys and share links, and sees those of no other. These commands
work on the database itself, also while the service runs on it.`,
	}, create, list, update)
}

type keyJSON struct {
	Key            string         `json:"key,omitempty"` // only when it was just created
	Prefix         string         `json:"prefix"`
	Label          string         `json:"label"`
	OrganizationID uuid.UUID      `json:"organizationId"`
	ReadOnly       bool           `json:"readOnly"`
	CreatedAt      api.Timestamp  `json:"createdAt"`
	RevokedAt      *api.Timestamp `json:"revokedAt"` // null if it is valid
}

// newKeyJSON returns how a key is shown as JSON. The secret is "" but for a new key.
func newKeyJSON(k sharelink.Key, secret string) keyJSON {
	shown := keyJSON{
		Key: secret, Prefix: k.Prefix, Label: k.Label,
		OrganizationID: k.OrganizationID, ReadOnly: k.ReadOnly, CreatedAt: api.Timestamp{Time: k.CreatedAt},
	}
	if !k.RevokedAt.IsZero() {
		shown.RevokedAt = &api.Timestamp{Time: k.RevokedAt}
	}
	return shown
}

func viewKey(k sharelink.Key) (value any, row []string) {
	may := "read, write"
	if k.ReadOnly {
		may = "read"
	}
	return newKeyJSON(k, ""), []string{k.Prefix, k.Label, may, instant(k.CreatedAt), instant(k.RevokedAt)}
}

// key returns the commands for API keys.
func (d *database) key() *cobra.Command {
	records := newView(d.show, viewKey, "PREFIX", "LABEL", "MAY", "CREATED", "REVOKED")
	var label string
	var readOnly bool

	create := &cobra.Command{
		Use:   "create",
		Short: "Create an API key and show it once",
		Long: `Create makes an API key. Standard output gets the key alone, so that a script can keep it, and
standard error gets its name. With --read-only the key lists and gets share links and their visits,
and makes no changes.`,
		Example: `  KEY=$(sharelinks key create --label website)
  KEY=$(sharelinks key create --label dashboard --read-only)`,
		RunE: d.run(func(ctx context.Context, s *service.Service, _ []string) error {
			secret, key, err := s.CreateKey(ctx, d.organizationName, label, readOnly)
			if err != nil {
				return err
			}
			if err := d.show(newKeyJSON(key, secret), secret+"\n"); err != nil {
				return &failure{
					err:  fmt.Errorf("the key was created but could not be shown: %w", err),
					hint: "sharelinks key revoke " + key.Prefix + ", then create another",
				}
			}
			if !d.asJSON {
				fmt.Fprintf(d.stderr, "This key of the organization %q is not shown again. Its name is %s.\n",
					d.organizationName, key.Prefix)
			}
			return nil
		}, noOrganization),
	}
	create.Flags().StringVar(&label, "label", "", "`TEXT` that says what the key is for")
	create.Flags().BoolVar(&readOnly, "read-only", false, "a key that makes no changes")

	list := &cobra.Command{
		Use:   "list",
		Short: "List the API keys of an organization, including revoked ones, oldest first",
		RunE: d.run(func(ctx context.Context, s *service.Service, _ []string) error {
			return records.list(s.Keys(ctx, d.organizationName))
		}, noOrganization),
	}

	revoke := &cobra.Command{
		Use:   "revoke PREFIX",
		Short: "Revoke an API key, from the next request on",
		Long: `Revoke ends the API key that begins with PREFIX, the name that key list shows. The whole key is
accepted too. A running service refuses it from the next request on.`,
		Example: "  sharelinks key revoke ak_2kL9pQxY",
		RunE: d.run(func(ctx context.Context, s *service.Service, args []string) error {
			return records.one(s.RevokeKey(ctx, args[0]))
		}, hints{sharelink.NotFound: "sharelinks key list shows the prefixes of an organization's keys"}),
	}

	d.addOrganization(create.Flags(), list.Flags())
	return d.group(&cobra.Command{
		Use:   "key",
		Short: "Create, list and revoke API keys",
		Long: `An API key lets its bearer manage the share links of one organization. Only a hash of it is stored,
so it is shown once, when it is created. Later its first characters identify it.`,
	}, create, list, revoke)
}

type personaJSON struct {
	ID             uuid.UUID     `json:"id"`
	Name           string        `json:"name"`
	OrganizationID uuid.UUID     `json:"organizationId"`
	CreatedAt      api.Timestamp `json:"createdAt"`
}

func viewPersona(p sharelink.Persona) (value any, row []string) {
	return personaJSON{
		ID: p.ID, Name: p.Name, OrganizationID: p.OrganizationID, CreatedAt: api.Timestamp{Time: p.CreatedAt},
	}, []string{p.Name, p.ID.String(), instant(p.CreatedAt)}
}

// persona returns the commands for personas.
func (d *database) persona() *cobra.Command {
	records := newView(d.show, viewPersona, "NAME", "ID", "CREATED")
	var id *uuid.UUID

	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a persona to an organization",
		Example: `  sharelinks persona add Cara
  sharelinks persona add Cara --id 30fa96d0-26c4-4e55-94a0-517025942e18`,
		RunE: d.run(func(ctx context.Context, s *service.Service, args []string) error {
			return records.one(s.AddPersona(ctx, d.organizationName, id, args[0]))
		}, hints{sharelink.NotFound: organizationHint, sharelink.Conflict: personaHint}),
	}
	addUUID(add.Flags(), "id", "`UUID` that it has elsewhere (default: a new one)", &id)

	list := &cobra.Command{
		Use:   "list",
		Short: "List the personas of an organization, by name",
		RunE: d.run(func(ctx context.Context, s *service.Service, _ []string) error {
			return records.list(s.AddedPersonas(ctx, d.organizationName))
		}, noOrganization),
	}

	remove := &cobra.Command{
		Use:   "remove ID",
		Short: "Remove a persona; existing links to it go on working",
		Long: `Remove removes a persona, so that no new links to it can be made. Existing links go on working, and
the output has their number.`,
		PreRunE: func(_ *cobra.Command, args []string) (err error) {
			id, err = parseUUID("ID", args[0])
			return err
		},
		RunE: d.run(func(ctx context.Context, s *service.Service, _ []string) error {
			links, err := s.RemovePersona(ctx, d.organizationName, *id)
			if err != nil {
				return err
			}
			return d.show(map[string]any{"id": id, "remainingLinks": links},
				fmt.Sprintf("removed persona %s; links to it that go on working: %d\n", id, links))
		}, hints{sharelink.NotFound: personaHint + "; --organization says whose"}),
	}

	d.addOrganization(add.Flags(), list.Flags(), remove.Flags())
	return d.group(&cobra.Command{
		Use:   "persona",
		Short: "Add, list and remove the personas that links can be made to",
		Long: `A share link leads to a persona. With serve --personas local, the default, links can be made only to
the personas added here.`,
	}, add, list, remove)
}

// addUUID adds a flag that takes a UUID. Without the flag the id stays nil.
func addUUID(f *pflag.FlagSet, name, usage string, id **uuid.UUID) {
	f.Func(name, usage, func(text string) (err error) {
		*id, err = parseUUID("--"+name, text)
		return err
	})
}

// parseUUID reads a UUID in the form that the contract uses, from the flag or argument with this name.
func parseUUID(name, text string) (*uuid.UUID, error) {
	id, ok := sharelink.ParseID(text)
	if !ok {
		return nil, usage("an id looks like 30fa96d0-26c4-4e55-94a0-517025942e18", "%s: must be a UUID, not %q", name, text)
	}
	return &id, nil
}
