// Package sharelinks is the root of a contract-first share-link toolkit. The contract is openapi.yaml, written by hand;
// everything else follows from it. Package api (models), client/wire (the raw client) and server/internal/wire (the Echo
// server interface) are generated; package client makes the one pleasant to use and package server implements the other.
//
// After a change to openapi.yaml run
//
//	go generate ./...
package sharelinks

import _ "embed"

//go:generate go run ./internal/specjson
//go:generate go tool oapi-codegen -config api/oapi-codegen.yaml openapi.yaml
//go:generate go tool oapi-codegen -config client/wire/oapi-codegen.yaml openapi.yaml
//go:generate go tool oapi-codegen -config server/internal/wire/oapi-codegen.yaml openapi.yaml

//go:embed openapi.yaml
var spec string

//go:embed openapi.gen.json
var specJSON string

// Spec returns openapi.yaml: the bytes that the server has at /openapi.yaml.
func Spec() []byte { return []byte(spec) }

// SpecJSON returns openapi.yaml as JSON: what the server validates against and has at /openapi.json.
func SpecJSON() []byte { return []byte(specJSON) }
