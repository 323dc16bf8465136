// Command sharelinks runs the share-link service, manages its organizations, API keys and personas, and manages share
// links on any server.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

func main() {
	// net/http logs there what a server sends unasked, which can be our own headers, the API key among them.
	log.SetOutput(io.Discard)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-signals
		// The default behavior is back before anything stops, so a second signal kills at once.
		signal.Reset(os.Interrupt, syscall.SIGTERM)
		stop()
	}()
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, width: widthOf(os.Stdout, os.Getenv("COLUMNS"))}
	os.Exit(p.run(ctx, os.Args[1:]))
}

// program is how commands reach the world outside.
type program struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
	width  int // of the terminal that stdout is, in characters; 0 if it is none
}

// run runs one command line and returns its exit code.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		return p.report(err)
	}
	return 0
}

// version is set by a build with -ldflags "-X main.version=v1.2.3".
var version string

// moduleVersion returns the version that this binary was built with, or the one that Go found in version control.
func moduleVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

func versionText() string {
	return fmt.Sprintf("sharelinks %s %s %s/%s", moduleVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
