// Package sharelinks is the root of a contract-first share-link toolkit. The contract is openapi.yaml, written by hand;
// everything else follows from it: package api (models and Echo server interface) and package client/wire (models and raw
// client) are generated, package server implements the one and package client wraps the other.
//
// After a change to openapi.yaml run
//
//	go generate ./...
package sharelinks

import _ "embed"

//go:generate go tool oapi-codegen -config api/oapi-codegen.yaml openapi.yaml
//go:generate go tool oapi-codegen -config client/wire/oapi-codegen.yaml openapi.yaml
//go:generate go tool oapi-codegen -config server/internal/wire/oapi-codegen.yaml openapi.yaml

// Spec is openapi.yaml: the bytes that the server validates against and serves at /openapi.yaml.
//
//go:embed openapi.yaml
var Spec []byte
