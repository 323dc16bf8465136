// Package sharelinks is the root of a contract-first share-link toolkit. The contract is openapi.yaml, written by hand;
// everything else follows from it. Package api (models), client/wire (the raw client) and server/internal/wire (the Echo
// server interface) are generated; package client makes the one pleasant to use and package server implements the other.
//
// After a change to openapi.yaml run
//
//	go generate ./...
package sharelinks

import _ "embed"

//go:generate go tool oapi-codegen -config api/oapi-codegen.yaml openapi.yaml
//go:generate go tool oapi-codegen -config client/wire/oapi-codegen.yaml openapi.yaml
//go:generate go tool oapi-codegen -config server/internal/wire/oapi-codegen.yaml openapi.yaml

//go:embed openapi.yaml
var spec string

// Spec returns openapi.yaml: the bytes that the server validates against and serves at /openapi.yaml.
func Spec() []byte { return []byte(spec) }
