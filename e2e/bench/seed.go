package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"       // the driver of PostgreSQL, as "pgx"
	_ "github.com/ncruces/go-sqlite3/driver" // and that of SQLite, as "sqlite3"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// All that is known here of the tables is in this file.
const (
	insertLinks = `INSERT INTO share_links (id, token, organization_id, persona_id, persona_name, persona_name_folded, type,
	expires_at, usage_limit, usage_count, allowed_origins, allow_all_origins, remove_watermark, enabled, is_primary, created_at)
VALUES `
	linkRow = `('%s', '%s', '%s', '%s', '%s', '%s', 'LINK', %d, NULL, 0, '[]', FALSE, FALSE, TRUE, FALSE, %d)`

	// The counts as migration 3 makes them. The server cuts them into blocks when it starts.
	insertCounts = `INSERT INTO link_counts (organization_id, scope, first_id, links)
SELECT organization_id, %s, '00000000-0000-0000-0000-000000000000', COUNT(*) FROM share_links GROUP BY %s`
	scopeOfPersona = `CAST(persona_id AS TEXT) || ' ' || persona_name_folded`
	byPersona      = `organization_id, persona_id, persona_name_folded`
)

// some of the links, for requests that name one.
type some struct {
	links       int // how many there are in all
	ids, tokens []string
}

const (
	named      = 2000    // how many links are in some
	partOfName = "a sal" // of those of three personas
)

// persona returns the name of one of 50.
func persona(i int) string {
	people, tasks := [5]string{"Ada", "Ben", "Cara", "Leo", "Mia"}, [10]string{
		"Sales", "Support", "Billing", "Onboarding", "Training", "Hiring", "Events", "Returns", "Travel", "Health",
	}
	return people[i%5] + " " + tasks[i/5%10]
}

// seed makes links in an empty database that has the first organization of a server. They can be opened without end.
func seed(ctx context.Context, database string, links int) (some, error) {
	result := some{links: links}
	driver, finish := "pgx", []string{"VACUUM ANALYZE", "CHECKPOINT"}
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, database, finish = "sqlite3", path, nil
	}
	db, err := sql.Open(driver, database)
	if err != nil {
		return result, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // what is set for a connection is set for all
	run := func(statement string) {
		if err == nil {
			_, err = db.ExecContext(ctx, statement)
		}
	}
	if driver == "sqlite3" {
		run("PRAGMA cache_size = -131072") // most of the index of tokens, which are random
		run("PRAGMA journal_mode = OFF") // nothing has to survive here; the server sets its own again
		run("PRAGMA synchronous = OFF")
	}
	var organization string
	if err == nil {
		err = db.QueryRowContext(ctx, "SELECT id FROM organizations").Scan(&organization)
	}
	run("BEGIN")
	personas := [50]uuid.UUID{}
	for i := range personas {
		personas[i] = uuid.New()
	}
	// One a second, up to now: the ids are in the order of time.
	first := time.Now().Add(-time.Duration(links) * time.Second)
	const rows = 1000 // a statement
	for from := 0; from < links && err == nil; from += rows {
		statement := []byte(insertLinks)
		for i := from; i < min(from+rows, links); i++ {
			at := first.Add(time.Duration(i) * time.Second)
			id, token, name := sharelink.NewID(at).String(), sharelink.NewToken(), persona(i)
			if i > from {
				statement = append(statement, ',')
			}
			statement = fmt.Appendf(statement, linkRow, id, token, organization, personas[i%50], name, sharelink.Fold(name),
				at.AddDate(10, 0, 0).UnixMilli(), at.UnixMilli())
			if i%max(links/named, 1) == 0 && len(result.ids) < named {
				result.ids, result.tokens = append(result.ids, id), append(result.tokens, token)
			}
		}
		run(string(statement))
	}
	run(fmt.Sprintf(insertCounts, "''", "organization_id"))
	run(fmt.Sprintf(insertCounts, scopeOfPersona, byPersona))
	run("COMMIT")
	for _, statement := range finish {
		run(statement)
	}
	return result, err
}

// createDatabase makes a database on a PostgreSQL server.
func createDatabase(ctx context.Context, server, name string) error {
	db, err := sql.Open("pgx", server)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "CREATE DATABASE "+name)
	return err
}
