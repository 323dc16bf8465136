package store

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

// TestPooler opens a database behind PgBouncer in transaction mode, where a prepared statement is found again only by chance.
// The fault suite in e2e has servers start and work there.
func TestPooler(t *testing.T) {
	t.Parallel()
	database := pgtest.NewDatabase(t)
	url := pgtest.NewPooler(t, database)
	for url, want := range map[string]pgx.QueryExecMode{
		url: pgx.QueryExecModeCacheDescribe, database: pgx.QueryExecModeCacheStatement,
		url + "&default_query_exec_mode=exec": pgx.QueryExecModeExec,
	} {
		s, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.engine.(*postgres).pool.Config().ConnConfig.DefaultQueryExecMode; got != want {
			t.Errorf("%s: statements are sent with %v, want %v", url, got, want)
		}
		idle, err := read(t.Context(), s, uuid.Nil, "test", one(number[string], "", "SELECT current_setting('idle_in_transaction_session_timeout')"))
		if ours := want == pgx.QueryExecModeCacheStatement; err != nil || (idle == postgresIdleTimeout) != ours {
			t.Errorf("%s: idle transactions are ended after %s, error %v", url, idle, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
