package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// errLate is what a write that took longer than the store allows ends with.
var errLate = errors.New("the database did not answer in time")

// taken turns a violated unique constraint into a Conflict with this detail, and a violated foreign key into a NotFound:
// the only ones there are lead to organizations. The driver's error is not kept as the cause: PostgreSQL's has the
// values in it.
func taken(err error, detail string) error {
	switch code, state := sqliteCode(err), sqlState(err); {
	case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE, code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, state == "23505":
		return &sharelink.Error{Code: sharelink.Conflict, Detail: detail}
	case code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, state == "23503":
		return &sharelink.Error{Code: sharelink.NotFound, Detail: sharelink.NoOrganization}
	}
	return err
}

// unavailable tells whether an error means that the database is down or too busy, not that it was asked the wrong thing.
// A timeout is one; that of the caller is interrupted, and to be looked for first.
func unavailable(err error) bool {
	switch sqliteCode(err) & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	state := sqlState(err)
	for _, class := range []string{
		"08",    // connection exceptions
		"53",    // out of connections, memory or disk
		"57P0",  // shutting down, starting up, dropped
		"25006", // read-only: a standby, until it is promoted
		"40001", // serialization failures and deadlocks that outlasted the retries
		"40P01",
	} {
		if strings.HasPrefix(state, class) {
			return true
		}
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, errLate) || pgconn.SafeToRetry(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// interrupted tells whether an error is what a driver says when the caller's context ends.
func interrupted(err error) bool {
	return sqliteCode(err)&0xff == sqlite3.SQLITE_INTERRUPT || sqlState(err) == "57014" ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// sqliteCode returns SQLite's extended result code, 0 when err is not of SQLite.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// sqlState returns PostgreSQL's five-character code, "" when err is not of PostgreSQL.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}
