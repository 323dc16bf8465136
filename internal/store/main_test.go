package store

import (
	"os"
	"testing"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
