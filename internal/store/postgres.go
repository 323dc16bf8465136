package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

const (
	postgresConnectTimeout = 5 * time.Second  // unless the URL says otherwise
	postgresWriteTimeout   = 30 * time.Second // of one write, once it has begun
	postgresTries          = 5                // of a write that lost against another
)

// openPostgres opens a pool of connections, all of which may write.
func openPostgres(ctx context.Context, databaseURL string, o Options) (*Store, error) {
	config, err := postgresConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = postgresConnectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "sharelinks"
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(o.Connections)
	db.SetMaxIdleConns(o.Connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute) // so that load moves to where a failover or a balancer wants it
	if err := migratePostgres(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("open the PostgreSQL database: %w", err), db.Close())
	}
	return &Store{options: o, reads: db, writes: transactions{db}, rowLock: " FOR UPDATE", close: db.Close}, nil
}

// transactions is the writer of a PostgreSQL database: each write is its own transaction, READ COMMITTED.
type transactions struct{ db *sql.DB }

func (t transactions) write(ctx context.Context, fn func(ctx context.Context, tx querier) error) error {
	conn, err := t.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // gives it back to the pool, nothing to be told
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), postgresWriteTimeout, errLate)
	defer cancel()
	for try := 1; ; try++ {
		err := transaction(ctx, conn, fn)
		if err == nil || ctx.Err() != nil || try == postgresTries || !lostRace(err) {
			if err != nil && ctx.Err() != nil {
				err = fmt.Errorf("%w (%v)", context.Cause(ctx), err)
			}
			return err
		}
	}
}

func transaction(ctx context.Context, conn *sql.Conn, fn func(ctx context.Context, tx querier) error) (err error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			_ = tx.Rollback() // after a failed commit there is nothing to roll back
		}
	}()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// lostRace tells whether a transaction failed only because another one was faster: a serialization failure or a deadlock.
func lostRace(err error) bool {
	state := sqlState(err)
	return state == "40001" || state == "40P01"
}
