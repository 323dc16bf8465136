package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// openSQLite opens a database file with one connection that writes and a pool of connections that read.
func openSQLite(ctx context.Context, path string, o Options) (_ *Store, err error) {
	// The pool opens connections as it needs them: a path that is relative would follow a change of directory.
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("find the database: %w", err)
	}
	if err := createFile(path, o); err != nil {
		return nil, err
	}

	writes, err := sql.Open("sqlite", writerDSN(path, o.Volatile))
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	writes.SetMaxOpenConns(1) // migrate counts on it
	reads, err := sql.Open("sqlite", readerDSN(path))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), writes.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	reads.SetMaxOpenConns(readers)
	reads.SetMaxIdleConns(readers)

	var conn *sql.Conn
	if err = migrateSQLite(ctx, writes); err == nil {
		conn, err = writes.Conn(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %s: %w", path, err), reads.Close(), writes.Close())
	}
	group := startGroupCommit(conn, o.Queue, o.ObserveBatch)
	return &Store{
		options: o,
		reads:   newPrepared(reads),
		writes:  group,
		// Readers first: the last connection to close moves the write-ahead log into the file, and only a writer can.
		close: func() error {
			group.stop()
			return errors.Join(reads.Close(), conn.Close(), writes.Close())
		},
	}, nil
}

// writerDSN has the settings in it, so that whichever connection is opened has them. synchronous=FULL is what makes an
// acknowledged write survive a power cut: with NORMAL, WAL mode syncs at checkpoints only. The cache, 16 MiB when it is
// full, holds the index of the tokens, which are random: each create needs another page of it.
func writerDSN(path string, volatile bool) string {
	synchronous := "FULL"
	if volatile {
		synchronous = "OFF"
	}
	return dsn(path, "_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")&_pragma=foreign_keys(1)&_pragma=cache_size(-16384)")
}

// readerDSN leaves the journal mode out: it stays with the file.
func readerDSN(path string) string {
	return dsn(path, "_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=query_only(1)")
}

// dsn writes a path as a SQLite URI, in which ?, # and % have a meaning.
func dsn(path, settings string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return "file://" + strings.Join(segments, "/") + "?_dqs=0&_error_rc=1&" + settings
}

// creating is held while a database file is made, see createFile.
var creating sync.Mutex

// createFile makes the database file, if there is none, readable by its owner only: it holds tokens. SQLite would make it
// with the permissions that the umask leaves; the files that it puts beside it copy those of this one.
func createFile(path string, o Options) error {
	// POSIX takes a process's locks on a file away when it closes any descriptor of it, also another one's: no other
	// goroutine may have SQLite open the file between here and Close.
	creating.Lock()
	defer creating.Unlock()

	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		return f.Close()
	}
	info, statErr := os.Stat(path)
	switch {
	case statErr == nil && info.IsDir():
		return fmt.Errorf("the database %s is a directory; give the path of a file", path)
	case statErr == nil:
		if info.Mode().Perm()&0o077 != 0 {
			o.Logger.Warn("others on this machine may read the database", "path", path, "permissions", info.Mode().Perm().String())
		}
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the directory %s of the database does not exist; create it first", filepath.Dir(path))
	}
	return fmt.Errorf("create the database: %w", err)
}
