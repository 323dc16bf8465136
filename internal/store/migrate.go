package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/ncruces/go-sqlite3"
	sqlitedriver "github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// versionTable has the migrations that were applied. Under goose's own name for it, two services in one PostgreSQL schema
// would believe each other's versions.
const versionTable = "sharelinks_versions"

// migrateSQLite brings the tables up to date, all or nothing, in one transaction that no other process can write beside.
//
// The transaction is begun here and goose runs inside it, on the one connection that db may have. goose's own session
// lock would come too late: it makes its version table before it takes that lock. With IsolateDDL it begins no
// transaction of its own.
func migrateSQLite(ctx context.Context, conn querier, dsn string) (err error) {
	if done, err := migrated(ctx, conn, "sqlite"); done || err != nil {
		return err // without taking the write lock: most starts end here
	}
	db, err := sqlitedriver.Open(dsn)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err = adoptVersions(ctx, conn, db, goose.DialectSQLite3); err == nil {
		err = migrateUp(ctx, conn, db, "sqlite", goose.DialectSQLite3, goose.WithIsolateDDL(true))
	}
	if err == nil {
		_, err = db.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// Whatever ended it, the context too, nothing of it must stay.
		_, rollbackErr := db.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, rollbackErr)
	}
	return nil
}

// migratePostgres brings the tables up to date, each migration in a transaction, while no other server does.
//
// The advisory lock is the one that goose would take, but waited for: goose asks again once a second, and not before it
// has made its version table, on which servers that start together would collide. It is held by a transaction, not by
// a session: behind a pooler, such as PgBouncer, the next statement may be another session's.
func migratePostgres(ctx context.Context, pool *pgxpool.Pool) (err error) {
	if done, err := migrated(ctx, postgresReader{pool}, "postgres"); done || err != nil {
		return err
	}
	locked, err := pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locked.Rollback(context.WithoutCancel(ctx))) }()
	// It is idle while the migrations run, and for as long as they take.
	const lockIt = "SELECT set_config('idle_in_transaction_session_timeout', '0', TRUE), pg_advisory_xact_lock($1)"
	if _, err := locked.Exec(ctx, lockIt, lock.DefaultLockID); err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	adopting, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := adoptVersions(ctx, postgresReader{pool}, adopting, goose.DialectPostgres); err != nil {
		return errors.Join(err, adopting.Rollback())
	}
	if err := adopting.Commit(); err != nil {
		return err
	}
	return migrateUp(ctx, postgresReader{pool}, db, "postgres", goose.DialectPostgres)
}

// adoptVersions writes down in versionTable what was applied to tables whose versions were kept in goose's own table. What
// that one says is not asked: the tables themselves tell, and it may be a neighbour's, who keeps it.
func adoptVersions(ctx context.Context, q querier, db database.DBTxConn, dialect goose.Dialect) error {
	if there, err := hasTable(ctx, q, versionTable); there || err != nil {
		return err
	}
	applied := 0
	for _, table := range []string{"share_links", "visits", "link_counts"} { // each came with the next version
		there, err := hasTable(ctx, q, table)
		if err != nil {
			return err
		}
		if !there {
			break
		}
		applied++
	}
	if applied == 0 {
		return nil
	}
	versions, err := database.NewStore(dialect, versionTable)
	if err != nil {
		return err
	}
	if err := versions.CreateVersionTable(ctx, db); err != nil {
		return err
	}
	for version := range applied + 1 {
		if err := versions.Insert(ctx, db, database.InsertRequest{Version: int64(version)}); err != nil {
			return err
		}
	}
	if dialect == goose.DialectSQLite3 {
		// The file is this program's alone, and without the table a program of an older version refuses it.
		_, err = db.ExecContext(ctx, "DROP TABLE IF EXISTS "+goose.DefaultTablename)
	}
	return err
}

// hasTable tells whether there is a table of this name.
func hasTable(ctx context.Context, q querier, name string) (bool, error) {
	err := q.run(ctx, &statement{sql: "SELECT 1 FROM " + name + " LIMIT 1", row: func(scanner) error { return nil }})
	if err != nil && noTable(err) {
		return false, nil
	}
	return err == nil, err
}

func migrateUp(ctx context.Context, q querier, db *sql.DB, dir string, dialect goose.Dialect, o ...goose.ProviderOption) error {
	// Another server may have migrated while this one waited for the lock.
	if done, err := migrated(ctx, q, dir); done || err != nil {
		return err
	}
	files, err := fs.Sub(migrations, path.Join("migrations", dir))
	if err != nil {
		return err
	}
	o = append(o, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	provider, err := goose.NewProvider(dialect, db, files, o...)
	if err == nil {
		_, err = provider.Up(ctx)
	}
	return err
}

// migrated tells whether the tables are up to date, with an error when they are of a newer version than this program.
func migrated(ctx context.Context, q querier, dir string) (bool, error) {
	files, err := migrations.ReadDir(path.Join("migrations", dir))
	if err != nil {
		return false, err
	}
	version, newest := 0, len(files) // they are numbered from 1 on
	version, err = one(number[int], "", "SELECT COALESCE(MAX(version_id), 0) FROM "+versionTable)(ctx, q)
	switch {
	case err != nil && noTable(err):
		return false, nil
	case err != nil:
		return false, err
	case version > newest:
		return false, fmt.Errorf("its tables are of version %d and this program knows up to %d; use the newer program that made them, or a backup", version, newest)
	}
	if version != newest {
		return false, nil
	}
	if err := q.run(ctx, tablesThere()); err != nil {
		return false, fmt.Errorf("%s says that there are tables of version %d, but: %w", versionTable, version, err)
	}
	return true, nil
}

// noTable tells whether an error says that a table does not exist. SQLite has no code for it.
func noTable(err error) bool {
	return sqlState(err) == "42P01" || sqliteCode(err) == sqlite3.ERROR && strings.Contains(err.Error(), "no such table")
}
