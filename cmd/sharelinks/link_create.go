package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/client"
)

// terms are the flags for the fields of a link. A field whose flag is not given is not sent.
type terms struct {
	cmd       *cobra.Command
	expiresIn string
	uses      string
	kind      string
	origins   []string
	all       bool
	watermark bool
	enabled   bool
	primary   bool
}

func (t *terms) add(cmd *cobra.Command) {
	t.cmd = cmd
	f := cmd.Flags()
	f.StringVar(&t.expiresIn, "expires-in", "", "`DURATION` from now, such as 90m, 24h or 7d, or never")
	f.StringVar(&t.uses, "uses", "", "`NUMBER` of times it can be opened, or unlimited")
	f.StringVar(&t.kind, "type", "", "`KIND` of link: link, player-embed or orb-embed")
	f.StringArrayVar(&t.origins, "origin", nil, "`ORIGIN` that may embed it, such as https://www.example.com; repeat it for more; none takes all away")
	f.BoolVar(&t.all, "all-origins", false, "whether every origin may embed it")
	f.BoolVar(&t.watermark, "remove-watermark", false, "whether it goes without the watermark")
	f.BoolVar(&t.enabled, "enabled", true, "whether it accepts connections")
	f.BoolVar(&t.primary, "primary", false, "whether it is the persona's primary link")
	complete(cmd, "type", cobra.FixedCompletions([]string{"link", "player-embed", "orb-embed"}, cobra.ShellCompDirectiveNoFileComp))
}

// request reads the flags, or returns everything that is wrong with them.
func (t *terms) request() (client.UpdateRequest, error) {
	var r client.UpdateRequest
	var errs []error
	fail := func(flag string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", flag, err))
		}
	}
	given := t.cmd.Flags().Changed
	if given("expires-in") {
		r.ExpiresInHours = client.Never()
		if t.expiresIn != "never" {
			d, err := parseLifetime(t.expiresIn)
			fail("expires-in", err)
			r.ExpiresInHours = client.Hours(d.Hours())
		}
	}
	if given("uses") {
		r.UsageLimit = client.Unlimited()
		if t.uses != "unlimited" {
			n, err := strconv.Atoi(t.uses)
			if err != nil || n < 1 {
				fail("uses", fmt.Errorf("must be a whole number of at least 1, or unlimited, not %q", t.uses))
			}
			r.UsageLimit = client.Uses(n)
		}
	}
	// Which kinds there are is the server's to say: a newer one may have more.
	r.Type = client.Type(strings.ToUpper(strings.ReplaceAll(t.kind, "-", "_")))
	if given("origin") {
		r.AllowedOrigins = client.Origins(t.origins...)
		if len(t.origins) == 1 && t.origins[0] == "none" {
			r.AllowedOrigins = client.Origins()
		}
	}
	if given("all-origins") {
		r.AllowAllOrigins = &t.all
	}
	if given("remove-watermark") {
		r.RemoveWatermark = &t.watermark
	}
	if given("enabled") {
		r.Enabled = &t.enabled
	}
	if given("primary") {
		r.IsPrimary = &t.primary
	}
	if len(errs) > 0 {
		return r, &failure{err: errors.Join(errs...), hint: t.cmd.CommandPath() + " --help says what each flag takes", usage: true}
	}
	return r, nil
}

// parseLifetime reads a duration, in which days are 24 hours.
func parseLifetime(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n > 0 && n <= 3650 {
			return time.Duration(n * float64(24*time.Hour)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("must be a duration above 0, such as 90m, 24h or 7d, or never, not %q", text)
}

func (p *program) linkCreate() *cobra.Command {
	var r remote
	var t terms
	var persona string
	var count int
	cmd := p.asks(&r, &cobra.Command{
		Use:   "create",
		Short: "Create share links to a persona",
		Long: `Create makes a share link and shows it. Without flags it has the server's defaults: a week, ten
uses, a direct URL. With --count it makes several that are alike; those that were made are shown
even when one fails.`,
		Example: `  sharelinks link create --persona 30fa96d0-26c4-4e55-94a0-517025942e18 --expires-in 24h --uses 5
  sharelinks link create --persona 30fa96d0-26c4-4e55-94a0-517025942e18 --type player-embed \
      --origin https://www.example.com --origin http://localhost:3000
  sharelinks link create --persona 30fa96d0-26c4-4e55-94a0-517025942e18 --uses 1 --count 100`,
	}, nil, func(ctx context.Context, _ []string) error {
		if persona == "" {
			return usage("sharelinks persona list shows those of a database", "--persona is missing")
		}
		id, err := personaID("--persona", persona)
		if err != nil {
			return err
		}
		if count < 1 {
			return usage("", "--count: must be at least 1, not %d", count)
		}
		u, err := t.request()
		if err != nil {
			return err
		}
		request := client.CreateRequest{
			PersonaID:       id.String(),
			ExpiresInHours:  u.ExpiresInHours,
			UsageLimit:      u.UsageLimit,
			Type:            u.Type,
			AllowedOrigins:  u.AllowedOrigins,
			AllowAllOrigins: u.AllowAllOrigins,
			RemoveWatermark: u.RemoveWatermark,
			Enabled:         u.Enabled,
			IsPrimary:       u.IsPrimary,
		}
		if !t.cmd.Flags().Changed("count") {
			link, err := r.client.Create(ctx, request)
			if err != nil {
				return err
			}
			return r.show(link)
		}
		return r.createMany(ctx, request, count)
	})
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&persona, "persona", "", "`UUID` of the persona that it leads to")
	t.add(cmd)
	cmd.Flags().IntVar(&count, "count", 1, "`NUMBER` of links to make; the output is then a list")
	return cmd
}

// createMany makes links until one fails, and shows what it made in any case: they are listed nowhere else by this run.
func (r *remote) createMany(ctx context.Context, request client.CreateRequest, count int) error {
	bar := r.program.newProgress("created", count)
	var links []client.ShareLink
	var failure error
	for range count {
		link, err := r.client.Create(ctx, request)
		if err != nil {
			failure = err
			break
		}
		links = append(links, link)
		bar.step()
	}
	bar.end()
	if len(links) == 0 {
		return failure
	}
	if err := r.showAll(links, []string{"ID", "URL"}, func(l client.ShareLink) []string { return []string{l.ID, client.URL(l)} }); err != nil {
		return err
	}
	if failure != nil {
		return partial(r.explain(failure), "created %d of %d links", len(links), count)
	}
	fmt.Fprintf(r.program.stderr, "created %d of %d links\n", len(links), count)
	return nil
}

// partial is the refusal of a command that was done in part: what was done, then why no more was.
func partial(err error, format string, args ...any) error {
	done := fmt.Sprintf(format, args...)
	partial := &failure{err: fmt.Errorf("%s, then: %w", done, err)}
	if r, ok := errors.AsType[*failure](err); ok {
		partial.hint = r.hint
	} else if errors.Is(err, context.Canceled) {
		partial.err = errors.New(done + ", then interrupted")
	}
	return partial
}

func (p *program) linkUpdate() *cobra.Command {
	var r remote
	var t terms
	cmd := p.asks(&r, &cobra.Command{
		Use:   "update " + linkArgument,
		Short: "Change a share link; what is not said stays as it is",
		Long: `Update changes what its flags say and shows the link as it then is. --expires-in counts from now,
and --uses includes those that were counted.`,
		Example: `  sharelinks link update sh_2kL9pQxYzR4vN8mBwHfJc --enabled=false
  sharelinks link update sh_2kL9pQxYzR4vN8mBwHfJc --expires-in never --uses unlimited`,
	}, []string{linkArgument}, func(ctx context.Context, args []string) error {
		request, err := t.request()
		if err != nil {
			return err
		}
		link, err := r.find(ctx, args[0])
		if err != nil {
			return err
		}
		updated, err := r.client.Update(ctx, link.ID, request)
		if err != nil {
			return err
		}
		// An update does not say whose link it is, and that does not change.
		updated.PersonaID, updated.PersonaName, updated.OrganizationID = link.PersonaID, link.PersonaName, link.OrganizationID
		return r.show(updated)
	})
	cmd.Flags().SortFlags = false
	t.add(cmd)
	return cmd
}
