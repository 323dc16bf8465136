package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// maxNamed is how many personas an error names.
const maxNamed = 10

// personaID returns the id of the persona that the flag --persona names: by its id, or by its whole name in any case.
func (r *remote) personaID(ctx context.Context, text string) (string, error) {
	if id, err := parseUUID("--persona", text); err == nil {
		return id.String(), nil
	}
	name := strings.TrimSpace(text)
	var ids, others []string
	for p, err := range r.client.AllPersonas(ctx, client.PersonaFilter{Search: name}) {
		switch {
		case errors.Is(err, client.ErrNotFound):
			return "", usage("sharelinks persona list on the server shows ids, and so does Anam's lab",
				"--persona: give the id, not %q: this server has no list of personas", name)
		case err != nil:
			return "", err
		case sharelink.Fold(strings.TrimSpace(p.Name)) == sharelink.Fold(name):
			ids = append(ids, p.ID)
		default:
			others = append(others, fmt.Sprintf("%q", p.Name))
		}
	}
	switch {
	case len(ids) == 1:
		return ids[0], nil
	case len(ids) > 1:
		return "", usage("give the id of the one that is meant", "--persona: %d are called %q: %s", len(ids), name, some(ids, len(ids)))
	}
	total := len(others)
	if total == 0 { // no name is like it
		page, err := r.client.Personas(ctx, client.PersonaFilter{PerPage: maxNamed})
		if err != nil {
			return "", err
		}
		for _, p := range page.Data {
			others = append(others, fmt.Sprintf("%q", p.Name))
		}
		total = page.Meta.Total
	}
	return "", &failure{
		err:  fmt.Errorf("--persona: none is called %q; there are %s", name, some(others, total)),
		hint: "an id will do too; a key sees only its own organization's personas", exit: exitNotFound,
	}
}

// some names the first of so many.
func some(names []string, total int) string {
	if len(names) == 0 {
		return "none"
	}
	named := names[:min(len(names), maxNamed)]
	text := strings.Join(named, ", ")
	if more := total - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
