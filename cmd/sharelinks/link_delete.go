package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/client"
)

func (r *remote) delete() *cobra.Command {
	var all, yes bool
	var persona *uuid.UUID
	cmd := &cobra.Command{
		Use:   "delete [LINK]",
		Short: "Delete a share link, or all of a persona's, for good",
		Long: `Delete deletes a share link, or with --all every link to a persona. It asks before it deletes all,
unless --yes is given. A link that is already gone counts as deleted.`,
		Example: `  sharelinks link delete sh_2kL9pQxYzR4vN8mBwHfJc
  sharelinks link delete --all --persona 30fa96d0-26c4-4e55-94a0-517025942e18 --yes`,
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 0) && all == (persona != nil) {
				return nil
			}
			return usage("usage: "+cmd.UseLine(), "give a LINK, or --all and --persona")
		},
		RunE: r.run(func(ctx context.Context, args []string) error {
			if all {
				return r.deleteAll(ctx, persona.String(), yes)
			}
			link, err := r.find(ctx, args[0])
			if err != nil {
				return err
			}
			if err := r.client.Delete(ctx, link.ID); err != nil {
				return err
			}
			return r.showLink(link)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "all links to the persona of --persona")
	addUUID(f, "persona", "with --all, `UUID` of the persona", &persona)
	f.BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// deleteAll deletes every link to a persona. It lists them first, because a deleted link moves others between pages.
func (r *remote) deleteAll(ctx context.Context, persona string, confirmed bool) error {
	links, err := r.every(ctx, client.Filter{PersonaID: persona})
	if err != nil {
		return err
	}
	if len(links) > 0 && !confirmed {
		question := fmt.Sprintf("Delete all %d links to %s for good?", len(links), links[0].PersonaName)
		if err := r.confirm(question); err != nil {
			return err
		}
	}
	done, err := r.repeat("deleted", len(links), func(i int) (goOn bool, err error) {
		err = r.client.Delete(ctx, links[i].ID)
		if err == nil || errors.Is(err, client.ErrNotFound) {
			return true, nil
		}
		f := failureOf(err)
		// After one of these the others would fail too.
		ends := ctx.Err() != nil || errors.Is(err, client.ErrUnauthorized) || f.exit == exitLater
		return !ends, fmt.Errorf("%s: %w", links[i].ID, f)
	})
	if err != nil {
		return err
	}
	return r.show(map[string]int{"deleted": len(links)}, done+"\n")
}

// confirm asks a person at a terminal, and returns an error unless the answer is yes.
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
	return errors.New("nothing was changed")
}
