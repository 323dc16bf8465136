// Package deploy checks the files of deploy/ without the programs that they are for, and that `make release` makes the same
// bytes again: `make deploy-files`. Package proxies has the configurations of proxies.
package deploy
