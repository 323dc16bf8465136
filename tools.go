//go:build tools

// This file pins the generator for tools that read imports rather than go.mod's tool directive, which `go generate` uses.
package sharelinks

import _ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen"
