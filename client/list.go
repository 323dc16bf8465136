package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// List returns one page of the links, newest first.
func (c *Client) List(ctx context.Context, f Filter, opts ...Option) (Page, error) {
	call, err := c.begin("list", opts, checkFilter(f))
	if err != nil {
		return Page{}, err
	}
	return call.list(ctx, f)
}

func (c *call) list(ctx context.Context, f Filter) (Page, error) {
	a, err := c.do(ctx, routeLinks, func(ctx context.Context, raw *wire.Client) (*http.Response, error) {
		return raw.ListShareLinks(ctx, &wire.ListShareLinksParams{
			Page: said(f.Page), PerPage: said(f.PerPage), PersonaID: said(f.PersonaID), Search: said(f.Search),
		})
	})
	if err != nil {
		return Page{}, err
	}
	var p Page
	err = json.Unmarshal(a.body, &p)
	if err == nil && p.Data == nil {
		err = errors.New("it has no data")
	}
	if err != nil {
		return Page{}, a.unreadable("a page of share links", err)
	}
	return p, nil
}

// said is nil for what is left out.
func said[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

// All yields the links, newest first, from the filter's page on. It asks for a page when it is needed, keeps no more than
// two of them, and can be ranged over again, which asks anew. An error is yielded once, with a zero link, and ends it; a
// server that answers the same links to every page is one. A link that is created meanwhile pushes others to the next
// page: they are not yielded twice. One that is deleted pulls others forward, to where they are not seen: collect ids
// before you delete by them.
func (c *Client) All(ctx context.Context, f Filter, opts ...Option) iter.Seq2[ShareLink, error] {
	if f.Page == 0 {
		f.Page = 1
	}
	if f.PerPage == 0 {
		f.PerPage = maxPerPage
	}
	return func(yield func(ShareLink, error) bool) {
		before := map[string]bool{}
		for f := f; ; f.Page++ {
			page, err := c.List(ctx, f, opts...)
			if err != nil {
				yield(ShareLink{}, err)
				return
			}
			seen := make(map[string]bool, len(page.Data))
			fresh := len(page.Data) == 0
			if at := page.Meta.CurrentPage; !fresh && at != 0 && at != f.Page {
				page.Data = nil // another page than was asked for
			}
			for _, link := range page.Data {
				seen[link.ID] = true
				if before[link.ID] {
					continue
				}
				fresh = true
				if !yield(link, nil) {
					return
				}
			}
			if !fresh {
				yield(ShareLink{}, &Error{
					Operation: "list", Status: http.StatusOK,
					Detail: fmt.Sprintf("the server does not turn pages: asked for page %d it answers another", f.Page),
				})
				return
			}
			if lastPage(page, f) {
				return
			}
			before = seen
		}
	}
}

// lastPage tells whether no page follows. Not every server sends all of the meta data, or any.
func lastPage(p Page, f Filter) bool {
	switch {
	case len(p.Data) == 0:
		return true
	case p.Meta.LastPage > 0:
		return f.Page >= p.Meta.LastPage
	case p.Meta.Next != nil:
		return false
	}
	return len(p.Data) < f.PerPage
}

// FindByToken returns the link with this token, or ErrNotFound. Servers that search for tokens are asked once; at others,
// Anam's among them, it looks through all links.
func (c *Client) FindByToken(ctx context.Context, token string, opts ...Option) (ShareLink, error) {
	var faults []Fault
	if token == "" {
		faults = []Fault{paramFault(wire.FaultInQuery, "search", "is empty; give the token of a share link")}
	} else {
		faults = checkFilter(Filter{Search: token})
	}
	call, err := c.begin("find by token", opts, faults)
	if err != nil {
		return ShareLink{}, err
	}
	call.token = token
	page, err := call.list(ctx, Filter{Search: token})
	if err != nil && (call.announced || !errors.Is(err, ErrInvalid)) { // one that knows no such search may still list
		return ShareLink{}, err
	}
	for _, link := range page.Data {
		if link.Token == token {
			return link, nil
		}
	}
	if !call.announced { // not one of ours, so finding nothing means nothing
		for link, err := range c.All(ctx, Filter{}, opts...) {
			if err != nil {
				return ShareLink{}, err
			}
			if link.Token == token {
				return link, nil
			}
		}
	}
	return ShareLink{}, &Error{
		Operation: call.operation, Detail: "there is no share link with this token",
		Attempts: call.attempts, kind: ErrNotFound,
	}
}
