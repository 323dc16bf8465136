package main

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sharelinks-dev/sharelinks/server"
)

// setting is one thing that a command can be told, by a flag or by a variable. A flag comes before its variable, and both
// before what the field holds at first.
type setting struct {
	field   any    // pointer to what is set
	name    string // of the flag
	kind    string // what help calls the value
	help    string
	choices []string // the words that are accepted; nil: any
	secret  bool     // a variable only: every user of the machine can read the flags of a process
}

// settingsOf declares the settings of serve: each line is a field of the configuration, its flag, its variable and its help.
func settingsOf(c *server.Config, logs *logOptions) []setting {
	return []setting{
		{field: &c.Addr, name: "addr", kind: "HOST:PORT", help: "where to listen; port 0 picks a free one"},
		databaseSetting(c),
		{field: &c.PublicURL, name: "public-url", kind: "URL", help: "where people reach the service (default: the address it listens on)"},
		{field: &c.APIKey, name: "api-key", secret: true},
		{field: &c.AnamAPIKey, name: "anam-api-key", secret: true},
		{field: &c.AnamURL, name: "anam-url", kind: "URL", help: "where Anam is, for a service with an API key of Anam"},
		{
			field: &c.Personas, name: personasFlag, kind: "WORD", choices: []string{server.PersonasLocal, server.PersonasAny, server.PersonasAnam},
			help: "local, any or anam: links to personas that were added, to every id, or to those of the account with Anam",
		},
		{
			field: &logs.format, name: "log-format", kind: "WORD", choices: []string{logAuto, logText, logJSON},
			help: "auto, text or json; auto is text on a terminal and JSON otherwise",
		},
		{field: &logs.level, name: "log-level", kind: "WORD", choices: []string{"debug", "info", "warn", "error"}, help: "debug, info, warn or error"},
		{field: &c.Bootstrap, name: "bootstrap", kind: "bool", help: "prepare an empty database for use"},
		{field: &c.RateLimit, name: "rate-limit", kind: "NUMBER", help: "requests a second for each organization; 0 is no limit"},
		{field: &c.TrustedProxies, name: "trusted-proxies", kind: "NETWORKS", help: "proxies whose X-Forwarded-For is used, such as 10.0.0.0/8,192.0.2.7 (default: none)"},
		{field: &c.OpenRate, name: "open-rate", kind: "NUMBER", help: "opens a second from one address; 0 is no limit"},
		{field: &c.OpenBurst, name: "open-burst", kind: "COUNT", help: "opens from one address that may come at once"},
		{field: &c.LinkOpenRate, name: "link-open-rate", kind: "NUMBER", help: "opens a second of one link; 0 is no limit"},
		{field: &c.LinkOpenBurst, name: "link-open-burst", kind: "COUNT", help: "opens of one link that may come at once"},
		{field: &c.UnknownTokenRate, name: "unknown-token-rate", kind: "NUMBER", help: "links a second that do not exist, from one address; 0 is no limit"},
		{field: &c.UnknownTokenBurst, name: "unknown-token-burst", kind: "COUNT", help: "links that do not exist that may be tried at once"},
		{field: &c.VisitsRetention, name: "visits-retention", kind: "DURATION", help: "how long visits are kept, such as 2160h for 90 days"},
		{field: &c.PlayerScript, name: "player-script", kind: "URL", help: "the player that visitors load (default: @anam-ai/js-sdk 4.27.0 from cdn.jsdelivr.net)"},
		{field: &c.PlayerIntegrity, name: "player-integrity", kind: "HASH", help: "the hash of its bytes, such as sha384-... (default: that of the default player)"},
		{field: &c.ValidateResponses, name: "validate-responses", kind: "bool", help: "check the service's own responses against the contract too"},
		{field: &c.ShutdownTimeout, name: "shutdown-timeout", kind: "DURATION", help: "how long requests in flight may take to finish on a stop"},
	}
}

// variable returns the environment variable of the setting.
func (s setting) variable() string {
	return "SHARELINKS_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// title returns what errors call the setting.
func (s setting) title() string {
	if s.secret {
		return s.variable()
	}
	return "--" + s.name + " (" + s.variable() + ")"
}

// addSettings gives a command a flag for each setting.
func addSettings(cmd *cobra.Command, settings []setting) {
	for _, s := range settings {
		if s.secret {
			continue
		}
		f := cmd.Flags().VarPF(&flagValue{setting: s}, s.name, "", s.help+" ["+s.variable()+"]")
		if s.kind == "bool" {
			f.NoOptDefVal = "true"
		}
		if strings.Contains(s.help, "(default:") { // in words
			f.DefValue = ""
		}
		if s.choices != nil {
			complete(cmd, s.name, cobra.FixedCompletions(s.choices, cobra.ShellCompDirectiveNoFileComp))
		}
	}
}

// flagValue is the value of a setting's flag. It keeps an error instead of failing, so that a command can name the errors of
// all its settings at once.
type flagValue struct {
	setting
	err error
}

var _ pflag.Value = (*flagValue)(nil)

func (f *flagValue) Type() string          { return f.kind }
func (f *flagValue) Set(text string) error { f.err = f.parse(text); return nil }

func (f *flagValue) String() string {
	if f.field == nil { // pflag asks a zero value
		return ""
	}
	switch v := reflect.ValueOf(f.field).Elem().Interface().(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// parse reads a value into the field, or says what would be right. Whether a well-formed value is accepted is for
// server.Config.Validate to say.
func (s setting) parse(text string) (err error) {
	if s.choices != nil && !slices.Contains(s.choices, text) {
		last := len(s.choices) - 1
		return fmt.Errorf("must be %s or %s, not %q", strings.Join(s.choices[:last], ", "), s.choices[last], text)
	}
	want := ""
	switch field := s.field.(type) {
	case *string:
		*field = text
	case *bool:
		want = "true or false"
		*field, err = strconv.ParseBool(text)
	case *float64:
		want = "a number"
		*field, err = strconv.ParseFloat(text, 64)
	case *int:
		want = "a whole number"
		*field, err = strconv.Atoi(text)
	case *time.Duration:
		want = "a duration, such as 15s or 1m30s"
		*field, err = time.ParseDuration(text)
	case *[]netip.Prefix:
		want = "networks or addresses, separated by commas, such as 10.0.0.0/8,192.0.2.7"
		*field, err = parseNetworks(text)
	}
	if err != nil {
		return fmt.Errorf("must be %s, not %q", want, text)
	}
	return nil
}

// settle gives the settings that are not on the command line the value that they have in the environment, and returns what
// is wrong with any of them, in their order. An empty variable counts as not set, as in a compose file with ${VARIABLE:-}.
func (p *program) settle(cmd *cobra.Command, settings []setting, c *server.Config) error {
	errs := make([]error, len(settings))
	for i, s := range settings {
		text := p.getenv(s.variable())
		f := cmd.Flags().Lookup(s.name)
		switch {
		case f != nil && f.Changed:
			errs[i] = f.Value.(*flagValue).err
		case text != "":
			errs[i] = s.parse(text)
		}
	}
	if c.AnamAPIKey != "" && !p.given(cmd, settings, personasFlag) {
		c.Personas = server.PersonasAnam // an account has personas
	}
	if joined, ok := c.Validate().(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			e, _ := errors.AsType[*server.FieldError](err)
			field := reflect.ValueOf(c).Elem().FieldByName(e.Field).Addr().Interface()
			i := slices.IndexFunc(settings, func(s setting) bool { return s.field == field })
			if i >= 0 && errs[i] == nil {
				errs[i] = errors.New(e.Detail)
			}
		}
	}
	for i, s := range settings {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", s.title(), errs[i])
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &failure{err: err, hint: cmd.CommandPath() + " --help says what each setting takes", usage: true}
	}
	return nil
}

// given returns whether a setting is on the command line or in the environment.
func (p *program) given(cmd *cobra.Command, settings []setting, name string) bool {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
	return i >= 0 && (cmd.Flags().Changed(name) || p.getenv(settings[i].variable()) != "")
}

func complete(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag is not there: ours to mend
	}
}

var errNetworks = errors.New("not networks")

// parseNetworks reads networks and addresses, separated by commas.
func parseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		network, err := netip.ParsePrefix(word)
		if address, addressErr := netip.ParseAddr(word); addressErr == nil {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil || network.Addr().Is4In6() || network.Addr().Zone() != "" {
			return nil, errNetworks
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}
