package sharelinkstest

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/sharelinks-dev/sharelinks/server"
)

// Option is a setting of NewServer.
type Option func(*options)

type options struct {
	addr     string
	key      string
	readKey  string
	anyKey   bool
	lenient  bool
	personas string
	time     time.Time
	runs     bool
	random   *uint64
	seed     []byte
	anam     bool
	version  string
	logger   *slog.Logger
}

func newOptions(opts []Option) options {
	o := options{addr: "127.0.0.1:0", key: "test-key", personas: server.PersonasAny, version: "dev", logger: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// start returns where the clock stands at first.
func (o options) start() time.Time {
	switch {
	case !o.time.IsZero():
		return o.time
	case o.random != nil:
		return time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC) // the instant of the contract's examples
	}
	return time.Now()
}

// WithAddr sets where the server listens, HOST:PORT. The default is a free port of 127.0.0.1.
func WithAddr(addr string) Option { return func(o *options) { o.addr = addr } }

// WithKey sets the API key of the organization "default": visible ASCII characters, "test-key" by default. An unknown key
// is a 401.
func WithKey(key string) Option { return func(o *options) { o.key = key } }

// WithReadOnlyKey sets a second API key of the organization "default", which may read and makes no changes: that is a 403.
func WithReadOnlyKey(key string) Option { return func(o *options) { o.readKey = key } }

// WithAnyKey accepts every API key as one of the organization "default" that may write. No key is still a 401.
func WithAnyKey() Option { return func(o *options) { o.anyKey = true } }

// WithLocalPersonas accepts only personas that were added. The default is to accept every id.
func WithLocalPersonas() Option { return func(o *options) { o.personas = server.PersonasLocal } }

// WithLenient ignores fields and query parameters that the contract does not have instead of refusing them. The answer's
// header Sharelinks-Stub-Ignored and the log say which.
func WithLenient() Option { return func(o *options) { o.lenient = true } }

// WithTime sets where the clock stands at first. The default is the present.
func WithTime(t time.Time) Option { return func(o *options) { o.time = t } }

// WithRunningClock lets the clock run. The default is a clock that only Advance, SetTime and Restore move.
func WithRunningClock() Option { return func(o *options) { o.runs = true } }

// WithRandomSeed makes ids, tokens and sessions the same in every run that sends the same requests in the same order. The
// clock stands at 2026-04-20T10:00:00Z at first, unless WithTime says otherwise.
func WithRandomSeed(seed uint64) Option { return func(o *options) { o.random = &seed } }

// WithSeed puts personas and links into the server, from a YAML or JSON document:
//
//	time: 2026-04-20T10:00:00Z   # optional, as WithTime
//	random: 1                    # optional, as WithRandomSeed
//	watermarkRemoval: true       # optional, as AllowWatermarkRemoval
//	personas:
//	  - { id: 30fa96d0-26c4-4e55-94a0-517025942e18, name: Ada } # the id is optional
//	links:                       # each as the body of createShareLink, and optionally its token
//	  - { personaId: 30fa96d0-26c4-4e55-94a0-517025942e18, usageLimit: 1, token: sh_once }
func WithSeed(document []byte) Option { return func(o *options) { o.seed = document } }

// WithAnam gives the server an Anam of its own as its upstream, see Server.Anam: links lead to the personas of that Anam,
// unless WithLocalPersonas keeps them here, and an open is exchanged for a session of it. The default is sessions that the
// server signs.
func WithAnam() Option { return func(o *options) { o.anam = true } }

// WithVersion sets what the header Sharelinks-Stub of every answer says. The default is "dev".
func WithVersion(version string) Option {
	return func(o *options) { o.version = cmp.Or(version, "dev") }
}

// WithLogger sets where requests are logged, without keys and tokens. The default is nowhere.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }
