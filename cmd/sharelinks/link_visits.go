package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client"
)

func (r *remote) visits() *cobra.Command {
	var days int
	cmd := &cobra.Command{
		Use:   "visits LINK",
		Short: "Show when a share link was opened, and which attempts were refused",
		Long: `Visits shows, for each day (UTC), how often a link was opened and how often it was refused: the link
was disabled, expired or used up, the site may not embed it, or the persona did not answer; and then
their sum. As JSON it shows every single visit.`,
		Example: `  sharelinks link visits sh_2kL9pQxYzR4vN8mBwHfJc
  sharelinks link visits --days 90 --json sh_2kL9pQxYzR4vN8mBwHfJc`,
		PreRunE: func(*cobra.Command, []string) error {
			if days < 1 || days > 3650 {
				return usage("a year is --days 365", "--days must be from 1 to 3650, not %d", days)
			}
			return nil
		},
		RunE: r.runOnLink(func(ctx context.Context, link client.ShareLink) error {
			today := time.Now().UTC().Truncate(24 * time.Hour)
			first := today.AddDate(0, 0, 1-days)
			if created := link.CreatedAt.UTC().Truncate(24 * time.Hour); created.After(first) {
				first = created
			}
			visits, err := r.visitsSince(ctx, link.ID, first)
			if err != nil {
				return err
			}
			rows := visitDays(visits, first, today)
			return r.show(visits, table([]string{"DAY", "OPENED", "REFUSED", ""}, rows...)+"\n"+visitSum(visits)+"\n")
		}),
	}
	cmd.Flags().IntVar(&days, "days", 14, "`NUMBER` of days, today included")
	return cmd
}

// visitsSince returns the visits from an instant on, newest first. A visit that comes in meanwhile moves others to the
// next page; none is returned twice for that.
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

// chartWidth is the length of the busiest day's bar, in characters.
const chartWidth = 40

// visitDays returns a row for each day, with a bar that is as long as the day was busy: # for an open, . for a refusal.
func visitDays(visits []client.Visit, first, last time.Time) [][]string {
	opened, refused := map[time.Time]int{}, map[time.Time]int{}
	scale := chartWidth
	for _, v := range visits {
		day := v.At.UTC().Truncate(24 * time.Hour)
		if v.Outcome == api.VisitOutcomeOpened {
			opened[day]++
		} else {
			refused[day]++
		}
		scale = max(scale, opened[day]+refused[day])
	}
	// Rounded up: one in a thousand is still a character.
	bar := func(mark string, n int) string { return strings.Repeat(mark, (n*chartWidth+scale-1)/scale) }
	var rows [][]string
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		n, m := opened[day], refused[day]
		rows = append(rows, []string{
			day.Format(time.DateOnly), strconv.Itoa(n), strconv.Itoa(m), bar("#", n) + bar(".", m),
		})
	}
	return rows
}

// visitSum says how many attempts there were, and what became of them.
func visitSum(visits []client.Visit) string {
	opened, refused := 0, make(map[api.VisitOutcome]int)
	for _, v := range visits {
		if v.Outcome == api.VisitOutcomeOpened {
			opened++
		} else {
			refused[v.Outcome]++
		}
	}
	sum := fmt.Sprintf("attempts: %d, opened: %d, refused: %d", len(visits), opened, len(visits)-opened)
	for _, outcome := range slices.Sorted(maps.Keys(refused)) {
		sum += fmt.Sprintf(", %s: %d", outcome, refused[outcome])
	}
	return sum
}
