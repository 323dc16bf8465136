package client

import "github.com/sharelinks-dev/sharelinks/api"

// The models are aliases of those in package api, which are generated from the contract. Fields and enum values that
// only a newer server knows do no harm: unknown fields are ignored, unknown enum values are kept as they came.
type (
	// ShareLink is a link to a persona. ExpiresAt is nil if the link never expires, UsageLimit is nil if it has no limit.
	// PersonaID, PersonaName and OrganizationID are empty in what Create and Update return. URL is empty if the server
	// sends none; see the function URL.
	ShareLink = api.ShareLink
	// Page is one page of links. Its Meta has the number of the page and the number of links.
	Page = api.ShareLinkPage
	// CreateRequest describes a new link. Only PersonaID is required. A field that is left out gets the server's default.
	CreateRequest = api.CreateShareLinkRequest
	// UpdateRequest has the fields of a link to change. A field that is left out stays as it is.
	UpdateRequest = api.UpdateShareLinkRequest
	// Type is the kind of a link. A newer server may send more kinds than Link, PlayerEmbed and OrbEmbed.
	Type = api.ShareLinkType
	// ShareLinkStatus tells whether a link can be opened, and why not.
	ShareLinkStatus = api.ShareLinkStatus
	// Timestamp is a time.Time, embedded. In JSON it is UTC with exactly three digits of milliseconds.
	Timestamp = api.Timestamp
	// Preview is what a visitor may know about a link before opening it.
	Preview = api.SharePreview
	// Session is the right to talk to a persona until ExpiresAt. SessionToken is a secret.
	Session = api.ShareSession
	// Visit is one attempt to open a link.
	Visit = api.Visit
	// VisitPage is one page of visits. Its Meta has the number of the page and the number of visits.
	VisitPage = api.VisitPage
	// Persona is whom a link can lead to.
	Persona = api.Persona
	// PersonaPage is one page of personas. Its Meta has the number of the page and the number of personas.
	PersonaPage = api.PersonaPage
	// Violation is one thing that is wrong with a request. Pointer (into the body) or Name (of a parameter or header) says
	// where, Detail says what, and Hint what was probably meant.
	Violation = api.Violation
)

// The kinds of link.
const (
	Link        Type = api.ShareLinkTypeLink        // has a page of its own and cannot be embedded
	PlayerEmbed Type = api.ShareLinkTypePlayerEmbed // a player for an iframe
	OrbEmbed    Type = api.ShareLinkTypeOrbEmbed    // an orb for a corner of a page
)

// The statuses of a link.
const (
	Active    ShareLinkStatus = api.ShareLinkStatusActive
	Disabled  ShareLinkStatus = api.ShareLinkStatusDisabled  // Enabled is false
	Expired   ShareLinkStatus = api.ShareLinkStatusExpired   // ExpiresAt is not in the future
	Exhausted ShareLinkStatus = api.ShareLinkStatusExhausted // UsageCount has reached UsageLimit
)
