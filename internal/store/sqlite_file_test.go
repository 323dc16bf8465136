package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// TestRefusedFiles opens files that are no databases of this program, or damaged ones. They are refused and left as they are.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put  func(t *testing.T, path string)
		want string
	}{
		"empty beside a log": {func(t *testing.T, path string) {
			unclosed(t, path)
			write(t, path, nil)
		}, "does not belong to the database"},
		"copy beside a log": {func(t *testing.T, path string) {
			copied := filepath.Join(t.TempDir(), "copy.db")
			unclosed(t, path, "VACUUM INTO '"+copied+"'", "UPDATE organizations SET name = 'later'")
			write(t, path, content(t, copied))
		}, "does not belong to the database"},
		"damaged and not closed": {func(t *testing.T, path string) {
			unclosed(t, path)
			damage(t, path)
		}, "it is damaged"},
		"truncated": {func(t *testing.T, path string) {
			unclosed(t, path)
			closeIt(t, path)
			write(t, path, content(t, path)[:8192])
		}, "malformed"},
		"short":         {func(t *testing.T, path string) { write(t, path, []byte("SQLite")) }, "not a SQLite database"},
		"text":          {func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("text\n"), 1000)) }, "not a SQLite database"},
		"another's":     {func(t *testing.T, path string) { execute(t, path, "journal_mode(DELETE)", "CREATE TABLE song (x)") }, "it has tables and none of sharelinks: song"},
		"another's log": {func(t *testing.T, path string) { execute(t, path, "journal_mode(WAL)", "CREATE TABLE song (x)") }, "none of sharelinks: song"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "links.db")
			c.put(t, path)
			before := files(t, dir)
			s, err := Open(t.Context(), "sqlite:"+path, Options{Examine: true})
			if err == nil {
				err = s.Close()
				t.Fatal("it was opened; close:", err)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error is %v, want it to say %q and the path", err, c.want)
			}
			for name, bytes := range files(t, dir) {
				// Who reads a log makes an index of it.
				if !strings.HasSuffix(name, "-shm") && before[name] != bytes {
					t.Errorf("%s: %d bytes were there before and %d other ones after", name, len(before[name]), len(bytes))
				}
			}
		})
	}
}

// unclosed leaves a database of this program, with rows, as a crash leaves it.
func unclosed(t *testing.T, path string, statements ...string) {
	t.Helper()
	elsewhere := filepath.Join(t.TempDir(), "links.db")
	s, err := Open(t.Context(), "sqlite:"+elsewhere, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	org := addOrganization(t, s)
	for range 50 {
		if _, err := s.CreateLink(t.Context(), newLink(org), nil); err != nil {
			t.Fatal(err)
		}
	}
	// All of what there is so far is in the file itself, and what comes is in the log.
	if _, _, err := s.engine.(*sqlite).conn.WALCheckpoint("main", 3); err != nil {
		t.Fatal(err)
	}
	for _, text := range append(statements, "UPDATE first_start SET locked = NOT locked") {
		if err := s.engine.(*sqlite).conn.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"", "-wal"} {
		write(t, path+suffix, content(t, elsewhere+suffix))
	}
}

func addOrganization(t testing.TB, s *Store) uuid.UUID {
	t.Helper()
	org := sharelink.Organization{ID: uuid.New(), Name: "default", CreatedAt: time.UnixMilli(1)}
	if err := s.CreateOrganization(t.Context(), org); err != nil {
		t.Fatal(err)
	}
	return org.ID
}

func newLink(organization uuid.UUID) sharelink.Link {
	at := time.UnixMilli(1_000_000)
	return sharelink.Link{
		ID: sharelink.NewID(at), Token: sharelink.NewToken(), CreatedAt: at, OrganizationID: organization,
		PersonaName: "Cara", Terms: sharelink.DefaultTerms(at),
	}
}

// closeIt opens and closes a database, so that all of it is in its file.
func closeIt(t *testing.T, path string) {
	t.Helper()
	s, err := Open(t.Context(), "sqlite:"+path, Options{})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// damage overwrites the page of the file at which the share links begin.
func damage(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite3", dsn(path)+"&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var page int
	if err := db.QueryRowContext(t.Context(), "SELECT rootpage FROM sqlite_schema WHERE name = 'share_links'").Scan(&page); err != nil {
		t.Fatal(err)
	}
	bytes := content(t, path)
	for i := range 4096 {
		bytes[(page-1)*4096+i] = 0xa5
	}
	write(t, path, bytes)
}

// execute runs statements on a file and leaves it as a crash would.
func execute(t *testing.T, path, pragma string, statements ...string) {
	t.Helper()
	elsewhere := filepath.Join(t.TempDir(), "other.db")
	conn, err := openSQLiteConn(t.Context(), dsn(elsewhere, pragma))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if err := conn.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	for name, bytes := range files(t, filepath.Dir(elsewhere)) {
		if suffix := strings.TrimPrefix(name, "other.db"); suffix != "-shm" {
			write(t, path+suffix, []byte(bytes))
		}
	}
	if err := conn.close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, bytes []byte) {
	t.Helper()
	if err := os.WriteFile(path, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	bytes, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// files returns what is in the files of a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		all[e.Name()] = string(content(t, filepath.Join(dir, e.Name())))
	}
	return all
}

// TestRestoredCopy puts a copy in the place of a database that was closed.
func TestRestoredCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "links.db"), filepath.Join(dir, "copy.db")
	unclosed(t, path, "VACUUM INTO '"+copied+"'", "UPDATE organizations SET name = 'later'")
	closeIt(t, path)
	write(t, path, content(t, copied))
	s, err := Open(t.Context(), "sqlite:"+path, Options{Examine: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.OrganizationNamed(t.Context(), "default"); err != nil {
		t.Error(err)
	}
}

// TestReplacedWhileOpen takes the file of an open database away and puts it back.
func TestReplacedWhileOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "links.db")
	s, err := Open(t.Context(), "sqlite:"+path, Options{Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	org := addOrganization(t, s)
	refuses := func(what string) {
		t.Helper()
		_, err := s.CreateLink(t.Context(), newLink(org), nil)
		if sharelink.CodeOf(err) != sharelink.Unavailable || !errors.Is(err, errReplaced) {
			t.Errorf("create while the file is %s: error is %v", what, err)
		}
		if err := s.Ping(t.Context()); sharelink.CodeOf(err) != sharelink.Unavailable {
			t.Errorf("ping while the file is %s: error is %v", what, err)
		}
		if err := s.readAtOnce(t.Context()); !unavailable(err) {
			t.Errorf("new connections while the file is %s: error is %v", what, err)
		}
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	refuses("gone")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is in the place of the file that is gone: %v", err)
	}
	write(t, path, content(t, path+".away"))
	refuses("another")
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateLink(t.Context(), newLink(org), nil); err != nil {
		t.Error(err)
	}
	if err := errors.Join(s.Ping(t.Context()), s.readAtOnce(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestDiskRefusesWrites has writes refused for a while, as a disk does that has become read-only. Ping finds out by itself when that ends.
func TestDiskRefusesWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "links.db")
	s, err := Open(t.Context(), "sqlite:"+path, Options{Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	org := addOrganization(t, s)
	writable := func(is bool) {
		t.Helper()
		if err := s.engine.(*sqlite).conn.Exec(fmt.Sprintf("PRAGMA query_only = %t", !is)); err != nil {
			t.Fatal(err)
		}
	}
	writable(false)
	if _, err := s.CreateLink(t.Context(), newLink(org), nil); sharelink.CodeOf(err) != sharelink.Unavailable {
		t.Errorf("create: error is %v", err)
	}
	for range 2 {
		if err := s.Ping(t.Context()); sharelink.CodeOf(err) != sharelink.Unavailable {
			t.Errorf("ping while nothing can be written: error is %v", err)
		}
	}
	if _, err := s.OrganizationNamed(t.Context(), "default"); err != nil {
		t.Errorf("read: %v", err)
	}
	writable(true)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping once it can be written again: %v", err)
	}
	if s.engine.(*sqlite).refused.Load() {
		t.Error("each ping goes on to write")
	}
}

// What the system says of the disk is in the error of a write that it did not take, and in no other.
func TestErrorSaysWhyTheDiskRefuses(t *testing.T) {
	t.Parallel()
	f := &sqliteFile{path: filepath.Join(t.TempDir(), "gone", "links.db")}
	own := errors.New("its own")
	batch := []*job{{}, {err: own}, {err: fmt.Errorf("wrapped: %w", sqlite3.IOERR)}}
	if !f.sayWhy(batch) || batch[0].err != nil || batch[1].err != own || !errors.Is(batch[2].err, sqlite3.IOERR) ||
		!strings.Contains(batch[2].err.Error(), filepath.Dir(f.path)) {
		t.Errorf("errors are %v, %v, %v", batch[0].err, batch[1].err, batch[2].err)
	}
	if f.sayWhy(batch[:2]) {
		t.Error("the disk is blamed for an error that is not its own")
	}
}

// A directory that nobody may search any more is no file that was deleted.
func TestDirectoryIsClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "links.db")
	s, err := Open(t.Context(), "sqlite:"+path, Options{Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.engine.(*sqlite).file.path += strings.Repeat("x", 300) // it cannot be looked for: no file has such a name
	if err := s.Ping(t.Context()); sharelink.CodeOf(err) != sharelink.Unavailable || errors.Is(err, errReplaced) {
		t.Errorf("error is %v", err)
	}
}

// readAtOnce reads on all connections that there may be, opening those that there are not yet.
func (s *Store) readAtOnce(ctx context.Context) error {
	readers := s.engine.(*sqlite).readers
	var hold func(n int) error
	hold = func(n int) error {
		if n == 0 {
			return nil
		}
		return readers.with(ctx, func(c *sqliteConn) error { return errors.Join(c.run(ctx, tablesThere()), hold(n-1)) })
	}
	return hold(cap(readers.busy))
}

// TestDamagedWhileOpen meets a damaged page: the store is not available from then on.
func TestDamagedWhileOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "links.db")
	unclosed(t, path)
	closeIt(t, path)
	damage(t, path)
	s, err := Open(t.Context(), "sqlite:"+path, Options{Examine: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping before a damaged page was met: %v", err)
	}
	org, err := s.OrganizationNamed(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Links(t.Context(), org.ID, sharelink.Filter{Paging: sharelink.Paging{Page: 1, PerPage: 10}})
	if sharelink.CodeOf(err) != sharelink.Unavailable {
		t.Errorf("list: error is %v", err)
	}
	if err := s.Ping(t.Context()); sharelink.CodeOf(err) != sharelink.Unavailable {
		t.Errorf("ping after it: error is %v", err)
	}
}

// TestLongReader has another program keep a transaction open while much is written.
func TestLongReader(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "links.db")
	var log bytes.Buffer
	var size, largest int64
	s, err := Open(t.Context(), "sqlite:"+path, Options{
		Volatile: true, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		ObserveLog: func(bytes int64) { size, largest = bytes, max(largest, bytes) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := perform(t.Context(), s, run("CREATE TABLE filler (x)")); err != nil {
		t.Fatal(err)
	}
	fill := func(mebibytes int) {
		for range mebibytes {
			if err := perform(t.Context(), s, run("INSERT INTO filler VALUES (randomblob(1048576))", "DELETE FROM filler")); err != nil {
				t.Fatal(err)
			}
		}
	}
	reader, err := openSQLiteConn(t.Context(), readerDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.close()
	if err := errors.Join(reader.do(context.Background(), "BEGIN"), reader.run(context.Background(), tablesThere())); err != nil {
		t.Fatal(err)
	}
	fill(80)
	if largest < walTooBig || strings.Count(log.String(), "the write-ahead log of the database grows") != 1 || !strings.Contains(log.String(), fmt.Sprintf("path=%s-wal", path)) {
		t.Errorf("with a reader the log has %d bytes, and what is logged is %s", largest, log.String())
	}
	if err := reader.do(context.Background(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	fill(3) // one moves all of it into the database, the next begins anew
	if size > walLimit {
		t.Errorf("without a reader the log still has %d bytes", size)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 20<<20 {
		t.Errorf("the database has %d bytes, %v", info.Size(), err)
	}
}

// What was erased is not in the file either, where a copy of it would be read.
func TestErasedVisitsAreNotInTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "links.db")
	const visitor = "https://visited.example"
	there := func(change func(s *Store)) bool {
		t.Helper()
		s, err := Open(t.Context(), "sqlite:"+path, Options{Volatile: true})
		if err != nil {
			t.Fatal(err)
		}
		change(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(content(t, path), []byte(visitor))
	}
	at := time.UnixMilli(1)
	organization, link := uuid.New(), uuid.New()
	if !there(func(s *Store) {
		for i := range 500 { // some pages full
			v := sharelink.Visit{ID: sharelink.NewID(at), LinkID: link, OrganizationID: organization, At: at, Outcome: sharelink.Opened, Origin: visitor, Pending: i%50 == 0}
			if err := s.AddVisit(t.Context(), v); err != nil {
				t.Error(err)
			}
		}
	}) {
		t.Error("visits are not in the file")
	}
	if there(func(s *Store) {
		if got, err := s.EraseVisits(t.Context(), organization, link); err != nil || got != (sharelink.Erasure{Removed: 490, Pending: 10}) {
			t.Errorf("%+v were erased, error %v", got, err)
		}
	}) {
		t.Error("visits that were erased are still in the file")
	}
}
