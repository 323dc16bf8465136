package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sharelinks-dev/sharelinks/api"
)

func addJSON(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON, for machines")
}

// printJSON prints a value as machines read it, indented because people look at it too.
func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// printTable prints rows in aligned columns under the names of the columns. What is empty shows as a dash, so that the
// columns can still be told apart by white space.
func (p *program) printTable(columns []string, rows [][]string) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(columns, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// instant returns a time as the wire writes it, "" for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(api.TimestampLayout)
}

// convert applies to to each item. The result is never nil: in JSON that is [], not null.
func convert[T, S any](items []T, to func(T) S) []S {
	out := make([]S, 0, len(items))
	for _, item := range items {
		out = append(out, to(item))
	}
	return out
}
