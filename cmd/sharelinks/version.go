package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by a build with -ldflags "-X main.version=v1.2.3".
var version string

// moduleVersion is the version of this binary: the one it was built with, else what Go recorded from version control.
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

func (p *program) version() *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Print the version of this binary",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			if _, err := fmt.Fprintln(p.stdout, versionText()); err != nil {
				return fmt.Errorf("write the output: %w", err)
			}
			return nil
		},
	}
}
