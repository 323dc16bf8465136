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

// newLogger returns a logger that writes lines of this level and above. The names of format and level were checked.
func newLogger(w io.Writer, format, level string) *slog.Logger {
	var options slog.HandlerOptions
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err == nil {
		options.Level = least
	}
	if format == logText || format == logAuto && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, &options))
	}
	return slog.New(slog.NewJSONHandler(w, &options))
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
