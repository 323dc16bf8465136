package store

import (
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
	whereAll, argsAll := matching(organization, sharelink.Filter{})
	wherePersona, argsPersona := matching(organization, sharelink.Filter{PersonaID: uuid.NullUUID{UUID: persona, Valid: true}})
	queries := map[string]struct {
		sql  string
		args []any
	}{
		"get by id":        {selectLink, []any{organization, uuid.New()}},
		"get by token":     {selectLinkByToken, []any{"sh_2kL9pQxYzR4vN8mBwHfJc"}},
		"spend":            {spendUse, []any{"sh_2kL9pQxYzR4vN8mBwHfJc", 0}},
		"settle":           {settleVisit, []any{uuid.New(), uuid.New(), "UPSTREAM_REFUSED", "OPENED"}},
		"give back":        {giveBackUse, []any{organization, uuid.New()}},
		"visits":           {pageQuery(visitColumns, "visits WHERE link_id = $1", 1), []any{visited, 20, 0}},
		"sweep visits":     {deleteVisits, []any{sharelink.FirstID(time.UnixMilli(10)), 1000}},
		"list":             {pageQuery(linkColumns, "share_links WHERE "+whereAll, len(argsAll)), append(argsAll, 20, 0)},
		"list of persona":  {pageQuery(linkColumns, "share_links WHERE "+wherePersona, len(argsPersona)), append(argsPersona, 20, 0)},
		"key":              {selectOrganizationByKey, []any{make([]byte, 32)}},
		"replay":           {selectReplay, []any{organization, "key", 0}},
		"sweep":            {deleteIdempotencyKeys, []any{0}},
		"demote":           {demoteLinksToPersona, []any{organization, persona}},
		"links to persona": {countLinksToPersona, []any{organization, persona}},
		"delete":           {deleteLink, []any{organization, uuid.New()}},
	}
	for name, database := range map[string]struct {
		url     func(t testing.TB) string
		explain string
		fill    []string
		bad     []string
	}{
		"SQLite": {
			url:     func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "links.db") },
			explain: "EXPLAIN QUERY PLAN ",
			bad:     []string{"SCAN share_links", "SCAN api_keys", "SCAN organizations", "SCAN o", "SCAN k", "SCAN idempotency_keys", "SCAN visits", "TEMP B-TREE"},
		},
		"PostgreSQL": {
			url:     func(t testing.TB) string { return pgtest.NewDatabase(t) },
			explain: "EXPLAIN ",
			// Its planner looks at how much there is: with little it would rather read everything.
			fill: []string{
				"INSERT INTO organizations SELECT gen_random_uuid(), 'o' || n, FALSE, 0 FROM generate_series(1, 19) n",
				"INSERT INTO organizations VALUES ('" + organization.String() + "', 'o', FALSE, 0)",
				`INSERT INTO share_links (id, token, organization_id, persona_id, persona_name, persona_name_folded, type, usage_limit, usage_count,
					allowed_origins, allow_all_origins, remove_watermark, enabled, is_primary, created_at)
				SELECT gen_random_uuid(), 't' || o.name || '-' || n, o.id,
					CASE WHEN n % 10 = 0 THEN '` + persona.String() + `' ELSE gen_random_uuid() END, 'Cara', 'cara', 'LINK', 10, 0,
					'[]', FALSE, FALSE, TRUE, FALSE, n
				FROM organizations o, generate_series(1, 1000) n`,
				"INSERT INTO api_keys SELECT 'p' || n, sha256(('s' || n)::bytea), '', '" + organization.String() + "', 0, NULL FROM generate_series(1, 5000) n",
				"INSERT INTO idempotency_keys SELECT '" + organization.String() + "', 'k' || n, sha256('x'), '', n FROM generate_series(1, 5000) n",
				`INSERT INTO visits SELECT gen_random_uuid(), CASE WHEN n % 100 = 0 THEN '` + visited.String() + `' ELSE gen_random_uuid() END, '` +
					organization.String() + `', n, 'OPENED', '', '', '' FROM generate_series(1, 20000) n`,
				"VACUUM ANALYZE",
			},
			// Of organizations there are few enough to read them all.
			bad: []string{"Seq Scan on share_links", "Seq Scan on api_keys", "Seq Scan on idempotency_keys", "Seq Scan on visits", "Sort"},
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
				if _, err := s.reads.ExecContext(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			for query, q := range queries {
				plan, err := explain(t, s, database.explain+q.sql, q.args)
				if err != nil {
					t.Fatalf("%s: %v", query, err)
				}
				for _, bad := range database.bad {
					if strings.Contains(plan, bad) {
						t.Errorf("%s has %q in its plan:\n%s", query, bad, plan)
					}
				}
			}
		})
	}
}

// explain returns the lines of a plan, which are in the last column on both databases.
func explain(t *testing.T, s *Store, query string, args []any) (string, error) {
	t.Helper()
	rows, err := s.reads.QueryContext(t.Context(), query, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var plan strings.Builder
	for rows.Next() {
		var line string
		into := make([]any, len(columns))
		for i := range into {
			into[i] = new(any)
		}
		into[len(into)-1] = &line
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		plan.WriteString(line + "\n")
	}
	return plan.String(), rows.Err()
}
