//go:build unix

package server

import (
	"os"
	"syscall"
)

// lockDirectory keeps other servers from making a socket in a directory until unlock is called. It leaves no file.
func lockDirectory(path string) (unlock func(), err error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		_ = dir.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return func() { _ = dir.Close() }, nil
}
