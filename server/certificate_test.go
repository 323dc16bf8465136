package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// run runs a server until the test ends, or stop is called, and returns where it listens.
func run(t *testing.T, config Config) (at string, stop func()) {
	t.Helper()
	s, err := New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- s.Run(ctx, func(url string) { ready <- url })
		close(done)
	}()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	select {
	case at = <-ready:
		return at, stop
	case err := <-done:
		t.Fatal(err)
	}
	return "", nil
}

// writePair makes a certificate of its own for 127.0.0.1 in two files.
func writePair(t *testing.T, certFile, keyFile string, number int64, expires time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: day.Add(-time.Hour), NotAfter: expires, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A new certificate is used by the next handshake, a bad one never, and nothing that is connected notices.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	dir := t.TempDir()
	config.TLSCert, config.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	expires := day.Add(time.Hour)
	writePair(t, config.TLSCert, config.TLSKey, 1, expires)
	var clock atomic.Pointer[time.Time]
	clock.Store(&day)
	config.Now = func() time.Time { return *clock.Load() }
	var log lockedBuffer
	config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	at, _ := run(t, config)
	if !strings.HasPrefix(at, "https://127.0.0.1:") {
		t.Fatal(at)
	}

	connect := func() *http.Client {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	serves := func(c *http.Client) (number int64, body string) {
		t.Helper()
		resp, err := c.Get(at + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.ProtoMajor != 2 {
			t.Errorf("%s, %v", resp.Proto, err)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64(), string(text)
	}
	old := connect()
	for i, c := range []struct {
		change  func()
		advance time.Duration
		serial  int64
		logged  string
	}{
		{func() {}, 0, 1, "the TLS certificate was read"},
		{func() { writePair(t, config.TLSCert, config.TLSKey, 2, expires.Add(time.Hour)) }, 0, 1, ""}, // not within the second
		{func() {}, time.Second, 2, "the TLS certificate was read"},
		{func() { writePair(t, config.TLSCert, filepath.Join(dir, "another.pem"), 3, expires) }, time.Second, 2, "TLSKey: the file " + config.TLSKey + " must have the key"},
		{func() {}, time.Second, 2, ""}, // it is warned of once
		{func() { os.Remove(config.TLSKey) }, time.Second, 2, "TLSKey: cannot be read: open " + config.TLSKey},
		{func() { writePair(t, config.TLSCert, config.TLSKey, 4, day) }, time.Second, 4, "the TLS certificate has expired"},
	} {
		before := len(log.String())
		c.change()
		clock.Store(new(clock.Load().Add(c.advance)))
		if got, _ := serves(connect()); got != c.serial {
			t.Errorf("%d: certificate %d, want %d", i, got, c.serial)
		}
		lines := strings.Count(log.String()[before:], "TLS certificate")
		if i == 0 {
			before, lines = 0, 1
		}
		if logged := log.String()[before:]; !strings.Contains(logged, c.logged) || lines != min(1, len(c.logged)) {
			t.Errorf("%d: want %q in the log:\n%s", i, c.logged, logged)
		}
		if got, _ := serves(old); got != 1 {
			t.Errorf("%d: the first connection did not go on", i)
		}
	}
	// Whoever only asks for the metrics, over a connection that goes on, sees a new one too.
	writePair(t, config.TLSCert, config.TLSKey, 5, time.Unix(1.8e9, 0))
	clock.Store(new(clock.Load().Add(time.Second)))
	if _, metrics := serves(old); !strings.Contains(metrics, "\nsharelinks_tls_certificate_expiry_seconds 1.8e+09\n") {
		t.Errorf("no expiry in\n%s", metrics)
	}
}

// TLS is no older than 1.2; what is no handshake is told so, and is no line in the log.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	dir := t.TempDir()
	config.TLSCert, config.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, config.TLSCert, config.TLSKey, 1, time.Now().Add(time.Hour))
	var log lockedBuffer
	config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	at, stop := run(t, config)
	addr := strings.TrimPrefix(at, "https://")
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 was spoken")
	}
	resp, err := http.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP got %d", resp.StatusCode)
	}
	stop()
	if strings.Contains(log.String(), "handshake") {
		t.Errorf("%s", &log)
	}
}

// What is wrong with the files is said at the start, by the name of the field and of the file.
func TestBadCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	writePair(t, file("cert"), file("key"), 1, day)
	writePair(t, file("cert2"), file("key2"), 2, day)
	bad := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")})
	if err := errors.Join(os.WriteFile(file("bad"), bad, 0o600), os.WriteFile(file("text"), []byte("hunter2"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ cert, key, want string }{
		{file("cert"), "", "TLSKey: must be set, too"},
		{"", file("key"), "TLSCert: must be set, too"},
		{file("none"), file("key"), "TLSCert: cannot be read: open " + file("none")},
		{file("cert"), file("none"), "TLSKey: cannot be read: open " + file("none")},
		{dir, file("key"), "TLSCert: cannot be read: read " + dir},
		{file("text"), file("key"), "TLSCert: the file " + file("text") + " must have a certificate in PEM"},
		{file("key"), file("cert"), "TLSCert: the file " + file("key") + " must have a certificate in PEM"},
		{file("bad"), file("key"), "TLSCert: the certificate in " + file("bad") + ": "},
		{file("cert"), file("text"), "TLSKey: the file " + file("text") + " must have the key, in PEM, of the certificate in " + file("cert")},
		{file("cert"), file("key2"), "TLSKey: the file " + file("key2") + " must have the key, in PEM, of the certificate in " + file("cert")},
		{file("cert2"), file("key2"), ""},
	} {
		config := DefaultConfig()
		config.TLSCert, config.TLSKey = c.cert, c.key
		err := config.Validate()
		if c.want == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || c.want == "" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s with %s: %v, want %q", c.cert, c.key, err, c.want)
		}
	}
	key, err := os.ReadFile(file("key"))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := os.ReadFile(file("cert"))
	if err != nil {
		t.Fatal(err)
	}
	both := file("both")
	if err := os.WriteFile(both, bytes.Join([][]byte{key, cert}, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.TLSCert, config.TLSKey = both, both
	if err := config.Validate(); err != nil {
		t.Errorf("both in one file: %v", err)
	}
}

// Browsers are told to come by https only where that is how people come, and the host is the service's alone.
func TestStrictTransport(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{
		"":                              "",
		"http://links.example.com":      "",
		"https://links.example.com":     "max-age=31536000",
		"https://links.example.com/":    "max-age=31536000",
		"https://www.example.com/links": "",
		"https://localhost:8443":        "",
	} {
		ts := start(t, nil, func(c *Config) { c.PublicURL = public })
		for path, status := range map[string]int{"/healthz": 200, "/v1/share-links": 401, "/nowhere": 404} {
			a := ts.send("GET", path, "", "Authorization: ").want(status)
			if got := a.header.Get("Strict-Transport-Security"); got != want {
				t.Errorf("public URL %q, %s: %q, want %q", public, path, got, want)
			}
		}
	}
}
