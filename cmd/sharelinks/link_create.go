package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/oapi-codegen/nullable"
	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/client"
)

// linkFlags are the flags for the fields of a share link. A field whose flag is not given is left out of the request.
type linkFlags struct {
	request   client.UpdateRequest
	expiresIn string
	uses      string
	origins   []string
	label     string
}

func (l *linkFlags) add(cmd *cobra.Command) {
	f, r := cmd.Flags(), &l.request
	boolean := func(name, usage string, field **bool) {
		f.BoolFunc(name, usage, func(text string) error {
			value, err := strconv.ParseBool(text)
			*field = &value
			return err
		})
	}
	f.StringVar(&l.label, "label", "", "`TEXT` that tells it from other links, at most 80 characters; \"\" removes it")
	f.StringVar(&l.expiresIn, "expires-in", "", "`DURATION` from now, such as 90m, 24h, 7d or 2w, or never")
	f.StringVar(&l.uses, "uses", "", "`NUMBER` of times that it can be opened, or unlimited")
	f.StringVar((*string)(&r.Type), "type", "", "`KIND` of link: link, player-embed or orb-embed")
	completeWords(cmd, "type", "link", "player-embed", "orb-embed")
	f.StringArrayVar(&l.origins, "origin", nil,
		"`ORIGIN` that may embed it, such as https://www.example.com; repeat it for more; none removes all")
	boolean("all-origins", "whether every origin may embed it", &r.AllowAllOrigins)
	boolean("remove-watermark", "whether it is shown without the watermark", &r.RemoveWatermark)
	boolean("enabled", "whether it can be opened", &r.Enabled)
	boolean("primary", "whether it is the persona's primary link", &r.IsPrimary)
}

// read reads the flags into the request, or returns everything that is wrong with them.
func (l *linkFlags) read(cmd *cobra.Command, _ []string) error {
	r := &l.request
	var expiresErr, usesErr error
	if cmd.Flags().Changed("expires-in") {
		r.ExpiresInHours, expiresErr = parseLifetime(l.expiresIn)
	}
	if cmd.Flags().Changed("uses") {
		r.UsageLimit, usesErr = parseUses(l.uses)
	}
	if err := errors.Join(expiresErr, usesErr); err != nil {
		return &failure{err: err, hint: cmd.CommandPath() + " --help says what each flag takes", exit: exitUsage}
	}
	if cmd.Flags().Changed("label") {
		r.Label = &l.label
	}
	// The server checks the type: a newer one may have more.
	r.Type = client.Type(strings.ToUpper(strings.ReplaceAll(string(r.Type), "-", "_")))
	if slices.Equal(l.origins, []string{"none"}) {
		r.AllowedOrigins = client.Origins()
	} else if l.origins != nil {
		r.AllowedOrigins = &l.origins
	}
	return nil
}

func parseUses(text string) (nullable.Nullable[int], error) {
	if text == "unlimited" {
		return client.Unlimited(), nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 1 {
		return client.Uses(n), nil
	}
	return nil, fmt.Errorf("--uses: must be a whole number of at least 1, or unlimited, not %q", text)
}

// parseLifetime reads how long a link works.
func parseLifetime(text string) (nullable.Nullable[float64], error) {
	if text == "never" {
		return client.Never(), nil
	}
	if d, err := parseDuration(text); err == nil && d > 0 {
		return client.Hours(d.Hours()), nil
	}
	return nil, fmt.Errorf("--expires-in: must be a duration above 0, such as 90m, 24h, 7d or 2w, or never, not %q", text)
}

func (r *remote) create() *cobra.Command {
	var flags linkFlags
	var persona string
	var count int
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create share links to a persona",
		Long: `Create makes a share link and shows it. Without flags it has the server's defaults: a week, ten
uses, a direct URL. With --count it makes several equal ones; if one fails, those made before are
shown.`,
		Example: `  sharelinks link create --persona Cara --expires-in 24h --uses 5
  sharelinks link create --persona Cara --type player-embed \
      --origin https://www.example.com --origin http://localhost:3000
  sharelinks link create --persona 30fa96d0-26c4-4e55-94a0-517025942e18 --uses 1 --count 100`,
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(persona) == "" {
				return usage("sharelinks persona list shows those of a database", "--persona is missing")
			}
			if cmd.Flags().Changed("count") && count < 1 {
				return usage("", "--count: must be at least 1, not %d", count)
			}
			return flags.read(cmd, args)
		},
		RunE: r.run(func(ctx context.Context, _ []string) error {
			id, err := r.personaID(ctx, persona)
			if err != nil {
				return err
			}
			request := client.CreateRequest{
				PersonaID:       id,
				ExpiresInHours:  flags.request.ExpiresInHours,
				UsageLimit:      flags.request.UsageLimit,
				Type:            flags.request.Type,
				AllowedOrigins:  flags.request.AllowedOrigins,
				AllowAllOrigins: flags.request.AllowAllOrigins,
				RemoveWatermark: flags.request.RemoveWatermark,
				Enabled:         flags.request.Enabled,
				IsPrimary:       flags.request.IsPrimary,
				Label:           flags.request.Label,
			}
			var links []client.ShareLink
			done, failed := r.repeat("created", max(count, 1), func(int) (goOn bool, err error) {
				link, err := r.client.Create(ctx, request)
				if err != nil {
					return false, failureOf(err)
				}
				links = append(links, link)
				return true, nil
			})
			switch {
			case links == nil:
				return failed
			case count == 0 && r.showsJSON():
				return r.showLink(links[0])
			case count == 0:
				if named, err := r.client.Get(ctx, links[0].ID); err == nil { // the answer to a create leaves the persona's name out
					links[0] = named
				}
				return r.showLink(links[0])
			}
			// The output is the only place that has these links, also after a failure.
			records := newView(r.show, func(l client.ShareLink) (value any, row []string) {
				l.URL = client.URL(l)
				return l, []string{l.ID, l.URL}
			}, "ID", "URL")
			if err := records.list(links, nil); err != nil {
				return err
			}
			if failed == nil {
				fmt.Fprintln(r.stderr, done)
			}
			return failed
		}),
	}
	cmd.Flags().StringVar(&persona, "persona", "", "`PERSONA` that it leads to: the id, or the whole name in any case")
	flags.add(cmd)
	cmd.Flags().IntVar(&count, "count", 0, "`NUMBER` of links to make; the output is then a list")
	return cmd
}

func (r *remote) update() *cobra.Command {
	var flags linkFlags
	cmd := &cobra.Command{
		Use:   "update LINK",
		Short: "Change a share link; fields without a flag stay as they are",
		Long: `Update changes the fields whose flags are given, and shows the changed link. --expires-in counts
from now, and --uses includes the uses that are already spent.`,
		Example: `  sharelinks link update sh_2kL9pQxYzR4vN8mBwHfJc --enabled=false
  sharelinks link update sh_2kL9pQxYzR4vN8mBwHfJc --expires-in never --uses unlimited
  sharelinks link update sh_2kL9pQxYzR4vN8mBwHfJc --label "Spring newsletter"`,
		PreRunE: flags.read,
		RunE: r.runOnLink(func(ctx context.Context, link client.ShareLink) error {
			updated, err := r.client.Update(ctx, link.ID, flags.request)
			if err != nil {
				return err
			}
			// The answer to an update leaves these out, and an update cannot change them.
			updated.PersonaID, updated.PersonaName = link.PersonaID, link.PersonaName
			updated.OrganizationID = link.OrganizationID
			return r.showLink(updated)
		}),
	}
	flags.add(cmd)
	return cmd
}
