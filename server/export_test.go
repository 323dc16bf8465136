package server

import (
	"net/http"
	"testing"

	"github.com/sharelinks-dev/sharelinks/client"
)

// Checked is an option for a client whose exchanges count as those of this package's tests: each is checked against the
// contract, and seen.
func Checked(tb testing.TB) client.Option {
	return client.WithHTTPClient(&http.Client{Transport: checker.Transport(tb, http.DefaultTransport)})
}
