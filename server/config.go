package server

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/session"
	"github.com/sharelinks-dev/sharelinks/internal/store"
)

// Where personas come from.
const (
	PersonasLocal = "local" // those that were added to the store
	PersonasAny   = "any"   // every id, for trying things out
	PersonasAnam  = "anam"  // those of the account with Anam
)

// What the server's own sessions are signed with.
const (
	SessionsEdDSA = session.EdDSA
	SessionsES256 = session.ES256 // for backends whose JWT library does not know EdDSA, such as jsonwebtoken of Node
)

// Config is all that can be set. Its zero value is not valid; DefaultConfig is.
type Config struct {
	Addr      string // host:port to listen on, where port 0 picks a free one; or unix:PATH, a socket that needs a PublicURL
	TLSCert   string // file with the certificate that TLS is spoken with, and those up to the root, in PEM; "" is plain HTTP
	TLSKey    string // file with its key, in PEM
	Database  string // "sqlite:PATH" or "postgres://..."
	PublicURL string // where people reach the server, http or https, a path prefix allowed; "" is the address it listens on
	APIKey    string // accepted as a key of the organization "default"; "" is none
	Personas  string // PersonasLocal, PersonasAny or PersonasAnam

	// With AnamAPIKey an open is exchanged for a session of Anam's; without it the server signs sessions. The key goes to
	// AnamURL and nowhere else.
	AnamAPIKey string
	AnamURL    string
	Bootstrap  bool // whether to put an organization, a persona and a key into an empty database

	SessionAlgorithm string // that the server signs sessions with: SessionsEdDSA or SessionsES256; sessions of the other stay good

	RateLimit         float64        // management requests a second for one organization, with bursts of as many; 0 is no limit
	TrustedProxies    []netip.Prefix // proxies whose X-Forwarded-For says where a visitor comes from, beside whatever uses a Unix socket
	OpenRate          float64        // opens a second from one address (IPv6: one /64); 0 is no limit
	OpenBurst         int            // how many may come at once
	LinkOpenRate      float64        // opens a second of one link; 0 is no limit. Above OpenRate no one address can use it up
	LinkOpenBurst     int            // how many may come at once
	UnknownTokenRate  float64        // tokens a second that no link has, from one address; 0 is no limit
	UnknownTokenBurst int            // how many may come at once

	VisitsRetention time.Duration // how long visits are kept, at least a minute

	Dashboard bool // whether people can manage links at /dashboard, with an API key

	PlayerScript    string // URL of the script that shows a persona: @anam-ai/js-sdk, as its UMD build
	PlayerIntegrity string // the hash of its bytes, such as "sha384-..."; "" is for the default PlayerScript only

	ValidateResponses bool          // whether to check our own responses against the contract too; costs about 20 us each
	Drain             time.Duration // how long a server that was told to stop goes on, not ready, so that balancers see it; 0 is not at all
	ShutdownTimeout   time.Duration // how long requests in flight may take to finish after that

	Version string           // shown in /metrics and in the docs; "" is "dev"
	Logger  *slog.Logger     // nil is silence
	Now     func() time.Time // the clock; nil is time.Now
}

// The player is pinned to one version and to the bytes of it: whatever its host serves otherwise, no browser runs.
const (
	defaultPlayerScript    = "https://cdn.jsdelivr.net/npm/@anam-ai/js-sdk@4.27.0/dist/umd/anam.js"
	defaultPlayerIntegrity = "sha384-YlLVEzjnPjezw7TzjG3RWqeUtTruSn3+WnfBBg9CyHOCpf0VqVorwHodrE7ZieF0"
)

// playerIntegrity is the integrity of the player's script.
func (c Config) playerIntegrity() string {
	if c.PlayerIntegrity == "" && c.PlayerScript == defaultPlayerScript {
		return defaultPlayerIntegrity
	}
	return c.PlayerIntegrity
}

// DefaultConfig returns the default configuration.
func DefaultConfig() Config {
	return Config{
		Addr:             "127.0.0.1:8080",
		Database:         "sqlite:sharelinks.db",
		Personas:         PersonasLocal,
		AnamURL:          "https://api.anam.ai",
		Bootstrap:        true,
		SessionAlgorithm: SessionsEdDSA,
		RateLimit:        500,
		// An office behind one address feels none of these.
		OpenRate:          30,
		OpenBurst:         60,
		LinkOpenRate:      100,
		LinkOpenBurst:     200,
		UnknownTokenRate:  1,
		UnknownTokenBurst: 30,
		VisitsRetention:   90 * 24 * time.Hour,
		Dashboard:         true,
		PlayerScript:      defaultPlayerScript,
		ShutdownTimeout:   15 * time.Second,
	}
}

// FieldError is what is wrong with one field of a Config.
type FieldError struct {
	Field  string // name of the field, such as "PublicURL"
	Detail string // what would be right, and what was given unless it may be secret
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Detail }

// Validate returns everything that is wrong with the configuration, joined, each a *FieldError; nil when nothing is. No
// error shows a secret.
func (c Config) Validate() error {
	var errs []error
	add := func(field, detail string, args ...any) {
		errs = append(errs, &FieldError{Field: field, Detail: fmt.Sprintf(detail, args...)})
	}
	socketPath, isSocket := strings.CutPrefix(c.Addr, unixPrefix)
	switch {
	case !isSocket && !isAddr(c.Addr):
		add("Addr", "must be HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080, or unix:PATH, not %q", c.Addr)
	case isSocket && (socketPath == "" || strings.HasPrefix(socketPath, "@") || strings.Contains(socketPath, "\x00") || len(socketPath) > maxSocketPath):
		add("Addr", "must be unix: and the path of a file, of at most %d bytes, such as unix:/run/sharelinks/http.sock, not %q", maxSocketPath, c.Addr)
	case isSocket && c.PublicURL == "":
		add("PublicURL", "must be set: nobody can open a link at a Unix socket")
	}
	if c.TLSCert != "" || c.TLSKey != "" {
		if err := checkPair(c.TLSCert, c.TLSKey); err != nil {
			errs = append(errs, err)
		}
	}
	if err := store.CheckURL(c.Database); err != nil {
		add("Database", "%v", err)
	}
	if err := checkPublicURL(c.PublicURL); err != nil {
		add("PublicURL", "%v", err)
	}
	if !isVisible(c.APIKey) {
		add("APIKey", "must be visible ASCII characters without spaces")
	}
	switch c.Personas {
	case PersonasLocal, PersonasAny, PersonasAnam:
	default:
		add("Personas", "must be %s, %s or %s, not %q", PersonasLocal, PersonasAny, PersonasAnam, c.Personas)
	}
	if c.SessionAlgorithm != SessionsEdDSA && c.SessionAlgorithm != SessionsES256 {
		add("SessionAlgorithm", "must be %s or %s, not %q", SessionsEdDSA, SessionsES256, c.SessionAlgorithm)
	}
	if c.Personas == PersonasAnam && c.AnamAPIKey == "" {
		add("Personas", "%s needs an API key of Anam", PersonasAnam)
	}
	if !isVisible(c.AnamAPIKey) {
		add("AnamAPIKey", "must be visible ASCII characters without spaces")
	}
	switch err := checkPublicURL(c.AnamURL); {
	case err != nil || c.AnamURL == "":
		add("AnamURL", "must be http://HOST or https://HOST without a user, a path prefix allowed, such as https://api.anam.ai")
	case c.AnamAPIKey != "" && strings.TrimRight(c.AnamURL, "/") == strings.TrimRight(c.PublicURL, "/"), c.AnamAPIKey != "" && c.AnamURL == c.scheme()+"://"+c.Addr:
		add("AnamURL", "must be Anam's, not this server's own")
	}
	for _, p := range c.TrustedProxies {
		if !p.IsValid() {
			add("TrustedProxies", "must be networks, such as 10.0.0.0/8, not %q", p)
		}
	}
	for _, limit := range []struct {
		field     string
		perSecond float64
		burst     int
	}{
		{"RateLimit", c.RateLimit, 1},
		{"OpenRate", c.OpenRate, c.OpenBurst},
		{"LinkOpenRate", c.LinkOpenRate, c.LinkOpenBurst},
		{"UnknownTokenRate", c.UnknownTokenRate, c.UnknownTokenBurst},
	} {
		if !(limit.perSecond >= 0 && limit.perSecond <= 1e6) { // not NaN either
			add(limit.field, "must be from 0 (no limit) to 1000000 a second, not %v", limit.perSecond)
		}
		if limit.burst < 1 && limit.perSecond != 0 {
			add(strings.TrimSuffix(limit.field, "Rate")+"Burst", "must be at least 1, not %d", limit.burst)
		}
	}
	// A use can be given back only while its visit is remembered.
	if c.VisitsRetention < time.Minute {
		add("VisitsRetention", "must be at least a minute, not %v", c.VisitsRetention)
	}
	if u, err := url.Parse(c.PlayerScript); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		add("PlayerScript", "must be an http or https URL, not %q", c.PlayerScript)
	}
	switch integrity := c.playerIntegrity(); {
	case integrity == "":
		add("PlayerIntegrity", "must say what the bytes of that player's script are, such as sha384-... (openssl dgst -sha384 -binary anam.js | base64)")
	case !isIntegrity(integrity):
		add("PlayerIntegrity", "must be sha256-, sha384- or sha512- and the hash in base64, not %q", integrity)
	}
	if c.Drain < 0 {
		add("Drain", "must be 0 or above, not %v", c.Drain)
	}
	if c.ShutdownTimeout <= 0 {
		add("ShutdownTimeout", "must be above 0, not %v", c.ShutdownTimeout)
	}
	return errors.Join(errs...)
}

// scheme is what the server speaks.
func (c Config) scheme() string {
	if c.TLSCert != "" {
		return "https"
	}
	return "http"
}

// isIntegrity tells whether a browser can check bytes by this. By what it cannot read it checks nothing.
func isIntegrity(s string) bool {
	name, hash, _ := strings.Cut(s, "-")
	sizes := map[string]int{"sha256": 32, "sha384": 48, "sha512": 64}
	sum, err := base64.StdEncoding.DecodeString(hash)
	return err == nil && len(sum) == sizes[name] && len(sum) > 0
}

func isVisible(key string) bool {
	return !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
}

func isAddr(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func checkPublicURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("must be http://HOST or https://HOST, a path prefix allowed, such as https://links.example.com")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return errors.New("must have no user, query or fragment")
	}
	return nil
}
