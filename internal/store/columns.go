package store

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// insertInto returns the statement that adds a row with these columns.
func insertInto(table, columns string) string {
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + placeholders(columns) + ")"
}

// placeholders returns one for each of the columns: $1, $2 and so on.
func placeholders(columns string) string {
	names := strings.Split(columns, ",")
	for i := range names {
		names[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(names, ", ")
}

// next returns the placeholder after those of the columns.
func next(columns string) string { return "$" + strconv.Itoa(strings.Count(columns, ",")+2) }

// instant is how a time is kept: milliseconds since 1970, NULL when it is zero.
type instant time.Time

// Value implements driver.Valuer.
func (i instant) Value() (driver.Value, error) {
	if time.Time(i).IsZero() {
		return nil, nil
	}
	return time.Time(i).UnixMilli(), nil
}

// Scan implements sql.Scanner.
func (i *instant) Scan(v any) error {
	var ms sql.NullInt64
	err := ms.Scan(v)
	*i = instant{}
	if ms.Valid {
		*i = instant(time.UnixMilli(ms.Int64).UTC())
	}
	return err
}

// orNull is how a number is kept that is NULL when it is zero.
type orNull int

// Value implements driver.Valuer.
func (n orNull) Value() (driver.Value, error) {
	if n == 0 {
		return nil, nil
	}
	return int64(n), nil
}

// Scan implements sql.Scanner.
func (n *orNull) Scan(v any) error {
	var i sql.NullInt64
	err := i.Scan(v)
	*n = orNull(i.Int64)
	return err
}

// list is how texts are kept that are read and written as a whole: as a JSON array.
type list []string

// Value implements driver.Valuer.
func (l list) Value() (driver.Value, error) {
	if len(l) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal([]string(l))
	return string(b), err
}

// Scan implements sql.Scanner.
func (l *list) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list is kept as text, not as %T", v)
	}
	if text == "[]" {
		*l = list{}
		return nil
	}
	return json.Unmarshal([]byte(text), (*[]string)(l))
}

// seed is how a private key is kept.
type seed [32]byte

// Value implements driver.Valuer.
func (s seed) Value() (driver.Value, error) { return s[:], nil }

// Scan implements sql.Scanner.
func (s *seed) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != len(s) {
		return errors.New("a signing key is not as long as it should be")
	}
	copy(s[:], b)
	return nil
}

// storable returns whether a text can be in the store at all. PostgreSQL refuses to even compare with any other.
func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
