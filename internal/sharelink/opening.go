package sharelink

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// VisitStore remembers visits, and spends uses. Its laws are those of Store, and these: a use is spent and its visit
// remembered in one step or not at all; however many callers come at once, from however many servers, a link's
// UsageCount never passes its UsageLimit; a use is given back at most once, to the link that it was spent of, and never
// when none was spent.
type VisitStore interface {
	// LinkByToken returns the link that whoever has the token can open, of whatever organization.
	LinkByToken(ctx context.Context, token string) (Link, error)
	// Spend spends a use of the link with this token, if its status at visit.At is Active, and remembers the visit with
	// the Outcome of the status. It returns the link as it then is and the status that decided. A status is not an
	// error; a link that does not exist is, and has no visit.
	Spend(ctx context.Context, token string, visit Visit) (Link, Status, error)
	// AddVisit remembers a visit that spends nothing.
	AddVisit(ctx context.Context, visit Visit) error
	// Settle says of a visit that was Opened how it really ended, UpstreamRefused or UpstreamTimeout, and with
	// UpstreamRefused gives its use back, in one step. It tells whether it did: a visit is settled once.
	Settle(ctx context.Context, visit Visit, outcome Outcome) (bool, error)
	// Visits returns one page of the visits of the organization's link, newest first, ties by id, or a NotFound for the
	// link. Pages count from 1.
	Visits(ctx context.Context, organization, link uuid.UUID, page, perPage int) (VisitPage, error)
	// ForgetVisits forgets the visits before this instant, of all links, and returns how many there were.
	ForgetVisits(ctx context.Context, before time.Time) (int, error)
}

// Sessions makes what a visitor talks to a persona with.
type Sessions interface {
	// Session makes a session for a visit to the link. Of its errors, an *Error of PersonaUnavailable or PersonaRefused
	// means that for sure none was made; with any other one may have been.
	Session(ctx context.Context, link Link, visit Visit) (Session, error)
}

// Session is the right to talk to a persona for a while.
type Session struct {
	Token     string // the credential
	ExpiresAt time.Time
}

// Visitor is what is known of who opens a link.
type Visitor struct {
	Origin    string     // the Origin header, "" when there was none
	OwnOrigin string     // the server's own origin
	UserAgent string     // the User-Agent header
	Address   netip.Addr // may be invalid, for unknown
}

// Opening is what people who were given a link can do with it.
type Opening struct {
	Store    VisitStore
	Sessions Sessions
	Now      func() time.Time                      // the clock
	NewID    func(at time.Time) (uuid.UUID, error) // NewID, but for tests
	// Observe, unless nil, is told the outcome of every Open of a link that exists, as it is once the Open has returned.
	Observe func(Outcome)
	// SessionTimeout bounds how long a session may take to be made.
	SessionTimeout time.Duration
}

// settleTimeout bounds how long a use may take to be given back. Its visitor may be gone by then.
const settleTimeout = 5 * time.Second

// NewOpening returns an opening on the store with the real clock and real randomness.
func NewOpening(store VisitStore, sessions Sessions) *Opening {
	return &Opening{Store: store, Sessions: sessions, Now: time.Now, NewID: NewID, SessionTimeout: 10 * time.Second}
}

// maxToken is how long a text may be that is looked for among the tokens. Ours are shorter.
const maxToken = 64

// Find returns the link with this token, whatever its status. Errors: LinkNotFound, also for what cannot be a token at all:
// whoever typed it has a bad link, not a bad request; Unavailable.
func (o *Opening) Find(ctx context.Context, token string) (Link, error) {
	if token == "" || len(token) > maxToken {
		return Link{}, errNoLink
	}
	link, err := o.Store.LinkByToken(ctx, token)
	if CodeOf(err) == NotFound {
		return Link{}, errNoLink
	}
	return link, err
}

// Status returns the link's status now.
func (o *Opening) Status(link Link) Status { return link.StatusAt(o.now()) }

// Open spends one use of a link that was just found, and makes a session. If for sure none was made the use is given
// back; if nobody can know, it stays spent. A visitor who leaves in between stops neither.
//
// Errors: LinkDisabled, LinkExpired, LinkExhausted, OriginNotAllowed, LinkNotFound when it was deleted since,
// PersonaUnavailable, PersonaRefused, PersonaTimeout, Unavailable.
func (o *Opening) Open(ctx context.Context, link Link, visitor Visitor) (Session, error) {
	now := o.now()
	id, err := o.NewID(now)
	if err != nil {
		return Session{}, fmt.Errorf("make a visit id: %w", err)
	}
	visit := Visit{
		ID:             id,
		LinkID:         link.ID,
		OrganizationID: link.OrganizationID,
		At:             now,
		Outcome:        Opened,
		Origin:         visitOrigin(visitor.Origin),
		Client:         ClientFamily(visitor.UserAgent),
		Address:        CoarseAddress(visitor.Address),
	}
	// Most of what is refused is refused by what was read, without the lock that spending takes.
	if status := link.StatusAt(now); status != Active {
		return Session{}, o.refuse(ctx, visit, OutcomeOf(status))
	}
	if !link.AllowsOrigin(visitor.Origin, visitor.OwnOrigin) {
		return Session{}, o.refuse(ctx, visit, RefusedOrigin)
	}
	link, status, err := o.Store.Spend(ctx, link.Token, visit)
	if CodeOf(err) == NotFound {
		return Session{}, errNoLink
	}
	if err != nil {
		return Session{}, err
	}
	if status != Active {
		o.observe(OutcomeOf(status))
		return Session{}, refusals[OutcomeOf(status)]
	}
	return o.session(ctx, link, visit)
}

// session makes the session for which a use was spent. From here on what happens no longer depends on the caller: a use
// that was spent is settled even when nobody waits for the answer.
func (o *Opening) session(ctx context.Context, link Link, visit Visit) (Session, error) {
	ctx = context.WithoutCancel(ctx)
	making, cancel := context.WithTimeout(ctx, o.SessionTimeout)
	defer cancel()
	session, err := o.Sessions.Session(making, link, visit)
	if err == nil {
		o.observe(Opened)
		return session, nil
	}
	outcome := UpstreamTimeout
	switch CodeOf(err) {
	case PersonaUnavailable, PersonaRefused:
		outcome = UpstreamRefused
	case PersonaTimeout:
	default:
		err = &Error{Code: PersonaTimeout, Detail: "the persona did not answer as it should; the visit may have been counted", Err: err}
	}
	o.observe(outcome)
	settling, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if _, settleErr := o.Store.Settle(settling, visit, outcome); settleErr != nil {
		// The answer to the visitor is the same; a use is lost, and the log says so.
		err = withCause(err, fmt.Errorf("settle the visit: %w", settleErr))
	}
	return Session{}, err
}

// refuse remembers a visit that was refused and returns the refusal, which stands also when it cannot be written down.
func (o *Opening) refuse(ctx context.Context, visit Visit, outcome Outcome) error {
	visit.Outcome = outcome
	o.observe(outcome)
	if err := o.Store.AddVisit(ctx, visit); err != nil {
		return withCause(refusals[outcome], fmt.Errorf("remember the visit: %w", err))
	}
	return refusals[outcome]
}

func (o *Opening) observe(outcome Outcome) {
	if o.Observe != nil {
		o.Observe(outcome)
	}
}

// Visits returns one page of the visits of one of the organization's links. Errors: NotFound, Unavailable.
func (o *Opening) Visits(ctx context.Context, org Organization, link uuid.UUID, page, perPage int) (VisitPage, error) {
	return o.Store.Visits(ctx, org.ID, link, page, perPage)
}

// Sweep forgets visits that are older than this.
func (o *Opening) Sweep(ctx context.Context, retention time.Duration) error {
	_, err := o.Store.ForgetVisits(ctx, o.now().Add(-retention))
	return err
}

func (o *Opening) now() time.Time { return o.Now().UTC().Truncate(Precision) }

var errNoLink = &Error{Code: LinkNotFound, Detail: "there is no such link, or no more"}

// refusals are what a visitor is told.
var refusals = map[Outcome]error{
	RefusedDisabled: &Error{Code: LinkDisabled, Detail: "whoever made the link has switched it off"},
	RefusedExpired:  &Error{Code: LinkExpired, Detail: "the link has expired"},
	RefusedUsedUp:   &Error{Code: LinkExhausted, Detail: "the link was opened as often as it can be"},
	RefusedOrigin:   &Error{Code: OriginNotAllowed, Detail: "the link may not be opened from this site; whoever made it can add the site to allowedOrigins"},
}

// withCause returns err with one more cause for the log. An *Error that others share is left as it is.
func withCause(err, cause error) error {
	var e *Error
	if !errors.As(err, &e) {
		return errors.Join(err, cause)
	}
	told := *e
	told.Err = errors.Join(e.Err, cause)
	return &told
}
