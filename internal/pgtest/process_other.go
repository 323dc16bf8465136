//go:build unix && !linux

package pgtest

import "syscall"

// attributes has no way to make a child end when this process is killed.
func attributes(who *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who, Setpgid: true}
}
