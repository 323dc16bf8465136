package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// certificate is the certificate of a server that speaks TLS. Its files are looked at again at handshakes, at most once a
// second: whatever renews them has nothing to tell the server, and connections go on as they are.
type certificate struct {
	certFile, keyFile string
	logger            *slog.Logger
	now               func() time.Time

	looking sync.Mutex // held by the one handshake that looks
	looked  time.Time
	found   string // what the files held, or why they could not be read
	inUse   atomic.Pointer[tls.Certificate]
}

// newCertificate reads the files. Its error is a *FieldError.
func newCertificate(config Config, logger *slog.Logger, now func() time.Time) (*certificate, error) {
	c := &certificate{certFile: config.TLSCert, keyFile: config.TLSKey, logger: logger, now: now, looked: now()}
	return c, c.look()
}

// current returns the newest good certificate. A pair that is not good is warned of once, and the one before it stays in use.
func (c *certificate) current() *tls.Certificate {
	if c.looking.TryLock() {
		defer c.looking.Unlock()
		if now := c.now(); now.Sub(c.looked).Abs() >= time.Second {
			c.looked = now
			if err := c.look(); err != nil {
				c.logger.Warn("the TLS certificate stays the one that was read before", "error", err, "expires", c.expires())
			}
		}
	}
	return c.inUse.Load()
}

// look reads the files and takes what they hold into use, if it is something else than the last time. The error is
// a *FieldError.
func (c *certificate) look() error {
	pair, err := readPair(c.certFile, c.keyFile)
	found := pair.cert + pair.key
	if err != nil {
		found = err.Error()
	}
	if found == c.found {
		return nil
	}
	c.found = found
	if err != nil {
		return err
	}
	parsed, err := pair.parse()
	if err != nil {
		return err
	}
	c.inUse.Store(parsed)
	if expires := c.expires(); c.now().After(expires) {
		c.logger.Warn("the TLS certificate has expired", "expired", expires)
	} else {
		c.logger.Info("the TLS certificate was read", "expires", expires)
	}
	return nil
}

// expires returns until when the certificate in use is valid.
func (c *certificate) expires() time.Time { return c.inUse.Load().Leaf.NotAfter }

// config returns how TLS is spoken with the certificate. HTTP/2 is added by net/http.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	}
}

// pair is what the files of a certificate and its key hold.
type pair struct {
	certFile, keyFile string
	cert, key         string
}

// readPair reads the files. Its error is a *FieldError.
func readPair(certFile, keyFile string) (pair, error) {
	p := pair{certFile: certFile, keyFile: keyFile}
	switch {
	case certFile == "":
		return p, &FieldError{Field: "TLSCert", Detail: "must be set, too: a key is of no use without its certificate"}
	case keyFile == "":
		return p, &FieldError{Field: "TLSKey", Detail: "must be set, too: a certificate is of no use without its key"}
	}
	for _, f := range []struct {
		field, path string
		text        *string
	}{{"TLSCert", certFile, &p.cert}, {"TLSKey", keyFile, &p.key}} {
		text, err := os.ReadFile(f.path)
		if err != nil {
			return p, &FieldError{Field: f.field, Detail: "cannot be read: " + err.Error()}
		}
		*f.text = string(text)
	}
	return p, nil
}

// parse returns the certificate. Its error is a *FieldError and shows nothing of the files.
func (p pair) parse() (*tls.Certificate, error) {
	block, rest := pem.Decode([]byte(p.cert))
	for block != nil && block.Type != "CERTIFICATE" { // as X509KeyPair does
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, &FieldError{Field: "TLSCert", Detail: fmt.Sprintf("the file %s must have a certificate in PEM", p.certFile)}
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return nil, &FieldError{Field: "TLSCert", Detail: fmt.Sprintf("the certificate in %s: %v", p.certFile, err)}
	}
	certificate, err := tls.X509KeyPair([]byte(p.cert), []byte(p.key))
	if err != nil {
		return nil, &FieldError{Field: "TLSKey", Detail: fmt.Sprintf("the file %s must have the key, in PEM, of the certificate in %s: %v", p.keyFile, p.certFile, err)}
	}
	return &certificate, nil
}

// checkPair returns what is wrong with the files of a certificate and its key, as a *FieldError.
func checkPair(certFile, keyFile string) error {
	p, err := readPair(certFile, keyFile)
	if err == nil {
		_, err = p.parse()
	}
	return err
}

// newErrorLog returns where net/http writes. Of handshakes that fail, as those of scanners and of browsers that
// leave do, only somebody who debugs wants to know.
func newErrorLog(logger *slog.Logger) *log.Logger {
	return log.New(errorLog{
		rest:       slog.NewLogLogger(logger.Handler(), slog.LevelWarn).Writer(),
		handshakes: slog.NewLogLogger(logger.Handler(), slog.LevelDebug).Writer(),
	}, "", 0)
}

type errorLog struct{ rest, handshakes io.Writer }

// Write implements io.Writer.
func (l errorLog) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "TLS handshake error") {
		return l.handshakes.Write(line)
	}
	return l.rest.Write(line)
}
