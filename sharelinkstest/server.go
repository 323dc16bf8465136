// Package sharelinkstest is a share-link server for tests, as net/http/httptest is one for handlers. It is the real
// server on a store in memory: strict as the contract, with a clock that the test moves, faults that the test queues, and
// a journal of what it was asked.
//
//	srv := sharelinkstest.NewServer(t)
//	link, err := srv.Client().Create(ctx, client.CreateRequest{PersonaID: srv.AddPersona("Ada")})
//	srv.Advance(8 * 24 * time.Hour) // now the link has expired
package sharelinkstest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
	"github.com/sharelinks-dev/sharelinks/internal/memstore"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/server"
)

// TB is what a server needs of a test. *testing.T, *testing.B and *testing.F have it.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Server is a share-link server for a test. It is safe for concurrent use. A method that is called with what makes no
// sense, such as the name of an operation that the contract does not have, ends the test.
type Server struct {
	URL string // such as http://127.0.0.1:41234
	Key string // an API key of the organization "default"

	tb        TB
	options   options
	clock     *clock
	random    *random
	store     *memstore.Store
	service   *service.Service // on the same store as the handler
	handler   http.Handler
	contract  *contract.Contract
	faults    faults
	journal   journal
	anam      *Anam
	transport *http.Transport
	closing   context.Context // ends when the server closes: nothing hangs longer
	close     func() error
	first     Snapshot // what Reset goes back to

	mu            sync.Mutex
	organizations int // how many AddOrganization has added
	snapshots     map[string]Snapshot
}

// NewServer starts a server that is closed when the test ends. It has the organization "default", an API key and, as the
// contract's examples have it, the persona Cara with the id of all zeros. It has no rate limits. Each of its answers is
// checked against the contract, and one that breaks it fails the test.
func NewServer(tb TB, opts ...Option) *Server {
	tb.Helper()
	s, err := newServer(tb, opts)
	if err != nil {
		tb.Fatalf("sharelinkstest: %v", err)
	}
	tb.Cleanup(func() {
		tb.Helper()
		if err := s.Close(); err != nil {
			tb.Errorf("sharelinkstest: %v", err)
		}
	})
	return s
}

// Start starts a server as NewServer does, for a program that is no test. Close it. An answer that breaks the contract is
// logged as an error; where NewServer would end the test, a method panics.
func Start(opts ...Option) (*Server, error) { return newServer(nil, opts) }

func newServer(tb TB, opts []Option) (*Server, error) {
	s := &Server{options: newOptions(opts), snapshots: map[string]Snapshot{}}
	if s.tb = tb; tb == nil {
		s.tb = program{s.options.logger}
	}
	return s, s.start()
}

// program is the TB of a server that no test has started.
type program struct{ logger *slog.Logger }

func (program) Helper()                             {}
func (program) Cleanup(func())                      {}
func (p program) Errorf(format string, args ...any) { p.logger.Error(fmt.Sprintf(format, args...)) }
func (p program) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (s *Server) start() error {
	seed, err := s.options.readSeed()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.options.addr)
	if err != nil {
		return err
	}
	closing, cancel := context.WithCancel(context.Background())
	s.closing = closing
	real, err := s.assemble(listener.Addr().String(), seed)
	if err != nil {
		cancel()
		if s.anam != nil {
			err = errors.Join(err, s.anam.close())
		}
		return errors.Join(err, listener.Close())
	}
	stop := serve(listener, s, s.options.logger)
	s.close = sync.OnceValue(func() error {
		cancel()
		err := stop()
		s.transport.CloseIdleConnections()
		if s.anam != nil {
			err = errors.Join(err, s.anam.close())
		}
		return errors.Join(err, real.Close())
	})
	return nil
}

// serve serves until stop is called, which ends every connection and waits for the calls.
func serve(listener net.Listener, handler http.Handler, logger *slog.Logger) (stop func() error) {
	var running sync.WaitGroup
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running.Add(1)
			defer running.Done()
			handler.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // it ends with the listener, by Close
	return func() error {
		err := server.Close()
		serving.Wait()
		running.Wait()
		return err
	}
}

// Close ends the server, and with it every call that hangs. NewServer does it when the test ends.
func (s *Server) Close() error { return s.close() }

// assemble puts the real server together, on a store in memory and on the clock, ids and tokens of the test.
func (s *Server) assemble(addr string, seed seed) (*server.Server, error) {
	s.Key, s.URL = s.options.key, "http://"+addr
	s.clock, s.random = newClock(s.options.start(), s.options.runs), newRandom(s.options.random)
	s.store = memstore.New()
	s.transport = http.DefaultTransport.(*http.Transport).Clone()

	config := server.DefaultConfig()
	config.Addr, config.PublicURL, config.APIKey, config.Personas = addr, s.URL, s.Key, s.options.personas
	config.RateLimit, config.OpenRate, config.LinkOpenRate, config.UnknownTokenRate = 0, 0, 0, 0
	config.Version, config.Logger, config.Now = s.options.version, s.options.logger, s.clock.now
	if s.options.anam {
		var err error
		if s.anam, err = startAnam(); err != nil {
			return nil, err
		}
		config.AnamURL, config.AnamAPIKey = s.anam.URL, s.anam.Key
		if config.Personas == server.PersonasAny {
			config.Personas = server.PersonasAnam
		}
	}
	ids := service.Options{
		Store: s.store, Now: s.clock.now, NewID: s.random.newID, NewToken: s.random.newToken, VisitsRetention: config.VisitsRetention,
	}
	s.service = service.New(ids)
	if _, err := s.store.SigningKeys(s.closing, s.random.signingKey(s.Now())); err != nil {
		return nil, err
	}
	real, err := server.NewOn(s.closing, config, ids)
	if err != nil {
		return nil, err
	}
	s.handler, s.contract = real.Handler(), real.Contract()
	if err := errors.Join(s.addReadOnlyKey(), s.sow(seed)); err != nil {
		return nil, errors.Join(err, real.Close())
	}
	s.first = s.Snapshot()
	return real, nil
}

// addReadOnlyKey adds the key of WithReadOnlyKey.
func (s *Server) addReadOnlyKey() error {
	key := s.options.readKey
	if key == "" {
		return nil
	}
	org, err := s.service.OrganizationNamed(s.closing, service.DefaultOrganization)
	if err != nil {
		return err
	}
	k := sharelink.Key{Prefix: sharelink.VisiblePrefix(key), OrganizationID: org.ID, ReadOnly: true, CreatedAt: s.Now()}
	return s.store.AddKey(s.closing, k, sharelink.HashSecret(key))
}

// Client returns a client of the server, with its key unless the options say otherwise.
func (s *Server) Client(opts ...client.Option) *client.Client {
	s.tb.Helper()
	return s.client(s.Key, opts)
}

func (s *Server) client(key string, opts []client.Option) *client.Client {
	s.tb.Helper()
	own := []client.Option{client.WithURL(s.URL), client.WithKey(key), client.WithHTTPClient(&http.Client{Transport: s.transport})}
	c, err := client.New(append(own, opts...)...)
	if err != nil {
		s.tb.Fatalf("sharelinkstest: Client: %v", err)
	}
	return c
}

// Anam returns the upstream of a server with WithAnam.
func (s *Server) Anam() *Anam {
	s.tb.Helper()
	if s.anam == nil {
		s.tb.Fatalf("sharelinkstest: Anam: the server has none; give NewServer the option WithAnam()")
	}
	return s.anam
}

// AddPersona adds a persona to the organization "default", or where Anam has the personas to its account, and returns its
// id. A name is 1 to 100 characters.
func (s *Server) AddPersona(name string) string {
	s.tb.Helper()
	if s.anam != nil && s.options.personas == server.PersonasAny {
		return s.anam.AddPersona(name)
	}
	return s.addPersona(service.DefaultOrganization, name)
}

func (s *Server) addPersona(organization, name string) string {
	s.tb.Helper()
	p, err := s.service.AddPersona(s.closing, organization, nil, name)
	if err != nil {
		s.tb.Fatalf("sharelinkstest: AddPersona(%q): %v", name, err)
	}
	return p.ID.String()
}

// AllowWatermarkRemoval lets the links of the organization "default" remove the watermark. Otherwise that is a 403.
func (s *Server) AllowWatermarkRemoval() {
	s.tb.Helper()
	if _, err := s.service.SetWatermarkRemoval(s.closing, service.DefaultOrganization, true); err != nil {
		s.tb.Fatalf("sharelinkstest: AllowWatermarkRemoval: %v", err)
	}
}

// Organization is one more organization of a server, to which the links of the others do not exist.
type Organization struct {
	Name string
	Key  string // an API key of it

	server *Server
}

// AddOrganization adds an organization without links and personas.
func (s *Server) AddOrganization() *Organization {
	s.tb.Helper()
	s.mu.Lock()
	s.organizations++
	o := &Organization{Name: "organization " + strconv.Itoa(s.organizations), server: s}
	s.mu.Unlock()
	_, err := s.service.CreateOrganization(s.closing, o.Name, false)
	if err == nil {
		o.Key, _, err = s.service.CreateKey(s.closing, o.Name, "", false)
	}
	if err != nil {
		s.tb.Fatalf("sharelinkstest: AddOrganization: %v", err)
	}
	return o
}

// Client returns a client with the key of the organization.
func (o *Organization) Client(opts ...client.Option) *client.Client {
	o.server.tb.Helper()
	return o.server.client(o.Key, opts)
}

// AddPersona adds a persona to the organization and returns its id. A name is 1 to 100 characters.
func (o *Organization) AddPersona(name string) string {
	o.server.tb.Helper()
	return o.server.addPersona(o.Name, name)
}

// Now returns what the server's clock says, in UTC.
func (s *Server) Now() time.Time { return s.clock.now() }

// Advance moves the clock forward and sweeps: what is kept for a limited time and is past it is removed.
func (s *Server) Advance(d time.Duration) {
	s.tb.Helper()
	if d < 0 {
		s.tb.Fatalf("sharelinkstest: Advance(%v): the duration must not be negative; SetTime goes back", d)
	}
	s.SetTime(s.Now().Add(d))
}

// SetTime sets the clock, to the millisecond, and sweeps.
func (s *Server) SetTime(t time.Time) {
	s.tb.Helper()
	if err := s.setTime(t); err != nil {
		s.tb.Fatalf("sharelinkstest: SetTime: %v", err)
	}
}

func (s *Server) setTime(t time.Time) error {
	s.clock.set(t)
	return s.service.Sweep(s.closing)
}

// Snapshot is all that a server has at an instant: organizations, personas, keys, links and visits, its clock, and with
// WithSeed what comes next.
type Snapshot struct {
	data   memstore.Data
	now    time.Time
	random []byte
}

// Snapshot returns what the server has.
func (s *Server) Snapshot() Snapshot { return Snapshot{s.store.Data(), s.Now(), s.random.state()} }

// Restore goes back to a snapshot of this server. Faults and the journal stay as they are.
func (s *Server) Restore(snapshot Snapshot) {
	s.clock.set(snapshot.now)
	s.random.setState(snapshot.random)
	s.store.SetData(snapshot.data)
}

// Reset makes the server what it was when NewServer returned: without links, faults, calls and violations, and with its
// first clock.
func (s *Server) Reset() {
	s.Restore(s.first)
	s.faults.clear()
	s.journal.clear()
	if s.anam != nil {
		s.anam.reset()
	}
}
