package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client"
)

func (p *program) linkVisits() *cobra.Command {
	var r remote
	var days int
	cmd := p.asks(&r, &cobra.Command{
		Use:   "visits " + linkArgument,
		Short: "Show when a share link was opened, and which attempts were refused",
		Long: `Visits shows, for each day (UTC), how often a link was opened and how often it was refused, for
being disabled, expired, used up, on a site that may not embed it, or without a persona that
answers. As JSON it is every single visit.`,
		Example: `  sharelinks link visits sh_2kL9pQxYzR4vN8mBwHfJc
  sharelinks link visits --days 90 --json sh_2kL9pQxYzR4vN8mBwHfJc`,
	}, []string{linkArgument}, func(ctx context.Context, args []string) error {
		if days < 1 || days > 3650 {
			return usage("a year is --days 365", "--days must be from 1 to 3650, not %d", days)
		}
		link, err := r.find(ctx, args[0])
		if err != nil {
			return err
		}
		today := time.Now().UTC().Truncate(24 * time.Hour)
		first := today.AddDate(0, 0, 1-days)
		visits, err := r.visitsSince(ctx, link.ID, first)
		if err != nil {
			return err
		}
		if !r.human() {
			return p.printJSON(visits)
		}
		return p.printTable([]string{"DAY", "OPENED", "REFUSED", ""}, visitDays(visits, first, today))
	})
	cmd.Flags().IntVar(&days, "days", 14, "`NUMBER` of days, today included")
	return cmd
}

// visitsSince collects the visits from an instant on, newest first. Visits that come in meanwhile push others to the next
// page: they are not taken twice.
func (r *remote) visitsSince(ctx context.Context, id string, first time.Time) ([]client.Visit, error) {
	visits := []client.Visit{}
	seen := map[string]bool{}
	for page := 1; ; page++ {
		got, err := r.client.Visits(ctx, id, page, 100)
		if err != nil {
			return nil, err
		}
		for _, v := range got.Data {
			if v.At.Before(first) {
				return visits, nil
			}
			if !seen[v.ID] {
				seen[v.ID] = true
				visits = append(visits, v)
			}
		}
		if len(got.Data) == 0 || page >= got.Meta.LastPage {
			return visits, nil
		}
	}
}

// chartWidth is how long the bar of the busiest day is, in characters.
const chartWidth = 40

// visitDays is a row for each day, with a bar as long as it was busy: # for an open, . for a refusal.
func visitDays(visits []client.Visit, first, last time.Time) [][]string {
	opened, refused := map[time.Time]int{}, map[time.Time]int{}
	most := 1
	for _, v := range visits {
		day := v.At.UTC().Truncate(24 * time.Hour)
		if v.Outcome == api.VisitOutcomeOpened {
			opened[day]++
		} else {
			refused[day]++
		}
		most = max(most, opened[day]+refused[day])
	}
	// Whatever there was is shown: one in a thousand is still a character.
	bar := func(mark string, n int) string { return strings.Repeat(mark, (n*chartWidth+most-1)/most) }
	if most <= chartWidth {
		bar = strings.Repeat
	}
	var rows [][]string
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		rows = append(rows, []string{
			day.Format(time.DateOnly), strconv.Itoa(opened[day]), strconv.Itoa(refused[day]), fmt.Sprint(bar("#", opened[day]), bar(".", refused[day])),
		})
	}
	return rows
}
