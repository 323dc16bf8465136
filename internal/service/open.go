package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// LinkByToken returns the link with this token and its status now. Errors: LinkNotFound, also for a text that cannot be a
// token, because a visitor who types it has a bad link and not a bad request; Unavailable.
func (s *Service) LinkByToken(ctx context.Context, token string) (sharelink.Link, sharelink.Status, error) {
	if token == "" || len(token) > sharelink.MaxToken {
		return sharelink.Link{}, "", errNoLink
	}
	link, err := s.options.Store.LinkByToken(ctx, token)
	if sharelink.CodeOf(err) == sharelink.NotFound {
		return sharelink.Link{}, "", errNoLink
	}
	return link, link.StatusAt(s.instant()), err
}

// Open spends one use of a link that was just looked up and makes a session. It returns the link after that. If for sure no
// session was made the use is given back; if it is not known, the use stays spent. A visitor who leaves in between stops
// neither.
//
// Errors: LinkDisabled, LinkExpired, LinkExhausted, OriginNotAllowed, LinkNotFound when it was deleted since,
// PersonaUnavailable, PersonaRefused, PersonaTimeout, Unavailable.
func (s *Service) Open(ctx context.Context, link sharelink.Link, visitor sharelink.Visitor) (sharelink.Link, sharelink.Session, error) {
	session := sharelink.Session{}
	now := s.instant()
	visit := sharelink.NewVisit(s.options.NewID(now), link, visitor, now)
	// Most refusals are decided by what was read, without the lock that spending takes.
	if status := link.StatusAt(now); status != sharelink.Active {
		return link, session, s.refuse(ctx, visit, sharelink.OutcomeOf(status), refusal(status))
	}
	if !link.AllowsOrigin(visit.Origin, visitor.OwnOrigin) {
		return link, session, s.refuse(ctx, visit, sharelink.OriginRefused, errOrigin)
	}
	visit.Pending = !s.options.LocalSessions
	link, status, err := s.options.Store.Spend(ctx, link.Token, visit)
	if sharelink.CodeOf(err) == sharelink.NotFound {
		return link, session, errNoLink
	}
	if err != nil {
		return link, session, err
	}
	if status != sharelink.Active {
		s.options.Observe(sharelink.OutcomeOf(status))
		return link, session, refusal(status)
	}
	session, err = s.session(ctx, link, visit)
	return link, session, err
}

// session makes the session for which a use was spent. From here on the caller's context has no say: a use that was spent
// is settled even when the caller is gone.
func (s *Service) session(ctx context.Context, link sharelink.Link, visit sharelink.Visit) (sharelink.Session, error) {
	ctx = context.WithoutCancel(ctx)
	making, cancel := context.WithTimeout(ctx, s.options.SessionTimeout)
	defer cancel()
	session, err := s.options.Sessions.Session(making, link, visit)
	if err == nil {
		s.options.Observe(sharelink.Opened)
		if visit.Pending {
			_ = s.settle(ctx, settlement{visit, sharelink.Opened}) // the visitor has a session whatever becomes of it
		}
		return session, nil
	}
	// Any error but these leaves it open whether a session was made.
	failure, ok := errors.AsType[*sharelink.Error](err)
	outcome := sharelink.UpstreamTimeout
	switch {
	case ok && (failure.Code == sharelink.PersonaUnavailable || failure.Code == sharelink.PersonaRefused):
		outcome = sharelink.UpstreamRefused
	case !ok || failure.Code != sharelink.PersonaTimeout:
		failure = &sharelink.Error{Code: sharelink.PersonaTimeout, Detail: "the persona did not answer as it should; the use may have been spent", Err: err}
	}
	s.options.Observe(outcome)
	if err := s.settle(ctx, settlement{visit, outcome}); err != nil {
		failure = failure.WithCause(err)
		if outcome == sharelink.UpstreamRefused {
			failure.Detail = "the persona is not available at the moment; the use is not given back yet, but will be"
		}
	}
	return sharelink.Session{}, failure
}

// refuse records a visit that was refused and returns the refusal, also when the visit cannot be recorded.
func (s *Service) refuse(ctx context.Context, visit sharelink.Visit, outcome sharelink.Outcome, refusal *sharelink.Error) error {
	visit.Outcome = outcome
	s.options.Observe(outcome)
	if err := s.options.Store.AddVisit(ctx, visit); err != nil {
		return refusal.WithCause(fmt.Errorf("record the visit: %w", err))
	}
	return refusal
}

// refusal returns the error for a link that cannot be opened.
func refusal(status sharelink.Status) *sharelink.Error {
	switch status {
	case sharelink.Disabled:
		return &sharelink.Error{Code: sharelink.LinkDisabled, Detail: "the share link is disabled"}
	case sharelink.Expired:
		return &sharelink.Error{Code: sharelink.LinkExpired, Detail: "the share link has expired"}
	case sharelink.Exhausted:
		return &sharelink.Error{Code: sharelink.LinkExhausted, Detail: "the share link is used up: it was opened as often as its usageLimit allows"}
	case sharelink.Active:
	}
	panic("no refusal for the status " + status)
}

var (
	errNoLink = &sharelink.Error{Code: sharelink.LinkNotFound, Detail: "no share link has this token; it may have been deleted"}
	errOrigin = &sharelink.Error{Code: sharelink.OriginNotAllowed, Detail: "this site may not open the share link; its organization can add the site to allowedOrigins"}
)
