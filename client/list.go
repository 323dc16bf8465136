package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// Filter selects links. The zero value selects all. The server checks the ranges.
type Filter struct {
	PersonaID string // only links to this persona, a UUID; "" is any
	Search    string // part of the label or of the persona's name, a token or its beginning, or an id; at most 200 characters; "" is any
	Page      int    // from 1; 0 is 1
	PerPage   int    // 1 to 100; 0 is the server's default of 20 for List and 100 for All
}

// perPageOfAll is how many items All and AllPersonas request at once.
const perPageOfAll = 100

// List returns one page of links, newest first.
func (c *Client) List(ctx context.Context, f Filter, opts ...Option) (Page, error) {
	return c.newCall("list", routeLinks, opts).list(ctx, f)
}

func (c *call) list(ctx context.Context, f Filter) (Page, error) {
	c.prepare(wire.NewListShareLinksRequest(c.url, &api.ListShareLinksParams{
		Page: optional(f.Page), PerPage: optional(f.PerPage), PersonaID: optional(f.PersonaID), Search: optional(f.Search),
	}))
	return fetch(ctx, c, "a page of share links", func(p Page) bool { return p.Data != nil })
}

// optional returns a parameter that is not sent if it is zero.
func optional[T comparable](v T) *T {
	if v == *new(T) {
		return nil
	}
	return &v
}

// All iterates over the links, newest first, from the filter's page on. It requests a page when it is needed and keeps
// at most two pages. Each range over it starts anew. An error is yielded once, with a zero link, and ends the
// iteration. A server that ignores the page parameter is such an error.
//
// A link that is created during the iteration moves others to the next page; no link is yielded twice for that. A link
// that is deleted moves others to the page before, where they are missed: collect all links before you delete any.
func (c *Client) All(ctx context.Context, f Filter, opts ...Option) iter.Seq2[ShareLink, error] {
	f.PerPage = cmp.Or(f.PerPage, perPageOfAll)
	list := func(page int) ([]ShareLink, api.PageMeta, error) {
		f := f
		f.Page = page
		p, err := c.List(ctx, f, opts...)
		return p.Data, p.Meta, err
	}
	return all("list", f.Page, f.PerPage, list, func(l ShareLink) string { return l.ID })
}

// all iterates over the items of a list from a page on, as All does. The list returns one page.
func all[T any](operation string, from, perPage int, list func(page int) ([]T, api.PageMeta, error), id func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		var previous map[string]bool // ids of the page before
		for number := cmp.Or(from, 1); ; number++ {
			items, meta, err := list(number)
			if err != nil {
				yield(none, err)
				return
			}
			if len(items) == 0 {
				return
			}
			if meta.CurrentPage != 0 && meta.CurrentPage != number {
				items = nil
			}
			ids := make(map[string]bool, len(items))
			turned := false // whether this is another page than the one before
			for _, item := range items {
				ids[id(item)] = true
				if previous[id(item)] {
					continue
				}
				turned = true
				if !yield(item, nil) {
					return
				}
			}
			if !turned {
				yield(none, &Error{
					Operation: operation, Status: http.StatusOK,
					Detail: fmt.Sprintf("the server ignores the page parameter: page %d is another page", number),
				})
				return
			}
			if isLast(number, perPage, len(items), meta) {
				return
			}
			previous = ids
		}
	}
}

// isLast reports whether no page follows a page of so many items, not 0. Some servers send only a part of Meta, or nothing.
func isLast(number, perPage, items int, meta api.PageMeta) bool {
	switch {
	case meta.LastPage > 0:
		return number >= meta.LastPage
	case meta.Next != nil:
		return false
	}
	return items < min(perPage, perPageOfAll) // a server may send less than it is asked for
}

// FindByToken returns the link with this token, or ErrNotFound. A sharelinks server is asked once. Other servers, such
// as Anam's, may not search for tokens: there it looks through all links.
func (c *Client) FindByToken(ctx context.Context, token string, opts ...Option) (ShareLink, error) {
	call := c.newCall("find by token", routeLinks, opts).need("token", token)
	call.token = token
	page, err := call.list(ctx, Filter{Search: token})
	unknownSearch := errors.Is(err, ErrInvalid) && call.attempts > 0 && !call.announced
	if err != nil && !unknownSearch {
		return ShareLink{}, err
	}
	for _, link := range page.Data {
		if link.Token == token {
			return link, nil
		}
	}
	if !call.announced {
		for link, err := range c.All(ctx, Filter{}, opts...) {
			if err != nil || link.Token == token {
				return link, err
			}
		}
	}
	return ShareLink{}, &Error{
		Operation: call.operation, Detail: "there is no share link with this token",
		Attempts: call.attempts, kind: ErrNotFound,
	}
}
