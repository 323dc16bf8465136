package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// What a visitor gets of a link, models of the contract too.
type (
	// Preview is what a visitor may know of a link before opening it.
	Preview = wire.SharePreview
	// Session is the right to talk to a persona until it expires. Its token is a secret of the visitor's.
	Session = wire.ShareSession
)

// Preview returns what a visitor may know of the link with this token, and spends nothing. The token is the credential: no
// API key is sent. ErrNotFound if no link has the token. A server of your own has it, Anam's API does not.
func (c *Client) Preview(ctx context.Context, token string, opts ...Option) (Preview, error) {
	var p Preview
	call, err := c.beginVisit("preview", token, opts)
	if err != nil {
		return p, err
	}
	a, err := call.do(ctx, routeShare, func(ctx context.Context, raw *wire.Client) (*http.Response, error) {
		return raw.PreviewShareLink(ctx, token)
	})
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		return Preview{}, a.unreadable("a preview", err)
	}
	return p, nil
}

// Open opens the link with this token: it spends one use and returns a session with the persona. The token is the
// credential: no API key is sent. ErrGone if the link is disabled, has expired or is used up, ErrNotFound if no link has
// the token. It is never repeated, because an answer that was lost may have spent a use. A server of your own has it,
// Anam's API does not.
func (c *Client) Open(ctx context.Context, token string, opts ...Option) (Session, error) {
	var s Session
	call, err := c.beginVisit("open", token, opts)
	if err != nil {
		return s, err
	}
	a, err := call.do(ctx, routeOpen, func(ctx context.Context, raw *wire.Client) (*http.Response, error) {
		return raw.OpenShareLink(ctx, token)
	})
	if err != nil {
		return s, err
	}
	err = json.Unmarshal(a.body, &s)
	if err == nil && s.SessionToken == "" {
		err = errors.New("it has no token")
	}
	if err != nil {
		a.body = nil // what there is of it may be a credential
		return Session{}, a.unreadable("a session", err)
	}
	return s, nil
}

// beginVisit starts a call for which the token is the credential.
func (c *Client) beginVisit(operation, token string, opts []Option) (*call, error) {
	var faults []Fault
	if token == "" {
		faults = []Fault{paramFault(wire.FaultInPath, "token", "is empty; give the token of a share link")}
	}
	call, err := c.begin(operation, opts, faults)
	if err == nil {
		call.token, call.public = token, true
	}
	return call, err
}
