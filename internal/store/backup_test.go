package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// TestBackupUnderLoad copies a database while links are created and opened: the copy is what it was at one instant.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(dir, "links.db"), Options{Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	org := addOrganization(t, s)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var created atomic.Int64
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				link, err := s.CreateLink(context.Background(), newLink(org), nil)
				if err == nil {
					created.Add(1)
					_, _, err = s.Spend(context.Background(), link.Token, sharelink.Visit{ID: uuid.New(), At: link.CreatedAt})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for created.Load() < 1000 {
		time.Sleep(time.Millisecond)
	}
	copied := filepath.Join(dir, "copy.db")
	before, steps := created.Load(), 0
	if err := s.Backup(t.Context(), copied, func(done, total int) {
		if steps++; done < 0 || done > total {
			t.Errorf("%d pages of %d", done, total)
		}
	}); err != nil {
		t.Fatal(err)
	}
	after := created.Load()
	stop()
	group.Wait()
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has permissions %v, %v", info.Mode(), err)
	}
	for name := range files(t, dir) {
		if strings.HasPrefix(name, "copy.db") && name != "copy.db" {
			t.Errorf("%s is left", name)
		}
	}
	if steps == 0 {
		t.Error("nothing was said of the progress")
	}
	if err := s.Backup(t.Context(), copied, func(int, int) {}); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a copy in the place of another: error is %v", err)
	}

	c, err := Open(t.Context(), "sqlite:"+copied, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, check := range []func(context.Context) ([]string, error){c.CheckPages, c.CheckCounts, c.CheckUses} {
		if faults, err := check(t.Context()); err != nil || len(faults) > 0 {
			t.Errorf("faults %q, %v", faults, err)
		}
	}
	page, err := c.Links(t.Context(), org, sharelink.Filter{Paging: sharelink.DefaultPaging()})
	if err != nil || int64(page.Total) < before || int64(page.Total) > after+4 {
		t.Errorf("the copy has %d links; there were %d before it and %d after; %v", page.Total, before, after, err)
	}
}

func TestBackupOfPostgres(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), pgtest.NewDatabase(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "copy.db"), nil); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("error is %v", err)
	}
}

// TestRestore puts a copy in the place of a database that a crash left, and of one that is in use.
func TestRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "links.db"), filepath.Join(dir, "copy.db")
	unclosed(t, path, "VACUUM INTO '"+copied+"'", "UPDATE organizations SET name = 'later'")
	crashed := files(t, dir)
	old, err := Restore(t.Context(), "sqlite:"+path, copied, time.UnixMilli(0))
	if err != nil || old != path+".19700101T000000Z" {
		t.Fatalf("the old one is %q, %v", old, err)
	}
	for _, suffix := range []string{"", "-wal"} {
		if string(content(t, old+suffix)) != crashed["links.db"+suffix] {
			t.Errorf("the old %q is not what it was", suffix)
		}
	}
	for path, name := range map[string]string{path: "default", old: "later"} {
		s, err := Open(t.Context(), "sqlite:"+path, Options{Examine: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.OrganizationNamed(t.Context(), name); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if path == old {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		defer s.Close()
		_, err = Restore(t.Context(), "sqlite:"+path, copied, time.UnixMilli(1))
		if err == nil || !strings.Contains(err.Error(), "is in use; stop the service first") {
			t.Errorf("while it is in use: error is %v", err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it has permissions %v, %v", info.Mode(), err)
	}

	damage(t, copied)
	if _, err := Restore(t.Context(), "sqlite:"+filepath.Join(dir, "new.db"), copied, time.UnixMilli(2)); err == nil || !strings.Contains(err.Error(), "it is damaged") {
		t.Errorf("a damaged copy: error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new.db")); err == nil {
		t.Error("a damaged copy is in the place of the database")
	}
}
