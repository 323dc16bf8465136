package server

import (
	"context"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/server/internal/wire"
)

// ListPersonas answers GET /v1/personas.
func (o operations) ListPersonas(context.Context, wire.ListPersonasRequestObject) (wire.ListPersonasResponseObject, error) {
	return nil, &sharelink.Error{Code: sharelink.NotFound, Detail: "not there yet"}
}
