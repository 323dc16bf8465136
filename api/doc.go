// Package api is generated from openapi.yaml: the models of the wire and the Echo server interface of its operations.
// Only this file and timestamp.go are written by hand.
package api
