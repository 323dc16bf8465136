//go:build generated

// Package generators tests that what strangers generate from openapi.yaml compiles and works. This file is never built: it
// keeps in go.mod what the generated code imports. That code is not committed, so go mod tidy does not see it.
package generators

import (
	_ "github.com/go-faster/errors"
	_ "github.com/go-faster/jx"
	_ "github.com/google/uuid"
	_ "github.com/oapi-codegen/nullable"
	_ "github.com/oapi-codegen/runtime"
	_ "github.com/ogen-go/ogen/otelogen"
	_ "go.opentelemetry.io/otel"
	_ "go.opentelemetry.io/otel/metric"
	_ "go.opentelemetry.io/otel/trace"
)
