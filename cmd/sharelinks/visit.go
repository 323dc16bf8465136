package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// visit returns the command for what is kept of visitors.
func (d *database) visit() *cobra.Command {
	var link *uuid.UUID
	var yes bool

	erase := &cobra.Command{
		Use:   "erase ID",
		Short: "Erase the visits of a share link",
		Long: `Erase removes all visits of the share link with this id for good, also of one that was deleted. It
asks before, unless --yes is given. The link and its usageCount stay as they are; what is lost is
the list of its visits, with the opens and refusals of each day.

A visit whose session is still being made, or whose server died meanwhile, stays without anything of
its visitor: its use may have to be given back. The output has the number of those too. Backups of
the database still have what was erased.`,
		Example: "  sharelinks visit erase 019daa55-2500-73e6-bede-75f926d0d51e",
		PreRunE: func(_ *cobra.Command, args []string) (err error) {
			if link, err = parseUUID("ID", args[0]); err != nil || yes {
				return err
			}
			return d.confirm(fmt.Sprintf("Erase all visits of the share link %s for good?", link))
		},
		RunE: d.run(func(ctx context.Context, s *service.Service, _ []string) error {
			erased, err := s.EraseVisits(ctx, d.organizationName, *link)
			if err != nil {
				return err
			}
			return d.show(map[string]any{"linkId": link, "erased": erased.Removed, "pending": erased.Pending},
				fmt.Sprintf("erased %d visits of share link %s; pending, without their visitors: %d\n", erased.Removed, link, erased.Pending))
		}, hints{sharelink.NotFound: "the id is that of the API, also when the link was deleted; --organization says whose it is"}),
	}
	erase.Flags().BoolVar(&yes, "yes", false, "do not ask")

	d.addOrganization(erase.Flags())
	return d.group(&cobra.Command{
		Use:   "visit",
		Short: "Erase the visits of a share link",
		Long: `A visit is what is kept of an attempt to open a share link. sharelinks link visits shows those of a
link, and serve --visits-retention says how long they are kept.`,
	}, erase)
}
