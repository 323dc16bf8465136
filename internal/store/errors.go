package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/ncruces/go-sqlite3"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

var (
	errLate     = errors.New("the database did not answer in time") // it took longer than the store allows
	errReadOnly = errors.New("the database can be read and not written: it is a standby, or was made read-only")
	errClosed   = errors.New("the store is closed") // Unavailable, as every error of a closed store
)

// explained turns a violated unique constraint into the statement's Conflict, and a violated foreign key into a NotFound: the
// only ones there are lead to organizations. The driver's error is not kept as the cause: PostgreSQL's has the values in it.
func explained(err error, s *statement) error {
	switch state := sqlState(err); {
	case s.conflict != "" && (errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) || errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY) || state == "23505"):
		return &sharelink.Error{Code: sharelink.Conflict, Detail: s.conflict}
	case errors.Is(err, sqlite3.CONSTRAINT_FOREIGNKEY), state == "23503":
		return &sharelink.Error{Code: sharelink.NotFound, Detail: sharelink.NoOrganization}
	}
	return err
}

// unavailable tells whether an error means that the database is down or too busy, not that it was asked the wrong thing.
// A timeout is one; that of the caller is interrupted, and to be looked for first.
func unavailable(err error) bool {
	switch sqliteCode(err) {
	case sqlite3.BUSY, sqlite3.LOCKED, sqlite3.READONLY, sqlite3.IOERR, sqlite3.FULL, sqlite3.CANTOPEN, sqlite3.PROTOCOL,
		sqlite3.CORRUPT, sqlite3.NOTADB:
		return true
	case 0:
	default:
		return false // to Go it looks like an error of the network: it has a Timeout and a Temporary
	}
	state := sqlState(err)
	for _, class := range []string{
		"08",    // connection exceptions
		"53",    // out of connections, memory or disk
		"57P0",  // shutting down, starting up, dropped
		"57014", // cancelled: it took longer than statement_timeout
		"25P03", // a transaction of which it heard no more
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
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return true
	}
	return errors.Is(err, errLate) || errors.Is(err, errReplaced) || errors.Is(err, errReadOnly) || pgconn.SafeToRetry(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// interrupted tells whether an error is what a driver says when the caller's context ends.
func interrupted(err error) bool {
	return sqliteCode(err) == sqlite3.INTERRUPT || sqlState(err) == "57014" ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// sqliteCode returns SQLite's result code, 0 when err is not of SQLite.
func sqliteCode(err error) sqlite3.ErrorCode {
	if e, ok := errors.AsType[*sqlite3.Error](err); ok {
		return e.Code()
	}
	if code, ok := errors.AsType[sqlite3.ErrorCode](err); ok {
		return code
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
