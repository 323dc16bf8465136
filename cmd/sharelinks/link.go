package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/client"
)

// The exit codes of the link commands beside 0, 1 and 2, so that a script need not read the message.
const (
	exitNotFound = 3
	exitDenied   = 4
	exitLater    = 5
)

// The variables of the link commands. The key has no flag: every user of the machine can read the flags of a process.
const (
	serverVariable = "ANAM_API_URL"
	keyVariable    = "ANAM_API_KEY"
)

const (
	linkArgument = "LINK"
	hostedServer = "https://api.anam.ai"
)

func (p *program) link() *cobra.Command {
	cmd := p.group(&cobra.Command{
		Use:   "link",
		Short: "Create, list, update and delete share links, on any server",
		Long: `These commands ask a server for share links: one of this binary, or Anam's own. --server or the
variable ` + serverVariable + ` says where it is, and the variable ` + keyVariable + ` holds the API key.

A LINK is given by its id, its token or its URL. On a terminal the output is a table, otherwise or
with --json it is JSON.

Exit codes:
  0  done
  1  failed, or done in part
  2  the command or its input has to change
  3  there is no such link or persona
  4  the API key is not accepted, or may not do this
  5  try again later: no connection, too many requests, server down or too slow`,
	})
	cmd.AddCommand(p.linkCreate(), p.linkList(), p.linkGet(), p.linkUpdate(), p.linkDelete(), p.linkOpenURL(), p.linkEmbed(), p.linkVisits())
	return cmd
}

// remote is the server that a link command asks, and how its answer is shown.
type remote struct {
	program *program
	server  string
	asJSON  bool
	client  *client.Client
}

func (r *remote) add(cmd *cobra.Command, p *program) {
	r.program = p
	cmd.Flags().StringVar(&r.server, "server", "", "`URL` of the server ["+serverVariable+"] (default "+hostedServer+")")
	addJSON(cmd, &r.asJSON)
}

// dial makes the client.
func (r *remote) dial(cmd *cobra.Command) error {
	p := r.program
	if r.server == "" {
		r.server = p.getenv(serverVariable)
	}
	key := p.getenv(keyVariable)
	if key == "" {
		return usage("a key is made on the server with sharelinks key create, or in Anam's lab", "%s is not set; it holds the API key", keyVariable)
	}
	if r.server == "" {
		r.server = hostedServer
	}
	var err error
	if r.client, err = client.New(client.WithURL(r.server), client.WithKey(key), client.WithUserAgent("cli/"+moduleVersion())); err != nil {
		return usage(cmd.CommandPath()+" --help says more", "%s", strings.TrimPrefix(err.Error(), "sharelinks: "))
	}
	return nil
}

// human tells whether the output is for a person.
func (r *remote) human() bool { return !r.asJSON && isTerminal(r.program.stdout) }

// find returns the link that an argument names: by its id, its token, or a URL that ends in its token.
func (r *remote) find(ctx context.Context, name string) (client.ShareLink, error) {
	if _, err := uuid.Parse(name); err == nil {
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

// explained is the refusal of a command for an error of the client: its words, a hint, and the exit code of its kind.
func (r *remote) explain(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok || errors.Is(err, context.Canceled) {
		return err
	}
	detail := e.Detail
	if e.Status >= http.StatusInternalServerError && e.RequestID != "" {
		detail += " (request " + e.RequestID + ")"
	}
	if e.Attempts > 1 {
		detail += fmt.Sprintf(" after %d attempts", e.Attempts)
	}
	f := &failure{err: errors.New(detail), exit: exitOf(err)}
	switch f.exit {
	case exitNotFound:
		f.hint = "sharelinks link list shows those there are; a key sees only its own organization's"
	case exitDenied:
		f.hint = "is " + keyVariable + " a key of this server, and may its organization do this?"
	case exitLater:
		if e.Status == 0 {
			f.hint = "is a server running there? --server or " + serverVariable + " says where"
		}
	}
	return f
}

// exitOf is the exit code for an error of the client.
func exitOf(err error) int {
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case errors.Is(err, client.ErrInvalid), errors.Is(err, client.ErrConflict):
		return exitUsage
	case errors.Is(err, client.ErrNotFound), errors.Is(err, client.ErrGone):
		return exitNotFound
	case errors.Is(err, client.ErrUnauthorized), errors.Is(err, client.ErrForbidden):
		return exitDenied
	case errors.Is(err, client.ErrRateLimited), errors.Is(err, context.DeadlineExceeded):
		return exitLater
	}
	if _, network := errors.AsType[net.Error](err); network {
		return exitLater
	}
	if ok && (e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout) {
		return exitLater
	}
	return exitFailure
}

// asks makes a command that asks the server and takes these arguments.
func (p *program) asks(r *remote, cmd *cobra.Command, names []string, do func(ctx context.Context, args []string) error) *cobra.Command {
	cmd.Args = arguments(names...)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := r.dial(cmd); err != nil {
			return err
		}
		return r.explain(do(cmd.Context(), args))
	}
	r.add(cmd, p)
	return cmd
}

func (p *program) linkGet() *cobra.Command {
	var r remote
	return p.asks(&r, &cobra.Command{Use: "get " + linkArgument, Short: "Show a share link"}, []string{linkArgument},
		func(ctx context.Context, args []string) error {
			link, err := r.find(ctx, args[0])
			if err != nil {
				return err
			}
			return r.show(link)
		})
}

func (p *program) linkOpenURL() *cobra.Command {
	var r remote
	return p.asks(&r, &cobra.Command{
		Use:     "open-url " + linkArgument,
		Short:   "Print the URL where a person opens a share link",
		Example: `  xdg-open "$(sharelinks link open-url sh_2kL9pQxYzR4vN8mBwHfJc)"`,
	}, []string{linkArgument}, func(ctx context.Context, args []string) error {
		link, err := r.find(ctx, args[0])
		if err != nil {
			return err
		}
		return r.printText("url", client.URL(link))
	})
}

func (p *program) linkEmbed() *cobra.Command {
	var r remote
	return p.asks(&r, &cobra.Command{
		Use:   "embed " + linkArgument,
		Short: "Print the HTML that embeds a share link in a page",
		Long: `Embed prints the HTML that puts a PLAYER_EMBED or ORB_EMBED link into a page. The page's origin must
be one of the link's: see sharelinks link update --origin.`,
	}, []string{linkArgument}, func(ctx context.Context, args []string) error {
		link, err := r.find(ctx, args[0])
		if err != nil {
			return err
		}
		html, err := client.EmbedHTML(link)
		if err != nil {
			return err
		}
		return r.printText("html", strings.TrimSuffix(html, "\n"))
	})
}

// printText prints one text, alone, so that a script can take it as it is.
func (r *remote) printText(name, text string) error {
	if r.asJSON {
		return r.program.printJSON(map[string]string{name: text})
	}
	if _, err := fmt.Fprintln(r.program.stdout, text); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// show prints one link.
func (r *remote) show(link client.ShareLink) error {
	if !r.human() {
		return r.program.printJSON(linkJSON(link))
	}
	origins := strings.Join(link.AllowedOrigins, " ")
	if link.AllowAllOrigins {
		origins = "all"
	}
	return r.program.printTable([]string{"ID", link.ID}, [][]string{
		{"URL", client.URL(link)},
		{"TYPE", string(link.Type)},
		{"STATUS", string(client.Status(link, time.Now()))},
		{"USES", usesShown(link)},
		{"EXPIRES", expiryShown(link)},
		{"PERSONA", link.PersonaName},
		{"ORIGINS", origins},
		{"PRIMARY", strconv.FormatBool(link.IsPrimary)},
		{"CREATED", instant(link.CreatedAt.Time)},
	})
}

// showAll prints a list of links.
func (r *remote) showAll(links []client.ShareLink, columns []string, row func(client.ShareLink) []string) error {
	if r.human() {
		return r.program.printTable(columns, convert(links, row))
	}
	return r.program.printJSON(convert(links, linkJSON))
}

// linkJSON returns a link as JSON shows it, with its URL also where the server sends none.
func linkJSON(link client.ShareLink) client.ShareLink {
	link.URL = client.URL(link)
	return link
}

func usesShown(link client.ShareLink) string {
	if link.UsageLimit == nil {
		return strconv.Itoa(link.UsageCount) + "/unlimited"
	}
	return fmt.Sprintf("%d/%d", link.UsageCount, *link.UsageLimit)
}

func expiryShown(link client.ShareLink) string {
	if link.ExpiresAt == nil {
		return "never"
	}
	return instant(link.ExpiresAt.Time)
}
