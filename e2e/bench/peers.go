package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// measurePeers measures creates of Prism's mock and of ours, beside bare Echo, and prints a line for each.
func measurePeers(ctx context.Context, o options, dir string) error {
	on, err := machine()
	if err != nil {
		return err
	}
	bare, err := start(ctx, dir, o.bare...)
	if err != nil {
		return err
	}
	defer bare.stop()
	prism, err := freeAddress()
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(prism, ":")
	fmt.Fprintf(o.table, "%s on %s\n", o.command, on)
	for _, peer := range []struct {
		name, address string
		command       []string
	}{
		// All of them log errors only. Prism then does not say when it is ready.
		{"Prism's mock", prism, []string{o.prism, "mock", "--port", port, "--verboseLevel", "error", o.spec}},
		{"sharelinks stub", "", []string{o.binary, "stub", "--addr", "127.0.0.1:0", "--key", key}},
		{"sharelinks serve", "", []string{o.binary, "serve", "--addr", "127.0.0.1:0", "--database", "sqlite:" + filepath.Join(dir, "peers.db"), "--log-level", "error", "--rate-limit", "0"}},
	} {
		server, err := startAt(ctx, dir, peer.address, peer.command...)
		if err != nil {
			return err
		}
		for _, connections := range o.connections {
			var ours, ceiling result
			if ours, ceiling, err = inTurn(ctx, o.rounds, wrk{dir, connections, o.seconds}, server, create, bare); err != nil {
				break
			}
			fmt.Fprintf(o.table, "%-16s  %3d connections  %8s creates/s  %.2f of bare Echo's %s  p99 %.2f ms  CPU %.0f µs\n", peer.name, connections,
				thousands(ours.rate), ours.rate/ceiling.rate, thousands(ceiling.rate), ours.p99, ours.cpu)
		}
		server.stop()
		if err != nil {
			return fmt.Errorf("%s: %w", peer.name, err)
		}
	}
	return nil
}

// freeAddress returns an address of loopback that is free now: Prism does not say which port it took.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
