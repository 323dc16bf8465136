package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// BenchmarkSearch searches among many links, of which none or each has a label.
func BenchmarkSearch(b *testing.B) {
	const links = 100_000
	for name, database := range engines {
		for _, labelled := range []bool{false, true} {
			s, err := Open(b.Context(), database(b), Options{Volatile: true})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			org := fillLinks(b, s, links, labelled)
			for _, search := range []string{"cara", "a", "nobody", "sh_12345678", "sh_1", "no. 77777", "news"} {
				b.Run(fmt.Sprintf("%s/labelled=%v/%s", name, labelled, search), func(b *testing.B) {
					for b.Loop() {
						if _, err := s.Links(b.Context(), org, sharelink.Filter{Search: search, Paging: sharelink.DefaultPaging()}); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// fillLinks makes an organization with links to four personas in turn.
func fillLinks(b *testing.B, s *Store, links int, labelled bool) uuid.UUID {
	b.Helper()
	numbers := "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d)"
	id, persona, random := "printf('%08x-0000-7000-8000-000000000000', n)", "printf('%08x-0000-4000-8000-000000000000', n % 4)", "hex(randomblob(10))"
	if _, ok := s.engine.(*postgres); ok {
		numbers = "WITH numbers (n) AS (SELECT generate_series(1, %d))"
		id, persona = "CAST(lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000' AS UUID)", "CAST(lpad(to_hex(n % 4), 8, '0') || '-0000-4000-8000-000000000000' AS UUID)"
		random = "md5(CAST(random() AS TEXT))"
	}
	label := "''"
	if labelled {
		label = "'spring newsletter 2026, no. ' || n"
	}
	token := "'sh_' || substr('123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz', n % 58 + 1, 1) || " + random
	name := "substr('ada benncaraleo ', n % 4 * 4 + 1, 4)"
	org := sharelink.Organization{ID: uuid.New(), Name: "bench", CreatedAt: time.UnixMilli(1)}
	if err := s.CreateOrganization(b.Context(), org); err != nil {
		b.Fatal(err)
	}
	err := perform(b.Context(), s, run(fmt.Sprintf(numbers, links)+`
INSERT INTO share_links (id, token, organization_id, persona_id, persona_name, persona_name_folded, label, label_folded, type,
	usage_count, allowed_origins, allow_all_origins, remove_watermark, enabled, is_primary, created_at)
SELECT `+id+`, `+token+`, '`+org.ID.String()+`', `+persona+`, `+name+`, `+name+`, `+label+`, `+label+`, 'LINK', 0, '[]', FALSE, FALSE, TRUE, FALSE, n FROM numbers`))
	if err != nil {
		b.Fatal(err)
	}
	if p, ok := s.engine.(*postgres); ok {
		if _, err := p.pool.Exec(b.Context(), "VACUUM ANALYZE"); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Recount(b.Context()); err != nil {
		b.Fatal(err)
	}
	return org.ID
}
