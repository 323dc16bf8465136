package client

import (
	"cmp"
	"context"
	"iter"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// PersonaFilter selects personas. The zero value selects all. The server checks the ranges.
type PersonaFilter struct {
	Search  string // part of the name, in any case; at most 200 characters; "" is any
	Page    int    // from 1; 0 is 1
	PerPage int    // 1 to 100; 0 is the server's default of 20 for Personas and 100 for AllPersonas
}

// Personas returns one page of the personas that links can lead to, by name, or in Anam's order where they are those of an
// account with Anam. A server that is too old to have the list answers ErrNotFound.
func (c *Client) Personas(ctx context.Context, f PersonaFilter, opts ...Option) (PersonaPage, error) {
	call := c.newCall("personas", routePersonas, opts)
	call.prepare(wire.NewListPersonasRequest(call.url, &api.ListPersonasParams{
		Page: optional(f.Page), PerPage: optional(f.PerPage), Search: optional(f.Search),
	}))
	return fetch(ctx, call, "a page of personas", func(p PersonaPage) bool { return p.Data != nil })
}

// AllPersonas iterates over the personas, in the order of Personas, from the filter's page on. It requests pages and yields
// errors as All does.
func (c *Client) AllPersonas(ctx context.Context, f PersonaFilter, opts ...Option) iter.Seq2[Persona, error] {
	f.PerPage = cmp.Or(f.PerPage, perPageOfAll)
	list := func(page int) ([]Persona, api.PageMeta, error) {
		f := f
		f.Page = page
		p, err := c.Personas(ctx, f, opts...)
		return p.Data, p.Meta, err
	}
	return all("personas", f.Page, f.PerPage, list, func(p Persona) string { return p.ID })
}
