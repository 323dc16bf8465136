package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/sharelinks-dev/sharelinks/api"
)

// isTerminal reports whether a person is at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// widthOf returns how many characters fit on a line of a terminal, as the terminal says or else the variable COLUMNS. It is 0 for
// what is no terminal, and without a limit when nothing says it.
func widthOf(f *os.File, columns string) int {
	if !isTerminal(f) {
		return 0
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	if width, err := strconv.Atoi(columns); err == nil && width > 0 {
		return width
	}
	return math.MaxInt
}

// write writes a text to standard output.
func (p *program) write(text string) error {
	if _, err := io.WriteString(p.stdout, text); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// print writes a value to standard output: as JSON, or as the text that people read.
func (p *program) print(asJSON bool, v any, text string) error {
	if !asJSON {
		return p.write(text)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return p.write(b.String())
}

// table aligns rows under the names of their columns. An empty cell is a dash, so that white space separates columns.
func table(columns []string, rows ...[]string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(columns, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = cmp.Or(cell, "-")
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// view shows records of one kind, unless there is an error instead.
type view[T any] struct {
	show    showFunc
	record  func(T) (value any, row []string) // for JSON and for the table
	columns []string
	width   int // that the table of a list fits; 0 is any
}

// showFunc prints a value, as JSON or as text.
type showFunc func(value any, text string) error

func newView[T any](show showFunc, record func(T) (value any, row []string), columns ...string) view[T] {
	return view[T]{show: show, record: record, columns: columns}
}

func (v view[T]) one(item T, err error) error {
	if err != nil {
		return err
	}
	value, row := v.record(item)
	return v.show(value, table(v.columns, row))
}

func (v view[T]) list(items []T, err error) error {
	if err != nil {
		return err
	}
	values, rows := make([]any, len(items)), make([][]string, len(items))
	for i, item := range items {
		values[i], rows[i] = v.record(item)
	}
	columns := v.columns
	if v.width > 0 {
		columns, rows = fit(v.width, columns, rows)
	}
	return v.show(values, table(columns, rows...))
}

// These columns have what people know when its end is cut off. Other cells are copied or compared.
const (
	labelColumn   = "LABEL"
	personaColumn = "PERSONA"
)

// enough is how many characters of these columns fit wherever there is more to show.
var enough = map[string]int{labelColumn: 30, personaColumn: math.MaxInt}

// fit cuts labels and the names of personas and then leaves out the last columns, until a table fits a width. The first column
// stays, and that of labels goes when there are none.
func fit(width int, columns []string, rows [][]string) ([]string, [][]string) {
	if i := slices.Index(columns, labelColumn); i > 0 && !slices.ContainsFunc(rows, func(row []string) bool { return row[i] != "" }) {
		columns = slices.Delete(slices.Clone(columns), i, i+1)
		for j := range rows {
			rows[j] = slices.Delete(rows[j], i, i+1)
		}
	}
	for i, name := range columns {
		size := len(name)
		for _, row := range rows {
			size = max(size, utf8.RuneCountInString(row[i]))
		}
		if most := min(enough[name], width); len(name) <= most && most < size {
			size = most
			for _, row := range rows {
				if r := []rune(row[i]); len(r) > size {
					row[i] = string(r[:size-1]) + "…"
				}
			}
		}
		if size > width && i > 0 {
			for j, row := range rows {
				rows[j] = row[:i]
			}
			return columns[:i], rows
		}
		width -= size + len("  ")
	}
	return columns, rows
}

// instant returns a time as the contract writes it, "" for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(api.TimestampLayout)
}

// progress shows a person at a terminal how far a long command is.
type progress struct {
	w     io.Writer // nil if there is no terminal
	verb  string
	total int // 0 if it is not known
	done  int
	next  time.Time // when it may be drawn, first or again
	drawn bool
}

func (p *program) newProgress(verb string, total int) *progress {
	bar := &progress{verb: verb, total: total, next: time.Now().Add(barPause)}
	if isTerminal(p.stderr) {
		bar.w = p.stderr
	}
	return bar
}

const (
	barWidth  = 30
	barPause  = 100 * time.Millisecond
	eraseLine = "\r\x1b[K"
)

// step counts one more.
func (b *progress) step() { b.at(b.done+1, b.total) }

// at says how much is done, and draws the bar unless that was done just now.
func (b *progress) at(done, total int) {
	b.done, b.total = done, total
	if now := time.Now(); b.w != nil && !now.Before(b.next) {
		b.next, b.drawn = now.Add(barPause), true
		fmt.Fprint(b.w, eraseLine+b.picture())
	}
}

func (b *progress) picture() string {
	if b.total == 0 {
		return fmt.Sprintf("%s %d", b.verb, b.done)
	}
	full := barWidth * b.done / b.total
	bar := strings.Repeat("#", full) + strings.Repeat(" ", barWidth-full)
	return fmt.Sprintf("[%s] %s %d of %d", bar, b.verb, b.done, b.total)
}

// end erases the bar.
func (b *progress) end() {
	if b.drawn {
		fmt.Fprint(b.w, eraseLine)
	}
}

// logOptions are how the log is written. The format is text, json, or auto: text on a terminal and JSON otherwise.
type logOptions struct{ format, level string }

// newLogger returns a logger that writes lines of the level and above. The options must be valid.
func newLogger(w io.Writer, o logOptions) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(o.level))
	options := &slog.HandlerOptions{Level: level}
	if o.format == "text" || o.format == "auto" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
