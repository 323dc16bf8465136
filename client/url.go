package client

import (
	"cmp"
	"fmt"
	"html"
	"net/url"
	"strings"
)

// hostedSite is where people open the links of Anam's hosted API, which sends no url.
const hostedSite = "https://lab.anam.ai"

// URL returns the address at which people open the link: the one that the server sent, or else the one at lab.anam.ai.
// It is empty if the server sent none and the link's type is unknown. Anyone who has the address can open the link.
func URL(link ShareLink) string {
	if link.URL == "" {
		switch link.Type {
		case Link:
			return hostedSite + "/share/" + url.PathEscape(link.Token)
		case PlayerEmbed, OrbEmbed:
			return hostedSite + "/frame/" + url.PathEscape(link.Token)
		}
	}
	return link.URL
}

// EmbedHTML returns HTML that embeds the link in a page and lets it use the microphone. It is an iframe; for an
// OrbEmbed of a sharelinks server it is a script and a <share-link> element. The origin of the page must be one of
// AllowedOrigins.
//
// The error is ErrInvalid for the type Link, which cannot be embedded, for an unknown type, and for a URL that is not
// http or https.
func EmbedHTML(link ShareLink) (string, error) {
	switch link.Type {
	case Link:
		return "", invalid("embed", "a link of type LINK cannot be embedded; make it a PLAYER_EMBED or an ORB_EMBED")
	case PlayerEmbed, OrbEmbed:
	default:
		return "", invalid("embed", fmt.Sprintf("this version of the client does not know the type %q", link.Type))
	}
	address := URL(link)
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", invalid("embed", "the link's url is not an http or https URL")
	}
	if base, ok := strings.CutSuffix(link.URL, "/frame/"+link.Token); ok && link.Type == OrbEmbed {
		return `<script src="` + html.EscapeString(base) + `/embed.js" async></script>` + "\n" +
			`<share-link token="` + html.EscapeString(link.Token) + `"></share-link>` + "\n", nil
	}
	title := cmp.Or(link.PersonaName, "AI persona")
	return `<iframe src="` + html.EscapeString(address) + `" title="` + html.EscapeString(title) + `"` +
		` allow="microphone; autoplay" referrerpolicy="origin" width="720" height="480" style="border: 0; max-width: 100%"></iframe>` + "\n", nil
}
