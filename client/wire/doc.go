// Package wire is generated from openapi.yaml: the models of the wire and a raw client. Only this file is written by hand.
// Package client wraps it in something more pleasant.
package wire
