package main

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

func (p *program) persona() *cobra.Command {
	cmd := p.group(&cobra.Command{
		Use:   "persona",
		Short: "Add, list and remove the personas that links can be made to",
		Long: `A persona is whom a share link leads to. With serve --personas local, the default, links can be made
only to the personas added here.`,
	})
	cmd.AddCommand(p.personaAdd(), p.personaList(), p.personaRemove())
	return cmd
}

func (p *program) personaAdd() *cobra.Command {
	var db database
	var organization, id string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a persona to an organization",
		Example: `  sharelinks persona add Cara
  sharelinks persona add Cara --id 30fa96d0-26c4-4e55-94a0-517025942e18`,
		Args:              arguments("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			var given *uuid.UUID
			if cmd.Flags().Changed("id") {
				parsed, err := personaID("--id", id)
				if err != nil {
					return err
				}
				given = &parsed
			}
			return p.on(cmd, &db, func(s *service.Service) error {
				added, err := s.AddPersona(cmd.Context(), organization, given, args[0])
				if err != nil {
					err = hints(err, sharelink.NotFound, organizationHint)
					return hints(err, sharelink.Conflict, "sharelinks persona list shows those there are")
				}
				if asJSON {
					return p.printJSON(personaShown(added))
				}
				return p.printTable(personaColumns, [][]string{personaRow(added)})
			})
		},
	}
	cmd.Flags().StringVar(&id, "id", "", "`UUID` that it has elsewhere (default: a new one)")
	addOrganization(cmd, &organization)
	addJSON(cmd, &asJSON)
	db.add(cmd)
	return cmd
}

func (p *program) personaList() *cobra.Command {
	var db database
	var organization string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "list",
		Short:             "List an organization's personas, by name",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.on(cmd, &db, func(s *service.Service) error {
				list, err := s.Personas(cmd.Context(), organization)
				if err != nil {
					return hints(err, sharelink.NotFound, organizationHint)
				}
				if asJSON {
					return p.printJSON(convert(list, personaShown))
				}
				return p.printTable(personaColumns, convert(list, personaRow))
			})
		},
	}
	addOrganization(cmd, &organization)
	addJSON(cmd, &asJSON)
	db.add(cmd)
	return cmd
}

func (p *program) personaRemove() *cobra.Command {
	var db database
	var organization string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "Remove a persona; the links to it go on working",
		Long: `Remove forgets a persona, so that no new links can be made to it. The links that there are go on
working, and it says how many they are.`,
		Args:              arguments("ID"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := personaID("ID", args[0])
			if err != nil {
				return err
			}
			return p.on(cmd, &db, func(s *service.Service) error {
				links, err := s.RemovePersona(cmd.Context(), organization, id)
				if err != nil {
					return hints(err, sharelink.NotFound, "sharelinks persona list shows those there are; --organization says whose")
				}
				if asJSON {
					return p.printJSON(personaRemovedJSON{ID: id, RemainingLinks: links})
				}
				_, err = fmt.Fprintln(p.stdout, "removed persona "+id.String()+"; "+remaining(links))
				return err
			})
		},
	}
	addOrganization(cmd, &organization)
	addJSON(cmd, &asJSON)
	db.add(cmd)
	return cmd
}

func remaining(links int) string {
	switch links {
	case 0:
		return "there are no links to it"
	case 1:
		return "1 link to it remains and goes on working"
	}
	return fmt.Sprintf("%d links to it remain and go on working", links)
}

// personaID reads the UUID that was given as what. Of the ways to write one only that of the wire is taken.
func personaID(what, text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(uuid.Nil.String()) {
		return uuid.Nil, usage("an id looks like 30fa96d0-26c4-4e55-94a0-517025942e18", "%s: must be a UUID, not %q", what, text)
	}
	return id, nil
}

var personaColumns = []string{"NAME", "ID", "CREATED"}

func personaRow(p sharelink.Persona) []string {
	return []string{p.Name, p.ID.String(), instant(p.CreatedAt)}
}

type personaJSON struct {
	ID             uuid.UUID     `json:"id"`
	Name           string        `json:"name"`
	OrganizationID uuid.UUID     `json:"organizationId"`
	CreatedAt      api.Timestamp `json:"createdAt"`
}

func personaShown(p sharelink.Persona) personaJSON {
	return personaJSON{ID: p.ID, Name: p.Name, OrganizationID: p.OrganizationID, CreatedAt: api.Timestamp{Time: p.CreatedAt}}
}

type personaRemovedJSON struct {
	ID             uuid.UUID `json:"id"`
	RemainingLinks int       `json:"remainingLinks"`
}
