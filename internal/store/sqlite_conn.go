package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
)

const (
	busyTimeout = 5 * time.Second // for another process to let go of its lock
	busyPause   = 10 * time.Millisecond
)

// sqliteConn is a connection to a SQLite database, for one goroutine at a time. It prepares each statement once: the texts
// are this package's own, a few dozen, so what it keeps needs no bound.
type sqliteConn struct {
	*sqlite3.Conn
	prepared map[string]prepared
}

// prepared is a prepared statement and the index of each of its arguments: to SQLite $2 is a name, not the second.
type prepared struct {
	*sqlite3.Stmt
	indexes []int
}

// openSQLiteConn opens a connection. It waits here while the database is locked: the pragma busy_timeout does not cover the
// moment in which another process makes the write-ahead log, or removes it.
func openSQLiteConn(ctx context.Context, dsn string) (*sqliteConn, error) {
	for start := time.Now(); ; {
		conn, err := sqlite3.OpenContext(ctx, dsn)
		if err == nil {
			return &sqliteConn{Conn: conn, prepared: map[string]prepared{}}, nil
		}
		if sqliteCode(err) != sqlite3.BUSY || time.Since(start) > busyTimeout {
			return nil, err
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *sqliteConn) close() error {
	for _, p := range c.prepared {
		_ = p.Close() // it repeats the error of the last step
	}
	return c.Close()
}

func (c *sqliteConn) prepare(text string) (prepared, error) {
	if p, ok := c.prepared[text]; ok {
		return p, nil
	}
	stmt, _, err := c.PrepareFlags(text, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return prepared{}, err
	}
	p := prepared{stmt, make([]int, stmt.BindCount())}
	for i := range p.indexes {
		p.indexes[i] = stmt.BindIndex("$" + strconv.Itoa(i+1))
	}
	c.prepared[text] = p
	return p, nil
}

// do runs one statement that takes no arguments.
func (c *sqliteConn) do(ctx context.Context, text string) error {
	return c.run(ctx, &statement{sql: text})
}

func (c *sqliteConn) run(ctx context.Context, statements ...*statement) error {
	c.SetInterrupt(ctx)
	for _, s := range statements {
		if err := c.runOne(s); err != nil {
			return explained(err, s)
		}
	}
	return nil
}

func (c *sqliteConn) later(ctx context.Context, statements ...*statement) error {
	return c.run(ctx, statements...)
}

func (c *sqliteConn) runOne(s *statement) error {
	p, err := c.prepare(s.sql)
	if err != nil {
		return err
	}
	if len(s.args) != len(p.indexes) {
		return fmt.Errorf("%d arguments for a statement with %d", len(s.args), len(p.indexes))
	}
	for i, a := range s.args {
		if err := p.bind(p.indexes[i], a); err != nil {
			return err
		}
	}
	if s.row == nil {
		if err := p.Exec(); err != nil {
			return err
		}
		s.affected = int(c.Changes())
		return nil
	}
	defer p.Reset() // it repeats the error of the last step
	for s.affected = 0; p.Step(); s.affected++ {
		if err := s.row(p); err != nil {
			return err
		}
	}
	return p.Err()
}

// bind sets an argument. Those that the rows of the store are made of need no detour through a driver.Value.
func (p prepared) bind(index int, v any) error {
	switch v := v.(type) {
	case nil:
		return p.BindNull(index)
	case string:
		return p.BindText(index, v)
	case *string:
		return p.BindText(index, *v)
	case int:
		return p.BindInt(index, v)
	case *int:
		return p.BindInt(index, *v)
	case int64:
		return p.BindInt64(index, v)
	case bool:
		return p.BindBool(index, v)
	case *bool:
		return p.BindBool(index, *v)
	case []byte:
		return p.BindBlob(index, v)
	case uuid.UUID:
		return p.BindText(index, v.String())
	case *uuid.UUID:
		return p.BindText(index, v.String())
	case driver.Valuer:
		value, err := v.Value()
		if err != nil {
			return err
		}
		return p.bind(index, value)
	}
	return fmt.Errorf("an argument of type %T", v)
}

// Scan implements scanner.
func (p prepared) Scan(into ...any) (err error) {
	for i, v := range into {
		switch v := v.(type) {
		case *string:
			*v = p.ColumnText(i)
		case *int:
			*v = p.ColumnInt(i)
		case *bool:
			*v = p.ColumnBool(i)
		case *[]byte:
			*v = p.ColumnBlob(i, nil)
		case *uuid.UUID:
			*v, err = uuid.ParseBytes(p.ColumnRawText(i))
		case sql.Scanner:
			err = v.Scan(p.value(i))
		default:
			err = fmt.Errorf("a column into a %T", v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// value returns a column as a driver.Value.
func (p prepared) value(column int) any {
	switch p.ColumnType(column) {
	case sqlite3.INTEGER:
		return p.ColumnInt64(column)
	case sqlite3.NULL:
		return nil
	case sqlite3.BLOB:
		return p.ColumnBlob(column, nil)
	default:
		return p.ColumnText(column)
	}
}

// sqliteReaders are the connections that read. They are opened as they are needed, and the one that was used last, whose
// cache is the warmest, is used next.
type sqliteReaders struct {
	file *sqliteFile
	busy chan struct{} // has an element for each connection in use

	mu     sync.Mutex
	idle   []*sqliteConn
	closed bool
}

func newSQLiteReaders(file *sqliteFile, most int) *sqliteReaders {
	return &sqliteReaders{file: file, busy: make(chan struct{}, most)}
}

// with runs fn on a connection that nothing else uses meanwhile.
func (r *sqliteReaders) with(ctx context.Context, fn func(*sqliteConn) error) error {
	select {
	case r.busy <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.busy }()
	c, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer r.give(c)
	return fn(c)
}

func (r *sqliteReaders) take(ctx context.Context) (*sqliteConn, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, errClosed
	}
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	// Or a connection to another file would be among the others for good; and it would take the log beside it for its own.
	if err := r.file.check(); err != nil {
		return nil, err
	}
	return openSQLiteConn(ctx, readerDSN(r.file.path))
}

func (r *sqliteReaders) give(c *sqliteConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, c)
}

// close waits for those that are in use.
func (r *sqliteReaders) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	for range cap(r.busy) {
		r.busy <- struct{}{}
	}
	defer func() {
		for range cap(r.busy) {
			<-r.busy
		}
	}()
	var errs []error
	for _, c := range r.idle {
		errs = append(errs, c.close())
	}
	r.idle = nil
	return errors.Join(errs...)
}
