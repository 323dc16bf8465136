package server

import (
	"context"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/server/internal/wire"
)

// PreviewShareLink answers GET /v1/share/{token}.
func (operations) PreviewShareLink(ctx context.Context, _ wire.PreviewShareLinkRequestObject) (wire.PreviewShareLinkResponseObject, error) {
	a := admissionOf(ctx)
	return wire.PreviewShareLink200JSONResponse{
		Type:            a.link.Type,
		Status:          a.status,
		PersonaName:     a.link.PersonaName,
		RemoveWatermark: a.link.RemoveWatermark,
		ExpiresAt:       timestamp(a.link.ExpiresAt),
	}, nil
}

// OpenShareLink answers POST /v1/share/{token}/sessions.
func (o operations) OpenShareLink(ctx context.Context, _ wire.OpenShareLinkRequestObject) (wire.OpenShareLinkResponseObject, error) {
	a := admissionOf(ctx)
	link, session, err := o.service.Open(ctx, a.link, a.visitor)
	if err != nil {
		return nil, err
	}
	return wire.OpenShareLink201JSONResponse{
		SessionToken: session.Token,
		ExpiresAt:    api.Timestamp{Time: session.ExpiresAt},
		PersonaID:    link.PersonaID.String(),
		PersonaName:  link.PersonaName,
	}, nil
}

// ListShareLinkVisits answers GET /v1/share-links/{id}/visits.
func (o operations) ListShareLinkVisits(ctx context.Context, r wire.ListShareLinkVisitsRequestObject) (wire.ListShareLinkVisitsResponseObject, error) {
	p := paging(r.Params.Page, r.Params.PerPage)
	page, err := o.service.Visits(ctx, organizationOf(ctx).ID, parseID(r.ID), p)
	if err != nil {
		return nil, err
	}
	data := make([]api.Visit, len(page.Items))
	for i, visit := range page.Items {
		data[i] = api.Visit{
			ID:      visit.ID.String(),
			At:      api.Timestamp{Time: visit.At},
			Outcome: visit.Outcome,
			Origin:  optional(visit.Origin),
			Client:  optional(visit.Client),
			Address: optional(visit.Address),
		}
	}
	return wire.ListShareLinkVisits200JSONResponse{Data: data, Meta: pageMeta(page.Total, p)}, nil
}
