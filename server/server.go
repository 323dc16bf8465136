package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/internal/session"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/internal/store"
	"github.com/sharelinks-dev/sharelinks/server/internal/wire"
)

// Server is a share-link service on one database.
type Server struct {
	config        Config
	logger        *slog.Logger
	contract      *contract
	metrics       *metrics
	accounts      *sharelink.Accounts
	links         *links
	visits        *visits
	visitorPages  visitorPages
	signer        *session.Signer
	limits        *buckets[uuid.UUID]
	guards        *guards
	configuredKey sharelink.Hash
	firstStart    bool
	firstKey      string
	ping          func(context.Context) error
	closeStore    func() error
	handler       *echo.Echo
	public        atomic.Pointer[publicURL]
	stopping      atomic.Bool
}

// backend is what the server needs of a store. *store.Store is the one it is run with.
type backend interface {
	sharelink.Store
	sharelink.AccountStore
	sharelink.VisitStore
	sharelink.SigningKeyStore
	Ping(context.Context) error
	Close() error
}

// New checks the configuration, opens the database, brings its tables up to date and makes the handler. The error names
// every fault of the configuration. Close the server when it is done with, unless Run was called.
func New(ctx context.Context, config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	version := config.Version
	if version == "" {
		version = "dev"
	}
	m := newMetrics(version)
	db, err := store.Open(ctx, config.Database, store.Options{Logger: config.Logger, Observe: m.stored, ObserveBatch: m.batched})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s, err := newServer(ctx, config, db, m)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func newServer(ctx context.Context, config Config, db backend, m *metrics) (*Server, error) {
	c, err := loadContract()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:        config,
		logger:        config.Logger,
		contract:      c,
		metrics:       m,
		accounts:      sharelink.NewAccounts(db),
		limits:        newBuckets[uuid.UUID](config.RateLimit, int(config.RateLimit)),
		guards:        newGuards(config),
		configuredKey: sharelink.HashSecret(config.APIKey),
		ping:          db.Ping,
		closeStore:    db.Close,
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	now := time.Now
	if config.Now != nil {
		now = config.Now
	}
	anam := session.NewAnam(config.AnamURL, config.AnamAPIKey, now)
	var personas sharelink.Personas = sharelink.LocalPersonas{Store: db}
	switch config.Personas {
	case PersonasAny:
		personas = sharelink.AnyPersona{Store: db}
	case PersonasAnam:
		personas = anam
	}
	s.links = &links{service: sharelink.NewService(db, personas), publicURL: s.publicURL}
	s.setPublicURL("http://" + config.Addr)
	if config.PublicURL != "" {
		s.setPublicURL(config.PublicURL)
	}
	s.links.service.Now, s.accounts.Now = now, now
	if err := s.bootstrap(ctx); err != nil {
		return nil, err
	}
	if err := s.openVisits(ctx, db, anam, now); err != nil {
		return nil, err
	}
	if s.handler, err = s.newHandler(); err != nil {
		return nil, err
	}
	return s, nil
}

// bootstrap makes an empty database ready for use, and refuses a configured key that would belong to nobody.
func (s *Server) bootstrap(ctx context.Context) error {
	if s.config.Bootstrap {
		var err error
		if s.firstKey, s.firstStart, err = s.accounts.Bootstrap(ctx, s.config.APIKey == ""); err != nil {
			return fmt.Errorf("prepare the empty database: %w", err)
		}
	}
	if s.config.APIKey == "" {
		return nil
	}
	_, err := s.accounts.Store.OrganizationNamed(ctx, sharelink.DefaultOrganization)
	if sharelink.CodeOf(err) == sharelink.NotFound {
		return fmt.Errorf("the configured API key is a key of the organization %q, which this database does not have; create it, or unset the key", sharelink.DefaultOrganization)
	}
	return err
}

// openVisits makes what visitors need.
func (s *Server) openVisits(ctx context.Context, db backend, anam *session.Anam, now func() time.Time) (err error) {
	if s.signer, err = session.NewSigner(ctx, db, now(), s.publicURL); err != nil {
		return err
	}
	opening := sharelink.NewOpening(db, s.signer)
	if s.config.AnamAPIKey != "" {
		opening.Sessions = anam
		s.visitorPages.engine = strings.TrimRight(s.config.AnamURL, "/")
	}
	opening.Now, opening.Observe = now, s.metrics.opened
	s.visits = &visits{opening: opening}
	return nil
}

// operations answer every operation of the contract.
type operations struct {
	*links
	*visits
}

var _ wire.StrictServerInterface = operations{}

func (s *Server) newHandler() (*echo.Echo, error) {
	e := echo.New()
	e.HTTPErrorHandler = s.writeProblem
	e.Binder = bodyBinder{}
	e.IPExtractor = echo.ExtractIPDirect()
	e.Use(s.observe)
	if s.config.ValidateResponses {
		e.Use(s.checkResponses)
	}
	perOperation := map[string][]echo.MiddlewareFunc{}
	for id, op := range s.contract.operations {
		chain := []echo.MiddlewareFunc{named(id)}
		switch {
		case op.public:
			chain = append(chain, s.admitVisitor)
			if id == openOperation {
				chain = append(chain, s.limitOpens)
			}
		case s.config.RateLimit > 0:
			chain = append(chain, s.authenticate, s.limitRate)
		default:
			chain = append(chain, s.authenticate)
		}
		perOperation[id] = append(chain, op.middleware)
	}
	wire.RegisterHandlersWithOptions(e, wire.NewStrictHandler(operations{s.links, s.visits}, nil), wire.RegisterHandlersOptions{OperationMiddlewares: perOperation})
	s.answerPreflights(e)
	return e, s.servePages(e)
}

// openOperation is the one operation that spends a use.
const openOperation = "openShareLink"

// noStore is shared by all responses, which only read it.
var noStore = []string{"no-store"}

// named tells the call which operation it is. What it answers holds tokens, so no cache may keep it.
func named(operation string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			// Echo lets a parameter at the end of a route match the rest of the path. No parameter of ours holds a slash.
			if slices.ContainsFunc(c.ParamValues(), func(v string) bool { return strings.Contains(v, "/") }) {
				return echo.ErrNotFound
			}
			callOf(c).operation = operation
			c.Response().Header()["Cache-Control"] = noStore
			return next(c)
		}
	}
}

// checkResponses holds every answer of an operation to the contract before it is sent. One that breaks it becomes an
// internal problem, because a client that trusts the contract would fail on it in some stranger way.
func (s *Server) checkResponses(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		response := c.Response()
		real := response.Writer
		held := &heldResponse{header: real.Header(), status: http.StatusOK}
		response.Writer = held
		err := s.answer(next, c)
		if err != nil {
			s.writeProblem(err, c)
		}
		response.Writer = real
		if op := s.contract.operations[callOf(c).operation]; op != nil {
			if err := op.checkResponse(c.Request().Context(), held.status, held.header, held.body.Bytes()); err != nil {
				response.Committed, response.Size = false, 0
				held.header.Del("Location")
				return fmt.Errorf("our own answer breaks the contract: %w", err)
			}
		}
		real.WriteHeader(held.status)
		_, _ = real.Write(held.body.Bytes()) // a caller that hung up is not told
		return nil
	}
}

// heldResponse keeps an answer back until it was checked.
type heldResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldResponse) Header() http.Header         { return h.header }
func (h *heldResponse) WriteHeader(status int)      { h.status = status }
func (h *heldResponse) Write(b []byte) (int, error) { return h.body.Write(b) }

// Handler returns the service as an http.Handler, to mount in a server of your own. Links lead to Config.PublicURL.
func (s *Server) Handler() http.Handler { return s.handler }

// FirstStart tells whether New found the database empty and put an organization, a persona and maybe a key into it. The
// key is "" when Config.APIKey is set; it is kept nowhere else.
func (s *Server) FirstStart() (key string, first bool) { return s.firstKey, s.firstStart }

// PublicURL returns where people reach the server, without a slash at its end. It is known for sure once Run is ready.
func (s *Server) PublicURL() string { return s.publicURL() }

// publicURL is where people reach the server, and the origin of its pages.
type publicURL struct{ url, origin string }

func (s *Server) publicURL() string { return s.public.Load().url }

// ownOrigin is the origin of the server's pages, in canonical form.
func (s *Server) ownOrigin() string { return s.public.Load().origin }

func (s *Server) setPublicURL(u string) {
	u = strings.TrimRight(u, "/")
	// Until a free port is chosen there may be no origin, and no page that could have one.
	origin, _ := sharelink.ParseOrigin(strings.TrimSuffix(u, pathOf(u)))
	s.public.Store(&publicURL{url: u, origin: origin})
}

// Close lets go of the database. Only for a server that is not Run.
func (s *Server) Close() error { return s.closeStore() }

// The time a client may take. Reading and writing take microseconds; these are for clients that are slow or hostile.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	sweepInterval     = time.Hour
)

// Run listens, calls ready with the URL it listens on, and serves until ctx ends. Then it takes no more requests, lets
// those in flight finish within Config.ShutdownTimeout, closes the database and returns nil when all went well.
func (s *Server) Run(ctx context.Context, ready func(url string)) (err error) {
	defer func() { err = errors.Join(err, s.closeStore()) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.config.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	url := "http://" + reachable(listener.Addr())
	if s.config.PublicURL == "" {
		s.setPublicURL(url)
	}
	httpServer := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()
	swept := make(chan struct{})
	go func() { defer close(swept); s.sweep(ctx) }()
	if ready != nil {
		ready(url)
	}

	select {
	case err = <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	s.logger.Info("stopping", "shutdown_timeout", s.config.ShutdownTimeout.String())
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.ShutdownTimeout)
	defer cancel()
	if err := httpServer.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("requests were still in flight after %v", s.config.ShutdownTimeout), httpServer.Close())
	}
	<-swept
	return nil
}

// sweep forgets what is past its time, now and then hourly, until ctx ends.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		err := errors.Join(s.links.service.Sweep(ctx), s.visits.opening.Sweep(ctx, s.config.VisitsRetention))
		if err != nil && ctx.Err() == nil {
			s.logger.Warn("sweep failed; it is tried again in an hour", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// reachable is an address as someone on this machine can use it: one that listens everywhere is reached as localhost.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return a.String()
}
