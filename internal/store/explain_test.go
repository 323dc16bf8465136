package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// TestPlans holds the queries that are asked most to their indexes: none reads a table from end to end, and no list is
// sorted after it was read.
func TestPlans(t *testing.T) {
	t.Parallel()
	organization, persona, visited := uuid.New(), uuid.New(), uuid.New()
	type query struct {
		sql  string
		args []any
	}
	page := func(columns, where string, args ...any) query {
		sql, args := place{where: where, args: args}.query(columns, uuid.Max, 20, 0)
		return query{sql, args}
	}
	older := func(where string, args ...any) query {
		sql, args := place{where: where, args: args}.countOlder(uuid.New())
		return query{sql, args}
	}
	list := func(name string) query {
		where, args := scope{organization, name}.where()
		return page(linkColumns, where, args...)
	}
	queries := map[string]query{
		"get by id":         {selectLink, []any{organization, uuid.New()}},
		"get by token":      {selectLinkByToken, []any{"sh_2kL9pQxYzR4vN8mBwHfJc"}},
		"spend":             {setUses, []any{1, "sh_2kL9pQxYzR4vN8mBwHfJc"}},
		"settle":            {settleVisit, []any{"UPSTREAM_REFUSED", uuid.New(), uuid.New()}},
		"abandoned":         {anyAbandoned, []any{sharelink.FirstID(time.UnixMilli(10))}},
		"give back":         {giveBackUse, []any{organization, uuid.New()}},
		"visits":            {selectVisits, []any{visited, 20, 0}},
		"visits to erase":   {selectNextVisits, []any{visited, organization, uuid.Nil, 20}},
		"blank visits":      {blankVisits, []any{visited, organization, uuid.Nil, uuid.New()}},
		"erase visits":      {eraseVisits, []any{visited, organization, uuid.Nil, uuid.New()}},
		"sweep visits":      {deleteVisits, []any{sharelink.FirstID(time.UnixMilli(10)), 1000}},
		"list":              list(""),
		"list of persona":   list(persona.String() + " cara"),
		"search labels":     page("id", byLabel, organization, "text"),
		"older labels":      older(byLabel, organization, "text"),
		"labels of persona": page("id", byLabel+" AND persona_id = $3", organization, "text", persona),
		"search an id":      page("id", byID, organization, "text", uuid.New()),
		"search a token":    older(byToken, organization.String(), "text", "sh_2k", "sh_2l"),
		"counts":            {sumScopes, []any{organization, " ", "~"}},
		"blocks":            {selectBlocks, []any{organization, ""}},
		"large blocks":      {fmt.Sprintf(selectLargeBlock, 10000), nil},
		"count":             {countInNewest, []any{1, organization, "", uuid.Max}},
		"key":               {selectHolder, []any{make([]byte, 32)}},
		"replay":            {selectReplay, []any{organization, "key", 0}},
		"sweep":             {deleteIdempotencyKeys, []any{0}},
		"demote":            {demoteLinksToPersona, []any{organization, persona}},
		"links to persona":  {countLinksToPersona, []any{organization, persona}},
		"delete":            {deleteLink, []any{organization, uuid.New()}},
	}
	for name, database := range map[string]struct {
		url     func(t testing.TB) string
		explain string
		columns func(line *string) []any // of a plan
		fill    []string
		bad     []string
	}{
		"SQLite": {
			url:     func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "links.db") },
			explain: "EXPLAIN QUERY PLAN ",
			columns: func(line *string) []any { return []any{new(int), new(int), new(int), line} },
			bad:     []string{"SCAN share_links", "SCAN api_keys", "SCAN organizations", "SCAN o", "SCAN k", "SCAN idempotency_keys", "SCAN visits", "SCAN link_counts\n", "share_links_of_persona (organization_id=?)", "TEMP B-TREE"},
		},
		"PostgreSQL": {
			url:     func(t testing.TB) string { return pgtest.NewDatabase(t) },
			explain: "EXPLAIN ",
			columns: number[string],
			// Its planner looks at how much there is: with little it would rather read everything.
			fill: []string{
				"INSERT INTO organizations SELECT gen_random_uuid(), 'o' || n, FALSE, 0 FROM generate_series(1, 19) n",
				"INSERT INTO organizations VALUES ('" + organization.String() + "', 'o', FALSE, 0)",
				`INSERT INTO share_links (id, token, organization_id, persona_id, persona_name, persona_name_folded, type, usage_limit, usage_count,
					allowed_origins, allow_all_origins, remove_watermark, enabled, is_primary, created_at, label, label_folded)
				SELECT gen_random_uuid(), 't' || o.name || '-' || n, o.id,
					CASE WHEN n % 10 = 0 THEN '` + persona.String() + `' ELSE gen_random_uuid() END, 'Cara', 'cara', 'LINK', 10, 0,
					'[]', FALSE, FALSE, TRUE, FALSE, n, CASE WHEN n % 20 = 1 THEN 'L' || n ELSE '' END, CASE WHEN n % 20 = 1 THEN 'l' || n ELSE '' END
				FROM organizations o, generate_series(1, 1000) n`,
				"INSERT INTO link_counts SELECT id, CASE WHEN n % 50 = 0 THEN '' ELSE n::text END, gen_random_uuid(), n % 2001 FROM organizations, generate_series(1, 2001) n",
				"INSERT INTO api_keys SELECT 'p' || n, sha256(('s' || n)::bytea), '', '" + organization.String() + "', 0, NULL FROM generate_series(1, 5000) n",
				"INSERT INTO idempotency_keys SELECT '" + organization.String() + "', 'k' || n, sha256('x'), '', n FROM generate_series(1, 5000) n",
				`INSERT INTO visits SELECT gen_random_uuid(), CASE WHEN n % 100 = 0 THEN '` + visited.String() + `' ELSE gen_random_uuid() END, '` +
					organization.String() + `', n, 'OPENED', '', '', '' FROM generate_series(1, 20000) n`,
				"VACUUM ANALYZE",
			},
			// Of organizations there are few enough to read them all.
			bad: []string{"Seq Scan on share_links", "Seq Scan on api_keys", "Seq Scan on idempotency_keys", "Seq Scan on visits", "Seq Scan on link_counts", "Sort"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), database.url(t), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, statement := range database.fill {
				if _, err := s.engine.(*postgres).pool.Exec(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			for query, q := range queries {
				plan, err := explain(t, s, database.columns, database.explain+q.sql, q.args)
				if err != nil {
					t.Fatalf("%s: %v", query, err)
				}
				ofLabels := strings.Contains(query, "labels")
				if ofLabels && !strings.Contains(plan, "share_links_labelled") {
					t.Errorf("%s goes without the index of labels:\n%s", query, plan)
				}
				for _, bad := range database.bad {
					if strings.Contains(plan, bad) && !((query == "blocks" || ofLabels) && bad == "Sort") { // a few hundred may be sorted
						t.Errorf("%s has %q in its plan:\n%s", query, bad, plan)
					}
				}
			}
		})
	}
}

// explain returns the lines of a plan.
func explain(t *testing.T, s *Store, columns func(line *string) []any, query string, args []any) (string, error) {
	t.Helper()
	lines, err := read(t.Context(), s, uuid.Nil, "test", all(columns, query, args...))
	return strings.Join(lines, "\n") + "\n", err
}
