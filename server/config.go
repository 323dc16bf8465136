package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/store"
)

// The ways to tell which personas there are.
const (
	PersonasLocal = "local" // those that were added to the store
	PersonasAny   = "any"   // every id, for trying things out
)

// Config is all that can be set. Its zero value is not valid; DefaultConfig is.
type Config struct {
	Addr      string // host:port to listen on; port 0 picks a free one
	Database  string // "sqlite:PATH" or "postgres://..."
	PublicURL string // where people reach the server, http or https, a path prefix allowed; "" is the address it listens on
	APIKey    string // accepted as a key of the organization "default"; "" is none
	Personas  string // PersonasLocal or PersonasAny
	Bootstrap bool   // whether to put an organization, a persona and a key into an empty database

	RateLimit         float64       // management requests a second for one organization, with bursts of as many; 0 is no limit
	ValidateResponses bool          // whether to hold our own responses to the contract too; costs about 20 us each
	ShutdownTimeout   time.Duration // how long requests in flight may take to finish on a stop

	Version string           // shown in /metrics and in the docs; "" is "dev"
	Logger  *slog.Logger     // nil is silence
	Now     func() time.Time // the clock; nil is time.Now
}

// DefaultConfig returns the configuration for which nothing is said.
func DefaultConfig() Config {
	return Config{
		Addr:            "127.0.0.1:8080",
		Database:        "sqlite:sharelinks.db",
		Personas:        PersonasLocal,
		Bootstrap:       true,
		ShutdownTimeout: 15 * time.Second,
	}
}

// Validate returns every fault of the configuration at once, nil when there is none. No fault shows a secret.
func (c Config) Validate() error {
	var faults []error
	if err := checkAddr(c.Addr); err != nil {
		faults = append(faults, err)
	}
	if err := store.CheckURL(c.Database); err != nil {
		faults = append(faults, fmt.Errorf("database: %w", err))
	}
	if c.PublicURL != "" {
		if err := checkPublicURL(c.PublicURL); err != nil {
			faults = append(faults, err)
		}
	}
	if strings.ContainsFunc(c.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		faults = append(faults, errors.New("API key: must be visible ASCII characters without spaces"))
	}
	if c.Personas != PersonasLocal && c.Personas != PersonasAny {
		faults = append(faults, fmt.Errorf("personas: must be %s or %s, not %q", PersonasLocal, PersonasAny, c.Personas))
	}
	if !(c.RateLimit >= 0 && c.RateLimit <= 1e6) {
		faults = append(faults, fmt.Errorf("rate limit: must be from 0 (no limit) to 1000000 requests a second, not %v", c.RateLimit))
	}
	if c.ShutdownTimeout <= 0 {
		faults = append(faults, fmt.Errorf("shutdown timeout: must be above 0, not %v", c.ShutdownTimeout))
	}
	return errors.Join(faults...)
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("address: must be HOST:PORT with a port from 0 to 65535, as 127.0.0.1:8080, not %q", addr)
	}
	return nil
}

func checkPublicURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("public URL: must be http://HOST or https://HOST, a path prefix allowed, as https://links.example.com")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return errors.New("public URL: must have no user, query or fragment")
	}
	return nil
}
