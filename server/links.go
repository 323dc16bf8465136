package server

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/server/internal/wire"
)

// links translates between the wire and the domain for the operations on share links. Nothing is decided here.
type links struct {
	service   *sharelink.Service
	publicURL func() string // without a slash at its end
}

// CreateShareLink answers POST /v1/share-links.
func (l *links) CreateShareLink(ctx context.Context, r wire.CreateShareLinkRequestObject) (wire.CreateShareLinkResponseObject, error) {
	link, err := l.service.Create(ctx, callFrom(ctx).organization, draft(r.Body), value(r.Params.IdempotencyKey, ""))
	if err != nil {
		return nil, err
	}
	return wire.CreateShareLink201JSONResponse{
		Body:    l.shareLink(link),
		Headers: wire.CreateShareLink201ResponseHeaders{Location: pathOf(l.publicURL()) + "/v1/share-links/" + link.ID.String()},
	}, nil
}

// ListShareLinks answers GET /v1/share-links.
func (l *links) ListShareLinks(ctx context.Context, r wire.ListShareLinksRequestObject) (wire.ListShareLinksResponseObject, error) {
	f := sharelink.NewFilter()
	f.Page = value(r.Params.Page, f.Page)
	f.PerPage = value(r.Params.PerPage, f.PerPage)
	f.Search = value(r.Params.Search, f.Search)
	if id := r.Params.PersonaID; id != nil {
		f.PersonaID.UUID, f.PersonaID.Valid = uuid.MustParse(*id), true
	}
	page, err := l.service.List(ctx, callFrom(ctx).organization, f)
	if err != nil {
		return nil, err
	}
	data := make([]api.ShareLink, len(page.Links))
	for i, link := range page.Links {
		data[i] = l.personaShareLink(link)
	}
	return wire.ListShareLinks200JSONResponse{Data: data, Meta: pageMeta(page.Total, f.Page, f.PerPage)}, nil
}

// GetShareLink answers GET /v1/share-links/{id}.
func (l *links) GetShareLink(ctx context.Context, r wire.GetShareLinkRequestObject) (wire.GetShareLinkResponseObject, error) {
	link, err := l.service.Get(ctx, callFrom(ctx).organization, uuid.MustParse(r.ID))
	if err != nil {
		return nil, err
	}
	return wire.GetShareLink200JSONResponse(l.personaShareLink(link)), nil
}

// UpdateShareLink answers PUT /v1/share-links/{id}.
func (l *links) UpdateShareLink(ctx context.Context, r wire.UpdateShareLinkRequestObject) (wire.UpdateShareLinkResponseObject, error) {
	link, err := l.service.Update(ctx, callFrom(ctx).organization, uuid.MustParse(r.ID), change(r.Body))
	if err != nil {
		return nil, err
	}
	return wire.UpdateShareLink200JSONResponse(l.shareLink(link)), nil
}

// DeleteShareLink answers DELETE /v1/share-links/{id}.
func (l *links) DeleteShareLink(ctx context.Context, r wire.DeleteShareLinkRequestObject) (wire.DeleteShareLinkResponseObject, error) {
	link, err := l.service.Delete(ctx, callFrom(ctx).organization, uuid.MustParse(r.ID))
	if err != nil {
		return nil, err
	}
	return wire.DeleteShareLink200JSONResponse(l.personaShareLink(link)), nil
}

func draft(body *api.CreateShareLinkRequest) sharelink.Draft {
	d := sharelink.NewDraft(uuid.MustParse(body.PersonaID))
	if body.Type != "" {
		d.Type = sharelink.Type(body.Type)
	}
	if in := lifetime(body.ExpiresInHours); in != nil {
		d.ExpiresIn = *in
	}
	if limit := usageLimit(body.UsageLimit); limit != nil {
		d.UsageLimit = *limit
	}
	if body.AllowedOrigins != nil {
		d.AllowedOrigins = *body.AllowedOrigins
	}
	d.AllowAllOrigins = value(body.AllowAllOrigins, d.AllowAllOrigins)
	d.RemoveWatermark = value(body.RemoveWatermark, d.RemoveWatermark)
	d.Enabled = value(body.Enabled, d.Enabled)
	d.IsPrimary = value(body.IsPrimary, d.IsPrimary)
	return d
}

func change(body *api.UpdateShareLinkRequest) sharelink.Change {
	var kind *sharelink.Type
	if body.Type != "" {
		kind = (*sharelink.Type)(&body.Type)
	}
	return sharelink.Change{
		Type:            kind,
		ExpiresIn:       lifetime(body.ExpiresInHours),
		UsageLimit:      usageLimit(body.UsageLimit),
		AllowedOrigins:  body.AllowedOrigins,
		AllowAllOrigins: body.AllowAllOrigins,
		RemoveWatermark: body.RemoveWatermark,
		Enabled:         body.Enabled,
		IsPrimary:       body.IsPrimary,
	}
}

// lifetime is nil when nothing was said, and 0 for null, which is never.
func lifetime(hours nullable.Nullable[float64]) *time.Duration {
	if !hours.IsSpecified() {
		return nil
	}
	var in time.Duration
	if h, err := hours.Get(); err == nil {
		in = sharelink.Hours(h)
	}
	return &in
}

// usageLimit is nil when nothing was said, and 0 for null, which is without limit.
func usageLimit(limit nullable.Nullable[int]) *int {
	if !limit.IsSpecified() {
		return nil
	}
	n, err := limit.Get()
	if err != nil {
		n = 0
	}
	return &n
}

func (l *links) shareLink(link sharelink.Link) api.ShareLink {
	return api.ShareLink{
		ID:              link.ID.String(),
		Token:           link.Token,
		Type:            api.ShareLinkType(link.Type),
		ExpiresAt:       timestamp(link.ExpiresAt),
		UsageLimit:      positive(link.UsageLimit),
		UsageCount:      link.UsageCount,
		AllowedOrigins:  link.AllowedOrigins,
		AllowAllOrigins: link.AllowAllOrigins,
		RemoveWatermark: link.RemoveWatermark,
		Enabled:         link.Enabled,
		IsPrimary:       link.IsPrimary,
		CreatedAt:       api.Timestamp{Time: link.CreatedAt},
		URL:             l.url(link),
	}
}

func (l *links) personaShareLink(link sharelink.Link) api.ShareLink {
	s := l.shareLink(link)
	s.PersonaID, s.PersonaName, s.OrganizationID = link.PersonaID.String(), link.PersonaName, link.OrganizationID.String()
	return s
}

// url is where a person opens the link: a page of its own, or the frame that an embed shows.
func (l *links) url(link sharelink.Link) string {
	if api.ShareLinkType(link.Type) == api.ShareLinkTypeLink {
		return l.publicURL() + "/share/" + link.Token
	}
	return l.publicURL() + "/frame/" + link.Token
}

func pageMeta(total, page, perPage int) api.PageMeta {
	last := sharelink.LastPage(total, perPage)
	meta := api.PageMeta{Total: total, LastPage: last, CurrentPage: page, PerPage: perPage}
	if page > 1 {
		meta.Prev = positive(page - 1)
	}
	if page < last {
		meta.Next = positive(page + 1)
	}
	return meta
}

// value is what p points to, or the other when it points nowhere.
func value[T any](p *T, other T) T {
	if p == nil {
		return other
	}
	return *p
}

// positive is nil for zero: where the domain says 0, the wire says null.
func positive(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// timestamp is nil for the zero time: where the domain says zero, the wire says null.
func timestamp(t time.Time) *api.Timestamp {
	if t.IsZero() {
		return nil
	}
	return &api.Timestamp{Time: t}
}
