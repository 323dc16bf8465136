package server

import (
	"context"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/server/internal/wire"
)

// ListPersonas answers GET /v1/personas.
func (o operations) ListPersonas(ctx context.Context, r wire.ListPersonasRequestObject) (wire.ListPersonasResponseObject, error) {
	p := paging(r.Params.Page, r.Params.PerPage)
	page, err := o.service.Personas(ctx, organizationOf(ctx).ID, valueOr(r.Params.Search, ""), p)
	if err != nil {
		return nil, err
	}
	data := make([]api.Persona, len(page.Items))
	for i, persona := range page.Items {
		data[i] = api.Persona{ID: persona.ID.String(), Name: persona.Name}
	}
	return wire.ListPersonas200JSONResponse{Data: data, Meta: pageMeta(page.Total, p)}, nil
}
