package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// Client calls one server with one API key. It is safe for concurrent use.
type Client struct {
	settings   settings
	idempotent *sync.Map // see transport
}

// New returns a client. Options take precedence over the environment variables ANAM_API_URL and ANAM_API_KEY, and these
// over the defaults. The error lists everything that is wrong with the settings.
func New(opts ...Option) (*Client, error) {
	s, err := defaults().with(opts)
	if s.idempotencyKey != nil {
		err = errors.Join(err, errors.New("WithIdempotencyKey is for a single Create, not for New"))
	}
	if err != nil {
		return nil, fmt.Errorf("sharelinks: %w", err)
	}
	return &Client{settings: s, idempotent: &sync.Map{}}, nil
}

// Create creates a link. It returns ErrInvalid if the server does not accept the request and ErrNotFound if the persona
// does not exist. It is retried only if that cannot create a second link: at a server that is known to honour the
// Idempotency-Key header, which every Create sends. See Retry.
func (c *Client) Create(ctx context.Context, r CreateRequest, opts ...Option) (ShareLink, error) {
	call := c.newCall("create", routeLinks, opts)
	key := call.idempotencyKey
	if key == nil {
		key = new(rand.Text())
	}
	params := &api.CreateShareLinkParams{IdempotencyKey: key}
	call.prepare(wire.NewCreateShareLinkRequest(call.url, params, r))
	return call.fetchLink(ctx)
}

// Get returns the link with this id, or ErrNotFound.
func (c *Client) Get(ctx context.Context, id string, opts ...Option) (ShareLink, error) {
	call := c.newCall("get", routeLink, opts).need("id", id)
	call.prepare(wire.NewGetShareLinkRequest(call.url, id))
	return call.fetchLink(ctx)
}

// Update changes the fields that the request sets and returns the changed link. ExpiresInHours counts from now. It
// returns ErrNotFound if there is no link with this id and ErrInvalid if the server does not accept the request.
func (c *Client) Update(ctx context.Context, id string, r UpdateRequest, opts ...Option) (ShareLink, error) {
	call := c.newCall("update", routeLink, opts).need("id", id)
	call.prepare(wire.NewUpdateShareLinkRequest(call.url, id, r))
	return call.fetchLink(ctx)
}

// Delete deletes the link with this id for good, or returns ErrNotFound. A 404 after a retry counts as success: the
// first attempt, whose answer was lost, has deleted the link.
func (c *Client) Delete(ctx context.Context, id string, opts ...Option) error {
	call := c.newCall("delete", routeLink, opts).need("id", id)
	call.prepare(wire.NewDeleteShareLinkRequest(call.url, id))
	_, _, err := call.send(ctx)
	if call.attempts > 1 && errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
