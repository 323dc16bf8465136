// Command bench measures the sharelinks binary over loopback with wrk, beside a bare Echo handler in turn on the same
// machine. It prints a table; with -docs it writes the table and two plots into the documentation.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

type options struct {
	engines, operations words
	links, connections  numbers
	rounds              int
	seconds             float64
	binary, docs        string
	prism, spec         string
	command             string    // that has these options
	bare                []string  // the command of the bare Echo handler
	progress, table     io.Writer // what happens, and the results
}

func main() {
	self, err := os.Executable()
	if err != nil {
		fail(err)
	}
	o := options{
		engines: all("sqlite", "postgres"), links: numbers{1000, 1_000_000}, connections: numbers{16, 64}, operations: all(operationNames()...),
		command: "make bench", bare: []string{self, "-bare"}, progress: os.Stderr, table: os.Stdout,
	}
	flag.Var(&o.engines, "engines", "sqlite, postgres or both, separated by commas")
	flag.Var(&o.links, "links", "how many links there are at first")
	flag.Var(&o.connections, "connections", "how many connections there are at a time")
	flag.Var(&o.operations, "operations", "which operations are measured")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each of the two is measured; the median counts")
	flag.Float64Var(&o.seconds, "seconds", 1, "how long each time")
	flag.StringVar(&o.binary, "binary", "bin/sharelinks", "the sharelinks binary to measure")
	flag.StringVar(&o.docs, "docs", "", "directory of performance.md: write the table and the plots there too")
	flag.StringVar(&o.prism, "prism", "", "measure only creates, beside the mock of this Prism program")
	flag.StringVar(&o.spec, "spec", "openapi.yaml", "the contract that the mock serves")
	bare := flag.Bool("bare", false, "serve the bare Echo handler (what this command starts by itself)")
	flag.Parse()
	if o.prism != "" {
		o.command = "make bench-peers"
	}
	var chosen []string
	flag.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"binary", "docs", "prism", "spec"}, f.Name) { // the Makefile sets these
			chosen = append(chosen, "-"+f.Name+" "+f.Value.String())
		}
	})
	if chosen != nil {
		o.command += " BENCH='" + strings.Join(chosen, " ") + "'"
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch {
	case flag.NArg() > 0:
		err = fmt.Errorf("unknown argument %q", flag.Arg(0))
	case o.rounds < 1 || o.seconds <= 0:
		err = errors.New("-rounds and -seconds must be above 0")
	case *bare:
		err = serveBare(ctx)
	default:
		err = run(ctx, o)
	}
	if ctx.Err() != nil && !*bare {
		err = errors.New("interrupted")
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func run(ctx context.Context, o options) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is missing; on Debian: apt-get install wrk")
	}
	dir, err := os.MkdirTemp("", "sharelinks-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.prism != "" {
		return measurePeers(ctx, o, dir)
	}
	cells, err := measure(ctx, o, dir)
	if err != nil {
		return err
	}
	text, err := table(o, cells)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(o.table, text); err != nil || o.docs == "" {
		return err
	}
	return errors.Join(writeTable(o.docs, text), drawPlots(o.docs, cells))
}

// words are the values of a flag: some of those that are known.
type words struct{ values, known []string }

func all(known ...string) words { return words{known, known} }

func (w *words) String() string { return strings.Join(w.values, ",") }

func (w *words) Set(text string) error {
	w.values = strings.Split(text, ",")
	for _, v := range w.values {
		if !slices.Contains(w.known, v) {
			return fmt.Errorf("%q is not one of %s", v, strings.Join(w.known, ", "))
		}
	}
	return nil
}

// numbers are the values of a flag.
type numbers []int

func (n *numbers) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(*n), " ", ","), "[]")
}

func (n *numbers) Set(text string) error {
	*n = nil
	for word := range strings.SplitSeq(text, ",") {
		v, err := strconv.Atoi(word)
		if err != nil || v < 1 {
			return fmt.Errorf("%q is not a number above 0", word)
		}
		*n = append(*n, v)
	}
	return nil
}
