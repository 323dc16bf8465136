package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/pressly/goose/v3"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// TestUpgrade opens a database of every schema there was, with rows in it, and finds each of them. A migration that is added
// needs a file testdata/rows_N.sql, with rows as that version keeps them.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	versions, err := migrations.ReadDir("migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	for name, database := range engines {
		for version := int64(1); version <= int64(len(versions)); version++ {
			t.Run(name+" "+string(rune('0'+version)), func(t *testing.T) {
				t.Parallel()
				url := database(t)
				fillVersion(t, url, version)
				s, err := Open(t.Context(), url, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				checkUpgraded(t, s, version)
			})
		}
	}
}

// TestNeighbour shares a schema of PostgreSQL with another service that keeps its versions in goose's own table: with one
// that came first, with one that came last, and with one whose migrations were taken for ours.
func TestNeighbour(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ours      int64 // the version of the tables that are there already
		neighbour string
	}{
		"first":       {0, "1, 2, 3, 4, 5"},
		"last":        {3, "20240101000000"},
		"in our rows": {2, "3, 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.NewDatabase(t)
			db, err := sql.Open("pgx", url)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if c.ours > 0 {
				fillVersion(t, url, c.ours)
			} else if _, err := db.ExecContext(t.Context(), "CREATE TABLE goose_db_version (id SERIAL, version_id BIGINT, is_applied BOOLEAN)"); err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) SELECT unnest(ARRAY["+c.neighbour+"]), TRUE"); err != nil {
				t.Fatal(err)
			}
			versions := func() (rows string) {
				t.Helper()
				if err := db.QueryRowContext(t.Context(), "SELECT string_agg(version_id::text, ' ' ORDER BY id) FROM goose_db_version").Scan(&rows); err != nil {
					t.Fatal(err)
				}
				return rows
			}
			before := versions()
			s, err := Open(t.Context(), url, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
				t.Error(err)
			}
			if after := versions(); after != before {
				t.Errorf("the neighbour's versions were %s and are %s", before, after)
			}
		})
	}
}

// TestVersionWithoutTables has a database that says more than there is.
func TestVersionWithoutTables(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			s, err := Open(t.Context(), url, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(perform(t.Context(), s, run("DROP TABLE first_start")), s.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err = Open(t.Context(), url, Options{}); err == nil || !strings.Contains(err.Error(), "sharelinks_versions says that there are tables of version") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// fillVersion makes a database with the schema of this version, one version after the other, each with the rows of its file.
func fillVersion(t *testing.T, url string, version int64) {
	t.Helper()
	driver, dsn, dialect, dir, bytes := "pgx", url, goose.DialectPostgres, "postgres", "BYTEA"
	if path, ok := sqlitePath(url); ok {
		driver, dsn, dialect, dir, bytes = "sqlite3", writerDSN(path, true), goose.DialectSQLite3, "sqlite", "BLOB"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	table := goose.DefaultTablename // until there was a name of our own
	if version > 3 {
		table = versionTable
	}
	provider, err := goose.NewProvider(dialect, db, os.DirFS(filepath.Join("migrations", dir)), goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	for v := int64(1); v <= version; v++ {
		if _, err := provider.UpTo(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		rows, err := os.ReadFile(filepath.Join("testdata", "rows_"+string(rune('0'+v))+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		for statement := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSpace(string(rows)), "BYTES", bytes), ";\n") {
			if _, err := db.ExecContext(context.Background(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
}

// checkUpgraded compares the store with the rows in testdata.
func checkUpgraded(t *testing.T, s *Store, version int64) {
	t.Helper()
	ctx, at := t.Context(), time.Date(2026, 4, 20, 10, 0, 0, 0, time.UTC)
	org := sharelink.Organization{ID: uuid.MustParse("22222222-2222-2222-2222-222222222222"), Name: "default", WatermarkRemoval: true, CreatedAt: at}
	link := sharelink.Link{
		ID: uuid.MustParse("019daa55-2500-73e6-bede-75f926d0d51e"), Token: "sh_2kL9pQxYzR4vN8mBwHfJc", UsageCount: 3, CreatedAt: at,
		PersonaName: "Cara", OrganizationID: org.ID,
		Terms: sharelink.Terms{
			Type: api.ShareLinkTypePlayerEmbed, ExpiresAt: at.Add(168 * time.Hour), UsageLimit: 10, AllowedOrigins: []string{"https://www.example.com"},
			RemoveWatermark: true, Enabled: true, IsPrimary: true,
		},
	}
	want := func(what string, want, got any, err error) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", what, err, diff)
		}
	}
	holder, err := s.HolderOfKey(ctx, sharelink.Hash([]byte(strings.Repeat("h", 32))))
	want("holder of the key", sharelink.Holder{Organization: org}, holder, err)
	persona, err := s.Persona(ctx, org.ID, uuid.Nil)
	want("persona", sharelink.Persona{OrganizationID: org.ID, Name: "Cara", CreatedAt: at}, persona, err)
	search := "CAR"
	if version >= 7 {
		link.Label, search = "Spring Newsletter", "NEWS"
	}
	gotLink, err := s.LinkByToken(ctx, link.Token)
	want("link", link, gotLink, err)
	found, err := s.Links(ctx, org.ID, sharelink.Filter{Search: search, Paging: sharelink.DefaultPaging()})
	want("search", sharelink.Page[sharelink.Link]{Items: []sharelink.Link{link}, Total: 1}, found, err)
	replayed, err := s.Replay(ctx, org.ID, sharelink.Idempotency{Key: "key", Request: [32]byte([]byte(strings.Repeat("r", 32)))})
	first := link
	first.UsageCount, first.Enabled, first.Label = 0, false, ""
	want("replay", first, replayed, err)
	if version < 2 {
		return
	}
	visits, err := s.Visits(ctx, org.ID, link.ID, sharelink.DefaultPaging())
	want("visits", sharelink.Page[sharelink.Visit]{Total: 1, Items: []sharelink.Visit{{
		ID: uuid.MustParse("019daa55-2501-73e6-bede-75f926d0d51e"), LinkID: link.ID, OrganizationID: org.ID, At: at.Add(time.Millisecond),
		Outcome: sharelink.Opened, Pending: version >= 5, Origin: "https://www.example.com", Client: "Firefox", Address: "192.0.2.0/24",
	}}}, visits, err)
	signing := []sharelink.SigningKey{{Number: 1, Seed: [32]byte([]byte(strings.Repeat("s", 32))), CreatedAt: at, SignsFrom: at}}
	if version >= 6 {
		signing = append(signing, sharelink.SigningKey{Number: 2, Seed: [32]byte([]byte(strings.Repeat("n", 32))), CreatedAt: at, SignsFrom: at.Add(time.Hour)})
	}
	keys, err := s.SigningKeys(ctx, sharelink.SigningKey{CreatedAt: at})
	want("signing keys", signing, keys, err)
	if version < 4 {
		return
	}
	holder, err = s.HolderOfKey(ctx, sharelink.Hash([]byte(strings.Repeat("o", 32))))
	want("holder of the read-only key", sharelink.Holder{Organization: org, ReadOnly: true}, holder, err)
}
