package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/server"
)

// gcPercent is what GOGC is if it is not set. What a server keeps is small, so collecting it less often takes 10 to 20 MiB and
// saves a fifth of the processor time of reads, a tenth of that of writes.
const gcPercent = 400

func (p *program) serve() *cobra.Command {
	config := server.DefaultConfig()
	logs := logOptions{format: "auto", level: "info"}
	settings := serveSettings(&config, &logs)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `Serve runs the service until a signal stops it (SIGINT, SIGTERM), and then finishes the requests in
flight. When it is ready it prints one line to standard output, "listening on http://HOST:PORT", or
https, or unix:PATH. Its log goes to standard error. An empty database gets the organization
"default", the persona Cara and an API key, which is shown once, with a first request.

Each flag can be given as the variable in brackets; a flag comes before its variable. Two settings
are variables only, because every user of the machine can read the flags of a process:
  SHARELINKS_API_KEY       accepted as a key of the organization "default"
  SHARELINKS_ANAM_API_KEY  an API key of Anam: links lead to the personas of that account, and an
                           open is exchanged for a session of Anam's; without it the service signs
                           sessions of its own`,
		Example: `  sharelinks serve
  sharelinks serve --addr 127.0.0.1:0 --database sqlite:/var/lib/sharelinks/sharelinks.db
  sharelinks serve --database postgres://db/sharelinks --public-url https://links.example.com
  sharelinks serve --addr :443 --tls-cert tls.crt --tls-key tls.key --public-url https://example.com
  sharelinks serve --addr unix:/run/sharelinks/http.sock --public-url https://links.example.com`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.configure(cmd, settings, &config); err != nil {
				return err
			}
			if p.getenv("GOGC") == "" {
				debug.SetGCPercent(gcPercent)
			}
			config.Version = moduleVersion()
			config.Logger = newLogger(p.stderr, logs)
			if p.getenv(keyVariable) != "" || p.getenv(serverVariable) != "" {
				config.Logger.Info("ANAM_API_KEY and ANAM_API_URL are for clients and ignored here; " +
					"SHARELINKS_ANAM_API_KEY and --anam-url set an upstream")
			}
			return p.runServer(cmd.Context(), config)
		},
	}
	addSettings(cmd, cmd.Flags(), settings)
	return cmd
}

// runServer serves until ctx ends.
func (p *program) runServer(ctx context.Context, config server.Config) error {
	if err := config.Validate(); err != nil {
		return err
	}
	// Before anything is made: what another server has the address for would be printed with that server's URL.
	listener, err := server.Listen(ctx, config.Addr)
	if err != nil {
		return listenFailure(err)
	}
	defer listener.Close() // if the server cannot start
	s, err := server.New(ctx, config)
	if err != nil {
		return err
	}
	config.Logger.Info("personas come from", "source", map[string]string{
		server.PersonasLocal: "this database, where sharelinks persona add puts them",
		server.PersonasAny:   "nowhere: every id is accepted",
		server.PersonasAnam:  "the account of SHARELINKS_ANAM_API_KEY with Anam, at " + config.AnamURL,
	}[config.Personas])
	return s.Serve(ctx, listener, func(listening string) {
		if key, first := s.FirstStart(); first {
			p.showFirstStart(config, key, listening)
		}
		fmt.Fprintf(p.stdout, "listening on %s\n", listening)
	})
}

// listenFailure adds a hint to the error of a server that could not listen.
func listenFailure(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &failure{err: err, hint: "another server may be running there; --addr 127.0.0.1:0 picks a free port"}
	}
	return err
}

// showFirstStart prints a first request with the key, or with the variable of the configured key if key is "". It does
// not log them: a log is kept, and the key is a secret.
func (p *program) showFirstStart(config server.Config, key, listening string) {
	has, authorization := ".\nIts API key is the one in SHARELINKS_API_KEY.", `"Authorization: Bearer ${SHARELINKS_API_KEY:?}"`
	if key != "" {
		has = " and this API key,\nwhich is not shown again:\n\n    " + key
		authorization = "'Authorization: Bearer " + key + "'"
	}
	inBrowser := ""
	if config.Dashboard {
		inBrowser = "In a browser, with that key: " + strings.TrimRight(cmp.Or(config.PublicURL, listening), "/") + "/dashboard\n\n"
	}
	if config.Personas == server.PersonasAnam { // which has no Cara, and whose ids are not known here
		fmt.Fprintf(p.stderr, `
The database was empty. It now has the organization "default"%s

Links lead to the personas of the account with Anam: sharelinks link create --persona NAME

%s`, has, inBrowser)
		return
	}
	fmt.Fprintf(p.stderr, `
The database was empty. It now has the organization "default", the persona Cara%s

A first share link, from a second terminal:

curl --request POST \
  %s \
  --header %s \
  --header 'Content-Type: application/json' \
  --data '
{
  "personaId": "00000000-0000-0000-0000-000000000000",
  "expiresInHours": 168,
  "usageLimit": 10
}
'

%s`, has, curlOptions(config, listening), authorization, inBrowser)
}

// curlOptions are those with which curl reaches a server from any directory of its machine, also before a proxy and DNS lead to it.
func curlOptions(config server.Config, listening string) (options string) {
	file := func(path string) string {
		absolute, _ := filepath.Abs(path) // "" if there is no working directory
		return shellQuoted(cmp.Or(absolute, path))
	}
	if path, isSocket := strings.CutPrefix(listening, "unix:"); isSocket {
		options, listening = "--unix-socket "+file(path)+" ", "http://localhost"
	}
	if config.TLSCert != "" {
		options += "--cacert " + file(config.TLSCert) + " " // it may be self-signed
		if public, err := url.Parse(config.PublicURL); err == nil && public.Host != "" {
			options += "--connect-to " + shellQuoted("::"+strings.TrimPrefix(listening, "https://")) + " "
			listening = "https://" + public.Host
		}
	}
	return options + "--url " + shellQuoted(listening+"/v1/share-links")
}

// shellQuoted returns a text as one word of a POSIX shell.
func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
