package server

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

type holderKey struct{}

// holderOf returns whose API key authenticate found.
func holderOf(ctx context.Context) sharelink.Holder { return ctx.Value(holderKey{}).(sharelink.Holder) }

func organizationOf(ctx context.Context) sharelink.Organization { return holderOf(ctx).Organization }

// authenticate puts whose the request's API key is into its context, and holds the organization to Config.RateLimit and the key
// to what it may. It stands in front of validation, so that a caller without a key learns of that first.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		secret, err := bearer(r.Header)
		if err != nil {
			return err
		}
		var holder sharelink.Holder
		if s.isConfiguredKey(secret) {
			holder.Organization, err = s.service.OrganizationNamed(r.Context(), service.DefaultOrganization)
		} else {
			holder, err = s.service.Authenticate(r.Context(), secret)
		}
		if err != nil {
			return err
		}
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), holderKey{}, holder)))
		if wait := s.requests.take(holder.Organization.ID, s.now()); wait > 0 {
			return rateLimited("too many requests of this organization", wait)
		}
		if holder.ReadOnly && r.Method != http.MethodGet {
			return errReadOnly
		}
		return next(c)
	}
}

// isConfiguredKey compares hashes, so that neither the time nor the length says anything about the key.
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

var errReadOnly = &sharelink.Error{
	Code:   sharelink.Forbidden,
	Detail: "this API key is read-only: it may list and get share links and their visits, and not create, change or delete any",
}

func unauthorized(detail string) error {
	return &sharelink.Error{Code: sharelink.Unauthorized, Detail: detail}
}
