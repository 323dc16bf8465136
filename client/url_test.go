package client

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		link ShareLink
		want string
	}{
		{ShareLink{Type: Link, Token: "sh_1/..?"}, "https://lab.anam.ai/share/sh_1%2F..%3F"},
		{ShareLink{Type: PlayerEmbed, Token: "sh_1"}, "https://lab.anam.ai/frame/sh_1"},
		{ShareLink{Type: OrbEmbed, Token: "sh_1"}, "https://lab.anam.ai/frame/sh_1"},
		{ShareLink{Type: OrbEmbed, Token: "sh_1", URL: "https://x.example/o"}, "https://x.example/o"},
		{ShareLink{Type: "NEW", Token: "sh_1", URL: "https://x.example/n"}, "https://x.example/n"},
		{ShareLink{Type: "NEW", Token: "sh_1"}, ""},
	} {
		if got := URL(test.link); got != test.want {
			t.Errorf("%+v: %s, want %s", test.link, got, test.want)
		}
	}
}

func TestEmbedHTML(t *testing.T) {
	t.Parallel()
	iframe := func(src string) string {
		return `<iframe src="` + src + `" title="AI persona" allow="microphone; autoplay" referrerpolicy="origin" width="720" height="480"` +
			` style="border: 0; max-width: 100%"></iframe>` + "\n"
	}
	const address, evil = "https://x.example/p/frame/sh_1", `"><script>alert('x')</script>`
	for _, test := range []struct {
		name string
		link ShareLink
		want string // "" is ErrInvalid
	}{
		{"player", ShareLink{Type: PlayerEmbed, Token: "sh_1", URL: address}, iframe(address)},
		{"player at Anam", ShareLink{Type: PlayerEmbed, Token: "sh_1"}, iframe("https://lab.anam.ai/frame/sh_1")},
		{
			"orb",
			ShareLink{Type: OrbEmbed, Token: "sh_1", URL: address},
			`<script src="https://x.example/p/embed.js" async></script>` + "\n<share-link token=\"sh_1\"></share-link>\n",
		},
		{"orb at Anam", ShareLink{Type: OrbEmbed, Token: "sh_1"}, iframe("https://lab.anam.ai/frame/sh_1")},
		{"orb elsewhere", ShareLink{Type: OrbEmbed, Token: "sh_1", URL: "https://x.example/o/1"}, iframe("https://x.example/o/1")},
		{"link", ShareLink{Type: Link, Token: "sh_1"}, ""},
		{"unknown type", ShareLink{Type: "NEW", Token: "sh_1", URL: address}, ""},
		{"script", ShareLink{Type: PlayerEmbed, Token: "sh_1", URL: "javascript:alert(1)"}, ""},
		{"script for an orb", ShareLink{Type: OrbEmbed, Token: "sh_1", URL: "javascript:alert(1)/frame/sh_1"}, ""},
		{"relative", ShareLink{Type: PlayerEmbed, Token: "sh_1", URL: "/frame/sh_1"}, ""},
		{"no host", ShareLink{Type: PlayerEmbed, Token: "sh_1", URL: "https:///frame/sh_1"}, ""},
	} {
		got, err := EmbedHTML(test.link)
		if got != test.want || errors.Is(err, ErrInvalid) != (test.want == "") {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.name, err, got, test.want)
		}
	}
	for _, kind := range []Type{PlayerEmbed, OrbEmbed} {
		got, err := EmbedHTML(ShareLink{
			Type: kind, Token: evil, PersonaName: evil, URL: "https://x.example/" + evil + "/frame/" + evil,
		})
		if err != nil || strings.Contains(got, "<script>") || strings.Contains(got, `"">`) {
			t.Errorf("%s: %v\n%s", kind, err, got)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	link := func(enabled bool, uses int) ShareLink {
		return ShareLink{Enabled: enabled, ExpiresAt: &Timestamp{Time: day}, UsageLimit: new(5), UsageCount: uses}
	}
	for _, test := range []struct {
		link ShareLink
		at   time.Time
		want ShareLinkStatus
	}{
		{link(true, 4), day.Add(-1), Active},
		{link(true, 4), day, Expired}, // at that very instant
		{link(true, 5), day.Add(-1), Exhausted},
		{link(true, 6), day, Expired},
		{link(false, 6), day, Disabled},
		{ShareLink{Enabled: true, UsageCount: 1 << 30}, day, Active}, // without limits
	} {
		if got := Status(test.link, test.at); got != test.want {
			t.Errorf("%+v at %v: %s, want %s", test.link, test.at, got, test.want)
		}
	}
}
