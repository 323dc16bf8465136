package store

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// What a search finds beside the links to personas of a name. Those are left out here, they are found already: a text that is
// part of another disappears when it is replaced by nothing. The cast is there to keep SQLite from an index of the organization,
// which it takes for narrower than a range of tokens.
const (
	selectByID    = `SELECT id FROM share_links WHERE organization_id = $1 AND replace(persona_name_folded, $2, '') = persona_name_folded AND id = $3`
	selectByToken = `SELECT id FROM share_links WHERE CAST(organization_id AS TEXT) = $1 AND replace(persona_name_folded, $2, '') = persona_name_folded AND token >= $3 AND token < $4`
)

// Links implements sharelink.Store.
func (s *Store) Links(ctx context.Context, organization uuid.UUID, f sharelink.Filter) (sharelink.Page[sharelink.Link], error) {
	return read(ctx, s, organization, "list_links", func(ctx context.Context, q querier) (sharelink.Page[sharelink.Link], error) {
		page := sharelink.Page[sharelink.Link]{Items: []sharelink.Link{}}
		if !storable(f.Search) {
			return page, nil // no name, token or id is like it
		}
		found, err := match(ctx, q, organization, f)
		if err != nil {
			return page, err
		}
		if page.Total = found.total(); f.Offset() >= int64(page.Total) {
			return page, nil
		}
		if len(found.scopes) == 1 && len(found.others) == 0 {
			page.Items, err = found.scopes[0].links(ctx, q, f.Paging)
		} else {
			page.Items, err = found.links(ctx, q, organization, f.Paging)
		}
		return page, err
	})
}

// found is what a filter finds: all links of some scopes, and others by their ids.
type found struct {
	scopes []countedScope
	others []uuid.UUID
}

type countedScope struct {
	scope
	count int
}

func (f found) total() int {
	total := len(f.others)
	for _, s := range f.scopes {
		total += s.count
	}
	return total
}

// match looks at the counts, and for a search at the ids and tokens that are like it.
func match(ctx context.Context, q querier, organization uuid.UUID, f sharelink.Filter) (found, error) {
	var result found
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
	var scopes []countedScope
	err := q.run(ctx, collect(&scopes, func(s *countedScope) []any {
		s.organization = organization
		return []any{&s.name, &s.count}
	}, sumScopes, organization, from, to))
	if err != nil {
		return result, err
	}
	name := sharelink.Fold(text)
	for _, s := range scopes {
		_, nameOfScope, _ := strings.Cut(s.name, " ")
		if s.count > 0 && strings.Contains(nameOfScope, name) {
			result.scopes = append(result.scopes, s)
		}
	}
	if text == "" {
		return result, nil
	}
	others := func(query string, args ...any) error {
		if f.PersonaID.Valid {
			args = append(args, f.PersonaID.UUID)
			query += " AND persona_id = $" + strconv.Itoa(len(args))
		}
		return q.run(ctx, collect(&result.others, number[uuid.UUID], query, args...))
	}
	if id, err := uuid.Parse(text); err == nil && len(text) == len(uuid.Nil.String()) {
		return result, others(selectByID, organization, name, id)
	}
	if last := len(text) - 1; strings.HasPrefix(text, sharelink.TokenPrefix) && len(text) <= sharelink.MaxToken && text[last] < 0x7f {
		return result, others(selectByToken, organization.String(), name, text, text[:last]+string(rune(text[last]+1)))
	}
	return result, nil
}

// links returns a page of the links of the scope. Blocks that lie before the page are passed as a whole.
func (s countedScope) links(ctx context.Context, q querier, p sharelink.Paging) ([]sharelink.Link, error) {
	before, offset := uuid.Max, int(p.Offset())
	if offset >= 1000 { // or it takes longer to read the blocks
		blocks, err := all(func(b *block) []any { return []any{&b.first, &b.links} }, selectBlocks, s.organization, s.name)(ctx, q)
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
	query, args := s.query(linkColumns, before)
	n := len(args)
	query += " LIMIT $" + strconv.Itoa(n+1) + " OFFSET $" + strconv.Itoa(n+2)
	links := make([]sharelink.Link, 0, min(int64(p.PerPage), int64(s.count)-p.Offset()))
	err := q.run(ctx, collect(&links, linkFields, query, append(args, p.PerPage, offset)...))
	return links, err
}

// query returns the query for the links of the scope before an id, newest first.
func (s scope) query(columns string, before uuid.UUID) (string, []any) {
	where, args := s.where()
	return "SELECT " + columns + " FROM share_links WHERE " + where + " AND id < $" + strconv.Itoa(len(args)+1) + " ORDER BY id DESC", append(args, before)
}

// links returns a page of what is found in several places. It asks each for as many ids as the page could need of it.
func (f found) links(ctx context.Context, q querier, organization uuid.UUID, p sharelink.Paging) ([]sharelink.Link, error) {
	end := int(min(p.Offset()+int64(p.PerPage), int64(f.total())))
	ids := f.others
	var statements []*statement
	for _, s := range f.scopes {
		query, args := s.query("id", uuid.Max)
		query += " LIMIT $" + strconv.Itoa(len(args)+1)
		statements = append(statements, collect(&ids, number[uuid.UUID], query, append(args, end)...))
	}
	if err := q.run(ctx, statements...); err != nil {
		return nil, err
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return -bytes.Compare(a[:], b[:]) })
	links := []sharelink.Link{}
	statements = nil
	for _, id := range ids[p.Offset():end] {
		statements = append(statements, collect(&links, linkFields, selectLink, organization, id))
	}
	err := q.run(ctx, statements...)
	return links, err
}
