package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Option is a setting. Given to New it holds for every call, given to a call it holds for that call alone.
type Option func(*settings)

// settings is what the options say. The key is behind a function because fmt prints unexported fields, but not what a
// function would return.
type settings struct {
	url            string
	key            func() string
	httpClient     *http.Client
	timeout        time.Duration
	retry          Retry
	agent          string
	logger         *slog.Logger // nil is silence
	idempotencyKey *string
}

const (
	defaultURL     = "https://api.anam.ai"
	defaultTimeout = 30 * time.Second
	agent          = "sharelinks-go"
)

// environment is the settings for which nothing is said: the environment's where it has any.
func environment() settings {
	s := settings{
		url:        os.Getenv("ANAM_API_URL"),
		httpClient: http.DefaultClient,
		timeout:    defaultTimeout,
		agent:      agent,
	}
	if s.url == "" {
		s.url = defaultURL
	}
	WithKey(os.Getenv("ANAM_API_KEY"))(&s)
	return s
}

// with returns the settings after the options, or every fault of them.
func (s settings) with(opts []Option) (settings, error) {
	for _, o := range opts {
		if o != nil {
			o(&s)
		}
	}
	var faults []error
	if err := checkURL(s.url); err != nil {
		faults = append(faults, err)
	}
	switch key := s.key(); {
	case key == "":
		faults = append(faults, errors.New("the API key is empty; set ANAM_API_KEY or use WithKey"))
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		faults = append(faults, errors.New("the API key must be visible ASCII characters without spaces"))
	}
	if s.timeout < 0 {
		faults = append(faults, fmt.Errorf("the timeout must be at least 0, not %v", s.timeout))
	}
	if strings.ContainsFunc(s.agent, func(r rune) bool { return r < ' ' || r > '~' }) {
		faults = append(faults, errors.New("the user agent must be printable ASCII characters"))
	}
	if r := s.retry; r.Attempts < 0 || r.Backoff < 0 || r.MaxWait < 0 {
		faults = append(faults, errors.New("a retry policy has no numbers below 0"))
	}
	return s, errors.Join(faults...)
}

// checkURL says what is wrong with a base URL without repeating it: it may hold a password.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("the base URL must be http://HOST or https://HOST, a path prefix allowed, as " + defaultURL)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errors.New("the base URL must have no user, query or fragment")
	}
	return nil
}

// WithKey sets the API key. The default is the environment variable ANAM_API_KEY.
func WithKey(key string) Option {
	return func(s *settings) { s.key = func() string { return key } }
}

// WithURL sets the base URL, absolute, http or https; a path prefix is kept, and /v1/share-links follows it. The default
// is the environment variable ANAM_API_URL, and without it https://api.anam.ai.
func WithURL(url string) Option { return func(s *settings) { s.url = url } }

// WithHTTPClient sets what sends the requests, http.DefaultClient if nil. It is not changed: a copy gets the retries, and
// follows no redirects unless it has a CheckRedirect of its own, because a redirected POST arrives as a GET.
func WithHTTPClient(c *http.Client) Option {
	return func(s *settings) {
		s.httpClient = c
		if c == nil {
			s.httpClient = http.DefaultClient
		}
	}
}

// WithTimeout bounds a call, all its attempts and the waits between them included; with All, each page. The default is
// 30 s; 0 leaves it to the context.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithRetry sets how failed attempts are repeated. The default is Retry{}; Retry{Attempts: 1} repeats nothing.
func WithRetry(r Retry) Option { return func(s *settings) { s.retry = r } }

// WithUserAgent adds the caller's name to the User-Agent, as "myapp/1.2".
func WithUserAgent(suffix string) Option {
	return func(s *settings) { s.agent = strings.TrimSpace(agent + " " + suffix) }
}

// WithLogger sets where each attempt is told: method, route, status, attempt, time taken and request id, at level Debug if
// it went well and Warn if not. Never a query, a key or a token. The default, and nil, is silence.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) { s.logger = l }
}

// WithIdempotencyKey sets the Idempotency-Key of one Create, 1 to 255 visible ASCII characters: a second Create under it,
// even from another process, answers the first one's link, at a server that honours such keys. Without it every Create has
// a random one. It is for a call, not for New.
func WithIdempotencyKey(key string) Option { return func(s *settings) { s.idempotencyKey = &key } }
