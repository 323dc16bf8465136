// Package server is the share-link service: an HTTP handler, and a server that runs it.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	sharelinks "github.com/sharelinks-dev/sharelinks"
	"github.com/sharelinks-dev/sharelinks/internal/anam"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
	"github.com/sharelinks-dev/sharelinks/internal/pages"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/session"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
)

// Server is a share-link service on one database.
type Server struct {
	config        Config
	logger        *slog.Logger
	now           func() time.Time
	contract      *contract.Contract
	operations    map[route]*contract.Operation
	metrics       *metrics
	service       *service.Service
	pages         *pages.Pages
	signer        *session.Signer
	certificate   *certificate // nil: the server speaks plain HTTP
	configuredKey sharelink.Hash
	firstStart    bool
	firstKey      string
	handler       http.Handler
	public        atomic.Pointer[publicAddress]
	stopping      atomic.Bool
	close         func() error // the sweeper and the store

	requests       *buckets[uuid.UUID]    // of an organization
	opensByAddress *buckets[netip.Prefix] // of a visitor
	opensByLink    *buckets[uuid.UUID]
	unknownTokens  *buckets[netip.Prefix] // that a visitor tries
	strangers      strangers
}

// New checks the configuration, opens the database, brings its tables up to date, and begins to sweep: what is kept for a
// limited time is removed hourly. The error names everything that is wrong with the configuration. Run closes the server;
// without Run, call Close.
func New(ctx context.Context, config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	go loadContract() // beside all the rest, which takes as long
	m := newMetrics(config.Version)
	db, err := store.Open(ctx, config.Database, store.Options{
		Logger: config.Logger, Remember: time.Second, Examine: true,
		Observe: m.stored, ObserveBatch: m.batched, ObserveLog: m.logged,
	})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s, err := newServer(ctx, config, service.Options{Store: db}, m)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// NewOn returns a server on an open store, with the ids and tokens of the options. It is for this module's stub and tests:
// the options are internal. Config.Database is not used.
func NewOn(ctx context.Context, config Config, options service.Options) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	go loadContract()
	return newServer(ctx, config, options, newMetrics(config.Version))
}

// loadContract reads the contract once for all servers of a process.
var loadContract = sync.OnceValues(func() (*contract.Contract, error) {
	return contract.Load(sharelinks.SpecJSON(), contract.Options{MaxBody: maxBody, Formats: formats})
})

// newServer puts a server together on an open store.
func newServer(ctx context.Context, config Config, options service.Options, m *metrics) (*Server, error) {
	s := &Server{
		config:         config,
		logger:         cmp.Or(config.Logger, slog.New(slog.DiscardHandler)),
		now:            config.Now,
		operations:     map[route]*contract.Operation{},
		metrics:        m,
		configuredKey:  sharelink.HashSecret(config.APIKey),
		requests:       newBuckets[uuid.UUID](config.RateLimit, int(config.RateLimit)),
		opensByAddress: newBuckets[netip.Prefix](config.OpenRate, config.OpenBurst),
		opensByLink:    newBuckets[uuid.UUID](config.LinkOpenRate, config.LinkOpenBurst),
		unknownTokens:  newBuckets[netip.Prefix](config.UnknownTokenRate, config.UnknownTokenBurst),
		strangers:      strangers{seen: map[string]bool{}},
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.setPublicURL(cmp.Or(config.PublicURL, config.scheme()+"://"+config.Addr))
	var err error
	if config.TLSCert != "" {
		if s.certificate, err = newCertificate(config, s.logger, s.now); err != nil {
			return nil, err
		}
		m.showExpiry(s.certificate)
	}
	s.signer, err = session.NewSigner(ctx, session.Options{
		Store: options.Store, Now: s.now, Algorithm: config.SessionAlgorithm, Issuer: s.PublicURL,
	})
	if err != nil {
		return nil, err
	}
	options.Now, options.VisitsRetention, options.Observe = s.now, config.VisitsRetention, m.opened
	options.Sessions, options.LocalSessions = s.signer, true
	options.Personas = service.StoredPersonas{Store: options.Store, Any: config.Personas == PersonasAny}
	engine := ""
	if config.AnamAPIKey != "" { // Validate demands it with PersonasAnam
		upstream := anam.New(config.AnamURL, config.AnamAPIKey, s.now)
		options.Sessions, options.LocalSessions = upstream, false
		engine = strings.TrimRight(config.AnamURL, "/")
		if config.Personas == PersonasAnam {
			options.Personas = upstream
		}
	}
	s.service = service.New(options)
	s.pages = pages.New(pages.Config{
		PublicURL: s.PublicURL, PublicPath: s.publicPath, Player: config.PlayerScript, Integrity: config.playerIntegrity(), Engine: engine,
	})
	if s.handler, err = s.newHandler(); err != nil {
		return nil, err
	}
	if err := s.bootstrap(ctx); err != nil {
		return nil, err
	}
	s.close = s.startSweeper(options.Store)
	return s, nil
}

// formats are the contract's string formats that OpenAPI does not have.
var formats = map[string]contract.Format{"origin": sharelink.CheckOrigin}

// bootstrap makes an empty database ready for use, and refuses a configured key of an organization that does not exist.
func (s *Server) bootstrap(ctx context.Context) error {
	if s.config.Bootstrap {
		var err error
		if s.firstKey, s.firstStart, err = s.service.Bootstrap(ctx, s.config.APIKey == ""); err != nil {
			return fmt.Errorf("prepare the empty database: %w", err)
		}
	}
	if s.config.APIKey == "" {
		return nil
	}
	_, err := s.service.OrganizationNamed(ctx, service.DefaultOrganization)
	if sharelink.CodeOf(err) == sharelink.NotFound {
		return fmt.Errorf("the configured API key is a key of the organization %q, which this database does not have; create it, or unset the key", service.DefaultOrganization)
	}
	return err
}

// startSweeper sweeps now and then hourly, and reads the signing keys again and again, until the function that it returns is
// called. That one closes the store too.
func (s *Server) startSweeper(db sharelink.Store) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		if err := s.service.KeepSettling(ctx); err != nil {
			s.logger.Error("uses could not be given back before the stop", "error", err)
		}
	})
	sweeper.Go(func() {
		sweep := func() {
			if err := s.service.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.logger.Warn("sweep failed; it is tried again in an hour", "error", err)
			}
		}
		sweep()
		every(ctx, time.Hour, sweep)
	})
	sweeper.Go(func() {
		every(ctx, session.RefreshInterval, func() {
			inTime, cancel := context.WithTimeout(ctx, session.RefreshInterval)
			defer cancel()
			if err := s.signer.Refresh(inTime); err != nil && ctx.Err() == nil {
				s.logger.Warn("the signing keys stay as they were read before; it is tried again in half a minute", "error", err)
			}
		})
	})
	return func() error {
		cancel()
		sweeper.Wait()
		return db.Close()
	}
}

// every calls a function again and again until ctx ends.
func every(ctx context.Context, interval time.Duration, call func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			call()
		case <-ctx.Done():
			return
		}
	}
}

// Contract returns the contract that requests are checked against. Like NewOn it is for this module.
func (s *Server) Contract() *contract.Contract { return s.contract }

// Handler returns the service as an http.Handler at the root of its host. See Mount for a place beside others.
func (s *Server) Handler() http.Handler { return s.handler }

// Mount puts all of the service into a mux, at the path of Config.PublicURL: operations, the pages that links lead to, and
// what explains them.
func (s *Server) Mount(mux *http.ServeMux) {
	prefix := s.publicPath()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, s.handler))
}

// FirstStart returns whether New found the database empty and put an organization, a persona and maybe a key into it. The
// key is "" when Config.APIKey is set; it is kept nowhere else.
func (s *Server) FirstStart() (key string, first bool) { return s.firstKey, s.firstStart }

// PublicURL returns where people reach the server, without a slash at its end. Without Config.PublicURL it is final once
// Run is ready.
func (s *Server) PublicURL() string { return s.public.Load().url }

// publicAddress is where people reach the server, and the parts of that which requests need.
type publicAddress struct {
	url       string
	path      string   // of the URL
	origin    string   // of its pages, canonical
	transport []string // its Strict-Transport-Security, nil for none
}

func (s *Server) publicPath() string { return s.public.Load().path }

// setPublicURL takes a URL that Config.Validate accepts.
func (s *Server) setPublicURL(text string) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil {
		panic(err)
	}
	// Until a free port is chosen there may be no origin, and no page that could have one.
	origin, _ := sharelink.ParseOrigin(u.Scheme + "://" + u.Host)
	s.public.Store(&publicAddress{url: u.String(), path: u.Path, origin: origin, transport: s.strictTransport(u)})
}

// Close ends the sweeping and closes the database. It is for a server that is not Run.
func (s *Server) Close() error { return s.close() }

// strictTransport returns the header that tells browsers to come by https only, for a year (RFC 6797). It goes by where people
// reach the server, not by what is spoken here, which may be plain HTTP behind a proxy. It speaks for all of a host, on
// every port: so not for one that was not named, nor for one of which only a path is ours, nor for localhost.
func (s *Server) strictTransport(u *url.URL) []string {
	if s.config.PublicURL == "" || u.Scheme != "https" || u.Path != "" || u.Hostname() == "localhost" {
		return nil
	}
	return []string{"max-age=31536000"}
}

// Run listens at Config.Addr and serves there, as Serve does.
func (s *Server) Run(ctx context.Context, ready func(url string)) error {
	listener, err := Listen(ctx, s.config.Addr)
	if err != nil {
		return errors.Join(err, s.close())
	}
	return s.Serve(ctx, listener, ready)
}

// Serve calls ready with where it listens, a URL or unix:PATH, and serves until ctx ends. Then it is not ready for Config.Drain, takes
// no more requests, lets those in flight finish within Config.ShutdownTimeout, closes the database and returns nil when all went
// well. It closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener, ready func(url string)) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	url := s.config.Addr
	if listener.Addr().Network() != "unix" {
		url = s.config.scheme() + "://" + reachable(listener.Addr())
	}
	if s.config.PublicURL == "" {
		s.setPublicURL(url)
	}
	httpServer := &http.Server{
		Handler:  s.handler,
		ErrorLog: newErrorLog(s.logger),
		// Reading and writing take microseconds; these are for slow and hostile clients.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	served := make(chan error, 1)
	go func() {
		if s.certificate == nil {
			served <- httpServer.Serve(listener)
			return
		}
		httpServer.TLSConfig = s.certificate.config()
		served <- httpServer.ServeTLS(listener, "", "")
	}()
	if ready != nil {
		ready(url)
	}

	select {
	case err = <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	s.logger.Info("stopping", "drain", s.config.Drain.String(), "shutdown_timeout", s.config.ShutdownTimeout.String())
	select {
	case err = <-served:
		return fmt.Errorf("serve: %w", err)
	case <-time.After(s.config.Drain):
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.ShutdownTimeout)
	defer cancel()
	if err := httpServer.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("requests were still in flight after %v", s.config.ShutdownTimeout), httpServer.Close())
	}
	return nil
}

// reachable returns an address as it works on this machine: one that listens everywhere is reached as localhost.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return a.String()
}
