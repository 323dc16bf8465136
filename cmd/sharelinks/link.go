package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/client"
)

// The variables of the link commands. The key has no flag: every user of the machine can read the flags of a process.
const (
	serverVariable = "ANAM_API_URL"
	keyVariable    = "ANAM_API_KEY"
)

const hostedServer = "https://api.anam.ai"

func (p *program) link() *cobra.Command {
	r := &remote{program: p}
	cmd := &cobra.Command{
		Use:   "link",
		Short: "Create, list, update and delete share links, on any server",
		Long: `These commands manage the share links of a server: one of this binary, or Anam's. Its URL is given
with --server or in the variable ` + serverVariable + `, the API key in the variable ` + keyVariable + `.

A LINK is the id, the token or the URL of a share link. The output is a table on a terminal, and
JSON elsewhere or with --json.

Exit codes:
  0  done
  1  failed, or done in part
  2  the command or its input has to change
  3  there is no such link or persona
  4  the API key is not accepted, or may not do this
  5  try again later: no connection, too many requests, server down or too slow`,
	}
	f := cmd.PersistentFlags()
	f.StringVar(&r.server, "server", "", "`URL` of the server ["+serverVariable+"] (default "+hostedServer+")")
	f.BoolVar(&r.asJSON, "json", false, "print JSON")
	cmd.AddCommand(r.create(), r.list(), r.get(), r.update(), r.delete(), r.openURL(), r.embed(), r.visits())
	return cmd
}

// remote has the flags that all link commands share, and the client of the server that they call.
type remote struct {
	*program
	server string
	asJSON bool
	client *client.Client
}

// run returns the RunE of a command that calls the server.
func (r *remote) run(call func(ctx context.Context, args []string) error) runE {
	return func(cmd *cobra.Command, args []string) error {
		key := r.getenv(keyVariable)
		if key == "" {
			return usage("sharelinks key create on the server makes a key, and so does Anam's lab",
				"%s is not set; it holds the API key", keyVariable)
		}
		server := cmp.Or(r.server, r.getenv(serverVariable), hostedServer)
		c, err := client.New(client.WithURL(server), client.WithKey(key), client.WithUserAgent("cli/"+moduleVersion()))
		if err != nil {
			return &failure{err: errors.Unwrap(err), hint: cmd.CommandPath() + " --help says more", exit: exitUsage}
		}
		r.client = c
		return call(cmd.Context(), args)
	}
}

// runOnLink returns the RunE of a command that does one thing with the share link that is its argument.
func (r *remote) runOnLink(call func(context.Context, client.ShareLink) error) runE {
	return r.run(func(ctx context.Context, args []string) error {
		link, err := r.find(ctx, args[0])
		if err != nil {
			return err
		}
		return call(ctx, link)
	})
}

// find returns the share link with this id, this token, or a URL that ends in its token.
func (r *remote) find(ctx context.Context, name string) (client.ShareLink, error) {
	if uuid.Validate(name) == nil {
		return r.client.Get(ctx, name)
	}
	return r.client.FindByToken(ctx, tokenIn(name))
}

func tokenIn(name string) string {
	if u, err := url.Parse(name); err == nil && strings.Contains(name, "/") {
		return path.Base(u.Path)
	}
	return name
}

// every returns the links of all pages, and shows the progress.
func (r *remote) every(ctx context.Context, filter client.Filter) ([]client.ShareLink, error) {
	links := []client.ShareLink{}
	bar := r.newProgress("listed", 0)
	defer bar.end()
	for link, err := range r.client.All(ctx, filter) {
		if err != nil {
			return nil, err
		}
		links = append(links, link)
		bar.step()
	}
	return links, nil
}

// repeat calls do n times and shows the progress. It stops when do fails and must not be called again. The text has the
// number of successes. Without any the error is the first one; otherwise it joins all, the last one after the text.
func (p *program) repeat(verb string, n int, do func(i int) (goOn bool, err error)) (done string, err error) {
	bar := p.newProgress(verb, n)
	var errs []error
	for i := range n {
		goOn, err := do(i)
		if err == nil {
			bar.step()
			continue
		}
		errs = append(errs, err)
		if !goOn {
			break
		}
	}
	bar.end()
	done = fmt.Sprintf("%s %d of %d links", verb, bar.done, n)
	if errs == nil {
		return done, nil
	}
	if bar.done == 0 {
		return done, errs[0]
	}
	last := len(errs) - 1
	hint := failureOf(errs[last]).hint
	errs[last] = fmt.Errorf("%s, then: %w", done, errs[last])
	return done, &failure{err: errors.Join(errs...), hint: hint}
}

func (r *remote) list() *cobra.Command {
	var filter client.Filter
	var all, wide bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List share links, newest first",
		Long: `List shows share links as far as the terminal is wide: their URL in full, which is as good as an id
for the other commands, what tells them apart if any has a label, and then what fits of the rest.
--wide shows all of it.`,
		Example: `  sharelinks link list --persona Cara --all
  sharelinks link list --search cara --json`,
		RunE: r.run(func(ctx context.Context, _ []string) error {
			var page client.Page
			var err error
			if filter.PersonaID != "" {
				if filter.PersonaID, err = r.personaID(ctx, filter.PersonaID); err != nil {
					return err
				}
			}
			if all {
				page.Data, err = r.every(ctx, filter)
			} else {
				page, err = r.client.List(ctx, filter)
			}
			records := newView(r.show, func(l client.ShareLink) (value any, row []string) {
				l.URL = client.URL(l)
				status := string(client.Status(l, time.Now()))
				return l, []string{l.URL, l.Label, status, uses(l), l.PersonaName, expiry(l), string(l.Type), l.ID}
			}, "URL", labelColumn, "STATUS", "USES", personaColumn, "EXPIRES", "TYPE", "ID")
			if !wide {
				records.width = r.width
			}
			if err := records.list(page.Data, err); err != nil {
				return err
			}
			if n := len(page.Data); page.Meta.Total > n {
				fmt.Fprintf(r.stderr, "%d of %d links; --all lists them all, --page the next\n", n, page.Meta.Total)
			}
			return nil
		}),
	}
	f := cmd.Flags()
	f.StringVar(&filter.PersonaID, "persona", "", "only links to this `PERSONA`: the id, or the whole name in any case")
	f.StringVar(&filter.Search, "search", "", "only links with this `TEXT` as id, token or part of the label or the persona's name")
	f.IntVar(&filter.Page, "page", 0, "`NUMBER` of the page, from 1")
	f.IntVar(&filter.PerPage, "per-page", 0, "`NUMBER` of links on a page, 1 to 100")
	f.BoolVar(&all, "all", false, "all pages")
	f.BoolVar(&wide, "wide", false, "all columns, however wide the terminal is")
	return cmd
}

func (r *remote) get() *cobra.Command {
	return &cobra.Command{
		Use:   "get LINK",
		Short: "Show a share link",
		RunE:  r.runOnLink(func(_ context.Context, link client.ShareLink) error { return r.showLink(link) }),
	}
}

func (r *remote) openURL() *cobra.Command {
	return &cobra.Command{
		Use:     "open-url LINK",
		Short:   "Print the URL where a person opens a share link",
		Example: `  xdg-open "$(sharelinks link open-url sh_2kL9pQxYzR4vN8mBwHfJc)"`,
		RunE: r.runOnLink(func(_ context.Context, link client.ShareLink) error {
			link.URL = client.URL(link)
			return r.print(r.asJSON, map[string]string{"url": link.URL}, link.URL+"\n")
		}),
	}
}

func (r *remote) embed() *cobra.Command {
	return &cobra.Command{
		Use:   "embed LINK",
		Short: "Print the HTML that embeds a share link in a page",
		Long: `Embed prints the HTML that puts a PLAYER_EMBED or ORB_EMBED link into a page. The page's origin must
be one of the link's: see sharelinks link update --origin.`,
		RunE: r.runOnLink(func(_ context.Context, link client.ShareLink) error {
			html, err := client.EmbedHTML(link)
			if err != nil {
				return err
			}
			html = strings.TrimSuffix(html, "\n")
			return r.print(r.asJSON, map[string]string{"html": html}, html+"\n")
		}),
	}
}

// show prints a value: as JSON, or on a terminal as text.
func (r *remote) show(value any, text string) error { return r.print(r.showsJSON(), value, text) }

func (r *remote) showsJSON() bool { return r.asJSON || r.width == 0 }

// showLink prints a link, with its URL also where the server sends none.
func (r *remote) showLink(link client.ShareLink) error {
	link.URL = client.URL(link)
	origins := strings.Join(link.AllowedOrigins, " ")
	if link.AllowAllOrigins {
		origins = "all"
	}
	return r.show(link, table(
		[]string{"ID", link.ID},
		[]string{"URL", link.URL},
		[]string{labelColumn, link.Label},
		[]string{"TYPE", string(link.Type)},
		[]string{"STATUS", string(client.Status(link, time.Now()))},
		[]string{"USES", uses(link)},
		[]string{"EXPIRES", expiry(link)},
		[]string{personaColumn, link.PersonaName},
		[]string{"ORIGINS", origins},
		[]string{"PRIMARY", strconv.FormatBool(link.IsPrimary)},
		[]string{"CREATED", instant(link.CreatedAt.Time)},
	))
}

func uses(link client.ShareLink) string {
	if link.UsageLimit == nil {
		return strconv.Itoa(link.UsageCount) + "/unlimited"
	}
	return fmt.Sprintf("%d/%d", link.UsageCount, *link.UsageLimit)
}

func expiry(link client.ShareLink) string {
	if link.ExpiresAt == nil {
		return "never"
	}
	return instant(link.ExpiresAt.Time)
}
