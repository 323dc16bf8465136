package sharelink

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// Store keeps share links, visits, organizations, personas and keys. These comments are its laws; package storetest holds
// every store to them.
//
// A link belongs to one organization, and for another it does not exist. Every change is durable when the call returns
// without an error, and has not happened at all when it returns one; only after an Unavailable is it not known, because a
// connection can die between a commit and its acknowledgement. Of the links to one persona at most one is primary, at
// every instant: making one primary demotes the other in the same commit. Instants are kept to the millisecond. What does
// not exist is a NotFound, a name or id that is taken a Conflict, a store that cannot answer an Unavailable.
//
// A use is spent and its visit recorded in one step or not at all. However many callers come at once, from however many
// servers, a link's UsageCount never passes its UsageLimit. A use is given back at most once, to the link that it was
// spent of, and never when none was spent.
type Store interface {
	// CreateLink keeps the link and returns it. With an idempotency key under which a link was created since ValidFrom it
	// changes nothing and answers as Replay does, also when both come at the same time.
	CreateLink(ctx context.Context, link Link, key *Idempotency) (Link, error)
	// Replay returns the link that was created under the key since ValidFrom, exactly as it was then, even if it was
	// changed or deleted since; a KeyReused when that was another request; a NotFound when there is none.
	Replay(ctx context.Context, organization uuid.UUID, key Idempotency) (Link, error)
	// Link returns one link.
	Link(ctx context.Context, organization, id uuid.UUID) (Link, error)
	// Links returns one page.
	Links(ctx context.Context, organization uuid.UUID, f Filter) (Page[Link], error)
	// UpdateLink applies the change, in one step that no other change can come between, and returns the result. A lifetime
	// in it counts from now.
	UpdateLink(ctx context.Context, organization, id uuid.UUID, change Change, now time.Time) (Link, error)
	// DeleteLink deletes a link and returns what it was.
	DeleteLink(ctx context.Context, organization, id uuid.UUID) (Link, error)
	// ForgetKeys removes idempotency keys used before an instant and returns how many.
	ForgetKeys(ctx context.Context, before time.Time) (int, error)

	// LinkByToken returns the link with this token, of any organization.
	LinkByToken(ctx context.Context, token string) (Link, error)
	// Spend spends a use of the link with this token, if its status at visit.At is Active, and records the visit with the
	// outcome of the status, pending only if it was Active. It returns the link after that and the status that decided. A
	// status is not an error; a link that does not exist is, and has no visit.
	Spend(ctx context.Context, token string, visit Visit) (Link, Status, error)
	// AddVisit records a visit that spends nothing.
	AddVisit(ctx context.Context, visit Visit) error
	// Settle ends that a visit is pending, with the outcome Opened, UpstreamRefused or UpstreamTimeout, and with
	// UpstreamRefused gives its use back, in one step. It returns whether it did: a visit is settled once. It waits where others
	// would be refused for lack of room.
	Settle(ctx context.Context, visit Visit, outcome Outcome) (bool, error)
	// Abandon gives the visits before an instant that are pending and Opened the outcome UpstreamTimeout: their servers are
	// gone, and nobody knows whether sessions were made. They stay pending, for a server that was only late. It returns how many
	// there were.
	Abandon(ctx context.Context, before time.Time) (int, error)
	// Visits returns one page of the visits of the organization's link, or a NotFound for the link.
	Visits(ctx context.Context, organization, link uuid.UUID, p Paging) (Page[Visit], error)
	// ForgetVisits removes the visits before this instant, of all links, and returns how many there were.
	ForgetVisits(ctx context.Context, before time.Time) (int, error)
	// EraseVisits removes the visits of the organization's link, or of one that it deleted. Uses stay as they are counted. A visit
	// that is pending loses what it says of its visitor; the rest stays, because its use may have to be given back. It is a NotFound
	// when the organization has no such link and there are no such visits.
	EraseVisits(ctx context.Context, organization, link uuid.UUID) (Erasure, error)

	CreateOrganization(ctx context.Context, o Organization) error
	// Organizations returns all, by name.
	Organizations(ctx context.Context) ([]Organization, error)
	OrganizationNamed(ctx context.Context, name string) (Organization, error)
	SetWatermarkRemoval(ctx context.Context, name string, allowed bool) (Organization, error)

	AddPersona(ctx context.Context, p Persona) error
	// PersonasOf returns the organization's personas, as SortPersonas sorts them. They are few: no page is asked for.
	PersonasOf(ctx context.Context, organization uuid.UUID) ([]Persona, error)
	Persona(ctx context.Context, organization, id uuid.UUID) (Persona, error)
	// RemovePersona removes a persona and returns how many links to it remain. They go on working.
	RemovePersona(ctx context.Context, organization, id uuid.UUID) (links int, err error)

	AddKey(ctx context.Context, k Key, hash Hash) error
	// KeysOf returns the organization's keys, the revoked ones too, oldest first.
	KeysOf(ctx context.Context, organization uuid.UUID) ([]Key, error)
	// RevokeKey ends a key. A key that was revoked before keeps its first instant.
	RevokeKey(ctx context.Context, prefix string, at time.Time) (Key, error)
	// HolderOfKey returns who has the key with this hash, or a NotFound when there is none or it was revoked.
	HolderOfKey(ctx context.Context, hash Hash) (Holder, error)

	// Bootstrap adds the organization, its persona and, unless key is nil, its key, all or nothing, to a store that has
	// no organization, and returns whether it did. Of several callers at once one does.
	Bootstrap(ctx context.Context, o Organization, p Persona, key *Key, hash Hash) (bool, error)
	// SigningKeys returns the signing keys, by number. A store that has none keeps this one first, as number 1; several
	// callers at once all get the same.
	SigningKeys(ctx context.Context, first SigningKey) ([]SigningKey, error)
	// AddSigningKey adds a key and removes those with numbers below oldest, in one step. It is a Conflict when there is a
	// key with its number.
	AddSigningKey(ctx context.Context, key SigningKey, oldest int) error

	// Ping returns an error when the store cannot answer.
	Ping(ctx context.Context) error
	// Close waits for the writes that were accepted. From then on every call is Unavailable. It may be called again.
	Close() error
}

// Idempotency makes a create safe to repeat.
type Idempotency struct {
	Key       string            // chosen by the caller; means something only within the organization
	Request   [sha256.Size]byte // fingerprint of what was asked for
	CreatedAt time.Time
	ValidFrom time.Time // a create under the key before this instant is forgotten
}

// What a store says of what is not there, and of what is taken. Callers see it, so all stores say it in the same words.
const (
	NoLink         = "the organization has no share link with this id"
	NoToken        = "there is no share link with this token"
	NoReplay       = "no share link was created under this idempotency key"
	NoOrganization = "there is no such organization"
	NoPersona      = "the organization has no persona with this id"
	NoKey          = "there is no such API key"

	LinkTaken    = "there is a share link with this id or token"
	VisitTaken   = "there is a visit with this id"
	NameTaken    = "there is an organization with this name"
	PersonaTaken = "the organization has a persona with this id"
	KeyTaken     = "there is an API key that begins like this one"

	SigningKeyTaken = "another signing key was added at the same time"
)

// ErrKeyReused is a store's error for an idempotency key of another request.
var ErrKeyReused = &Error{Code: KeyReused, Detail: "the idempotency key was used for another request; use a new key for a new request"}
