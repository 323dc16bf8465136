package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// setting is the value of a flag that the environment can give too. It keeps a fault instead of failing, so that a
// command can name the faults of all its settings at once.
type setting struct {
	text  string // as given
	kind  string // what help calls the value
	parse func(text string) error
	fault error
}

var _ pflag.Value = (*setting)(nil)

func (s *setting) String() string { return s.text }
func (s *setting) Type() string   { return s.kind }

func (s *setting) Set(text string) error {
	s.text, s.fault = text, s.parse(text)
	return nil
}

// addSetting adds a flag whose value the environment can give too. parse keeps the value or says what would be right;
// it is not asked about the default.
func addSetting(cmd *cobra.Command, name, kind, byDefault, description string, parse func(string) error) {
	f := cmd.Flags().VarPF(&setting{text: byDefault, kind: kind, parse: parse}, name, "", description+" ["+variable(name)+"]")
	if kind == "bool" {
		f.NoOptDefVal = "true"
	}
}

// variable is the environment variable of a setting.
func variable(flag string) string {
	return "SHARELINKS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// addChoice adds a setting that is one of a few words. The shell completes them.
func addChoice(cmd *cobra.Command, name, byDefault, description string, value *string, choices ...string) {
	*value = byDefault
	addSetting(cmd, name, "WORD", byDefault, description, func(text string) error {
		*value = text
		if !slices.Contains(choices, text) {
			return fmt.Errorf("must be %s or %s, not %q", strings.Join(choices[:len(choices)-1], ", "), choices[len(choices)-1], text)
		}
		return nil
	})
	complete(cmd, name, cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp))
}

func complete(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag is not there: ours to mend
	}
}

// settle gives the settings that are not on the command line the value that they have in the environment, and returns
// the faults of all. A variable that is empty counts as not set, as in a compose file with ${VARIABLE:-}.
func (p *program) settle(cmd *cobra.Command) (faults []error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		s, ok := f.Value.(*setting)
		if !ok {
			return
		}
		if text := p.getenv(variable(f.Name)); text != "" && !f.Changed {
			_ = s.Set(text) // keeps its fault
		}
		if s.fault != nil {
			faults = append(faults, fmt.Errorf("--%s (%s): %w", f.Name, variable(f.Name), s.fault))
		}
	})
	return faults
}

// misconfigured is the refusal of a command for the faults of its settings, nil if there are none.
func misconfigured(cmd *cobra.Command, faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	return &refusal{err: errors.Join(faults...), hint: cmd.CommandPath() + " --help says what each setting takes", usage: true}
}

func parseBool(text string, value *bool) error {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return notBool(text)
	}
	*value = b
	return nil
}

func parseNumber(text string, value *float64) error {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("must be a number, not %q", text)
	}
	*value = n
	return nil
}

func parseCount(text string, value *int) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("must be a whole number, not %q", text)
	}
	*value = n
	return nil
}

// parseNetworks reads networks and addresses, separated by commas.
func parseNetworks(text string, value *[]netip.Prefix) error {
	var networks []netip.Prefix
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		network, err := netip.ParsePrefix(word)
		if address, addressErr := netip.ParseAddr(word); addressErr == nil {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil || network.Addr().Is4In6() || network.Addr().Zone() != "" {
			return fmt.Errorf("must be networks or addresses, separated by commas, as 10.0.0.0/8,192.0.2.7, not %q", text)
		}
		networks = append(networks, network.Masked())
	}
	*value = networks
	return nil
}

func parseDuration(text string, value *time.Duration) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("must be a duration, as 15s or 1m30s, not %q", text)
	}
	*value = d
	return nil
}
