package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/sharelinks-dev/sharelinks/client/wire"
)

// The models are those that are generated from the contract, so a field that it gains is here by regenerating alone.
type (
	// ShareLink is a link to a persona. ExpiresAt is nil when it never expires, UsageLimit when it is without limit. One
	// model serves every answer: PersonaID, PersonaName and OrganizationID are empty in what Create and Update return, URL
	// where the server sends none (see URL). AdditionalProperties keeps what a newer server sends beyond it.
	ShareLink = wire.PersonaShareLink
	// Page is one page of a list, and Meta where it stands.
	Page = wire.ShareLinkPage
	// CreateRequest is a link to be. Only PersonaID is required; what is left out gets the server's default.
	CreateRequest = wire.CreateShareLinkRequest
	// UpdateRequest is what is to become of a link. What is left out stays as it is.
	UpdateRequest = wire.UpdateShareLinkRequest
	// Type is the kind of a link. A newer server may know more than these.
	Type = wire.ShareLinkType
	// Fault is one fault of a request, and where it is.
	Fault = wire.Fault
	// Visit is one try to open a link.
	Visit = wire.Visit
	// VisitPage is one page of visits.
	VisitPage = wire.VisitPage
)

// The kinds of link that this version of the contract has.
const (
	Link        Type = wire.ShareLinkTypeLink        // a page of its own; nobody may embed it
	PlayerEmbed Type = wire.ShareLinkTypePlayerEmbed // a player, for an iframe
	OrbEmbed    Type = wire.ShareLinkTypeOrbEmbed    // an orb, for a corner of a page
)

// Client calls one server with one API key. It is safe for concurrent use.
type Client struct {
	settings settings
	known    *sync.Map // see transport
}

// New returns a client. Options come before the environment, ANAM_API_URL and ANAM_API_KEY, which comes before the
// defaults. The error names every fault of the settings.
func New(opts ...Option) (*Client, error) {
	s, err := environment().with(opts)
	if err == nil && s.idempotencyKey != nil {
		err = errors.New("WithIdempotencyKey is for one Create: under one key all would be the same link")
	}
	if err != nil {
		return nil, fmt.Errorf("sharelinks: %w", err)
	}
	return &Client{settings: s, known: &sync.Map{}}, nil
}

// Create creates a link. It fails with ErrInvalid before anything is sent if a number or id cannot be right, and with
// ErrNotFound if there is no such persona. It is repeated after a failure only where that cannot make a second link: at a
// server that is known to honour the Idempotency-Key that it sends.
func (c *Client) Create(ctx context.Context, r CreateRequest, opts ...Option) (ShareLink, error) {
	call, err := c.begin("create", opts, checkCreate(r))
	if err != nil {
		return ShareLink{}, err
	}
	key := rand.Text()
	if call.idempotencyKey != nil {
		key = *call.idempotencyKey
		if err := call.refuse(checkIdempotencyKey(key)); err != nil {
			return ShareLink{}, err
		}
	}
	return link(call.do(ctx, routeLinks, func(ctx context.Context, raw *wire.Client) (*http.Response, error) {
		return raw.CreateShareLink(ctx, &wire.CreateShareLinkParams{IdempotencyKey: &key}, r)
	}))
}

// Get returns the link with this id, or ErrNotFound.
func (c *Client) Get(ctx context.Context, id string, opts ...Option) (ShareLink, error) {
	call, err := c.begin("get", opts, checkID(id))
	if err != nil {
		return ShareLink{}, err
	}
	return link(call.do(ctx, routeLink, func(ctx context.Context, raw *wire.Client) (*http.Response, error) {
		return raw.GetShareLink(ctx, id)
	}))
}

// Update changes what the request says of the link with this id and returns the link as it then is. Hours count from now.
// ErrNotFound if there is no such link.
func (c *Client) Update(ctx context.Context, id string, r UpdateRequest, opts ...Option) (ShareLink, error) {
	call, err := c.begin("update", opts, append(checkID(id), checkUpdate(r)...))
	if err != nil {
		return ShareLink{}, err
	}
	return link(call.do(ctx, routeLink, func(ctx context.Context, raw *wire.Client) (*http.Response, error) {
		return raw.UpdateShareLink(ctx, id, r)
	}))
}

// Delete deletes the link with this id for good, or returns ErrNotFound. It does not return the link: a delete whose
// answer was lost is repeated, and when the repeat finds nothing it has succeeded without having seen it.
func (c *Client) Delete(ctx context.Context, id string, opts ...Option) error {
	call, err := c.begin("delete", opts, checkID(id))
	if err != nil {
		return err
	}
	_, err = call.do(ctx, routeLink, func(ctx context.Context, raw *wire.Client) (*http.Response, error) {
		return raw.DeleteShareLink(ctx, id)
	})
	if errors.Is(err, ErrNotFound) && call.attempts > 1 {
		return nil
	}
	return err
}

// link reads an answer that is a link.
func link(a answer, err error) (ShareLink, error) {
	var l ShareLink
	if err != nil {
		return l, err
	}
	err = json.Unmarshal(a.body, &l)
	if err == nil && (l.ID == "" || l.Token == "") {
		err = errors.New("it has no id or no token")
	}
	if err != nil {
		return ShareLink{}, a.unreadable("a share link", err)
	}
	return l, nil
}
