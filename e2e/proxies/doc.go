// Package proxies tries several servers behind the proxies of deploy/: `make proxies`.
package proxies
