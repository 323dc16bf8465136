package client

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Option is a setting. Given to New it applies to every call, given to a call it applies to that call only.
type Option func(*settings)

// settings are the values of the options. The key is inside a function because fmt prints unexported fields too.
type settings struct {
	url            string
	key            func() string
	httpClient     *http.Client
	timeout        time.Duration // 0 is unlimited
	retry          Retry
	agent          string
	logger         *slog.Logger // nil logs nothing
	idempotencyKey *string      // nil is a random one
}

const (
	defaultURL     = "https://api.anam.ai"
	defaultTimeout = 30 * time.Second
	agent          = "sharelinks-go"
)

// defaults returns the settings without options: those of the environment, if it has any.
func defaults() settings {
	key := os.Getenv("ANAM_API_KEY")
	return settings{
		url:        cmp.Or(os.Getenv("ANAM_API_URL"), defaultURL),
		key:        func() string { return key },
		httpClient: http.DefaultClient,
		timeout:    defaultTimeout,
		agent:      agent,
	}
}

// with returns the settings with these options. The error lists everything that is wrong with them.
func (s settings) with(opts []Option) (settings, error) {
	for _, o := range opts {
		if o != nil {
			o(&s)
		}
	}
	var errs []error
	check := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New(text))
		}
	}
	u, err := url.Parse(s.url) // the errors do not repeat the URL: it may have a password
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		check(false, "the base URL must be http://HOST or https://HOST, optionally with a path, such as "+defaultURL)
	} else {
		check(u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "",
			"the base URL must not have a user, a query or a fragment")
	}
	check(s.key() != "", "the API key is empty; set ANAM_API_KEY or use WithKey")
	check(isVisible(s.key()), "the API key must be visible ASCII characters without spaces")
	check(s.timeout >= 0, "the timeout must not be negative")
	check(isVisible(strings.ReplaceAll(s.agent, " ", "")), "the user agent must be printable ASCII characters")
	r := s.retry
	check(r.Attempts >= 0 && r.Backoff >= 0 && r.MaxWait >= 0, "the retry policy must not have negative numbers")
	if key := s.idempotencyKey; key != nil {
		check(*key != "" && isVisible(*key), "the Idempotency-Key must be visible ASCII characters without spaces")
	}
	s.url = strings.TrimRight(s.url, "/") + "/" // as the generated code needs it
	return s, errors.Join(errs...)
}

// isVisible reports whether a text arrives unchanged as the value of a header.
func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// WithKey sets the API key. The default is the environment variable ANAM_API_KEY.
func WithKey(key string) Option {
	return func(s *settings) { s.key = func() string { return key } }
}

// WithURL sets the base URL, absolute, http or https. A path is kept: /v1/share-links is appended to it. The default is
// the environment variable ANAM_API_URL, or else https://api.anam.ai.
func WithURL(url string) Option { return func(s *settings) { s.url = url } }

// WithHTTPClient sets the HTTP client, http.DefaultClient if nil. It is not modified: a copy gets the retries. The copy
// does not follow redirects unless c has a CheckRedirect, because a redirected POST arrives as a GET.
func WithHTTPClient(c *http.Client) Option {
	return func(s *settings) { s.httpClient = cmp.Or(c, http.DefaultClient) }
}

// WithTimeout limits a call, including all its attempts and the waits between them; with All, each page. The default is
// 30 s; 0 is no limit but the context's.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithRetry sets how failed attempts are retried. The default is Retry{}; Retry{Attempts: 1} disables retries.
func WithRetry(r Retry) Option { return func(s *settings) { s.retry = r } }

// WithUserAgent appends the caller's name to the User-Agent, such as "myapp/1.2".
func WithUserAgent(suffix string) Option {
	return func(s *settings) { s.agent = strings.TrimSpace(agent + " " + suffix) }
}

// WithLogger logs each attempt: method, route, attempt, time taken, and status with request id or error. The level is
// Debug for a status of 2xx, else Warn. Queries, keys and tokens are not logged. The default, and nil, logs nothing.
// What a server sends unasked net/http prints through package log, whatever it is: log.SetOutput keeps it in.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.logger = l } }

// WithIdempotencyKey sets the Idempotency-Key of one Create, 1 to 255 visible ASCII characters. At a server that
// honours it, a second Create with the same key and request returns the first link, even from another process. The
// default is a random key for each Create. It is an option for a call, not for New.
func WithIdempotencyKey(key string) Option { return func(s *settings) { s.idempotencyKey = &key } }
