package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	unixPrefix = "unix:" // of an address that is the path of a Unix socket
	// socketMode lets the owner and the group connect: a proxy is put into the group of the service.
	socketMode = 0o660
	// maxSocketPath is how many bytes the kernel has room for.
	maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1
)

// Listen listens at an address as Config.Addr is one. A program that listens before it calls New makes no database, and no API key in
// it, where another server has the address.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	var listener net.Listener
	var err error
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		listener, err = listenUnix(ctx, path)
	} else {
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}

// listenUnix makes a socket in the place of one whose server is gone. What is not a socket, or has a server, stays as it is.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	unlock, err := lockDirectory(filepath.Dir(path)) // or two servers that start together could each remove the other's
	if err != nil {
		return nil, err
	}
	defer unlock()
	switch there, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case there.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is there and is not a socket; it is left as it is", path)
	default:
		if err := removeStale(ctx, path); err != nil {
			return nil, err
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	socket := &socket{Listener: listener, path: path}
	if err = os.Chmod(path, socketMode); err == nil {
		socket.file, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close(), os.Remove(path))
	}
	return socket, nil
}

// removeStale removes a socket that no server listens on.
func removeStale(ctx context.Context, path string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return errors.Join(fmt.Errorf("another server listens on %s", path), conn.Close())
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("whether another server listens on %s is not known: %w", path, err)
	}
	return os.Remove(path)
}

// socket is a listener that removes its file when it is closed, unless another took its place.
type socket struct {
	net.Listener
	path string
	file fs.FileInfo
}

// Close implements net.Listener.
func (s *socket) Close() error {
	if there, err := os.Lstat(s.path); err == nil && os.SameFile(there, s.file) {
		_ = os.Remove(s.path) // a start finds that nobody listens on it
	}
	return s.Listener.Close()
}

// cameThroughSocket tells whether a request came through a Unix socket.
func cameThroughSocket(r *http.Request) bool {
	_, ok := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr)
	return ok
}
