// Package api has the models of the wire, generated from openapi.yaml: one set for server and client. Only this file and
// timestamp.go are written by hand.
package api
