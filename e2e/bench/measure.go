package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// cell is a row of the table: ours and the ceiling, measured in turn.
type cell struct {
	engine      string
	links       int
	connections int
	operation   string // its title
	ours, bare  result // medians
}

func (c cell) String() string {
	return fmt.Sprintf("%s, %s, %d links, %d connections", c.operation, c.engine, c.links, c.connections)
}

func (c cell) ratio() float64 { return c.ours.rate / c.bare.rate }

// measure returns all cells that the options ask for.
func measure(ctx context.Context, o options, dir string) ([]cell, error) {
	var cells []cell
	bare, err := start(ctx, dir, o.bare...)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	databases := map[string]func(name string) (url string, err error){
		"sqlite": func(name string) (string, error) { return "sqlite:" + filepath.Join(dir, name+".db"), nil },
	}
	if slices.Contains(o.engines.values, "postgres") {
		postgres, err := pgtest.StartDurable()
		if err != nil {
			return nil, err
		}
		defer postgres.Stop() //nolint:errcheck // what it leaves is in a temporary directory
		databases["postgres"] = func(name string) (string, error) {
			return postgres.URL(name), createDatabase(ctx, postgres.URL("postgres"), name)
		}
	}
	for _, engine := range o.engines.values {
		for _, links := range o.links {
			database, err := databases[engine](fmt.Sprintf("links_%d", links))
			if err != nil {
				return nil, err
			}
			here, err := measureDatabase(ctx, o, dir, bare, database, cell{engine: engine, links: links})
			if err != nil {
				return nil, err
			}
			cells = append(cells, here...)
		}
	}
	return cells, nil
}

// measureDatabase fills a database and measures the cells of it.
func measureDatabase(ctx context.Context, o options, dir string, bare *process, database string, of cell) ([]cell, error) {
	fmt.Fprintf(o.progress, "%s: making %d links\n", of.engine, of.links)
	serve := []string{
		o.binary, "serve", "--addr", "127.0.0.1:0", "--database", database, "--log-level", "error", "--rate-limit", "0",
		// All visitors come from one address here, and it is not the limits that are measured.
		"--open-rate", "0", "--link-open-rate", "0",
	}
	server, err := start(ctx, dir, serve...) // for its tables and its first organization
	if err != nil {
		return nil, err
	}
	server.stop()
	some, err := seed(ctx, o.binary, database, of.links)
	if err != nil {
		return nil, fmt.Errorf("%s: make %d links: %w", of.engine, of.links, err)
	}
	if server, err = start(ctx, dir, serve...); err != nil {
		return nil, err
	}
	defer server.stop()

	var cells []cell
	for _, op := range operations {
		if !slices.Contains(o.operations.values, op.name) {
			continue
		}
		for _, connections := range o.connections {
			c := of
			c.operation, c.connections = op.title, connections
			load := wrk{dir: dir, connections: connections, seconds: o.seconds}
			ours, ceiling, err := inTurn(ctx, o.rounds, load, server, op.requests(some), bare)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c, err)
			}
			c.ours, c.bare = ours, ceiling
			fmt.Fprintf(o.progress, "%s: %.0f/s, %.2f of bare Echo\n", c, c.ours.rate, c.ratio())
			cells = append(cells, c)
		}
	}
	return cells, nil
}

// inTurn measures the requests, and creates of the bare Echo handler, one after the other, and returns the medians: what
// disturbs the machine for a while disturbs both.
func inTurn(ctx context.Context, rounds int, load wrk, server *process, requests requests, bare *process) (ours, ceiling result, err error) {
	if err := requests.try(ctx, server.url); err != nil {
		return ours, ceiling, err
	}
	var all [2][]result
	for range rounds {
		for i, p := range []*process{bare, server} {
			r := create
			if p == server {
				r = requests
			}
			one, err := load.run(ctx, p, r)
			if err != nil {
				return ours, ceiling, err
			}
			all[i] = append(all[i], one)
		}
	}
	return medians(all[1]), medians(all[0]), nil
}

func medians(results []result) result {
	median := func(field func(result) float64) float64 {
		var values []float64
		for _, r := range results {
			values = append(values, field(r))
		}
		slices.Sort(values)
		return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
	}
	return result{
		rate: median(func(r result) float64 { return r.rate }),
		p50:  median(func(r result) float64 { return r.p50 }), p99: median(func(r result) float64 { return r.p99 }),
		cpu: median(func(r result) float64 { return r.cpu }), memory: median(func(r result) float64 { return r.memory }),
	}
}
