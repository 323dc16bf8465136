package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

const (
	begin = "<!-- begin: written by make bench -->\n"
	end   = "<!-- end -->\n"
)

// machine says what the figures depend on, in Markdown.
func machine() (string, error) {
	kib, err := procNumber("/proc/meminfo", "MemTotal:")
	return fmt.Sprintf("%d cores, %.0f GiB of memory, %s", runtime.NumCPU(), float64(kib)/(1<<20), runtime.Version()), err
}

// table returns the results in Markdown: for each number of connections bare Echo, and then the cells.
func table(o options, cells []cell) (string, error) {
	on, err := machine()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "`%s` on %s. Medians of %d runs of %g s.\n\n", o.command, on, o.rounds, o.seconds)
	b.WriteString("| engine | links | connections | operation | requests/s | bare Echo | ratio | p50 ms | p99 ms | CPU µs | MiB |\n")
	b.WriteString("|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|\n")
	row := func(engine, links string, connections int, operation string, r result, bare, ratio string) {
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s | %.2f | %.2f | %.0f | %.0f |\n", engine, links, connections, operation,
			thousands(r.rate), bare, ratio, r.p50, r.p99, r.cpu, r.memory)
	}
	for _, connections := range o.connections {
		var bare []result
		for _, c := range cells {
			if c.connections == connections {
				bare = append(bare, c.bare)
			}
		}
		row("bare Echo", "", connections, "create", medians(bare), "", "")
	}
	for _, c := range cells {
		row(c.engine, thousands(float64(c.links)), c.connections, c.operation, c.ours, thousands(c.bare.rate), fmt.Sprintf("%.2f", c.ratio()))
	}
	return b.String(), nil
}

// thousands returns a number, rounded, as in 1,000,000.
func thousands(v float64) string {
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// writeTable puts the table between the two comments in performance.md.
func writeTable(docs, table string) error {
	file := filepath.Join(docs, "performance.md")
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(page), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		return fmt.Errorf("%s has no place for the table: it begins with %s and ends with %s", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+table+end+after), 0o644)
}
