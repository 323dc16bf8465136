// Package wire is a raw client for the operations of openapi.yaml, generated from it, on the models of package api.
// Package client is the client to use where it has what you need. Only this file is written by hand.
package wire
