package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/ncruces/go-sqlite3"
)

// sqliteFile is the file of a database that is in use.
type sqliteFile struct {
	path    string
	opened  fs.FileInfo           // the file at the path when it was opened
	damaged atomic.Pointer[error] // what the database said of its pages, if it said that they are not right
	log     walSize
}

// openFile makes the database file, if there is none, or examines the one that there is before anything is written to it.
func openFile(ctx context.Context, path string, o Options) (*sqliteFile, error) {
	if err := makeFile(path, o.Logger); err != nil {
		return nil, err
	}
	if err := examine(ctx, path, o.Examine); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("find the database: %w", err)
	}
	// SQLite would give the index of the write-ahead log the permissions that the umask leaves.
	if err := createFile(path+"-shm", info.Mode().Perm()); err != nil {
		return nil, err
	}
	return &sqliteFile{path: path, opened: info, log: walSize{path: path + "-wal", observe: o.ObserveLog, logger: o.Logger, warnAt: walTooBig}}, nil
}

// makeFile makes the database file, if there is none, readable by its owner only: it holds tokens.
func makeFile(path string, logger *slog.Logger) error {
	mode := fs.FileMode(0o600)
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("the database %s is a directory; give the path of a file", path)
	case err == nil:
		if mode = info.Mode().Perm(); mode&0o077 != 0 {
			logger.Warn("others on this machine may read the database", "path", path, "permissions", mode.String())
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("find the database: %w", err)
	}
	if err := tryToWrite(filepath.Dir(path)); err != nil && !errors.Is(err, syscall.ENOSPC) { // it can still be read
		return err
	}
	return createFile(path, mode)
}

// tryToWrite returns what keeps this process from writing new files in the directory of a database.
func tryToWrite(dir string) error {
	probe, err := os.CreateTemp(dir, ".sharelinks-*")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory %s of the database does not exist; create it first", dir)
	}
	if err == nil {
		_, err = probe.Write(make([]byte, 64<<10)) // more than fits into a block that is half full
		err = errors.Join(err, probe.Close(), os.Remove(probe.Name()))
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk is full: %w", err)
	case err != nil:
		return fmt.Errorf("user id %d cannot write in the directory %s: SQLite makes files beside the database, so the directory must be writable, not only the file (%w)", os.Getuid(), dir, err)
	}
	return nil
}

// createFile makes an empty file, unless there is one that can be written.
func createFile(path string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, mode)
	if err != nil {
		return fmt.Errorf("user id %d cannot write the file %s (%w)", os.Getuid(), path, err)
	}
	return f.Close()
}

// examine refuses a file that is not a database of this program's, or not a sound one, and leaves it as it is: it reads on a
// connection of its own that cannot write. With thorough, it reads all of a database that was not closed.
func examine(ctx context.Context, path string, thorough bool) error {
	header, err := readHeader(path)
	if err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	wal, err := fileSize(path + "-wal")
	if err != nil {
		return fmt.Errorf("find the write-ahead log: %w", err)
	}
	unclosed := wal > 0
	switch {
	case len(header) == 0 && !unclosed:
		return nil // it was just made
	case len(header) == 0, len(header) == headerSize && header[versionAt] == rollbackVersion && unclosed:
		return fmt.Errorf("the write-ahead log %s-wal does not belong to the database %[1]s: another file was put in the place of the one that it belongs to. "+
			"To use the file as it is, move the log and %[1]s-shm away; sharelinks restore puts a backup back without this", path)
	}
	as := "immutable=1" // makes no files
	if unclosed {
		as = "mode=ro"
	}
	if err := examineFile(ctx, path, as, thorough && unclosed); err != nil {
		return fmt.Errorf("the database %s cannot be used: %w; give another path, or put a backup in its place with sharelinks restore", path, err)
	}
	return nil
}

// examineFile reads a database on a connection that cannot write, opened with one more parameter.
func examineFile(ctx context.Context, path, as string, thorough bool) error {
	conn, err := openSQLiteConn(ctx, dsn(path)+"&"+as)
	if err == nil {
		err = examineTables(ctx, conn)
		if err == nil && thorough {
			err = examinePages(ctx, conn)
		}
		err = errors.Join(err, conn.close())
	}
	if errors.Is(err, sqlite3.NOTADB) {
		return errors.New("it is not a SQLite database")
	}
	return err
}

// What the header of a SQLite file says of how it is written: bytes 18 and 19 of 100 (sqlite.org/fileformat2.html).
const (
	headerSize      = 100
	versionAt       = 18
	rollbackVersion = 1 // without a write-ahead log, as VACUUM INTO leaves it; a database that this program opened has 2
)

// readHeader returns the first bytes of a file, fewer than headerSize when it is shorter.
func readHeader(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	header := make([]byte, headerSize)
	n, err := io.ReadFull(f, header)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return header[:n], err
}

// fileSize returns the size of a file in bytes, 0 when there is none.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// examineTables refuses a database of another program.
func examineTables(ctx context.Context, q querier) error {
	tables, err := all(number[string], "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")(ctx, q)
	if err != nil || len(tables) == 0 {
		return err
	}
	for _, t := range tables {
		if t == versionTable || t == "share_links" {
			return nil
		}
	}
	return fmt.Errorf("it has tables and none of sharelinks: %s", strings.Join(tables[:min(3, len(tables))], ", "))
}

// examinePages reads every page and refuses a database in which one is not right.
func examinePages(ctx context.Context, q querier) error {
	faults, err := pageFaults(ctx, q, "PRAGMA quick_check(1)")
	if err == nil && faults != nil {
		err = fmt.Errorf("it is damaged: %s", strings.Join(faults, "; "))
	}
	return err
}

// pageFaults returns what one of SQLite's own checks finds, nil when it says that all is well.
func pageFaults(ctx context.Context, q querier, check string) ([]string, error) {
	faults, err := all(number[string], check)(ctx, q)
	if err == nil && len(faults) == 1 && faults[0] == "ok" {
		return nil, nil
	}
	return faults, err
}

// errReplaced is the error for a database whose file is no longer at its path: what is written to it would be lost.
var errReplaced = errors.New("the database file was deleted or replaced while it was in use; stop the service and put the file back")

// sayWhy adds to the errors of writes that the disk did not take what the system says of it, and tells whether there are any:
// the engine keeps that to itself.
func (f *sqliteFile) sayWhy(batch []*job) (refused bool) {
	var why error
	for _, j := range batch {
		switch sqliteCode(j.err) {
		case sqlite3.IOERR, sqlite3.FULL, sqlite3.READONLY, sqlite3.CANTOPEN:
			if !refused {
				refused, why = true, tryToWrite(filepath.Dir(f.path))
			}
			if why != nil {
				j.err = fmt.Errorf("%w: %v", j.err, why)
			}
		}
	}
	return refused
}

// check returns an error when nothing must be written to the database, and nothing that it says believed.
func (f *sqliteFile) check() error {
	info, err := os.Stat(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("user id %d cannot find the database: %w", os.Getuid(), err)
	}
	if err != nil || !os.SameFile(info, f.opened) {
		return fmt.Errorf("%w: %s", errReplaced, f.path)
	}
	if damage := f.damaged.Load(); damage != nil {
		return *damage
	}
	return nil
}

// notice remembers an error that says that the database is damaged. It returns the error.
func (f *sqliteFile) notice(err error) error {
	if code := sqliteCode(err); code == sqlite3.CORRUPT || code == sqlite3.NOTADB {
		f.damaged.CompareAndSwap(nil, &err)
	}
	return err
}

const (
	walLimit  = 16 << 20 // bytes: SQLite cuts the write-ahead log to this once all of it is in the database
	walTooBig = 64 << 20 // bytes from which on the log is warned of
)

// walSize is the size of the write-ahead log, as the one that writes sees it.
type walSize struct {
	path    string
	observe func(bytes int64)
	logger  *slog.Logger
	warnAt  int64
}

// look tells Options.ObserveLog how large the log is. It warns of one that grows, each time that it has doubled.
func (w *walSize) look() {
	size, err := fileSize(w.path)
	if err != nil {
		return // the next write that fails says what is wrong
	}
	w.observe(size)
	switch {
	case size <= walLimit:
		w.warnAt = walTooBig
	case size >= w.warnAt:
		w.warnAt = 2 * size
		w.logger.Warn("the write-ahead log of the database grows, because another program reads the database without an end, such as a sqlite3 shell in a transaction; it shrinks when that ends",
			"path", w.path, "bytes", size)
	}
}
