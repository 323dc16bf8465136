package client

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestURLAtAnam(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Type]string{
		Link:        "https://lab.anam.ai/share/sh_1%2F..%3F",
		PlayerEmbed: "https://lab.anam.ai/frame/sh_1%2F..%3F",
		OrbEmbed:    "https://lab.anam.ai/frame/sh_1%2F..%3F",
	} {
		if got := URL(ShareLink{Type: kind, Token: "sh_1/..?"}); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
}

func TestEmbedHTML(t *testing.T) {
	t.Parallel()
	const frame = `<iframe src="%s" title="AI persona" allow="microphone; autoplay" width="720" height="480" style="border: 0; max-width: 100%"></iframe>` + "\n"
	for _, test := range []struct {
		name string
		link ShareLink
		want string
	}{
		{
			"player",
			ShareLink{Type: PlayerEmbed, Token: "sh_1", URL: "https://x.example/p/frame/sh_1"},
			strings.Replace(frame, "%s", "https://x.example/p/frame/sh_1", 1),
		},
		{"player at Anam", ShareLink{Type: PlayerEmbed, Token: "sh_1"}, strings.Replace(frame, "%s", "https://lab.anam.ai/frame/sh_1", 1)},
		{
			"orb",
			ShareLink{Type: OrbEmbed, Token: "sh_1", URL: "https://x.example/p/frame/sh_1"},
			`<script src="https://x.example/p/embed.js" async></script>` + "\n" + `<share-link token="sh_1"></share-link>` + "\n",
		},
		{"orb at Anam", ShareLink{Type: OrbEmbed, Token: "sh_1"}, strings.Replace(frame, "%s", "https://lab.anam.ai/frame/sh_1", 1)},
		{"orb elsewhere", ShareLink{Type: OrbEmbed, Token: "sh_1", URL: "https://x.example/o/1"}, strings.Replace(frame, "%s", "https://x.example/o/1", 1)},
	} {
		got, err := EmbedHTML(test.link)
		if err != nil || got != test.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.name, err, got, test.want)
		}
	}
	const evil = `"><script>alert('x')</script>`
	for _, kind := range []Type{PlayerEmbed, OrbEmbed, "NEW"} {
		got, err := EmbedHTML(ShareLink{Type: kind, Token: evil, PersonaName: evil, URL: "https://x.example/" + evil + "/frame/" + evil})
		if err != nil || strings.Contains(got, "<script>") || strings.Contains(got, `"">`) {
			t.Errorf("%s: %v\n%s", kind, err, got)
		}
	}
	for _, link := range []ShareLink{
		{Type: Link, Token: "sh_1"},
		{Type: PlayerEmbed, Token: "sh_1", URL: "javascript:alert(1)"},
		{Type: OrbEmbed, Token: "sh_1", URL: "javascript:alert(1)/frame/sh_1"},
		{Type: PlayerEmbed, Token: "sh_1", URL: "/frame/sh_1"},
		{Type: PlayerEmbed, Token: "sh_1", URL: "https:///frame/sh_1"},
	} {
		if got, err := EmbedHTML(link); !errors.Is(err, ErrInvalid) || got != "" {
			t.Errorf("%+v: %v, %s", link, err, got)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	five := 5
	open := ShareLink{Enabled: true, ExpiresAt: &day, UsageLimit: &five, UsageCount: 4}
	change := func(f func(*ShareLink)) ShareLink {
		l := open
		f(&l)
		return l
	}
	for _, test := range []struct {
		link ShareLink
		at   time.Time
		want State
	}{
		{open, day.Add(-1), Active},
		{open, day, Expired}, // at the very instant
		{change(func(l *ShareLink) { l.UsageCount = 5 }), day.Add(-1), Exhausted},
		{change(func(l *ShareLink) { l.UsageCount = 6 }), day, Expired},
		{change(func(l *ShareLink) { l.UsageCount, l.Enabled = 6, false }), day, Disabled},
		{ShareLink{Enabled: true, UsageCount: 1 << 30}, day, Active}, // never expires, without limit
	} {
		if got := Status(test.link, test.at); got != test.want {
			t.Errorf("%+v at %v: %s, want %s", test.link, test.at, got, test.want)
		}
	}
}
