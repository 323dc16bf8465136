package main

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

func (p *program) key() *cobra.Command {
	cmd := p.group(&cobra.Command{
		Use:   "key",
		Short: "Create, list and revoke API keys",
		Long: `An API key lets its bearer manage the share links of one organization. Only a hash of it is kept,
so it is shown once, when it is created; from then on its first characters name it.`,
	})
	cmd.AddCommand(p.keyCreate(), p.keyList(), p.keyRevoke())
	return cmd
}

func (p *program) keyCreate() *cobra.Command {
	var db database
	var organization, label string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create an API key and show it, this once",
		Long: `Create makes an API key. The key alone goes to standard output and what there is to say about it to
standard error, so that a script can keep it.`,
		Example:           "  KEY=$(sharelinks key create --label website)",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.on(cmd, &db, func(s *service.Service) error {
				secret, key, err := s.CreateKey(cmd.Context(), organization, label)
				if err != nil {
					return hints(err, sharelink.NotFound, organizationHint)
				}
				if err := p.printNewKey(asJSON, organization, secret, key); err != nil {
					return &failure{
						err:  fmt.Errorf("the key was created but could not be shown: %w", err),
						hint: "sharelinks key revoke " + key.Prefix + ", then create another",
					}
				}
				return nil
			})
		},
	}
	addOrganization(cmd, &organization)
	cmd.Flags().StringVar(&label, "label", "", "`TEXT` to remember it by")
	addJSON(cmd, &asJSON)
	db.add(cmd)
	return cmd
}

func (p *program) printNewKey(asJSON bool, organization, secret string, key sharelink.Key) error {
	if asJSON {
		shown := keyShown(key)
		shown.Key = secret
		return p.printJSON(shown)
	}
	if _, err := fmt.Fprintln(p.stdout, secret); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	fmt.Fprintf(p.stderr, "This key of the organization %q is not shown again. Its name is %s.\n", organization, key.Prefix)
	return nil
}

func (p *program) keyList() *cobra.Command {
	var db database
	var organization string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "list",
		Short:             "List an organization's API keys, the revoked ones too, oldest first",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.on(cmd, &db, func(s *service.Service) error {
				list, err := s.Keys(cmd.Context(), organization)
				if err != nil {
					return hints(err, sharelink.NotFound, organizationHint)
				}
				if asJSON {
					return p.printJSON(convert(list, keyShown))
				}
				return p.printTable(keyColumns, convert(list, keyRow))
			})
		},
	}
	addOrganization(cmd, &organization)
	addJSON(cmd, &asJSON)
	db.add(cmd)
	return cmd
}

func (p *program) keyRevoke() *cobra.Command {
	var db database
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "revoke PREFIX",
		Short: "End an API key, from the next request on",
		Long: `Revoke ends the API key that begins with PREFIX, as key list shows it. The whole key will do as
well. A running service refuses it from the next request on.`,
		Example:           "  sharelinks key revoke ak_2kL9pQxY",
		Args:              arguments("PREFIX"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.on(cmd, &db, func(s *service.Service) error {
				key, err := s.RevokeKey(cmd.Context(), args[0])
				if err != nil {
					return hints(err, sharelink.NotFound, "sharelinks key list shows the prefixes of an organization's keys")
				}
				if asJSON {
					return p.printJSON(keyShown(key))
				}
				return p.printTable(keyColumns, [][]string{keyRow(key)})
			})
		},
	}
	addJSON(cmd, &asJSON)
	db.add(cmd)
	return cmd
}

var keyColumns = []string{"PREFIX", "LABEL", "CREATED", "REVOKED"}

func keyRow(k sharelink.Key) []string {
	return []string{k.Prefix, k.Label, instant(k.CreatedAt), instant(k.RevokedAt)}
}

type keyJSON struct {
	Key            string         `json:"key,omitempty"` // only when it was just created
	Prefix         string         `json:"prefix"`
	Label          string         `json:"label"`
	OrganizationID uuid.UUID      `json:"organizationId"`
	CreatedAt      api.Timestamp  `json:"createdAt"`
	RevokedAt      *api.Timestamp `json:"revokedAt"` // null: it works
}

func keyShown(k sharelink.Key) keyJSON {
	shown := keyJSON{Prefix: k.Prefix, Label: k.Label, OrganizationID: k.OrganizationID, CreatedAt: api.Timestamp{Time: k.CreatedAt}}
	if !k.RevokedAt.IsZero() {
		shown.RevokedAt = &api.Timestamp{Time: k.RevokedAt}
	}
	return shown
}
