package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
	"github.com/sharelinks-dev/sharelinks/server/internal/wire"
)

// operations translates between the wire and the service. Nothing is decided here.
type operations struct{ *Server }

var _ wire.StrictServerInterface = operations{}

// CreateShareLink answers POST /v1/share-links.
func (o operations) CreateShareLink(ctx context.Context, r wire.CreateShareLinkRequestObject) (wire.CreateShareLinkResponseObject, error) {
	create := service.Create{PersonaID: parseID(r.Body.PersonaID), Terms: changeOfCreate(r.Body)}
	if key := r.Params.IdempotencyKey; key != nil {
		create.IdempotencyKey, create.Fingerprint = *key, fingerprint(r.Body)
	}
	link, err := o.service.CreateLink(ctx, organizationOf(ctx), create)
	if err != nil {
		return nil, err
	}
	return wire.CreateShareLink201JSONResponse{
		Body:    o.shareLink(link),
		Headers: wire.CreateShareLink201ResponseHeaders{Location: o.publicPath() + "/v1/share-links/" + link.ID.String()},
	}, nil
}

// ListShareLinks answers GET /v1/share-links.
func (o operations) ListShareLinks(ctx context.Context, r wire.ListShareLinksRequestObject) (wire.ListShareLinksResponseObject, error) {
	f := sharelink.Filter{Paging: paging(r.Params.Page, r.Params.PerPage), Search: valueOr(r.Params.Search, "")}
	if id := r.Params.PersonaID; id != nil {
		f.PersonaID = uuid.NullUUID{UUID: parseID(*id), Valid: true}
	}
	page, err := o.service.Links(ctx, organizationOf(ctx).ID, f)
	if err != nil {
		return nil, err
	}
	data := make([]api.ShareLink, len(page.Items))
	for i, link := range page.Items {
		data[i] = o.personaShareLink(link)
	}
	allow := "GET, HEAD, POST"
	if holderOf(ctx).ReadOnly {
		allow = "GET, HEAD"
	}
	return wire.ListShareLinks200JSONResponse{
		Body:    api.ShareLinkPage{Data: data, Meta: pageMeta(page.Total, f.Paging)},
		Headers: wire.ListShareLinks200ResponseHeaders{Allow: &allow},
	}, nil
}

// GetShareLink answers GET /v1/share-links/{id}.
func (o operations) GetShareLink(ctx context.Context, r wire.GetShareLinkRequestObject) (wire.GetShareLinkResponseObject, error) {
	link, err := o.service.Link(ctx, organizationOf(ctx).ID, parseID(r.ID))
	if err != nil {
		return nil, err
	}
	return wire.GetShareLink200JSONResponse(o.personaShareLink(link)), nil
}

// UpdateShareLink answers PUT /v1/share-links/{id}.
func (o operations) UpdateShareLink(ctx context.Context, r wire.UpdateShareLinkRequestObject) (wire.UpdateShareLinkResponseObject, error) {
	link, err := o.service.UpdateLink(ctx, organizationOf(ctx), parseID(r.ID), changeOfUpdate(r.Body))
	if err != nil {
		return nil, err
	}
	return wire.UpdateShareLink200JSONResponse(o.shareLink(link)), nil
}

// DeleteShareLink answers DELETE /v1/share-links/{id}.
func (o operations) DeleteShareLink(ctx context.Context, r wire.DeleteShareLinkRequestObject) (wire.DeleteShareLinkResponseObject, error) {
	if _, err := o.service.DeleteLink(ctx, organizationOf(ctx).ID, parseID(r.ID)); err != nil {
		return nil, err
	}
	return wire.DeleteShareLink200JSONResponse{Message: "the share link was deleted"}, nil
}

func changeOfCreate(body *api.CreateShareLinkRequest) sharelink.Change {
	return sharelink.Change{
		Type:            optional(body.Type),
		ExpiresIn:       lifetime(body.ExpiresInHours),
		UsageLimit:      zeroForNull(body.UsageLimit),
		AllowedOrigins:  body.AllowedOrigins,
		AllowAllOrigins: body.AllowAllOrigins,
		RemoveWatermark: body.RemoveWatermark,
		Enabled:         body.Enabled,
		IsPrimary:       body.IsPrimary,
		Label:           body.Label,
	}
}

func changeOfUpdate(body *api.UpdateShareLinkRequest) sharelink.Change {
	return sharelink.Change{
		Type:            optional(body.Type),
		ExpiresIn:       lifetime(body.ExpiresInHours),
		UsageLimit:      zeroForNull(body.UsageLimit),
		AllowedOrigins:  body.AllowedOrigins,
		AllowAllOrigins: body.AllowAllOrigins,
		RemoveWatermark: body.RemoveWatermark,
		Enabled:         body.Enabled,
		IsPrimary:       body.IsPrimary,
		Label:           body.Label,
	}
}

// shareLink returns a link as the schema ShareLink has it.
func (o operations) shareLink(link sharelink.Link) api.ShareLink {
	return api.ShareLink{
		ID:              link.ID.String(),
		Token:           link.Token,
		Type:            link.Type,
		ExpiresAt:       timestamp(link.ExpiresAt),
		UsageLimit:      optional(link.UsageLimit),
		UsageCount:      link.UsageCount,
		AllowedOrigins:  link.AllowedOrigins,
		AllowAllOrigins: link.AllowAllOrigins,
		RemoveWatermark: link.RemoveWatermark,
		Enabled:         link.Enabled,
		IsPrimary:       link.IsPrimary,
		Label:           link.Label,
		CreatedAt:       api.Timestamp{Time: link.CreatedAt},
		URL:             o.pages.URL(link),
	}
}

// personaShareLink returns a link as the schema PersonaShareLink has it.
func (o operations) personaShareLink(link sharelink.Link) api.PersonaShareLink {
	l := o.shareLink(link)
	l.PersonaID, l.PersonaName, l.OrganizationID = link.PersonaID.String(), link.PersonaName, link.OrganizationID.String()
	return l
}

// fingerprint identifies what a create asks for: the hash of its body in one canonical form, with the contract's names,
// sorted, and plain numbers. A field that a later contract adds changes it for no request without that field.
func fingerprint(body *api.CreateShareLinkRequest) [sha256.Size]byte {
	var members map[string]any
	text, err := json.Marshal(body)
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	if err == nil {
		text, err = json.Marshal(members) // sorts the names
	}
	if err != nil {
		panic(err) // JSON can say all of a request that was JSON
	}
	return sha256.Sum256(text)
}

// parseID reads an id that the contract has checked. A text that is none becomes an id that nothing has.
func parseID(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Max
	}
	return id
}

// lifetime returns nil for an absent number of hours, and 0, which is for ever, for null.
func lifetime(hours nullable.Nullable[float64]) *time.Duration {
	h := zeroForNull(hours)
	if h == nil {
		return nil
	}
	var in time.Duration
	if *h != 0 {
		in = sharelink.Hours(*h)
	}
	return &in
}

// zeroForNull returns nil for an absent value and zero for null: where the wire says null, the domain says 0.
func zeroForNull[T any](v nullable.Nullable[T]) *T {
	if !v.IsSpecified() {
		return nil
	}
	value, _ := v.Get() // zero for null
	return &value
}

// optional returns nil for the zero value: where the domain says 0 or "", the wire says null or nothing.
func optional[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

func valueOr[T any](p *T, byDefault T) T {
	if p == nil {
		return byDefault
	}
	return *p
}

// timestamp returns nil, which is null, for the zero time.
func timestamp(t time.Time) *api.Timestamp {
	if t.IsZero() {
		return nil
	}
	return &api.Timestamp{Time: t}
}

func paging(page, perPage *int) sharelink.Paging {
	p := sharelink.DefaultPaging()
	return sharelink.Paging{Page: valueOr(page, p.Page), PerPage: valueOr(perPage, p.PerPage)}
}

func pageMeta(total int, p sharelink.Paging) api.PageMeta {
	meta := api.PageMeta{Total: total, LastPage: p.LastPage(total), CurrentPage: p.Page, PerPage: p.PerPage}
	meta.Prev = optional(p.Page - 1)
	if p.Page < meta.LastPage {
		meta.Next = optional(p.Page + 1)
	}
	return meta
}
