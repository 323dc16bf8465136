package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// Visits returns one page, from 1, of the tries to open the link with this id, newest first: those that were let in, and
// those that were not and why. A page of 0 is 1, and perPage, at most 100, is the server's default, 20, when it is 0.
// ErrNotFound if there is no such link, and at a server that keeps no visits, as Anam's.
func (c *Client) Visits(ctx context.Context, id string, page, perPage int, opts ...Option) (VisitPage, error) {
	call, err := c.begin("visits", opts, append(checkID(id), checkFilter(Filter{Page: page, PerPage: perPage})...))
	if err != nil {
		return VisitPage{}, err
	}
	a, err := call.do(ctx, routeVisits, func(ctx context.Context, raw *wire.Client) (*http.Response, error) {
		return raw.ListShareLinkVisits(ctx, id, &wire.ListShareLinkVisitsParams{Page: said(page), PerPage: said(perPage)})
	})
	if err != nil {
		return VisitPage{}, err
	}
	var p VisitPage
	err = json.Unmarshal(a.body, &p)
	if err == nil && p.Data == nil {
		err = errors.New("it has no data")
	}
	if err != nil {
		return VisitPage{}, a.unreadable("a page of visits", err)
	}
	return p, nil
}
