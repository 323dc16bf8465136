package server

import (
	"context"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/server/internal/wire"
)

// visits translates between the wire and the domain for the operations of visitors, whose link is in the call already,
// and on what is known of them. Nothing is decided here.
type visits struct {
	opening *sharelink.Opening
}

// PreviewShareLink answers GET /v1/share/{token}.
func (v *visits) PreviewShareLink(ctx context.Context, _ wire.PreviewShareLinkRequestObject) (wire.PreviewShareLinkResponseObject, error) {
	link := callFrom(ctx).link
	return wire.PreviewShareLink200JSONResponse{
		Type:            api.ShareLinkType(link.Type),
		Status:          api.ShareLinkStatus(v.opening.Status(link)),
		PersonaName:     link.PersonaName,
		RemoveWatermark: link.RemoveWatermark,
		ExpiresAt:       timestamp(link.ExpiresAt),
	}, nil
}

// OpenShareLink answers POST /v1/share/{token}/sessions.
func (v *visits) OpenShareLink(ctx context.Context, _ wire.OpenShareLinkRequestObject) (wire.OpenShareLinkResponseObject, error) {
	k := callFrom(ctx)
	session, err := v.opening.Open(ctx, k.link, k.visitor)
	if err != nil {
		return nil, err
	}
	return wire.OpenShareLink201JSONResponse{
		SessionToken: session.Token,
		ExpiresAt:    api.Timestamp{Time: session.ExpiresAt},
		PersonaID:    k.link.PersonaID.String(),
		PersonaName:  k.link.PersonaName,
	}, nil
}

// ListShareLinkVisits answers GET /v1/share-links/{id}/visits.
func (v *visits) ListShareLinkVisits(ctx context.Context, r wire.ListShareLinkVisitsRequestObject) (wire.ListShareLinkVisitsResponseObject, error) {
	f := sharelink.NewFilter()
	f.Page, f.PerPage = value(r.Params.Page, f.Page), value(r.Params.PerPage, f.PerPage)
	page, err := v.opening.Visits(ctx, callFrom(ctx).organization, uuid.MustParse(r.ID), f.Page, f.PerPage)
	if err != nil {
		return nil, err
	}
	data := make([]api.Visit, len(page.Visits))
	for i, visit := range page.Visits {
		data[i] = api.Visit{
			ID:      visit.ID.String(),
			At:      api.Timestamp{Time: visit.At},
			Outcome: api.VisitOutcome(visit.Outcome),
			Origin:  optional(visit.Origin),
			Client:  optional(visit.Client),
			Address: optional(visit.Address),
		}
	}
	return wire.ListShareLinkVisits200JSONResponse{Data: data, Meta: pageMeta(page.Total, f.Page, f.PerPage)}, nil
}
