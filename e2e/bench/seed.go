package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/stdlib"         // the driver of PostgreSQL, as "pgx"
	_ "github.com/ncruces/go-sqlite3/driver" // and that of SQLite, as "sqlite3"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// All that is known here of the tables is in this file.
const (
	linkColumns = `id, token, organization_id, persona_id, persona_name, persona_name_folded, type,
	expires_at, usage_limit, usage_count, allowed_origins, allow_all_origins, remove_watermark, enabled, is_primary, created_at`

	insertLinks = "INSERT INTO share_links (" + linkColumns + ") VALUES "
	rowToInsert = "('%s','%s','%s','%s','%s','%s','LINK',%d,NULL,0,'[]',FALSE,FALSE,TRUE,FALSE,%d),"
	copyLinks   = "COPY share_links (" + linkColumns + ") FROM STDIN"
	rowToCopy   = "%s\t%s\t%s\t%s\t%s\t%s\tLINK\t%d\t\\N\t0\t[]\tf\tf\tt\tf\t%d\n"
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
func seed(ctx context.Context, binary, database string, links int) (some, error) {
	path, isSQLite := strings.CutPrefix(database, "sqlite:")
	driver, source, row, add := "pgx", database, rowToCopy, copyRows
	if isSQLite {
		driver, source, row, add = "sqlite3", path, rowToInsert, insertRows
	}
	result := some{links: links}
	db, err := sql.Open(driver, source)
	if err != nil {
		return result, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return result, err
	}
	defer conn.Close()
	run := func(statements ...string) {
		for _, statement := range statements {
			if err == nil {
				_, err = conn.ExecContext(ctx, statement)
			}
		}
	}
	if isSQLite {
		// Nothing has to survive here, the server sets its own again. The cache has most of the index of tokens, which are random.
		run("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -131072")
	}
	var organization string
	if err == nil {
		err = conn.QueryRowContext(ctx, "SELECT id FROM organizations").Scan(&organization)
	}
	personas := [50]uuid.UUID{}
	for i := range personas {
		personas[i] = uuid.New()
	}
	// One a second, up to now: the ids are in the order of time.
	first := time.Now().Add(-time.Duration(links) * time.Second)
	run("BEGIN")
	const rows = 1000 // at a time
	for from := 0; from < links && err == nil; from += rows {
		var text []byte
		for i := from; i < min(from+rows, links); i++ {
			at := first.Add(time.Duration(i) * time.Second)
			id, token, name := sharelink.NewID(at).String(), sharelink.NewToken(), persona(i)
			text = fmt.Appendf(text, row, id, token, organization, personas[i%50], name, sharelink.Fold(name),
				at.AddDate(10, 0, 0).UnixMilli(), at.UnixMilli())
			if i%max(links/named, 1) == 0 && len(result.ids) < named {
				result.ids, result.tokens = append(result.ids, id), append(result.tokens, token)
			}
		}
		err = add(ctx, conn, text)
	}
	run("COMMIT")
	if err == nil {
		err = count(ctx, binary, database)
	}
	if !isSQLite {
		run("VACUUM ANALYZE", "CHECKPOINT") // so that they do not come while it is measured
	}
	return result, err
}

// count has the program count the links. It cuts them into blocks too.
func count(ctx context.Context, binary, database string) error {
	cmd := exec.CommandContext(ctx, binary, "check", "--repair", "--database", database)
	cmd.Env = []string{} // the caller's own settings must not reach what is measured
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("sharelinks check: %w\n%s", err, out)
	}
	return nil
}

func insertRows(ctx context.Context, conn *sql.Conn, rows []byte) error {
	_, err := conn.ExecContext(ctx, insertLinks+strings.TrimSuffix(string(rows), ","))
	return err
}

// copyRows is the way of PostgreSQL for many rows.
func copyRows(ctx context.Context, conn *sql.Conn, rows []byte) error {
	return conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().PgConn().CopyFrom(ctx, bytes.NewReader(rows), copyLinks)
		return err
	})
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
