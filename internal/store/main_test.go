package store

import (
	"flag"
	"os"
	"testing"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

func TestMain(m *testing.M) {
	// A law that fails on a faulty store is meant to: it leaves no file, and is not looked for in its shortest form.
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "0s"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(pgtest.Main(m))
}
