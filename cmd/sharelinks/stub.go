package main

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/server"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

func (p *program) stub() *cobra.Command {
	var addr, key, readOnlyKey, seed, personas string
	var anyKey, lenient, allowRemote, verbose bool
	cmd := &cobra.Command{
		Use:   "stub",
		Short: "Run a share-link server for tests",
		Long: `Stub runs the service on a store in memory, for tests in any language: as strict as the contract,
with a clock, faults, a journal of calls and snapshots under /_stub/, described at
/_stub/openapi.yaml. The first line that it prints is its URL. Each answer has the header
Sharelinks-Stub. A call can ask for its own fault: "Prefer: code=429, wait=2".`,
		Example: `  sharelinks stub
  sharelinks stub --addr 127.0.0.1:0 --seed links.yaml
  curl -d '{"seconds": 691200}' -H 'Content-Type: application/json' 127.0.0.1:4010/_stub/clock`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLoopback(addr, allowRemote); err != nil {
				return err
			}
			if !slices.Contains([]string{server.PersonasAny, server.PersonasLocal}, personas) {
				return usage("", "--personas: must be any or local, not %q", personas)
			}
			level := "warn"
			if verbose {
				level = "info"
			}
			logger := newLogger(p.stderr, logOptions{format: "auto", level: level})
			options := []sharelinkstest.Option{
				sharelinkstest.WithAddr(addr), sharelinkstest.WithKey(key), sharelinkstest.WithReadOnlyKey(readOnlyKey),
				sharelinkstest.WithRunningClock(), sharelinkstest.WithVersion(moduleVersion()), sharelinkstest.WithLogger(logger),
			}
			if anyKey {
				options = append(options, sharelinkstest.WithAnyKey())
			}
			if lenient {
				options = append(options, sharelinkstest.WithLenient())
			}
			if personas == server.PersonasLocal {
				options = append(options, sharelinkstest.WithLocalPersonas())
			}
			if seed != "" {
				document, err := os.ReadFile(seed)
				if err != nil {
					return usage("--seed FILE names a YAML or JSON file", "read the seed: %w", err)
				}
				options = append(options, sharelinkstest.WithSeed(document))
			}
			return p.runStub(cmd.Context(), options)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&addr, "addr", "127.0.0.1:4010", "where to listen, `HOST:PORT`; port 0 picks a free one")
	flags.StringVar(&key, "key", "test-key", "the API `KEY`; any other is refused")
	flags.StringVar(&readOnlyKey, "read-only-key", "", "another API `KEY`, which may read and makes no changes")
	flags.BoolVar(&anyKey, "any-key", false, "accept any API key")
	flags.StringVar(&seed, "seed", "", "a YAML or JSON `FILE` with personas and links to begin with")
	flags.StringVar(&personas, "personas", server.PersonasAny, "any or local, a `WORD`: links to any id, or to the seed's personas")
	flags.BoolVar(&lenient, "lenient", false, "ignore unknown fields instead of refusing them")
	flags.BoolVar(&allowRemote, "allow-remote", false, "listen on an address that other machines reach")
	flags.BoolVar(&verbose, "verbose", false, "log each request")
	completeWords(cmd, "personas", server.PersonasAny, server.PersonasLocal)
	return cmd
}

// runStub serves until ctx ends.
func (p *program) runStub(ctx context.Context, options []sharelinkstest.Option) error {
	s, err := sharelinkstest.Start(options...)
	if err != nil {
		return listenFailure(err)
	}
	if err := p.write(s.URL + "\n"); err != nil {
		return errors.Join(err, s.Close())
	}
	<-ctx.Done()
	return s.Close()
}

// checkLoopback returns an error for an address that other machines reach, unless that is allowed.
func checkLoopback(addr string, allowRemote bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return usage("", "--addr: must be HOST:PORT, such as 127.0.0.1:4010, not %q", addr)
	}
	if ip := net.ParseIP(host); allowRemote || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return usage("--allow-remote lets other machines reach it", "--addr: %q is not an address of loopback only", addr)
}
