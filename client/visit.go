package client

import (
	"context"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// Preview returns what a visitor may know about the link with this token and spends no use. The token is the
// credential: no API key is sent. It returns ErrNotFound if no link has the token. Anam's API does not have it.
func (c *Client) Preview(ctx context.Context, token string, opts ...Option) (Preview, error) {
	call := c.newVisitorCall("preview", routePreview, token, opts)
	call.prepare(wire.NewPreviewShareLinkRequest(call.url, token))
	return fetch(ctx, call, "a preview", func(p Preview) bool { return p.Status != "" })
}

// Open opens the link with this token: it spends one use and returns a session with the persona. The token is the
// credential: no API key is sent. It returns ErrGone if the link is disabled, expired or used up, and ErrNotFound if no
// link has the token. It is never retried, because an attempt without an answer may have spent a use. Anam's API does
// not have it.
func (c *Client) Open(ctx context.Context, token string, opts ...Option) (Session, error) {
	call := c.newVisitorCall("open", routeSessions, token, opts)
	call.prepare(wire.NewOpenShareLinkRequest(call.url, token))
	return fetch(ctx, call, "a session", func(s Session) bool { return s.SessionToken != "" })
}

// newVisitorCall returns a call that a visitor makes: with the token as the credential, without the API key.
func (c *Client) newVisitorCall(operation, route, token string, opts []Option) *call {
	call := c.newCall(operation, route, opts).need("token", token)
	call.visitor, call.token = true, token
	return call
}

// Visits returns one page of the attempts to open the link with this id, newest first, also those that failed. The
// first page is 1, or 0; perPage is 1 to 100, or 0 for the server's default of 20. It returns ErrNotFound if there is
// no such link, and at servers that keep no visits, such as Anam's.
func (c *Client) Visits(ctx context.Context, id string, page, perPage int, opts ...Option) (VisitPage, error) {
	call := c.newCall("visits", routeVisits, opts).need("id", id)
	params := &api.ListShareLinkVisitsParams{Page: optional(page), PerPage: optional(perPage)}
	call.prepare(wire.NewListShareLinkVisitsRequest(call.url, id, params))
	return fetch(ctx, call, "a page of visits", func(p VisitPage) bool { return p.Data != nil })
}
