package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
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
	port, err := freePort()
	if err != nil {
		return err
	}
	fmt.Fprintf(o.table, "%s, on %s\n", o.command, on)
	for _, peer := range []struct {
		name    string
		command []string
	}{
		{"Prism's mock", []string{o.prism, "mock", "--port", port, o.spec}},
		{"sharelinks stub", []string{o.binary, "stub", "--addr", "127.0.0.1:0", "--key", key}},
		{"sharelinks serve", []string{o.binary, "serve", "--addr", "127.0.0.1:0", "--database", "sqlite:" + filepath.Join(dir, "peers.db"), "--log-level", "error"}},
	} {
		server, err := start(ctx, dir, peer.command...)
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

// freePort returns a port that is free now: Prism does not say which one it took.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return strconv.Itoa(port), listener.Close()
}
