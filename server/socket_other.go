//go:build !unix

package server

// lockDirectory does nothing where directories cannot be locked.
func lockDirectory(string) (unlock func(), err error) { return func() {}, nil }
