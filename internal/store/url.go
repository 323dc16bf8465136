package store

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

const urlShapes = "use sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE"

// CheckURL returns an error for a URL that Open would refuse without connecting. It says what would be right and never
// shows a password.
func CheckURL(databaseURL string) error {
	if path, ok := sqlitePath(databaseURL); ok {
		return checkSQLitePath(path)
	}
	if strings.HasPrefix(databaseURL, "postgres://") || strings.HasPrefix(databaseURL, "postgresql://") {
		_, err := postgresConfig(databaseURL)
		return err
	}
	switch scheme, _, ok := strings.Cut(databaseURL, ":"); {
	case databaseURL == "":
		return errors.New("the database URL is empty; " + urlShapes)
	case ok && isScheme(scheme):
		return fmt.Errorf("the database URL has the scheme %q; "+urlShapes, scheme)
	case !strings.ContainsAny(databaseURL, ":@="): // surely no password in it
		return fmt.Errorf("the database URL has no scheme; did you mean sqlite:%s?", databaseURL)
	}
	return errors.New("the database URL has no scheme; " + urlShapes)
}

var isScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+]{1,19}$`).MatchString

func sqlitePath(databaseURL string) (string, bool) { return strings.CutPrefix(databaseURL, "sqlite:") }

func checkSQLitePath(path string) error {
	switch {
	case path == "":
		return errors.New("the database URL has no path; use sqlite:PATH, such as sqlite:sharelinks.db")
	case path == ":memory:" || strings.HasPrefix(path, "file::memory:"):
		// Every connection of the pool would have its own database.
		return errors.New("a database in memory is not supported; use sqlite:PATH with a file, one in a temporary directory if it need not last")
	case strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///"):
		return fmt.Errorf("sqlite:%s reads like a URL with a host; use sqlite:%s for a relative path, sqlite:/%[2]s for an absolute one", path, path[2:])
	case strings.Contains(path, "\x00"):
		return errors.New("the path of the database has a NUL character in it")
	}
	return nil
}

// postgresConfig reads a PostgreSQL URL. What pgx says of one that it cannot read may show parts of it, and a password
// with an unescaped slash or at sign is not where a redaction looks for it: so its reason is passed on only when the URL
// surely has no password.
func postgresConfig(databaseURL string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err == nil {
		return config, nil
	}
	const shape = "use postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters in USER and PASSWORD percent-encoded"
	if strings.Contains(databaseURL, "@") || strings.Contains(databaseURL, "password") {
		return nil, errors.New("the PostgreSQL URL cannot be read; " + shape)
	}
	return nil, fmt.Errorf("the PostgreSQL URL cannot be read: %w; "+shape, err)
}
