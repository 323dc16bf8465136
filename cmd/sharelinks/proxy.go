package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
	"github.com/sharelinks-dev/sharelinks/internal/proxy"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// The profiles of proxy.
const (
	profileUpstream = "upstream"
	profileStrict   = "strict"
)

// proxyFlags are the flags of proxy.
type proxyFlags struct {
	upstream, addr, profile, record string
	failOnDrift, allowRemote        bool
}

func (p *program) proxy() *cobra.Command {
	var flags proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Check a client and a server against the contract",
		Long: `Proxy stands between a client and a real server, forwards what they say untouched, and prints where
either of them breaks the contract: each drift once, with its place. The first line of its output is
its URL, for the client to use as its base URL. When a signal stops it (SIGINT, SIGTERM) it prints
how often it saw each drift to standard error.

The profile upstream forgives what this contract adds to Anam's API: errors as problems, the headers
X-Request-Id and Idempotency-Key-Window, the field url. The profile strict demands all of it.`,
		Example: `  sharelinks proxy --upstream https://api.anam.ai
  sharelinks proxy --upstream https://api.anam.ai --record calls.har --fail-on-drift
  sharelinks proxy --upstream http://127.0.0.1:8080 --profile strict`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.runProxy(cmd.Context(), flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.upstream, "upstream", "", "the server, a `URL`; always needed")
	f.StringVar(&flags.addr, "addr", "127.0.0.1:4011", "where to listen, `HOST:PORT`; port 0 picks a free one")
	f.StringVar(&flags.profile, "profile", profileUpstream, "upstream or strict, a `WORD`: what the server has to comply with")
	f.StringVar(&flags.record, "record", "", "write all exchanges to this `FILE` as HAR, without keys and tokens")
	f.BoolVar(&flags.failOnDrift, "fail-on-drift", false, "exit with code 1 if there was a drift")
	f.BoolVar(&flags.allowRemote, "allow-remote", false, "listen on an address that other machines reach; API keys pass unencrypted")
	completeWords(cmd, "profile", profileUpstream, profileStrict)
	return cmd
}

// runProxy forwards until ctx ends.
func (p *program) runProxy(ctx context.Context, flags proxyFlags) (err error) {
	upstream, err := url.Parse(flags.upstream)
	if err != nil || upstream.Scheme != "http" && upstream.Scheme != "https" || upstream.Host == "" ||
		upstream.User != nil || upstream.RawQuery != "" || upstream.Fragment != "" {
		return usage("sharelinks proxy --upstream https://api.anam.ai", "--upstream: must be the URL of a server, http or https, without query and user")
	}
	if flags.profile != profileUpstream && flags.profile != profileStrict {
		return usage("", "--profile: must be upstream or strict, not %q", flags.profile)
	}
	if err := checkLoopback(flags.addr, flags.allowRemote); err != nil {
		return err
	}
	options := proxy.Options{Upstream: upstream, Out: p.stdout, Log: p.stderr}
	options.Contract, err = contract.Load(sharelinks.SpecJSON(), contract.Options{
		Formats:  map[string]contract.Format{"origin": sharelink.CheckOrigin},
		Upstream: flags.profile == profileUpstream,
		Closed:   true,
	})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", flags.addr)
	if err != nil {
		return listenFailure(fmt.Errorf("listen: %w", err))
	}
	if flags.record != "" {
		file, err := openRecord(flags.record)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		options.Record = file
	}
	handler, err := proxy.New(options)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := p.write("http://" + listener.Addr().String() + "\n"); err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := forward(ctx, listener, handler); err != nil {
		return err
	}
	fmt.Fprint(p.stderr, handler.Summary())
	if err := handler.RecordError(); err != nil {
		return fmt.Errorf("the record is not complete: %w", err)
	}
	if n := len(handler.Drifts()); n > 0 && flags.failOnDrift {
		return fmt.Errorf("distinct drifts: %d", n)
	}
	return nil
}

// openRecord returns an empty file that only its owner can read, also if it was there before: what is in it is no secret,
// and still nobody else's.
func openRecord(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the record: %w", err)
	}
	return file, file.Chmod(0o600)
}

// forwardGrace is how long a stop waits for exchanges that have begun.
const forwardGrace = 5 * time.Second

// forward serves until ctx ends, and then lets what has begun finish.
func forward(ctx context.Context, listener net.Listener, handler http.Handler) error {
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), forwardGrace)
	defer cancel()
	if s.Shutdown(grace) != nil {
		return s.Close() // an upstream that takes longer is not a failure of the proxy
	}
	return nil
}
