package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/mattn/go-isatty"
)

// The formats of the log.
const (
	logAuto = "auto" // text for a person at a terminal, JSON for a machine
	logText = "text"
	logJSON = "json"
)

// logOptions say how the log is written.
type logOptions struct{ format, level string }

// newLogger returns a logger that writes lines of the level and above. The names of format and level were checked.
func newLogger(w io.Writer, o logOptions) *slog.Logger {
	var options slog.HandlerOptions
	var least slog.Level
	if err := least.UnmarshalText([]byte(o.level)); err == nil {
		options.Level = least
	}
	if o.format == logText || o.format == logAuto && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, &options))
	}
	return slog.New(slog.NewJSONHandler(w, &options))
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
