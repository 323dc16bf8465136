package main

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

const organizationHint = "sharelinks organization list shows those there are"

func (p *program) organization() *cobra.Command {
	cmd := p.group(&cobra.Command{
		Use:   "organization",
		Short: "Create, list and update organizations",
		Long: `An organization owns personas, API keys and share links, and sees nothing of any other. These
commands work on the database itself, also while the service runs on it.`,
	})
	cmd.AddCommand(p.organizationCreate(), p.organizationList(), p.organizationUpdate())
	return cmd
}

const (
	watermarkFlag        = "allow-watermark-removal"
	watermarkDescription = "whether its links may go without the watermark"
)

func (p *program) organizationCreate() *cobra.Command {
	db := database{create: true}
	var watermark, asJSON bool
	cmd := &cobra.Command{
		Use:               "create NAME",
		Short:             "Create an organization",
		Example:           "  sharelinks organization create acme --allow-watermark-removal",
		Args:              arguments("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.on(cmd, &db, func(s *service.Service) error {
				o, err := s.CreateOrganization(cmd.Context(), args[0], watermark)
				if err != nil {
					return hints(err, sharelink.Conflict, organizationHint)
				}
				return p.printOrganization(asJSON, o)
			})
		},
	}
	cmd.Flags().BoolVar(&watermark, watermarkFlag, false, watermarkDescription)
	addJSON(cmd, &asJSON)
	db.add(cmd)
	return cmd
}

func (p *program) organizationList() *cobra.Command {
	var db database
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "list",
		Short:             "List all organizations, by name",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.on(cmd, &db, func(s *service.Service) error {
				list, err := s.Organizations(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(convert(list, organizationShown))
				}
				return p.printTable(organizationColumns, convert(list, organizationRow))
			})
		},
	}
	addJSON(cmd, &asJSON)
	db.add(cmd)
	return cmd
}

func (p *program) organizationUpdate() *cobra.Command {
	var db database
	var watermark, asJSON bool
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Change what an organization may do",
		Example: `  sharelinks organization update acme --allow-watermark-removal
  sharelinks organization update acme --allow-watermark-removal=false`,
		Args:              arguments("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed(watermarkFlag) {
				return usage(fmt.Sprintf("give --%s or --%[1]s=false", watermarkFlag), "there is nothing to change")
			}
			return p.on(cmd, &db, func(s *service.Service) error {
				o, err := s.SetWatermarkRemoval(cmd.Context(), args[0], watermark)
				if err != nil {
					return hints(err, sharelink.NotFound, organizationHint)
				}
				return p.printOrganization(asJSON, o)
			})
		},
	}
	cmd.Flags().BoolVar(&watermark, watermarkFlag, false, watermarkDescription)
	addJSON(cmd, &asJSON)
	db.add(cmd)
	return cmd
}

// addOrganization adds the flag of commands that work within one organization.
func addOrganization(cmd *cobra.Command, organization *string) {
	cmd.Flags().StringVar(organization, "organization", service.DefaultOrganization, "`NAME` of the organization")
	complete(cmd, "organization", cobra.NoFileCompletions)
}

var organizationColumns = []string{"NAME", "ID", "WATERMARK REMOVAL", "CREATED"}

func organizationRow(o sharelink.Organization) []string {
	return []string{o.Name, o.ID.String(), strconv.FormatBool(o.WatermarkRemoval), instant(o.CreatedAt)}
}

type organizationJSON struct {
	ID                    uuid.UUID     `json:"id"`
	Name                  string        `json:"name"`
	AllowWatermarkRemoval bool          `json:"allowWatermarkRemoval"`
	CreatedAt             api.Timestamp `json:"createdAt"`
}

func organizationShown(o sharelink.Organization) organizationJSON {
	return organizationJSON{ID: o.ID, Name: o.Name, AllowWatermarkRemoval: o.WatermarkRemoval, CreatedAt: api.Timestamp{Time: o.CreatedAt}}
}

func (p *program) printOrganization(asJSON bool, o sharelink.Organization) error {
	if asJSON {
		return p.printJSON(organizationShown(o))
	}
	return p.printTable(organizationColumns, [][]string{organizationRow(o)})
}
