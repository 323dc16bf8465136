package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/internal/pages"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// admission is a visitor, and the link that the token in the path leads to.
type admission struct {
	visitor sharelink.Visitor
	link    sharelink.Link
	status  sharelink.Status
}

type admissionKey struct{}

// admissionOf returns what admitVisitor put into the context.
func admissionOf(ctx context.Context) admission { return ctx.Value(admissionKey{}).(admission) }

// admitVisitor stands where authenticate stands for holders of API keys: it looks up the link that the token in the path
// leads to. The answer names no referrer, stays in no cache, and is readable for the sites that may open the link.
func (s *Server) admitVisitor(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		pages.Protect(header)
		header.Add("Vary", "Origin")
		a, err := s.admit(c)
		if err != nil {
			return err
		}
		shareAcrossOrigins(header, a)
		return next(c)
	}
}

// admit puts the visitor and the link into the context. An address that tries too many tokens of no link has to wait.
func (s *Server) admit(c echo.Context) (admission, error) {
	r := c.Request()
	a := admission{visitor: s.visitor(r)}
	var err error
	if a.link, a.status, err = s.service.LinkByToken(r.Context(), pathParam(c, "token")); err != nil {
		if sharelink.CodeOf(err) == sharelink.LinkNotFound {
			if wait := s.unknownTokens.take(network(a.visitor.Address), s.now()); wait > 0 {
				return a, rateLimited("too many links that do not exist", wait)
			}
		}
		return a, err
	}
	c.SetRequest(r.WithContext(context.WithValue(r.Context(), admissionKey{}, a)))
	return a, nil
}

// visitor returns what a request says of its visitor. The Host header has no say in it: the own origin is configured.
func (s *Server) visitor(r *http.Request) sharelink.Visitor {
	// A browser sends one Origin. Several have no meaning together, and as a list they are no origin.
	return sharelink.Visitor{
		Origin:    strings.Join(r.Header.Values("Origin"), ", "),
		OwnOrigin: s.public.Load().origin,
		UserAgent: r.UserAgent(),
		Address:   s.addressOf(r),
	}
}

// shareAcrossOrigins lets the calling page read the answer if its site may open the link. Whom it concerns is a browser, which
// sends the canonical form: the header is compared as it came. Cookies play no part, so "*" will do where every site may.
func shareAcrossOrigins(h http.Header, a admission) {
	switch {
	case a.visitor.Origin == "" || !a.link.AllowsOrigin(a.visitor.Origin, a.visitor.OwnOrigin):
		return
	case a.link.AllowAllOrigins:
		h.Set("Access-Control-Allow-Origin", "*")
	default:
		h.Set("Access-Control-Allow-Origin", a.visitor.Origin)
	}
	h.Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Idempotency-Key-Window")
}

// answerPreflights registers OPTIONS for the operations of visitors: a browser asks before some calls to another origin. The
// link's rule decides, and nothing is spent.
func (s *Server) answerPreflights(e *echo.Echo) {
	for _, op := range s.contract.Operations {
		if !op.Public {
			continue
		}
		e.OPTIONS(echoPath(op.Path), func(c echo.Context) error {
			h := c.Response().Header()
			h.Set("Allow", op.Method+", OPTIONS")
			if h.Get("Access-Control-Allow-Origin") != "" {
				h.Set("Access-Control-Allow-Methods", op.Method)
				h.Set("Access-Control-Allow-Headers", "Content-Type, X-Request-Id")
				h.Set("Access-Control-Max-Age", "600") // of the permission only; the call itself is checked again
			}
			return c.NoContent(http.StatusNoContent)
		}, enter, s.admitVisitor)
	}
}
