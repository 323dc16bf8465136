package service

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// named is a store of personas with these names, or with the error if there are none.
type named struct {
	sharelink.Store // nil: its other methods are not called
	names           []string
	err             error
}

func (n named) PersonasOf(_ context.Context, organization uuid.UUID) ([]sharelink.Persona, error) {
	var personas []sharelink.Persona
	for _, name := range n.names {
		personas = append(personas, sharelink.Persona{OrganizationID: organization, Name: name})
	}
	return personas, n.err
}

func TestPersonas(t *testing.T) {
	t.Parallel()
	for name, personas := range map[string]Personas{
		"those that were added": StoredPersonas{Store: named{names: []string{"Ada", "CÆSAR", "Cara", "oscar"}}},
		"every id is accepted":  StoredPersonas{Store: named{names: []string{"Ada", "CÆSAR", "Cara", "oscar"}}, Any: true},
	} {
		s := New(Options{Store: named{}, Personas: personas})
		for _, c := range []struct {
			search        string
			page, perPage int
			want          string
			total         int
		}{
			{"", 1, 20, "Ada CÆSAR Cara oscar", 4},
			{"", 1, 2, "Ada CÆSAR", 4},
			{"", 2, 3, "oscar", 4},
			{"", 3, 3, "", 4},
			{"", math.MaxInt32, 100, "", 4},
			{"cA", 1, 20, "Cara oscar", 2},
			{"ca", 2, 1, "oscar", 2},
			{" \u00a0 ar\t", 1, 20, "CÆSAR Cara oscar", 3},
			{"cæ", 1, 20, "CÆSAR", 1},
			{"%", 1, 20, "", 0},
			{"\x00", 1, 20, "", 0},
		} {
			page, err := s.Personas(t.Context(), uuid.Max, c.search, sharelink.Paging{Page: c.page, PerPage: c.perPage})
			var got []string
			for _, p := range page.Items {
				got = append(got, p.Name)
			}
			if want := strings.Join(got, " "); err != nil || want != c.want || page.Total != c.total {
				t.Errorf("%s: page %d of %d for %q: %q of %d, %v, want %q of %d", name, c.page, c.perPage, c.search, got, page.Total, err, c.want, c.total)
			}
		}
	}
	broken := errors.New("broken")
	if _, err := New(Options{Store: named{err: broken}}).Personas(t.Context(), uuid.Max, "", sharelink.DefaultPaging()); !errors.Is(err, broken) {
		t.Error(err)
	}
}
