package server

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// authenticate puts the organization of the request's API key into its call. It stands in front of validation: who has
// no key learns nothing about what a good request would be.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		secret, err := bearer(c.Request().Header)
		if err != nil {
			return err
		}
		ctx := c.Request().Context()
		var org sharelink.Organization
		if s.isConfiguredKey(secret) {
			org, err = s.accounts.Store.OrganizationNamed(ctx, sharelink.DefaultOrganization)
		} else {
			org, err = s.accounts.Authenticate(ctx, secret)
		}
		if err != nil {
			return err
		}
		callFrom(ctx).organization = org
		return next(c)
	}
}

// isConfiguredKey compares hashes, so that neither the time nor the length tells anything about the key.
func (s *Server) isConfiguredKey(secret string) bool {
	if s.config.APIKey == "" {
		return false
	}
	given := sharelink.HashSecret(secret)
	return subtle.ConstantTimeCompare(given[:], s.configuredKey[:]) == 1
}

// bearer returns the token of the Authorization header (RFC 6750, section 2.1).
func bearer(h http.Header) (string, error) {
	values := h["Authorization"]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return "", unauthorized(`the Authorization header is missing; send "Authorization: Bearer <API key>"`)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " \t,") {
		return "", unauthorized(`the Authorization header is malformed; send "Authorization: Bearer <API key>"`)
	}
	return token, nil
}

func unauthorized(detail string) error { return &problem{kind: kindUnauthorized, detail: detail} }

// limitRate holds an organization to Config.RateLimit.
func (s *Server) limitRate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if wait := s.limits.take(callOf(c).organization.ID, s.links.service.Now()); wait > 0 {
			return rateLimited("too many requests of this organization; wait for as long as Retry-After says", wait)
		}
		return next(c)
	}
}
