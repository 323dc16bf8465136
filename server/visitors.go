package server

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// admitVisitor stands where authenticate stands for the holders of API keys: it finds the link that the token in the path
// leads to. Whatever that is, the answer names no referrer, is kept by nobody, and is readable for the sites that may open
// the link.
func (s *Server) admitVisitor(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		guardVisitor(c.Response().Header())
		if err := s.findLink(c); err != nil {
			return err
		}
		k := callOf(c)
		shareAcrossOrigins(c.Response().Header(), k.link, k.visitor)
		return next(c)
	}
}

// findLink puts the visitor, and the link that the token in the path leads to, into the call. Who tries tokens that no
// link has is slowed down.
func (s *Server) findLink(c echo.Context) error {
	k := callOf(c)
	k.visitor = s.visitorOf(c.Request())
	link, err := s.visits.opening.Find(c.Request().Context(), pathParam(c, "token"))
	if sharelink.CodeOf(err) == sharelink.LinkNotFound {
		return s.guards.unknownToken(k.visitor, err, s.visits.opening.Now())
	}
	if err != nil {
		return err
	}
	k.link = link
	return nil
}

// guardVisitor sets the headers that every answer about a token has, an error too.
func guardVisitor(h http.Header) {
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Add("Vary", "Origin")
}

// visitorOf is what a request says of its visitor. The Host header has no say in it: own is configured.
func (s *Server) visitorOf(r *http.Request) sharelink.Visitor {
	// A browser sends one Origin. Several have no meaning together, and as a list they are no origin.
	return sharelink.Visitor{
		Origin:    strings.Join(r.Header.Values("Origin"), ", "),
		OwnOrigin: s.ownOrigin(),
		UserAgent: r.UserAgent(),
		Address:   addressOf(r, s.config.TrustedProxies),
	}
}

// shareAcrossOrigins lets the page that asked read the answer if its site may open the link. Cookies play no part, so
// whoever may can be told "*".
func shareAcrossOrigins(h http.Header, link sharelink.Link, visitor sharelink.Visitor) {
	switch {
	case visitor.Origin == "" || !link.AllowsOrigin(visitor.Origin, visitor.OwnOrigin):
		return
	case link.AllowAllOrigins:
		h.Set("Access-Control-Allow-Origin", "*")
	default:
		h.Set("Access-Control-Allow-Origin", visitor.Origin)
	}
	h.Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Idempotency-Key-Window")
}

// answerPreflights registers the question that a browser asks before some calls to another origin: may this site? It is
// answered by the link's rule and spends nothing.
func (s *Server) answerPreflights(e *echo.Echo) {
	for path, method := range map[string]string{"/v1/share/:token": http.MethodGet, "/v1/share/:token/sessions": http.MethodPost} {
		e.OPTIONS(path, func(c echo.Context) error {
			h := c.Response().Header()
			h.Set("Allow", method+", OPTIONS")
			if h.Get("Access-Control-Allow-Origin") != "" {
				h.Set("Access-Control-Allow-Methods", method)
				h.Set("Access-Control-Allow-Headers", "Content-Type, X-Request-Id")
				h.Set("Access-Control-Max-Age", "600") // of the question only; the call itself is asked for again
			}
			return c.NoContent(http.StatusNoContent)
		}, named(""), s.admitVisitor)
	}
}
