package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// backupPages is how many pages are copied before the progress is shown and the context is looked at.
const backupPages = 500

// Backup writes a copy of the database, as it is at one instant, to a new file, while servers go on. Only the owner may read it:
// it has tokens and the signing key. progress gets the parts of the whole that are done. It is for SQLite.
func (s *Store) Backup(ctx context.Context, path string, progress func(done, total int)) error {
	e, ok := s.engine.(*sqlite)
	if !ok {
		return errors.New("the database is PostgreSQL's: pg_dump and pg_basebackup make its backups")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the file %s exists already; give the path of a new one", path)
	}
	part, err := writePart(path, func(part *os.File) error {
		return e.readers.with(ctx, func(c *sqliteConn) error { return copyDatabase(ctx, c, part.Name(), progress) })
	})
	if err != nil {
		return err
	}
	return putInPlace(part, path)
}

// copyDatabase copies what the connection reads now into a file that is empty.
func copyDatabase(ctx context.Context, c *sqliteConn, path string, progress func(done, total int)) (err error) {
	// Within a transaction, or each write of others would start the copy anew.
	if err := errors.Join(c.do(ctx, "BEGIN"), c.run(ctx, tablesThere())); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.do(context.WithoutCancel(ctx), "ROLLBACK")) }()
	backup, err := c.BackupInit("main", dsn(path))
	if err != nil {
		return err
	}
	defer backup.Close()
	for done := false; !done; progress(backup.PageCount()-backup.Remaining(), backup.PageCount()) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if done, err = backup.Step(backupPages); err != nil {
			return err
		}
	}
	if err := backup.Close(); err != nil {
		return err
	}
	// In this mode a copy is one file, and is known from a database that has a write-ahead log beside it.
	copied, err := openSQLiteConn(ctx, dsn(path))
	if err != nil {
		return err
	}
	return errors.Join(copied.Exec("PRAGMA journal_mode = DELETE"), copied.close())
}

// writePart makes a file beside the path that only its owner may read, all of it or nothing, and returns its name.
func writePart(path string, fill func(part *os.File) error) (name string, err error) {
	f, err := os.OpenFile(path+".part", os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return "", fmt.Errorf("make the file: %w", err)
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// putInPlace gives a part its name, durably.
func putInPlace(part, path string) error {
	if err := os.Rename(part, path); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Restore puts a backup in the place of the SQLite database at a URL that no server has open. It returns the path that the old
// one was moved to, with now in its name, "" when there was none: its file and, with their endings, those beside it. The backup is
// read whole first.
func Restore(ctx context.Context, url, backup string, now time.Time) (old string, err error) {
	path, ok := sqlitePath(url)
	if !ok {
		return "", errors.New("only a SQLite database can be restored; pg_restore restores one of PostgreSQL's")
	}
	if err := CheckURL(url); err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	if err := examineBackup(ctx, backup); err != nil {
		return "", err
	}
	if err := closedFor(ctx, path); err != nil {
		return "", err
	}
	part, err := writePart(path, func(part *os.File) error { return copyFile(part, backup) })
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(path); err == nil {
		old = path + now.UTC().Format(".20060102T150405Z")
		// The log goes last: a crash in between leaves the database with it, or the log alone, which is refused.
		for _, suffix := range []string{"-shm", "", "-wal"} {
			if err := ignoreMissing(os.Rename(path+suffix, old+suffix)); err != nil {
				return "", err
			}
		}
	}
	return old, putInPlace(part, path)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// examineBackup refuses a file that is no database of this program, or a damaged one.
func examineBackup(ctx context.Context, path string) error {
	header, err := readHeader(path)
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	if len(header) < headerSize {
		return fmt.Errorf("the backup %s cannot be used: it is not a SQLite database", path)
	}
	if wal, err := fileSize(path + "-wal"); err != nil || wal > 0 {
		return fmt.Errorf("%s is not a backup: it has a write-ahead log beside it, %[1]s-wal; make one of it with sharelinks backup --database sqlite:%[1]s", path)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if err := examineFile(ctx, path, "immutable=1", true); err != nil {
		return fmt.Errorf("the backup %s cannot be used: %w", path, err)
	}
	return nil
}

// closedFor returns an error when another process has the database open. One that is damaged is open for nobody.
func closedFor(ctx context.Context, path string) error {
	if header, err := readHeader(path); err != nil || len(header) == 0 {
		return ignoreMissing(err)
	}
	conn, err := sqlite3.OpenContext(ctx, dsn(path, "busy_timeout(0)", "locking_mode(EXCLUSIVE)"))
	if err == nil {
		_, configErr := conn.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true) // the old one stays as it is
		err = errors.Join(configErr, conn.Exec("SELECT 1 FROM sqlite_schema"))
		err = errors.Join(err, conn.Close())
	}
	if sqliteCode(err) == sqlite3.BUSY {
		return fmt.Errorf("the database %s is in use; stop the service first", path)
	}
	return nil
}

func copyFile(to *os.File, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	_, err = io.Copy(to, source)
	return err
}
