package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
)

// sqlite is the engine of a SQLite database: one connection that writes, a pool of connections that read, and another of those
// that find, which wait for no reader.
type sqlite struct {
	file    *sqliteFile
	conn    *sqliteConn // used by writer only
	writer  *batcher
	readers *sqliteReaders
	finders *sqliteReaders
	store   *Store
	refused atomic.Bool // the last batch had a write that the disk did not take
}

func openSQLite(ctx context.Context, path string, s *Store) error {
	// The pool opens connections as it needs them: a path that is relative would follow a change of directory.
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find the database: %w", err)
	}
	file, err := openFile(ctx, path, s.options)
	if err != nil {
		return err
	}
	conn, err := openSQLiteConn(ctx, writerDSN(path, s.options.Volatile))
	if err == nil {
		if err = migrateSQLite(ctx, conn, writerDSN(path, s.options.Volatile)); err != nil {
			err = errors.Join(err, conn.close())
		}
	}
	if err != nil {
		return fmt.Errorf("open the database %s: %w", path, err)
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	e := &sqlite{file: file, conn: conn, readers: newSQLiteReaders(file, readers), finders: newSQLiteReaders(file, readers), store: s}
	e.writer = startBatcher(1, s.options.Queue, e.commit)
	s.engine = e
	s.reading, s.changing, s.sharing = newTurns(readers/2), newTurns(s.options.Queue/4), newTurns(s.options.Queue/2)
	return nil
}

// ping notices that the file is not the one that was opened, pages that are damaged, and a disk that takes no writes: once
// it refused one, ping writes until that works again, because a balancer sends nothing else meanwhile.
func (e *sqlite) ping(ctx context.Context) error {
	if err := e.file.check(); err != nil {
		return err
	}
	if e.refused.Load() {
		return e.write(ctx, &job{do: func(ctx context.Context, tx querier) error { return tx.run(ctx, &statement{sql: changeAnything}) }})
	}
	return e.find(ctx, tablesThere())
}

// changeAnything changes what nothing reads. SQLite does not write a row that stays as it is.
const changeAnything = "UPDATE first_start SET locked = NOT locked"

func (e *sqlite) find(ctx context.Context, query *statement) error {
	return e.file.notice(e.finders.with(ctx, func(c *sqliteConn) error { return c.run(ctx, query) }))
}

func (e *sqlite) read(ctx context.Context, fn func(ctx context.Context, q querier) error) error {
	return e.file.notice(e.readers.with(ctx, func(c *sqliteConn) error {
		if err := c.do(ctx, "BEGIN"); err != nil {
			return err
		}
		// It ends whatever became of the caller, and a read has nothing to lose.
		defer func() { _ = c.do(context.WithoutCancel(ctx), "ROLLBACK") }()
		return fn(ctx, c)
	}))
}

func (e *sqlite) write(ctx context.Context, j *job) error { return e.writer.do(ctx, j) }

// Readers are closed first: the last connection to close moves the write-ahead log into the file, and only a writer can.
func (e *sqlite) close() error {
	e.writer.stop()
	return errors.Join(e.readers.close(), e.finders.close(), e.conn.close())
}

// commit runs a batch in one transaction and sets the err of each job. No context of a caller is used: a statement that is
// interrupted in the middle of a shared transaction would abort the whole batch.
//
// Nearly always all of them succeed, so that is tried first. When one fails the transaction is rolled back and begun anew with
// a savepoint for each job, so that the failure takes only its own changes with it. Savepoints from the start would cost
// a third of the writes a second: SQLite keeps a copy of each page that each of them touches.
func (e *sqlite) commit(batch []*job) {
	defer e.store.options.ObserveBatch(len(batch))
	ctx := context.Background()
	err := e.file.check()
	if err == nil {
		err = e.conn.do(ctx, "BEGIN IMMEDIATE")
	}
	if err == nil {
		if err = e.store.perform(ctx, e.conn, batch); err != nil && len(batch) > 1 {
			// SQLite may have rolled back already; then there is nothing to roll back and the second BEGIN says what is wrong.
			_ = e.conn.do(ctx, "ROLLBACK")
			if err = e.conn.do(ctx, "BEGIN IMMEDIATE"); err == nil {
				err = e.eachByItself(ctx, batch)
			}
		}
	}
	if err == nil {
		err = e.conn.do(ctx, "COMMIT")
	}
	if err != nil {
		_ = e.conn.do(ctx, "ROLLBACK")
		for _, j := range batch {
			if j.err == nil {
				j.err = err
			}
		}
	}
	_ = e.file.notice(err)
	e.refused.Store(e.file.sayWhy(batch))
	e.file.log.look()
}

// eachByItself runs each job in a savepoint. The error is one that leaves nothing to commit.
func (e *sqlite) eachByItself(ctx context.Context, batch []*job) error {
	for i, j := range batch {
		if err := e.conn.do(ctx, "SAVEPOINT job"); err != nil {
			return err
		}
		if j.err = e.store.perform(ctx, e.conn, batch[i:i+1]); j.err != nil {
			if err := e.conn.do(ctx, "ROLLBACK TO job"); err != nil {
				return fmt.Errorf("the transaction was rolled back by the database: %w", err)
			}
		}
		if err := e.conn.do(ctx, "RELEASE job"); err != nil {
			return err
		}
	}
	return nil
}

// writerDSN has the settings in it, so that whichever connection is opened has them. synchronous=FULL is what makes an
// acknowledged write survive a power cut: with NORMAL, WAL mode syncs at checkpoints only. The cache, 64 MiB when it is
// full, holds the index of the tokens, which are random: each create needs another page of it. What is deleted is overwritten
// (secure_delete), so that neither the file nor a copy of it has what was erased.
func writerDSN(path string, volatile bool) string {
	synchronous := "FULL"
	if volatile {
		synchronous = "OFF"
	}
	return dsn(path, "journal_mode(WAL)", "synchronous("+synchronous+")", "foreign_keys(1)", "secure_delete(1)", "cache_size(-65536)",
		fmt.Sprintf("journal_size_limit(%d)", walLimit))
}

// readerDSN leaves the journal mode out: it stays with the file. No file is made when there is none.
func readerDSN(path string) string {
	return dsn(path, "synchronous(FULL)", "foreign_keys(1)", "query_only(1)", "cache_size(-16384)") + "&mode=rw"
}

// dsn writes a path as a SQLite URI, in which ?, # and % have a meaning.
func dsn(path string, pragmas ...string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	pragmas = append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}, pragmas...)
	// modeof gives the write-ahead log the permissions of the file.
	return "file://" + strings.Join(segments, "/") + "?modeof=" + strings.ReplaceAll(url.QueryEscape(path), "+", "%20") + "&_pragma=" + strings.Join(pragmas, "&_pragma=")
}
