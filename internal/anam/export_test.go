package anam

import "net/http"

// What the tests know of the inside.
const (
	BreakAfter = breakAfter
	MaxReply   = maxReply
	PersonaTTL = personaTTL
)

var PersonaName = personaName

func (c *Client) Transport() *http.Transport { return c.http.Transport.(*http.Transport) }
