package storetest

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// inOrder returns links as a list shows them: newest first, ties by id.
func inOrder(links []sharelink.Link) []sharelink.Link {
	sorted := slices.Clone(links)
	slices.SortFunc(sorted, func(a, b sharelink.Link) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(b.ID.String(), a.ID.String())
	})
	return sorted
}

// several adds links whose creation times go up, down and stand still.
func (s suite) several(t T, org uuid.UUID) []sharelink.Link {
	t.Helper()
	var links []sharelink.Link
	for _, ms := range []int{5, 3, 3, 3, 9, 1, 7, 9, 0, 300, 299, 70000} {
		links = append(links, s.create(t, org, epoch.Add(time.Duration(ms)*time.Millisecond)))
	}
	return links
}

func testListOrder(t T, s suite) {
	org := s.organization(t)
	equal(t, "list of none", s.all(t, org), []sharelink.Link{})
	links := s.several(t, org)
	equal(t, "list", s.all(t, org), inOrder(links))
	_, err := s.UpdateLink(t.Context(), org, links[2].ID, sharelink.Change{Type: to(sharelink.Type("ORB_EMBED"))}, epoch.Add(time.Hour))
	noError(t, err)
	links[2].Type = "ORB_EMBED"
	equal(t, "list after an update", s.all(t, org), inOrder(links))
}

func testListPages(t T, s suite) {
	org := s.organization(t)
	links := inOrder(s.several(t, org))
	for perPage := 1; perPage <= len(links)+1; perPage++ {
		var got []sharelink.Link
		for page := 1; page == 1 || len(got) < len(links) && page <= len(links); page++ {
			p, err := s.Links(t.Context(), org, sharelink.Filter{Paging: sharelink.Paging{Page: page, PerPage: perPage}})
			noError(t, err)
			if p.Total != len(links) || len(p.Items) > perPage {
				t.Fatalf("page %d of %d a page: %d links, total %d of %d", page, perPage, len(p.Items), p.Total, len(links))
			}
			got = append(got, p.Items...)
		}
		equal(t, "pages put together", got, links)
	}
	for _, page := range []int{len(links) + 1, 1 << 32, math.MaxInt} {
		p, err := s.Links(t.Context(), org, sharelink.Filter{Paging: sharelink.Paging{Page: page, PerPage: 100}})
		noError(t, err)
		equal(t, "a page beyond the last", p, sharelink.Page[sharelink.Link]{Total: len(links)})
	}
	none, err := s.Links(t.Context(), s.organization(t), sharelink.Filter{Paging: sharelink.Paging{Page: 1, PerPage: 100}})
	noError(t, err)
	equal(t, "the first page of none", none, sharelink.Page[sharelink.Link]{})
}

func testListStableUnderInserts(t T, s suite) {
	org := s.organization(t)
	old := inOrder(s.several(t, org))
	seen := make(map[uuid.UUID]int)
	const perPage = 3
	for page, last := 1, 1; page <= last; page++ {
		p, err := s.Links(t.Context(), org, sharelink.Filter{Paging: sharelink.Paging{Page: page, PerPage: perPage}})
		noError(t, err)
		for _, l := range p.Items {
			seen[l.ID]++
		}
		// One is put in front of those that were seen; it moves one of them to the next page, and hides none.
		s.create(t, org, epoch.Add(time.Hour+time.Duration(page)*time.Millisecond))
		last = (sharelink.Paging{Page: 1, PerPage: perPage}).LastPage(p.Total + 1)
	}
	for _, l := range old {
		if seen[l.ID] == 0 {
			t.Errorf("link %v, which was there all the time, was on no page", l.ID)
		}
	}
}

func testListFilter(t T, s suite) {
	org := s.organization(t)
	other := newID(t, epoch)
	mine, theirs := s.create(t, org, epoch), s.create(t, org, epoch, func(l *sharelink.Link) { l.PersonaID, l.PersonaName = other, "Carl" })
	of := func(id uuid.UUID, search string) sharelink.Filter {
		return sharelink.Filter{PersonaID: uuid.NullUUID{UUID: id, Valid: true}, Search: search}
	}
	s.finds(t, org, of(persona, ""), mine)
	s.finds(t, org, of(other, ""), theirs)
	s.finds(t, org, of(newID(t, epoch), ""))
	s.finds(t, org, of(uuid.Nil, ""))
	s.finds(t, org, sharelink.Filter{}, mine, theirs)
	s.finds(t, org, sharelink.Filter{Search: "car"}, mine, theirs)
	s.finds(t, org, of(other, "car"), theirs)
	s.finds(t, org, of(other, mine.Token))
	s.finds(t, org, of(other, theirs.ID.String()), theirs)
	s.finds(t, org, of(other, mine.ID.String()))
}

func testSearchName(t T, s suite) {
	s.searchText(t, func(l *sharelink.Link, name string) { l.PersonaName = name })
}

func testSearchLabel(t T, s suite) {
	s.searchText(t, func(l *sharelink.Link, label string) { l.PersonaName, l.Label = "#", label })

	// What is like a search in several ways is found once, and counted once.
	org := s.organization(t)
	labelled := func(edit func(*sharelink.Link)) sharelink.Link {
		link := s.link(t, org, epoch)
		link.PersonaName = "Dora"
		edit(&link)
		created, err := s.CreateLink(t.Context(), link, nil)
		noError(t, err)
		return created
	}
	name := labelled(func(l *sharelink.Link) { l.PersonaName = "Spring" })
	label := labelled(func(l *sharelink.Link) { l.Label = "The Spring Newsletter" })
	both := labelled(func(l *sharelink.Link) { l.PersonaName, l.Label = "Spring", "spring" })
	none := labelled(func(l *sharelink.Link) {})
	token := labelled(func(l *sharelink.Link) { l.Label = l.Token })
	id := labelled(func(l *sharelink.Link) { l.Label = strings.ToUpper(l.ID.String()) })
	all := labelled(func(l *sharelink.Link) { l.PersonaName, l.Label = l.Token, l.Token+" "+l.ID.String() })
	s.finds(t, org, sharelink.Filter{Search: "spring"}, name, label, both)
	s.finds(t, org, sharelink.Filter{Search: token.Token}, token)
	s.finds(t, org, sharelink.Filter{Search: token.Token[:9]}, token)
	s.finds(t, org, sharelink.Filter{Search: token.Token[3:]}, token)
	s.finds(t, org, sharelink.Filter{Search: id.ID.String()}, id)
	s.finds(t, org, sharelink.Filter{Search: all.Token}, all)
	s.finds(t, org, sharelink.Filter{Search: all.ID.String()}, all)
	for i, want := range inOrder([]sharelink.Link{name, label, both}) {
		page, err := s.Links(t.Context(), org, sharelink.Filter{Search: "SPRING", Paging: sharelink.Paging{Page: i + 1, PerPage: 1}})
		noError(t, err)
		equal(t, "a page of one", page, sharelink.Page[sharelink.Link]{Items: []sharelink.Link{want}, Total: 3})
	}
	of := uuid.NullUUID{UUID: persona, Valid: true}
	s.finds(t, org, sharelink.Filter{Search: "spring", PersonaID: of}, name, label, both)
	of.UUID = uuid.Nil
	s.finds(t, org, sharelink.Filter{Search: "spring", PersonaID: of})

	// It is the label that the link has now.
	for _, to := range []string{"Summer", ""} {
		_, err := s.UpdateLink(t.Context(), org, label.ID, sharelink.Change{Label: &to}, epoch)
		noError(t, err)
		s.finds(t, org, sharelink.Filter{Search: "spring"}, name, both)
	}
	s.finds(t, org, sharelink.Filter{Search: "summer"})
	_, err := s.UpdateLink(t.Context(), org, none.ID, sharelink.Change{Label: to("Late SPRING")}, epoch)
	noError(t, err)
	s.finds(t, org, sharelink.Filter{Search: "spring"}, name, both, none)
	_, err = s.DeleteLink(t.Context(), org, none.ID)
	noError(t, err)
	s.finds(t, org, sharelink.Filter{Search: "spring"}, name, both)
}

// searchText searches for parts of a text that links are made with.
func (s suite) searchText(t T, set func(l *sharelink.Link, text string)) {
	t.Helper()
	org := s.organization(t)
	named := func(text string) sharelink.Link {
		return s.create(t, org, epoch, func(l *sharelink.Link) { set(l, text) })
	}
	cara, zoe, percent, underscore, backslash, quote := named("Cara at the Desk"), named("ZOË Ångström"), named("100% sure"), named("snake_case"), named(`back\slash`), named(`O'Neil "the boss"`)
	for search, want := range map[string][]sharelink.Link{
		"cara":     {cara},
		"CARA":     {cara},
		"at the":   {cara},
		"desk":     {cara},
		"zoë":      {zoe},
		"Zoë":      {zoe},
		"åNGSTRÖM": {zoe},
		"zoe":      nil, // another letter
		"%":        {percent},
		"0% s":     {percent},
		"c%a":      nil,
		"_":        {underscore},
		"snake_c":  {underscore},
		"c_r":      nil,
		`\`:        {backslash},
		`k\s`:      {backslash},
		`\\`:       nil,
		`'`:        {quote},
		`"`:        {quote},
		"o'neil":   {quote},
		"e":        {cara, percent, underscore, quote},
		"Cara  at": nil,
	} {
		s.finds(t, org, sharelink.Filter{Search: search}, want...)
	}
}

func testSearchToken(t T, s suite) {
	org := s.organization(t)
	tokened := func(token string) sharelink.Link {
		return s.create(t, org, epoch, func(l *sharelink.Link) { l.Token, l.PersonaName = token, "ZZZ" })
	}
	suffix := newID(t, epoch).String() // so that another run on the same data meets no taken token
	upper, lower := tokened("sh_AAAbbb"+suffix), tokened("sh_aaaBBB"+suffix)
	s.finds(t, org, sharelink.Filter{Search: upper.Token}, upper)
	s.finds(t, org, sharelink.Filter{Search: "sh_AAAb"}, upper)
	s.finds(t, org, sharelink.Filter{Search: "sh_aaaB"}, lower)
	s.finds(t, org, sharelink.Filter{Search: "sh_"}, upper, lower)
	s.finds(t, org, sharelink.Filter{Search: "sh_aaab"})
	s.finds(t, org, sharelink.Filter{Search: "SH_AAAb"})
	s.finds(t, org, sharelink.Filter{Search: "AAAbbb"}) // not from its beginning
	s.finds(t, org, sharelink.Filter{Search: upper.Token + "x"})
	s.finds(t, org, sharelink.Filter{Search: "sh%"})
	s.finds(t, org, sharelink.Filter{Search: "sh__"})
}

func testSearchID(t T, s suite) {
	org := s.organization(t)
	link := s.create(t, org, epoch)
	s.create(t, org, epoch)
	id := link.ID.String()
	s.finds(t, org, sharelink.Filter{Search: id}, link)
	s.finds(t, org, sharelink.Filter{Search: strings.ToUpper(id)}, link)
	for _, search := range []string{
		id[:35], id[1:], id + "0", " " + id, "{" + id + "}", "urn:uuid:" + id, strings.ReplaceAll(id, "-", ""), uuid.Nil.String(),
	} {
		s.finds(t, org, sharelink.Filter{Search: search})
	}
}

func testSearchAnything(t T, s suite) {
	org := s.organization(t)
	s.create(t, org, epoch)
	for _, search := range []string{
		"\x00", "Ca\x00", "\x00Cara", "\xff", "Car\xc3", "\ufffd", "$1", "?", ":x", "@x", "';--", `") OR ("1"="1`, "[a-z]*", "{}",
		"\u202e", "\U0001f3ad", "\n", "\\", `\%`, strings.Repeat("%", 60000), strings.Repeat("ä", 60000), strings.Repeat("Cara", 30000),
	} {
		s.finds(t, org, sharelink.Filter{Search: search})
	}
}
