package client

import (
	"html"
	"net/url"
	"strings"
)

// Where the links of a server that sends no url are opened: Anam's own site.
const hostedSite = "https://lab.anam.ai"

// URL returns where a person opens the link: what the server sends, or the place on lab.anam.ai where a link of the hosted
// API is opened. Whoever has it can open the link.
func URL(link ShareLink) string {
	if link.URL != "" {
		return link.URL
	}
	path := "/frame/"
	if link.Type == Link {
		path = "/share/"
	}
	return hostedSite + path + url.PathEscape(link.Token)
}

// EmbedHTML returns the HTML that embeds the link in a page, with leave to use the microphone: an iframe, or for an orb of
// a server that has one, a script and a <share-link> element. The page's origin must be one of the link's AllowedOrigins.
// The error is ErrInvalid for a link of type LINK, which no page may embed, and for a URL that is not http or https.
func EmbedHTML(link ShareLink) (string, error) {
	refused := func(detail string) (string, error) {
		return "", &Error{Operation: "embed", Detail: detail, kind: ErrInvalid}
	}
	if link.Type == Link {
		return refused("a link of type LINK opens in a page of its own and no page may embed it; make it a PLAYER_EMBED or an ORB_EMBED")
	}
	address := URL(link)
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return refused("the link's url is not an http or https URL")
	}
	if base, ok := strings.CutSuffix(link.URL, "/frame/"+link.Token); ok && link.Type == OrbEmbed {
		return `<script src="` + html.EscapeString(base+"/embed.js") + `" async></script>` + "\n" +
			`<share-link token="` + html.EscapeString(link.Token) + `"></share-link>` + "\n", nil
	}
	title := link.PersonaName
	if title == "" {
		title = "AI persona"
	}
	return `<iframe src="` + html.EscapeString(address) + `" title="` + html.EscapeString(title) + `"` +
		` allow="microphone; autoplay" width="720" height="480" style="border: 0; max-width: 100%"></iframe>` + "\n", nil
}
