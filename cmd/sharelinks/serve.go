package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/server"
)

// apiKeyVariable has no flag: every user of the machine can read the flags of a process.
const apiKeyVariable = "SHARELINKS_API_KEY"

// personasFlag is the setting whose default depends on whether there is an account with Anam.
const personasFlag = "personas"

func (p *program) serve() *cobra.Command {
	config := server.DefaultConfig()
	var format, level string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `Serve runs the service until it is told to stop (SIGINT, SIGTERM); requests in flight are finished.
When it is ready it prints one line to standard output, "listening on http://HOST:PORT". Its log
goes to standard error. An empty database gets the organization "default", the persona Cara and an
API key, which is shown once, with a request to try it on.

Each flag can be given as the variable named beside it; a flag comes before its variable.
` + apiKeyVariable + `, a variable only, is accepted as a key of the organization "default".
With an API key of Anam in the variable ` + keyVariable + `, links lead to the personas of that account and
whoever opens one gets a session of Anam's; ` + serverVariable + ` says where Anam is. Without, the service
signs sessions of its own.`,
		Example: `  sharelinks serve
  sharelinks serve --addr 127.0.0.1:0 --database sqlite:/var/lib/sharelinks/sharelinks.db
  sharelinks serve --database postgres://db/sharelinks --public-url https://links.example.com`,
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			faults := p.settle(cmd)
			config.APIKey = p.getenv(apiKeyVariable)
			if fault := faultOf("APIKey", func(c *server.Config) { c.APIKey = config.APIKey }); fault != nil {
				faults = append(faults, fmt.Errorf("%s: %w", apiKeyVariable, fault))
			}
			faults = append(faults, p.settleAnam(cmd, &config)...)
			if fault := faultOf("PlayerIntegrity", func(c *server.Config) { c.PlayerScript = config.PlayerScript }); fault != nil && config.PlayerIntegrity == "" {
				faults = append(faults, fmt.Errorf("--player-integrity (%s): %w", variable("player-integrity"), fault))
			}
			if err := misconfigured(cmd, faults); err != nil {
				return err
			}
			config.Version = moduleVersion()
			config.Logger = newLogger(p.stderr, format, level)
			return p.runServer(cmd.Context(), config)
		},
	}
	cmd.Flags().SortFlags = false

	// field adds a setting that is a field of the server's configuration. The server says what is right for it.
	field := func(name, kind, byDefault, description string, set func(c *server.Config, text string) error) {
		addSetting(cmd, name, kind, byDefault, description, func(text string) error {
			if err := set(&config, text); err != nil {
				return err
			}
			return faultOf(strings.ReplaceAll(name, "-", ""), func(c *server.Config) { _ = set(c, text) })
		})
	}
	field("addr", "HOST:PORT", config.Addr, "where to listen; port 0 picks a free one",
		func(c *server.Config, text string) error { c.Addr = text; return nil })
	field("database", "URL", config.Database, databaseDescription,
		func(c *server.Config, text string) error { c.Database = text; return nil })
	field("public-url", "URL", config.PublicURL, "where people reach the service (default: the address it listens on)",
		func(c *server.Config, text string) error { c.PublicURL = text; return nil })
	addChoice(cmd, "log-format", logAuto, "auto, text or json; auto is text on a terminal and JSON otherwise", &format,
		logAuto, logText, logJSON)
	addChoice(cmd, "log-level", "info", "debug, info, warn or error", &level, "debug", "info", "warn", "error")
	addChoice(cmd, personasFlag, config.Personas, "local, any or anam: links to personas that were added, to every id, or to those of the account with Anam", &config.Personas,
		server.PersonasLocal, server.PersonasAny, server.PersonasAnam)
	field("bootstrap", "bool", strconv.FormatBool(config.Bootstrap), "prepare an empty database for use",
		func(c *server.Config, text string) error { return parseBool(text, &c.Bootstrap) })
	field("rate-limit", "NUMBER", number(config.RateLimit),
		"requests a second for each organization; 0 is no limit",
		func(c *server.Config, text string) error { return parseNumber(text, &c.RateLimit) })
	field("trusted-proxies", "NETWORKS", "", "whose X-Forwarded-For is believed, as 10.0.0.0/8,192.0.2.7 (default: nobody's)",
		func(c *server.Config, text string) error { return parseNetworks(text, &c.TrustedProxies) })
	field("open-rate", "NUMBER", number(config.OpenRate), "opens a second from one address; 0 is no limit",
		func(c *server.Config, text string) error { return parseNumber(text, &c.OpenRate) })
	field("open-burst", "COUNT", strconv.Itoa(config.OpenBurst), "opens from one address that may come at once",
		func(c *server.Config, text string) error { return parseCount(text, &c.OpenBurst) })
	field("link-open-rate", "NUMBER", number(config.LinkOpenRate), "opens a second of one link; 0 is no limit",
		func(c *server.Config, text string) error { return parseNumber(text, &c.LinkOpenRate) })
	field("link-open-burst", "COUNT", strconv.Itoa(config.LinkOpenBurst), "opens of one link that may come at once",
		func(c *server.Config, text string) error { return parseCount(text, &c.LinkOpenBurst) })
	field("unknown-token-rate", "NUMBER", number(config.UnknownTokenRate), "links a second that do not exist, from one address; 0 is no limit",
		func(c *server.Config, text string) error { return parseNumber(text, &c.UnknownTokenRate) })
	field("unknown-token-burst", "COUNT", strconv.Itoa(config.UnknownTokenBurst), "links that do not exist that may be tried at once",
		func(c *server.Config, text string) error { return parseCount(text, &c.UnknownTokenBurst) })
	field("visits-retention", "DURATION", config.VisitsRetention.String(), "how long visits are remembered, as 2160h for 90 days",
		func(c *server.Config, text string) error { return parseDuration(text, &c.VisitsRetention) })
	field("player-script", "URL", "", "the player that visitors load (default: @anam-ai/js-sdk 4.27.0 from cdn.jsdelivr.net)",
		func(c *server.Config, text string) error { c.PlayerScript = text; return nil })
	field("player-integrity", "HASH", "", "what its bytes must be, as sha384-... (default: those of the default player)",
		func(c *server.Config, text string) error { c.PlayerIntegrity = text; return nil })
	field("validate-responses", "bool", strconv.FormatBool(config.ValidateResponses), "hold the service's own responses to the contract too",
		func(c *server.Config, text string) error { return parseBool(text, &c.ValidateResponses) })
	field("shutdown-timeout", "DURATION", config.ShutdownTimeout.String(), "how long requests in flight may take to finish on a stop",
		func(c *server.Config, text string) error { return parseDuration(text, &c.ShutdownTimeout) })
	return cmd
}

// settleAnam takes the account with Anam from the environment, where its client has it too, and returns its faults. Who
// has one wants its personas, unless something else was said.
func (p *program) settleAnam(cmd *cobra.Command, config *server.Config) (faults []error) {
	config.AnamAPIKey = p.getenv(keyVariable)
	if fault := faultOf("AnamAPIKey", func(c *server.Config) { c.AnamAPIKey = config.AnamAPIKey }); fault != nil {
		faults = append(faults, fmt.Errorf("%s: %w", keyVariable, fault))
	}
	if config.AnamAPIKey == "" {
		if config.Personas == server.PersonasAnam {
			faults = append(faults, fmt.Errorf("--%s (%s): %s needs an API key of Anam in the variable %s", personasFlag, variable(personasFlag), server.PersonasAnam, keyVariable))
		}
		return faults
	}
	if !cmd.Flags().Changed(personasFlag) && p.getenv(variable(personasFlag)) == "" {
		config.Personas = server.PersonasAnam
	}
	if text := p.getenv(serverVariable); text != "" {
		config.AnamURL = text
	}
	if fault := faultOf("AnamURL", func(c *server.Config) {
		c.AnamAPIKey, c.AnamURL, c.Addr, c.PublicURL = "x", config.AnamURL, config.Addr, config.PublicURL
	}); fault != nil && len(faults) == 0 {
		faults = append(faults, fmt.Errorf("%s: %w", serverVariable, fault))
	}
	return faults
}

// number is a number as a person writes it.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// runServer serves until ctx ends.
func (p *program) runServer(ctx context.Context, config server.Config) error {
	s, err := server.New(ctx, config)
	if err != nil {
		return err
	}
	key, first := s.FirstStart()
	err = s.Run(ctx, func(url string) {
		if first {
			p.showFirstStart(key, s.PublicURL())
			first = false
		}
		fmt.Fprintf(p.stdout, "listening on %s\n", url)
	})
	if first {
		// The key is in the database and nowhere else: a server that cannot listen must not lose it.
		p.showFirstStart(key, s.PublicURL())
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return &refusal{err: err, hint: "another server may be running there; --addr 127.0.0.1:0 picks a free port"}
	}
	return err
}

// showFirstStart tells the person at the first start how to begin. It is not logged: a log is kept, and the key is a
// secret. Without a key it speaks of the configured one by the name of its variable.
func (p *program) showFirstStart(key, url string) {
	has, authorization := ".\nIts API key is the one in "+apiKeyVariable+".", `"Authorization: Bearer $`+apiKeyVariable+`"`
	if key != "" {
		has = " and this API key,\nwhich is not shown again:\n\n    " + key
		authorization = "'Authorization: Bearer " + key + "'"
	}
	fmt.Fprintf(p.stderr, `
The database was empty. It now has the organization "default", the persona Cara%s

A first share link:

curl --request POST \
  --url %s \
  --header %s \
  --header 'Content-Type: application/json' \
  --data '
{
  "personaId": "00000000-0000-0000-0000-000000000000",
  "expiresInHours": 168,
  "usageLimit": 10
}
'

`, has, shellQuoted(url+"/v1/share-links"), authorization)
}

// shellQuoted is a text as one word of a POSIX shell.
func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// faultOf returns what the server says of one field, in a configuration that is the default but for one change, without the
// name that it has for the field: the caller has its own. What it says of other fields may be mended by other settings.
func faultOf(field string, change func(*server.Config)) error {
	c := server.DefaultConfig()
	change(&c)
	joined, _ := c.Validate().(interface{ Unwrap() []error })
	if joined == nil {
		return nil
	}
	for _, err := range joined.Unwrap() {
		if fault, ok := errors.AsType[*server.Fault](err); ok && strings.EqualFold(fault.Field, field) {
			return errors.New(fault.Detail)
		}
	}
	return nil
}
