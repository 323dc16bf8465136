package sharelink

import (
	"strings"

	"github.com/google/uuid"
)

// Filter picks links of one organization. Its zero value picks all.
type Filter struct {
	PersonaID uuid.NullUUID // only links to this persona
	Search    string        // part of a persona's name in any case, the beginning of a token, or an id; "" is no filter
	Page      int           // from 1
	PerPage   int           // 1..100
}

// NewFilter returns the filter of a list for which nothing is said.
func NewFilter() Filter { return Filter{Page: 1, PerPage: 20} }

// Offset is how many links stand before the page.
func (f Filter) Offset() int64 { return int64(f.Page-1) * int64(f.PerPage) }

// Page is one page of links, newest first, ties by id, and how many there are on all pages.
type Page struct {
	Links []Link
	Total int
}

// LastPage is the number of the last page of a list of so many, 0 when there is none.
func LastPage(total, perPage int) int { return (total + perPage - 1) / perPage }

// Fold returns a text in the one case in which personas' names are searched. A store keeps the folded name beside the
// name, because SQL's own lower() knows only ASCII on one engine and a locale on another.
func Fold(s string) string { return strings.ToLower(s) }
