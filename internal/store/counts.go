package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// How many links there are is kept, not counted, in the table link_counts. Each link is counted twice: in the scope of its
// organization, which is "", and in that of its organization, persona and persona's name. What a list returns, and most of
// what a search finds, is all of a scope.
//
// A scope is cut into blocks: a block has the links from its first_id on, up to the first_id of the next. The first block of
// a scope begins with the smallest id, so that there is one for every link, and a block of 10,000 links is cut in two. To
// come to a page deep in a list one passes its blocks, two hundred for a million links, and then a part of one.

const (
	// All of an organization's links, or all of its scopes, as it is of those that begin with one persona.
	sumScopes = `
SELECT scope, CAST(SUM(links) AS BIGINT) FROM link_counts
WHERE organization_id = $1 AND scope >= $2 AND scope < $3
GROUP BY scope`

	selectBlocks = `
SELECT first_id, links FROM link_counts
WHERE organization_id = $1 AND scope = $2 ORDER BY first_id DESC`

	// New links nearly always belong to the newest block: then one statement counts all of them.
	countInNewest = `
UPDATE link_counts SET links = links + $1
WHERE organization_id = $2 AND scope = $3 AND first_id <= $4 AND first_id =
	(SELECT first_id FROM link_counts WHERE organization_id = $2 AND scope = $3 ORDER BY first_id DESC LIMIT 1)`

	countInBlock = `
INSERT INTO link_counts (organization_id, scope, first_id, links)
VALUES ($1, $2, COALESCE(
	(SELECT first_id FROM link_counts WHERE organization_id = $1 AND scope = $2 AND first_id <= $3 ORDER BY first_id DESC LIMIT 1),
	'00000000-0000-0000-0000-000000000000'), 1)
ON CONFLICT (organization_id, scope, first_id) DO UPDATE SET links = link_counts.links + 1`

	// Not countInBlock with -1: that row would break the table's CHECK before it is found to be there.
	uncount = `
UPDATE link_counts SET links = links - 1
WHERE organization_id = $1 AND scope = $2 AND first_id =
	(SELECT first_id FROM link_counts WHERE organization_id = $1 AND scope = $2 AND first_id <= $3 ORDER BY first_id DESC LIMIT 1)`

	// There is an index of the blocks that have 10,000.
	selectLargeBlock = `SELECT organization_id, scope, first_id, links FROM link_counts WHERE links >= %d LIMIT 1`

	selectBlocksOfAll = `SELECT organization_id, scope, first_id, links FROM link_counts ORDER BY organization_id, scope, first_id`

	countScopes = `
SELECT organization_id, persona_id, persona_name_folded, COUNT(*) FROM share_links
GROUP BY organization_id, persona_id, persona_name_folded`

	selectBlock = `SELECT links FROM link_counts WHERE organization_id = $1 AND scope = $2 AND first_id = $3`
	setBlock    = `UPDATE link_counts SET links = $1 WHERE organization_id = $2 AND scope = $3 AND first_id = $4`
	insertBlock = `INSERT INTO link_counts (organization_id, scope, first_id, links) VALUES ($1, $2, $3, $4)`
)

// scope is a set of an organization's links that is counted: all of them, or those to one persona under one name.
type scope struct {
	organization uuid.UUID
	name         string
}

// scopesOf returns the scopes that a link is counted in.
func scopesOf(l sharelink.Link) [2]scope {
	return [2]scope{{l.OrganizationID, ""}, {l.OrganizationID, l.PersonaID.String() + " " + sharelink.Fold(l.PersonaName)}}
}

// where returns the condition for the rows of share_links that are in the scope, and its arguments.
func (s scope) where() (string, []any) {
	if s.name == "" {
		return "organization_id = $1", []any{s.organization}
	}
	id, name, _ := strings.Cut(s.name, " ")
	persona, _ := uuid.Parse(id) // or else it is no name of ours, and no link is in it
	return "organization_id = $1 AND persona_id = $2 AND persona_name_folded = $3", []any{s.organization, persona, name}
}

func compareScopes(a, b scope) int {
	return cmp.Or(bytes.Compare(a.organization[:], b.organization[:]), strings.Compare(a.name, b.name))
}

// count runs the statements that insert the links, and counts them.
func count(ctx context.Context, tx querier, links []sharelink.Link, inserts []*statement) error {
	type group struct {
		links  []sharelink.Link
		lowest uuid.UUID
		add    *statement
	}
	groups := map[scope]*group{}
	for _, l := range links {
		for _, s := range scopesOf(l) {
			g := groups[s]
			if g == nil {
				g = &group{lowest: l.ID}
				groups[s] = g
			}
			g.links = append(g.links, l)
			if bytes.Compare(l.ID[:], g.lowest[:]) < 0 {
				g.lowest = l.ID
			}
		}
	}
	// Always in the same order, so that two transactions do not wait for each other.
	scopes := make([]scope, 0, len(groups))
	for s := range groups {
		scopes = append(scopes, s)
	}
	slices.SortFunc(scopes, compareScopes)
	for _, s := range scopes {
		g := groups[s]
		g.add = &statement{sql: countInNewest, args: []any{len(g.links), s.organization, s.name, g.lowest}}
		inserts = append(inserts, g.add)
	}
	if err := tx.run(ctx, inserts...); err != nil {
		return err
	}
	for _, s := range scopes {
		if g := groups[s]; g.add.affected == 0 { // the scope is new, or a clock was late
			for _, l := range g.links {
				if err := tx.later(ctx, &statement{sql: countInBlock, args: []any{s.organization, s.name, l.ID}}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// splitBlocks cuts every block that has become large. Until it has, pages deep in a list are slower and right: an error is
// logged.
func (s *Store) splitBlocks(ctx context.Context) {
	query := fmt.Sprintf(selectLargeBlock, 2*s.options.blockSize)
	for {
		large, err := read(ctx, s, uuid.Nil, "large_blocks", all(blockFields, query))
		if err == nil && len(large) == 0 {
			return
		}
		if err == nil {
			_, err = change(ctx, s, uuid.Nil, "split_block", func(ctx context.Context, tx querier) (struct{}, error) {
				return struct{}{}, s.splitBlock(ctx, tx, large[0].scope, large[0].first)
			})
		}
		if err != nil {
			s.options.Logger.Warn("the counts of share links could not be cut into blocks; deep pages of lists are slower until they are", "error", err)
			return
		}
	}
}

// splitBlock cuts a block into blocks of Options.blockSize links, and one at the end that has up to twice as many. No link of the
// organization may come or go meanwhile: on PostgreSQL those that do hold a share of its row.
func (s *Store) splitBlock(ctx context.Context, tx querier, of scope, first uuid.UUID) error {
	if err := tx.later(ctx, lockRow(s.locks.forUpdate, of.organization)...); err != nil {
		return err
	}
	links, err := one(number[int], "the block is gone", selectBlock, of.organization, of.name, first)(ctx, tx)
	if err != nil {
		return err
	}
	size := s.options.blockSize
	where, args := of.where()
	n := len(args)
	cutAt := fmt.Sprintf("SELECT id FROM share_links WHERE %s AND id >= $%d ORDER BY id LIMIT 1 OFFSET $%d", where, n+1, n+2)
	for links >= 2*size {
		cut, err := one(number[uuid.UUID], "the counts of links are wrong: run sharelinks check", cutAt, append(args[:n:n], first, size)...)(ctx, tx)
		if err != nil {
			return err
		}
		links -= size
		err = tx.run(ctx,
			&statement{sql: setBlock, args: []any{size, of.organization, of.name, first}},
			&statement{sql: insertBlock, args: []any{of.organization, of.name, cut, links}})
		if err != nil {
			return err
		}
		first = cut
	}
	return nil
}

// block is a part of a scope and how many links it is said to have.
type block struct {
	scope
	first uuid.UUID
	links int
}

func blockFields(b *block) []any { return []any{&b.organization, &b.name, &b.first, &b.links} }

// CheckCounts counts the links and returns a line for each count that is wrong.
func (s *Store) CheckCounts(ctx context.Context) ([]string, error) {
	return read(ctx, s, uuid.Nil, "check_counts", func(ctx context.Context, q querier) (wrong []string, err error) {
		blocks, err := all(blockFields, selectBlocksOfAll)(ctx, q)
		if err != nil {
			return nil, err
		}
		uncounted, err := scopesThere(ctx, q)
		if err != nil {
			return nil, err
		}
		for i, b := range blocks {
			end := uuid.Max
			if i+1 < len(blocks) && blocks[i+1].scope == b.scope {
				end = blocks[i+1].first
			}
			where, args := b.where()
			n := len(args)
			there, err := one(number[int], "", fmt.Sprintf("SELECT COUNT(*) FROM share_links WHERE %s AND id >= $%d AND id < $%d", where, n+1, n+2), append(args, b.first, end)...)(ctx, q)
			if err != nil {
				return nil, err
			}
			if there != b.links {
				wrong = append(wrong, fmt.Sprintf("organization %s, links to %q from %s on: %d are counted, %d are there", b.organization, b.name, b.first, b.links, there))
			}
			uncounted[b.scope] -= there
		}
		for of, links := range uncounted {
			if links != 0 {
				wrong = append(wrong, fmt.Sprintf("organization %s, links to %q: %d are not counted", of.organization, of.name, links))
			}
		}
		return wrong, nil
	})
}

// Recount makes the counts anew.
func (s *Store) Recount(ctx context.Context) error {
	_, err := change(ctx, s, uuid.Nil, "recount", func(ctx context.Context, tx querier) (struct{}, error) {
		// On PostgreSQL no link comes or goes before the end.
		if err := tx.run(ctx, &statement{sql: "SELECT id FROM organizations ORDER BY id" + s.locks.forUpdate}, &statement{sql: "DELETE FROM link_counts"}); err != nil {
			return struct{}{}, err
		}
		scopes, err := scopesThere(ctx, tx)
		for of, links := range scopes {
			if err == nil {
				err = tx.later(ctx, &statement{sql: insertBlock, args: []any{of.organization, of.name, uuid.Nil, links}})
			}
		}
		return struct{}{}, err
	})
	if err == nil {
		s.splitBlocks(ctx)
	}
	return err
}

// scopesThere counts the links of all scopes.
func scopesThere(ctx context.Context, q querier) (map[scope]int, error) {
	type group struct {
		link  sharelink.Link // the organization and the persona that the group has in common
		links int
	}
	groups, err := all(func(g *group) []any {
		return []any{&g.link.OrganizationID, &g.link.PersonaID, &g.link.PersonaName, &g.links}
	}, countScopes)(ctx, q)
	there := map[scope]int{}
	for _, g := range groups {
		for _, of := range scopesOf(g.link) {
			there[of] += g.links
		}
	}
	return there, err
}
