package sharelink

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestStatusTellsTheFirstReason(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		link Link
		want Status
	}{
		"active":                   {Link{UsageCount: 1, Terms: Terms{Enabled: true, UsageLimit: 2, ExpiresAt: day.Add(time.Millisecond)}}, Active},
		"never expires, unlimited": {Link{UsageCount: 1 << 40, Terms: Terms{Enabled: true}}, Active},
		"expires this instant":     {Link{Terms: Terms{Enabled: true, ExpiresAt: day}}, Expired},
		"expired":                  {Link{Terms: Terms{Enabled: true, ExpiresAt: day.Add(-time.Millisecond)}}, Expired},
		"used up":                  {Link{UsageCount: 2, Terms: Terms{Enabled: true, UsageLimit: 2}}, Exhausted},
		"over its limit":           {Link{UsageCount: 3, Terms: Terms{Enabled: true, UsageLimit: 2}}, Exhausted},
		"disabled":                 {Link{}, Disabled},
		"expired and used up":      {Link{UsageCount: 2, Terms: Terms{Enabled: true, UsageLimit: 2, ExpiresAt: day}}, Expired},
		"all three":                {Link{UsageCount: 2, Terms: Terms{UsageLimit: 2, ExpiresAt: day}}, Disabled},
	} {
		if got := c.link.StatusAt(day); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestAllowsOrigin(t *testing.T) {
	t.Parallel()
	const own = "https://links.example.com"
	listed := Link{Terms: Terms{AllowedOrigins: []string{"https://shop.example", "http://localhost:3000", "https://xn--mnchen-3ya.example"}}}
	for origin, want := range map[string]bool{
		"":                          true, // a native client
		own:                         true,
		"https://shop.example":      true,
		"http://localhost:3000":     true,
		"null":                      false,
		"*":                         false,
		"http://shop.example":       false,
		"https://shop.example:8443": false,
		"https://shop.example.":     false,
		"https://shop.example.evil": false,
		"https://evil-shop.example": false,
		"https://sub.shop.example":  false,
		"https://user@shop.example": false,
		"https://shop.example@evil": false,
		"https://shop.example/":     false,
		"https://shop.example, https://shop.example": false,
		"http://localhost":                           false,
		"http://localhost:3000.evil":                 false,
		"javascript://shop.example":                  false,
		"shop.example":                               false,
	} {
		if got := listed.AllowsOrigin(visitOrigin(origin), own); got != want {
			t.Errorf("%q: %v, want %v", origin, got, want)
		}
		if !(Link{Terms: Terms{AllowAllOrigins: true}}).AllowsOrigin(origin, own) {
			t.Errorf("%q is not among all origins", origin)
		}
		if got := (Link{}).AllowsOrigin(origin, own); got && origin != "" && !strings.EqualFold(strings.TrimSuffix(origin, ":443"), own) {
			t.Errorf("%q may open a link that lists nothing", origin)
		}
	}
}

func TestClientFamily(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"":           "",
		"curl/8.5.0": "other",
		"Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0":                                                          "Firefox",
		"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                             "Chrome",
		"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":               "Edge",
		"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/120.0":                   "Opera",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/604.1":       "Safari",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile Safari/604.1": "Chrome",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/140.0.0.0 Safari/537.36":                         "bot",
		"facebookexternalhit/1.1":              "bot",
		strings.Repeat("x", 600) + "Firefox/1": "other",
	} {
		if got := ClientFamily(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}

func TestCoarseAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.123":           "192.0.2.0/24",
		"::ffff:192.0.2.123":    "192.0.2.0/24",
		"2001:db8:1234:5678::9": "2001:db8:1234::/48",
		"fe80::1%eth0":          "fe80::/48",
		"::1":                   "::/48",
	} {
		if got := CoarseAddress(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := CoarseAddress(netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
}
