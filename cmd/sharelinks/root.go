package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageTemplate is cobra's with lines that fit a terminal and without what nobody asked for.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$commands := .Commands}}{{range $group := .Groups}}

{{.Title}}{{range $commands}}{{if and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}{{end}}{{if not .AllChildCommandsHaveGroup}}

Commands:{{range $commands}}{{if and (eq .GroupID "") .IsAvailableCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableFlags}}

Flags:
{{.Flags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" says more about a command.{{end}}
`

func (p *program) root() *cobra.Command {
	cmd := p.group(&cobra.Command{
		Use:   "sharelinks",
		Short: "A service for share links to AI personas",
		Long: `Sharelinks hands out links to AI personas, with an expiry and a limit on how often each can be
opened. It is one binary with its database in one file, or in PostgreSQL, and clients of Anam's
share-links API work with it unchanged.`,
		Example: `  sharelinks serve                                 # on 127.0.0.1:8080, with data in sharelinks.db
  sharelinks persona add Cara                      # a persona to make links to
  KEY=$(sharelinks key create --label website)     # an API key to make them with
  sharelinks organization update default --allow-watermark-removal
  sharelinks link create --persona ID --uses 5     # on any server: ANAM_API_URL, ANAM_API_KEY`,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	cmd.SetIn(p.stdin)
	cmd.SetOut(p.stdout)
	cmd.SetErr(p.stderr)
	cmd.SetUsageTemplate(usageTemplate)
	cmd.SetVersionTemplate("{{.Version}}\n")
	cmd.SetFlagErrorFunc(flagError)

	const service, links, accounts, other = "service", "links", "accounts", "other"
	cmd.AddGroup(
		&cobra.Group{ID: service, Title: "The service:"},
		&cobra.Group{ID: links, Title: "Its share links, or those of another server:"},
		&cobra.Group{ID: accounts, Title: "Who may use it, and for what (also while it runs):"},
		&cobra.Group{ID: other, Title: "More:"},
	)
	add := func(group string, children ...*cobra.Command) {
		for _, c := range children {
			c.GroupID = group
			cmd.AddCommand(c)
		}
	}
	add(service, p.serve())
	add(links, p.link())
	add(accounts, p.organization(), p.key(), p.persona())
	add(other, p.spec(), p.version())

	cmd.SetHelpCommand(p.help())
	cmd.SetHelpCommandGroupID(other)
	cmd.SetCompletionCommandGroupID(other)
	cmd.InitDefaultCompletionCmd()
	for _, c := range cmd.Commands() {
		if c.Name() == "completion" {
			p.group(c)
			c.Short = "Print a script that completes commands in bash, zsh, fish or powershell"
			for _, shell := range c.Commands() {
				shell.Args = arguments()
				shell.Short = "Print the completion script for " + shell.Name()
			}
		}
	}
	return cmd
}

// group makes a command that only has others below it answer with its help, or refuse a word that is none of them.
func (p *program) group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return cmd.Help()
	}
	return cmd
}

func unknownCommand(cmd *cobra.Command, word string) error {
	if cmd.SuggestionsMinimumDistance == 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	hint := fmt.Sprintf("%s --help lists the commands", cmd.CommandPath())
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		for i, name := range near {
			near[i] = cmd.CommandPath() + " " + name
		}
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage(hint, "unknown command %q", strings.TrimPrefix(cmd.CommandPath()+" "+word, "sharelinks "))
}

// help is cobra's, but a topic that does not exist is an error.
func (p *program) help() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say more about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownCommand(topic, rest[0])
			}
			topic.InitDefaultHelpFlag()
			topic.InitDefaultVersionFlag()
			return topic.Help()
		},
	}
}

// flagError says what is wrong with a flag, or with the command if that is what made the flag wrong.
func flagError(cmd *cobra.Command, err error) error {
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		return unknownCommand(cmd, words[0])
	}
	hint := fmt.Sprintf("%s --help lists the flags", cmd.CommandPath())
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		dashes := "--"
		if e.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		return usage(hint, "unknown flag %s%s", dashes, e.GetSpecifiedName())
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage(hint, "--%s needs a value", e.GetSpecifiedName())
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok && e.GetFlag().Value.Type() == "bool" {
		return usage(hint, "--%s: %w", e.GetFlag().Name, notBool(e.GetValue()))
	}
	return &failure{err: err, hint: hint, usage: true}
}

func notBool(text string) error { return fmt.Errorf("must be true or false, not %q", text) }

// arguments refuses a command line that has not exactly these arguments. It does not repeat one that is too many: it may
// be a secret that was meant for something else.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "usage: " + cmd.UseLine()
		if len(args) < len(names) {
			return usage(hint, "%s is missing", names[len(args)])
		}
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return usage(hint, "%s takes no arguments, and there are %d", cmd.CommandPath(), len(args))
		}
		return usage(hint, "%s takes %d argument, and there are %d", cmd.CommandPath(), len(names), len(args))
	}
}
