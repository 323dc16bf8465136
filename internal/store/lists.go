package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Conditions for what a search finds beside the links to personas of a name: $1 is the organization and $2 the text folded. A text
// that is part of another disappears when it is replaced by nothing. A link meets one of them at most, and none when its persona
// is called so: it is found already.
const (
	notByName  = ` AND replace(persona_name_folded, $2, '') = persona_name_folded`
	notByLabel = notByName + ` AND replace(label_folded, $2, '') = label_folded`

	// There is an index of the links with a label.
	byLabel = `organization_id = $1 AND label_folded <> '' AND replace(label_folded, $2, '') <> label_folded` + notByName
	byID    = `organization_id = $1 AND id = $3` + notByLabel
	// The cast keeps SQLite from an index of the organization, which it takes for narrower than a range of tokens.
	byToken = `CAST(organization_id AS TEXT) = $1 AND token >= $3 AND token < $4` + notByLabel
)

// How many links of a place are read first. Of most searches these are all, and nothing has to count them. The index of tokens has
// another order, so that all of its range is read for the first of them already.
const (
	few  = 1_000
	many = 100_000
)

// Links implements sharelink.Store.
func (s *Store) Links(ctx context.Context, organization uuid.UUID, f sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	return read(ctx, s, organization, "list_links", func(ctx context.Context, q querier) (sharelink.Page[sharelink.Link], error) {
		page := sharelink.Page[sharelink.Link]{Items: []sharelink.Link{}}
		if !storable(f.Search) {
			return page, nil // no label, name, token or id is like it
		}
		found, err := match(ctx, q, organization, f)
		for _, p := range found {
			page.Total += p.count
		}
		switch {
		case err != nil || f.Offset() >= int64(page.Total):
		case len(found) == 1 && found[0].scope != nil:
			page.Items, err = found[0].links(ctx, q, f.Paging)
		default:
			page.Items, err = merge(ctx, q, organization, found, f.Offset(), min(f.Offset()+int64(f.PerPage), int64(page.Total)))
		}
		return page, err
	})
}

// place is where a filter finds links: all rows that meet a condition. No link is in two places of a filter.
type place struct {
	where string
	args  []any
	count int
	scope *scope      // that it is all of, or nil
	first []uuid.UUID // of the links, newest first, as far as they were read
	limit int         // up to which they were
}

// query returns the query for the links of the place before an id, newest first, with the LIMIT and OFFSET.
func (p place) query(columns string, before uuid.UUID, limit, offset any) (string, []any) {
	n := len(p.args)
	return fmt.Sprintf("SELECT %s FROM share_links WHERE %s AND id < $%d ORDER BY id DESC LIMIT $%d OFFSET $%d", columns, p.where, n+1, n+2, n+3),
		append(p.args[:n:n], before, limit, offset)
}

// countOlder returns the query for how many links of the place there are before an id.
func (p place) countOlder(before uuid.UUID) (string, []any) {
	n := len(p.args)
	return fmt.Sprintf("SELECT COUNT(*) FROM share_links WHERE %s AND id < $%d", p.where, n+1), append(p.args[:n:n], before)
}

// match returns the places of a filter that have links: those scopes whose name is like the text, as their counts tell, and others,
// of which the first links are read and the rest is counted.
func match(ctx context.Context, q querier, organization uuid.UUID, f sharelink.Filter) ([]*place, error) {
	// A scope of links to a persona is called by its id, a space and its name.
	from, to, persona := " ", "~", ""
	if f.PersonaID.Valid {
		persona = f.PersonaID.UUID.String()
		from, to = persona+" ", persona+"!"
	}
	text := f.Search
	if strings.HasPrefix(sharelink.TokenPrefix, text) {
		text = "" // as each token begins
		if persona == "" {
			from, to = "", " "
		}
	}
	name := sharelink.Fold(text)
	var places, others []*place
	statements := []*statement{{sql: sumScopes, args: []any{organization, from, to}, row: func(r scanner) error {
		s, count := scope{organization: organization}, 0
		err := r.Scan(&s.name, &count)
		if _, nameOfScope, _ := strings.Cut(s.name, " "); strings.Contains(nameOfScope, name) {
			where, args := s.where()
			places = append(places, &place{where: where, args: args, count: count, scope: &s})
		}
		return err
	}}}
	other := func(limit int, where string, args ...any) {
		if f.PersonaID.Valid {
			args = append(args, f.PersonaID.UUID)
			where += fmt.Sprintf(" AND persona_id = $%d", len(args))
		}
		p := &place{where: where, args: args, limit: limit}
		query, args := p.query("id", uuid.Max, limit, 0)
		statements = append(statements, collect(&p.first, number[uuid.UUID], query, args...))
		others = append(others, p)
	}
	if text != "" {
		other(few, byLabel, organization, name)
		if id, ok := sharelink.ParseID(text); ok {
			other(few, byID, organization, name, id)
		} else if last := len(text) - 1; strings.HasPrefix(text, sharelink.TokenPrefix) && len(text) <= sharelink.MaxToken && text[last] < 0x7f {
			other(many, byToken, organization.String(), name, text, text[:last]+string(rune(text[last]+1)))
		}
	}
	if err := q.run(ctx, statements...); err != nil {
		return nil, err
	}
	statements = nil
	for _, p := range others {
		if p.count = len(p.first); p.count == p.limit {
			query, args := p.countOlder(p.first[p.limit-1])
			statements = append(statements, &statement{sql: query, args: args, row: func(r scanner) error {
				var older int
				err := r.Scan(&older)
				p.count += older
				return err
			}})
		}
	}
	err := q.run(ctx, statements...)
	places = append(places, others...)
	return slices.DeleteFunc(places, func(p *place) bool { return p.count == 0 }), err
}

// links returns a page of the links of a scope. Blocks that lie before the page are passed as a whole.
func (p place) links(ctx context.Context, q querier, paging sharelink.Paging) ([]sharelink.Link, error) {
	before, offset := uuid.Max, int(paging.Offset())
	if offset >= 1000 { // or it takes longer to read the blocks
		blocks, err := all(func(b *block) []any { return []any{&b.first, &b.links} }, selectBlocks, p.scope.organization, p.scope.name)(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, b := range blocks {
			if offset < b.links {
				break
			}
			before, offset = b.first, offset-b.links
		}
	}
	query, args := p.query(linkColumns, before, paging.PerPage, offset)
	links := make([]sharelink.Link, 0, min(int64(paging.PerPage), int64(p.count)-paging.Offset()))
	err := q.run(ctx, collect(&links, linkFields, query, args...))
	return links, err
}

// merge returns a page of what is found in several places, from one position to another. It takes as many ids of each as the page
// could need of it.
func merge(ctx context.Context, q querier, organization uuid.UUID, places []*place, from, to int64) ([]sharelink.Link, error) {
	var ids []uuid.UUID
	var statements []*statement
	for _, p := range places {
		if n := min(int(to), p.count); n <= len(p.first) {
			ids = append(ids, p.first[:n]...)
			continue
		}
		query, args := p.query("id", uuid.Max, to, 0)
		statements = append(statements, collect(&ids, number[uuid.UUID], query, args...))
	}
	if err := q.run(ctx, statements...); err != nil {
		return nil, err
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return -bytes.Compare(a[:], b[:]) })
	links := []sharelink.Link{}
	statements = nil
	for _, id := range ids[from:to] {
		statements = append(statements, collect(&links, linkFields, selectLink, organization, id))
	}
	err := q.run(ctx, statements...)
	return links, err
}
