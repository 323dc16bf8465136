package main

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	sharelinks "github.com/sharelinks-dev/sharelinks"
)

// runE is what cobra calls for a command.
type runE = func(cmd *cobra.Command, args []string) error

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sharelinks",
		Short: "A service for share links to AI personas",
		Long: `Sharelinks hands out links to AI personas, with an expiry and a limit on how often each can be
opened. It is one binary with its database in one file, or in PostgreSQL, and clients of Anam's
share-links API work with it unchanged.`,
		Example: `  sharelinks serve                                 # on 127.0.0.1:8080, with data in sharelinks.db
  sharelinks persona add Cara                      # a persona to make links to
  KEY=$(sharelinks key create --label website)     # an API key to make them with
  sharelinks organization update default --allow-watermark-removal
  sharelinks link create --persona Cara --uses 5   # on any server: ANAM_API_URL, ANAM_API_KEY`,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	// This is cobra's template, but flags fit a terminal, and only the last command of a command line takes flags.
	root.SetUsageTemplate(strings.NewReplacer(
		".FlagUsages", ".FlagUsagesWrapped 100",
		"if .Runnable", "if not .HasAvailableSubCommands",
	).Replace(root.UsageTemplate()))

	d := p.database()
	addGroup := func(title string, commands ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: title, Title: title})
		for _, c := range commands {
			c.GroupID = title
		}
		root.AddCommand(commands...)
	}
	addGroup("The service:", p.serve())
	addGroup("Share links, of this service or of another server:", p.link())
	addGroup("Its database, also while it runs:", d.organization(), d.key(), d.persona(), d.signingKey(), d.visit(),
		d.backup(), d.restore(), d.check())
	addGroup("For tests:", p.proxy(), p.stub())
	root.AddCommand(p.spec(), p.version())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	finish(root)
	return root
}

func (p *program) spec() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "spec",
		Short: "Print the OpenAPI contract of the service",
		Long: `Spec prints the OpenAPI document that this binary checks requests against, byte for byte as the
service has it at /openapi.yaml.`,
		Example: "  sharelinks spec > openapi.yaml",
		RunE: func(*cobra.Command, []string) error {
			if !asJSON {
				return p.write(string(sharelinks.Spec()))
			}
			return p.print(asJSON, json.RawMessage(sharelinks.SpecJSON()), "")
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON instead of YAML")
	return cmd
}

func (p *program) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		RunE:  func(*cobra.Command, []string) error { return p.write(versionText() + "\n") },
	}
}

// finish adds what all commands have in common to a command and those below it.
func finish(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	switch {
	case cmd.HasSubCommands():
		cmd.SuggestionsMinimumDistance = 2
		cmd.Args = knownCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	case cmd.Name() == "help":
		cmd.Args = func(cmd *cobra.Command, words []string) error {
			topic, rest, _ := cmd.Root().Find(words)
			return knownCommand(topic, rest)
		}
	default:
		cmd.Args = arguments
	}
	for _, c := range cmd.Commands() {
		finish(c)
	}
}

// knownCommand returns an error for words that follow a command and are not one of its commands.
func knownCommand(cmd *cobra.Command, words []string) error {
	if len(words) == 0 {
		return nil
	}
	hint := cmd.CommandPath() + " --help lists the commands"
	if similar := cmd.SuggestionsFor(words[0]); len(similar) > 0 {
		hint = "did you mean " + cmd.CommandPath() + " " + strings.Join(similar, " or ") + "?"
	}
	return usage(hint, "unknown command %q", strings.TrimPrefix(cmd.CommandPath()+" "+words[0], "sharelinks "))
}

// arguments returns an error unless the arguments are those that the command's Use names. It does not repeat one too
// many, which may be a secret.
func arguments(cmd *cobra.Command, args []string) error {
	names := strings.Fields(cmd.Use)[1:]
	hint := "usage: " + cmd.UseLine()
	switch {
	case len(args) > len(names):
		takes := []string{"no arguments", "1 argument"}[len(names)]
		return usage(hint, "%s takes %s, and there are %d", cmd.CommandPath(), takes, len(args))
	case len(args) < len(names) && !strings.HasPrefix(names[len(args)], "["):
		return usage(hint, "%s is missing", names[len(args)])
	}
	return nil
}

// flagError puts into words what is wrong with a flag, or with the command if that is the reason.
func flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return knownCommand(cmd, cmd.Flags().Args())
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	hint := cmd.CommandPath() + " --help lists the flags"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if e.GetSpecifiedShortnames() != "" {
			return usage(hint, "unknown flag: -%s", e.GetSpecifiedName()) // without what follows, which may be a secret
		}
		if similar := similarFlags(cmd, e.GetSpecifiedName()); len(similar) > 0 {
			hint = "did you mean --" + strings.Join(similar, " or --") + "?"
		}
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok && e.GetFlag().NoOptDefVal == "true" {
		return usage(hint, "--%s: must be true or false, not %q", e.GetFlag().Name, e.GetValue())
	}
	return usage(hint, "%w", err)
}

// similarFlags returns the flags of a command whose names are like a name, as cobra finds similar commands.
func similarFlags(cmd *cobra.Command, name string) []string {
	flags := &cobra.Command{SuggestionsMinimumDistance: min(2, len(name)/3)}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return flags.SuggestionsFor(name)
}
