package pgtest

import "syscall"

// attributes makes a child end when this process does, however that ends: PostgreSQL takes SIGQUIT as an order to stop at
// once and to take its own children with it.
func attributes(who *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
}
