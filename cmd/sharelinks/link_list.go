package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/client"
)

func (p *program) linkList() *cobra.Command {
	var r remote
	var filter client.Filter
	var all bool
	cmd := p.asks(&r, &cobra.Command{
		Use:   "list",
		Short: "List share links, newest first",
		Example: `  sharelinks link list --persona 30fa96d0-26c4-4e55-94a0-517025942e18 --all
  sharelinks link list --search cara --json`,
	}, nil, func(ctx context.Context, _ []string) error {
		if all {
			links, err := r.everyLink(ctx, filter)
			if err != nil {
				return err
			}
			return r.showAll(links, linkColumns, linkRow)
		}
		page, err := r.client.List(ctx, filter)
		if err != nil {
			return err
		}
		if err := r.showAll(page.Data, linkColumns, linkRow); err != nil {
			return err
		}
		if page.Meta.Total > len(page.Data) {
			fmt.Fprintf(p.stderr, "%d of %d links; --all lists them all, --page the next\n", len(page.Data), page.Meta.Total)
		}
		return nil
	})
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&filter.PersonaID, "persona", "", "only the links to the persona with this `UUID`")
	f.StringVar(&filter.Search, "search", "", "only the links whose persona's name contains this `TEXT`, or whose id or token it is")
	f.IntVar(&filter.Page, "page", 0, "`NUMBER` of the page, from 1")
	f.IntVar(&filter.PerPage, "per-page", 0, "`NUMBER` of links on a page, 1 to 100")
	f.BoolVar(&all, "all", false, "all pages")
	return cmd
}

// everyLink collects the links of all pages, and says on a terminal how far it is.
func (r *remote) everyLink(ctx context.Context, filter client.Filter) ([]client.ShareLink, error) {
	links := []client.ShareLink{}
	bar := r.program.newProgress("listed", 0)
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

var linkColumns = []string{"ID", "TYPE", "STATUS", "USES", "EXPIRES", "PERSONA"}

func linkRow(l client.ShareLink) []string {
	return []string{l.ID, string(l.Type), string(client.Status(l, time.Now())), usesShown(l), expiryShown(l), l.PersonaName}
}

func (p *program) linkDelete() *cobra.Command {
	var r remote
	var all, yes bool
	var persona string
	cmd := p.asks(&r, &cobra.Command{
		Use:   "delete [" + linkArgument + "]",
		Short: "Delete a share link, or all of a persona's, for good",
		Long: `Delete deletes the link that it is given, or with --all those to one persona. That it asks about
first, unless --yes is given. A link that someone else deleted meanwhile counts as deleted.`,
		Example: `  sharelinks link delete sh_2kL9pQxYzR4vN8mBwHfJc
  sharelinks link delete --all --persona 30fa96d0-26c4-4e55-94a0-517025942e18 --yes`,
	}, []string{linkArgument}, func(ctx context.Context, args []string) error {
		if len(args) == 0 {
			return r.deleteAll(ctx, persona, yes)
		}
		link, err := r.find(ctx, args[0])
		if err != nil {
			return err
		}
		if err := r.client.Delete(ctx, link.ID); err != nil {
			return err
		}
		return r.show(link)
	})
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&all, "all", false, "all links to the persona of --persona")
	f.StringVar(&persona, "persona", "", "with --all, `UUID` of the persona")
	f.BoolVar(&yes, "yes", false, "do not ask")
	one := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if !all {
			if persona != "" {
				return usage("add --all to delete all links to a persona", "--persona goes with --all")
			}
			return one(cmd, args)
		}
		if len(args) > 0 {
			return usage("usage: "+cmd.UseLine(), "--all takes no "+linkArgument)
		}
		if _, err := personaID("--persona", persona); err != nil {
			return err
		}
		return nil
	}
	return cmd
}

// deleteAll deletes every link to a persona. The links are collected first: pages shift under the one who deletes.
func (r *remote) deleteAll(ctx context.Context, persona string, yes bool) error {
	p := r.program
	links, err := r.everyLink(ctx, client.Filter{PersonaID: persona})
	if err != nil {
		return err
	}
	if len(links) > 0 && !yes {
		if err := p.confirm(fmt.Sprintf("Delete all %d links to %s for good?", len(links), links[0].PersonaName)); err != nil {
			return err
		}
	}
	bar := p.newProgress("deleted", len(links))
	deleted := 0
	var failures []error
	for _, link := range links {
		err := r.client.Delete(ctx, link.ID)
		if err == nil || errors.Is(err, client.ErrNotFound) {
			deleted++
			bar.step()
			continue
		}
		failures = append(failures, fmt.Errorf("%s: %w", link.ID, r.explain(err)))
		// The others would fail alike.
		if ctx.Err() != nil || errors.Is(err, client.ErrUnauthorized) || exitOf(err) == exitLater {
			break
		}
	}
	bar.end()
	if len(failures) > 0 {
		if deleted == 0 && ctx.Err() == nil {
			return errors.Unwrap(failures[0])
		}
		for _, failure := range failures[:len(failures)-1] {
			fmt.Fprintln(p.stderr, "sharelinks: "+printable(failure.Error()))
		}
		return partial(failures[len(failures)-1], "deleted %d of %d links", deleted, len(links))
	}
	if !r.human() {
		return p.printJSON(map[string]int{"deleted": deleted})
	}
	_, err = fmt.Fprintf(p.stdout, "deleted %d of %d links\n", deleted, len(links))
	return err
}

// confirm asks a person at a terminal. Where there is none, nobody has confirmed.
func (p *program) confirm(question string) error {
	if !isTerminal(p.stdin) {
		return usage("add --yes", "there is no terminal to ask at: %s", question)
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(p.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was deleted")
}
