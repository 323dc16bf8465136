package main

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sharelinks-dev/sharelinks/server"
)

// setting is a field that a command takes from a flag or from a variable. A flag comes before its variable, and both
// before the value that the field has at first.
type setting struct {
	field any      // pointer to the field
	name  string   // of the flag
	kind  string   // what help calls the value, or secret
	help  string   // what it is
	words []string // the values that are accepted; nil is any
	given bool     // whether there was a flag or a variable
	err   error    // what is wrong with its value
}

// secret is the kind of a setting without a flag: every user of the machine can read the flags of a process.
const secret = "secret"

func newSetting(field any, name, kind, help string, words ...string) *setting {
	return &setting{field: field, name: name, kind: kind, help: help, words: words}
}

func databaseSetting(c *server.Config) *setting {
	return newSetting(&c.Database, "database", "URL", "sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE")
}

// serveSettings declares the settings of serve: for each field its flag, its variable and its help.
func serveSettings(c *server.Config, logs *logOptions) []*setting {
	return []*setting{
		newSetting(&c.Addr, "addr", "HOST:PORT", "where to listen; port 0 picks a free one; or unix:PATH, a socket for a proxy"),
		newSetting(&c.TLSCert, "tls-cert", "FILE", "speak TLS with this certificate, in PEM; it is read again when it changes"),
		newSetting(&c.TLSKey, "tls-key", "FILE", "its key, in PEM"),
		databaseSetting(c),
		newSetting(&c.PublicURL, "public-url", "URL", "where people reach the service (default: where it listens)"),
		newSetting(&c.APIKey, "api-key", secret, ""),
		newSetting(&c.AnamAPIKey, "anam-api-key", secret, ""),
		newSetting(&c.AnamURL, "anam-url", "URL", "where Anam is, for a service with an API key of Anam"),
		newSetting(&c.Personas, "personas", "WORD",
			"local, any or anam: links to added personas, to any id, or to the personas of the account with Anam",
			server.PersonasLocal, server.PersonasAny, server.PersonasAnam),
		newSetting(&logs.format, "log-format", "WORD",
			"auto, text or json; auto is text on a terminal and JSON otherwise", "auto", "text", "json"),
		newSetting(&logs.level, "log-level", "WORD", "debug, info, warn or error", "debug", "info", "warn", "error"),
		newSetting(&c.Bootstrap, "bootstrap", "bool", "prepare an empty database for use"),
		newSetting(&c.Dashboard, "dashboard", "bool", "let people manage links at /dashboard, with an API key"),
		newSetting(&c.SessionAlgorithm, "session-algorithm", "WORD", "EdDSA or ES256: what the service signs its own sessions with",
			server.SessionsEdDSA, server.SessionsES256),
		newSetting(&c.RateLimit, "rate-limit", "NUMBER", "requests a second for each organization; 0 is no limit"),
		newSetting(&c.TrustedProxies, "trusted-proxies", "NETWORKS",
			"proxies whose X-Forwarded-For is used, such as 10.0.0.0/8,192.0.2.7 (default: none)"),
		newSetting(&c.OpenRate, "open-rate", "NUMBER", "opens a second from one address; 0 is no limit"),
		newSetting(&c.OpenBurst, "open-burst", "COUNT", "opens from one address that may come at once"),
		newSetting(&c.LinkOpenRate, "link-open-rate", "NUMBER", "opens a second of one link; 0 is no limit"),
		newSetting(&c.LinkOpenBurst, "link-open-burst", "COUNT", "opens of one link that may come at once"),
		newSetting(&c.UnknownTokenRate, "unknown-token-rate", "NUMBER",
			"unknown tokens a second from one address; 0 is no limit"),
		newSetting(&c.UnknownTokenBurst, "unknown-token-burst", "COUNT", "unknown tokens that may come at once"),
		newSetting(&c.VisitsRetention, "visits-retention", "DURATION", "how long visits are kept; 2160h is 90 days"),
		newSetting(&c.PlayerScript, "player-script", "URL",
			"the player that visitors load (default: @anam-ai/js-sdk 4.27.0 from cdn.jsdelivr.net)"),
		newSetting(&c.PlayerIntegrity, "player-integrity", "HASH",
			"the hash of its bytes, such as sha384-... (default: that of the default player)"),
		newSetting(&c.ValidateResponses, "validate-responses", "bool", "check responses against the contract too"),
		newSetting(&c.Drain, "drain", "DURATION", "how long a stop waits, not ready, for balancers to notice"),
		newSetting(&c.ShutdownTimeout, "shutdown-timeout", "DURATION", "how long a stop waits for requests in flight"),
	}
}

// variable returns the environment variable of the setting.
func (s *setting) variable() string {
	return "SHARELINKS_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

// addSettings adds a flag for each setting that is no secret to one of the flag sets of a command.
func addSettings(cmd *cobra.Command, flags *pflag.FlagSet, settings []*setting) {
	for _, s := range settings {
		if s.kind == secret {
			continue
		}
		f := flags.VarPF(s, s.name, "", s.help+" ["+s.variable()+"]")
		if s.kind == "bool" {
			f.NoOptDefVal = "true"
		}
		if strings.Contains(s.help, "(default:") { // in words
			f.DefValue = ""
		}
		if s.words != nil {
			completeWords(cmd, s.name, s.words...)
		}
	}
}

// completeWords completes the value of a flag with these words.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	complete := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc(flag, complete))
}

// Type returns what help calls the value.
func (s *setting) Type() string { return s.kind }

// String returns the value of the field.
func (s *setting) String() string {
	if s.field == nil { // pflag asks a zero value
		return ""
	}
	return fmt.Sprint(reflect.ValueOf(s.field).Elem())
}

// Set sets the field. It keeps an error instead of returning it, so that configure can return those of all settings.
func (s *setting) Set(text string) error {
	s.given, s.err = true, s.parse(text)
	return nil
}

// parse reads a value into the field. Whether a well-formed value is accepted is up to server.Config.Validate.
func (s *setting) parse(text string) (err error) {
	if s.words != nil && !slices.Contains(s.words, text) {
		last := len(s.words) - 1
		return fmt.Errorf("must be %s or %s, not %q", strings.Join(s.words[:last], ", "), s.words[last], text)
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
		want = "a duration, such as 15s, 1m30s or 90d"
		*field, err = parseDuration(text)
	case *[]netip.Prefix:
		want = "networks or addresses, separated by commas, such as 10.0.0.0/8,192.0.2.7"
		*field, err = parseNetworks(text)
	}
	if err != nil {
		return fmt.Errorf("must be %s, not %q", want, text)
	}
	return nil
}

// configure sets from the environment what no flag has set, and returns everything that is wrong with the settings, in
// their order. An empty variable counts as not set, as in a compose file with ${VARIABLE:-}.
func (p *program) configure(cmd *cobra.Command, settings []*setting, c *server.Config) error {
	for _, s := range settings {
		text := p.getenv(s.variable())
		switch {
		case s.given:
		case text != "":
			_ = s.Set(text)
		case s.field == &c.Personas && c.AnamAPIKey != "": // that key comes before it in the order
			c.Personas = server.PersonasAnam
		}
	}
	invalid := map[any]string{} // by pointer to the field
	if joined, ok := c.Validate().(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			e, _ := errors.AsType[*server.FieldError](err)
			invalid[reflect.ValueOf(c).Elem().FieldByName(e.Field).Addr().Interface()] = e.Detail
		}
	}
	var errs []error
	for _, s := range settings {
		name := s.variable()
		if s.kind != secret {
			name = "--" + s.name + " (" + name + ")"
		}
		if s.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, s.err))
		} else if detail := invalid[s.field]; detail != "" {
			errs = append(errs, fmt.Errorf("%s: %s", name, detail))
		}
	}
	if errs == nil {
		return nil
	}
	hint := cmd.CommandPath() + " --help says what each setting takes"
	return &failure{err: errors.Join(errs...), hint: hint, exit: exitUsage}
}

var weeksAndDays = regexp.MustCompile(`[0-9.]+[wd]`)

// parseDuration reads what time.ParseDuration does, and weeks and days of 24 hours: 2w, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	hours := map[string]float64{"w": 7 * 24, "d": 24}
	return time.ParseDuration(weeksAndDays.ReplaceAllStringFunc(text, func(part string) string {
		last := len(part) - 1
		n, err := strconv.ParseFloat(part[:last], 64)
		if err != nil {
			return part
		}
		return strconv.FormatFloat(n*hours[part[last:]], 'f', -1, 64) + "h"
	}))
}

// parseNetworks reads networks and addresses, separated by commas.
func parseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		network, err := netip.ParsePrefix(word)
		if address, addressErr := netip.ParseAddr(word); addressErr == nil {
			network, err = address.Prefix(address.BitLen())
		}
		if err != nil || network.Addr().Is4In6() {
			return nil, errors.New("not a network")
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}
