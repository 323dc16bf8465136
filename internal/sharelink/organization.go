package sharelink

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Organization owns personas, keys and links.
type Organization struct {
	ID               uuid.UUID
	Name             string // unique
	WatermarkRemoval bool   // whether its links may remove the watermark
	CreatedAt        time.Time
}

// Persona is whom a link leads to.
type Persona struct {
	ID             uuid.UUID // unique within its organization
	OrganizationID uuid.UUID
	Name           string
	CreatedAt      time.Time
}

// SortPersonas sorts personas by their names in any case, then as they are written, then by id. Each name is folded once.
func SortPersonas(personas []Persona) {
	type folded struct {
		name string
		Persona
	}
	list := make([]folded, len(personas))
	for i, p := range personas {
		list[i] = folded{Fold(p.Name), p}
	}
	slices.SortFunc(list, func(a, b folded) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.Name, b.Name), bytes.Compare(a.ID[:], b.ID[:]))
	})
	for i, p := range list {
		personas[i] = p.Persona
	}
}

// Key is what is kept of an API key. The key itself is shown once, when it is created.
type Key struct {
	Prefix         string // the first characters of the key, unique; names it
	Label          string // chosen by the person who created it, may be ""
	OrganizationID uuid.UUID
	ReadOnly       bool // whether it makes no changes
	CreatedAt      time.Time
	RevokedAt      time.Time // zero: it works
}

// Holder is whoever has an API key: the organization that it belongs to, and what it may.
type Holder struct {
	Organization Organization
	ReadOnly     bool
}

// SigningKey is what the service signs its own sessions with.
type SigningKey struct {
	Number    int                    // from 1 on, in the order in which they were made
	Seed      [ed25519.SeedSize]byte // the private key (RFC 8032)
	CreatedAt time.Time
	SignsFrom time.Time // when it takes over from the key before it; until then it is only shown
}

// CleanName returns the name, or other short text, without white space around it. The error is Invalid and names the field.
func CleanName(field, text string) (string, error) {
	const maxName = 100 // characters
	text = strings.TrimSpace(text)
	detail := ""
	switch {
	case text == "":
		detail = "a " + field + " must not be empty"
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		detail = "a " + field + " must be text without control characters"
	case utf8.RuneCountInString(text) > maxName:
		detail = fmt.Sprintf("a %s must have at most %d characters", field, maxName)
	default:
		return text, nil
	}
	return "", FieldError(Invalid, "/"+field, detail)
}
