package server

import (
	"context"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// onSocket returns the configuration of a server on a Unix socket.
func onSocket(t *testing.T, path string) Config {
	config := testConfig(t)
	config.Addr, config.PublicURL = unixPrefix+path, "https://links.test"
	return config
}

// through returns a client whose every request goes through a Unix socket.
func through(t *testing.T, path string) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// socketPath returns one that is short enough: the temporary directory of a test may be deep.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "http.sock")
}

func TestSocket(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	abandon(t, path) // it is in the way, and of no server
	at, stop := run(t, onSocket(t, path))
	if at != "unix:"+path {
		t.Errorf("it listens on %s", at)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("%v, %v", info, err)
	}
	resp, err := through(t, path).Get("http://links.test/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}

	// A second server leaves the first alone.
	second, err := New(t.Context(), onSocket(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "another server listens on "+path) {
		t.Errorf("%v", err)
	}
	if resp, err = through(t, path).Get("http://links.test/readyz"); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	stop()
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there")
	}
}

// abandon leaves a socket as a server does that was killed.
func abandon(t *testing.T, path string) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
}

// Of servers that start together on an abandoned socket one listens, and can be reached.
func TestSocketTogether(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	abandon(t, path)
	listeners := make(chan net.Listener)
	const servers = 20
	for range servers {
		go func() {
			listener, _ := Listen(t.Context(), unixPrefix+path)
			listeners <- listener
		}()
	}
	listening := 0
	for range servers {
		if listener := <-listeners; listener != nil {
			listening++
			defer listener.Close()
		}
	}
	conn, err := net.Dial("unix", path)
	if err != nil || listening != 1 {
		t.Fatalf("%d listen; %v", listening, err)
	}
	conn.Close()
}

// What is not a socket is left as it is, and so is a socket that took the place of ours.
func TestSocketTouchesNothingElse(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), unixPrefix+path); err == nil || !strings.Contains(err.Error(), path+" is there and is not a socket") {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("%s, %v", text, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(t.Context(), unixPrefix+path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	abandon(t, path)
	listener.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket of another is gone: %v", err)
	}
	if _, err := Listen(t.Context(), unixPrefix+filepath.Join(path, "below")); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func TestSocketSettings(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"unix:":                             "Addr: must be unix: and the path of a file",
		"unix:@abstract":                    "Addr: must be unix: and the path of a file",
		"unix:/" + strings.Repeat("x", 200): "Addr: must be unix: and the path of a file",
		"unix:/run/sharelinks/http.sock":    "PublicURL: must be set: nobody can open a link at a Unix socket",
	} {
		config := DefaultConfig()
		config.Addr = addr
		if err := config.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// Through a socket comes a proxy: it is believed, and warned of once when it says nothing. What it had from others is not believed.
func TestForwardedThroughASocket(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	config := onSocket(t, path)
	var log lockedBuffer
	config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s, err := New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := make(chan string, 1)
	listener, err := Listen(t.Context(), config.Addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- s.addressOf(r).String() })}
	defer server.Close()
	go server.Serve(listener)
	client := through(t, path)
	for _, c := range []struct {
		forwarded []string
		want      string
	}{
		{[]string{"203.0.113.7"}, "203.0.113.7"},
		{[]string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		{[]string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		{[]string{"nonsense"}, "invalid IP"},
		{nil, "invalid IP"},
		{nil, "invalid IP"},
	} {
		r, err := http.NewRequest("GET", "http://links.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["X-Forwarded-For"] = c.forwarded
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if address := <-got; address != c.want {
			t.Errorf("%q: %s, want %s", c.forwarded, address, c.want)
		}
	}
	if n := strings.Count(log.String(), "without X-Forwarded-For"); n != 1 || strings.Contains(log.String(), "is ignored") {
		t.Errorf("%d warnings:\n%s", n, &log)
	}
}
