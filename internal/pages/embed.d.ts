// The element <share-link> of /embed.js. Each attribute but `open` is a property too; `open` is the name of a method. The attribute `lang`
// says the language; without it, that of the page.
export type ShareLinkState =
	| 'ready' | 'asking' | 'connecting' | 'live' | 'unheard' | 'local' | 'ended'
	| 'blocked' | 'nomicrophone' | 'embed' | 'insecure' | 'noplayer' | 'busy' | 'slow' | 'lost' | 'intercepted'
	| 'unknown' | 'disabled' | 'expired' | 'exhausted' | 'origin' | 'site' | 'unavailable';

export interface ShareLinkElement extends HTMLElement {
	token: string;
	/** The theme of the panel; without it, that of the site (the element's `color-scheme`). */
	theme: 'light' | 'dark' | '';
	position: 'bottom-right' | 'bottom-left' | 'top-right' | 'top-left' | '';
	/** What a screen reader says, "Talk to us" without it. */
	label: string;
	/** `unavailable`: no orb while the link cannot be opened. The element then asks the server when it is inserted. */
	hiddenWhen: 'unavailable' | '';
	/** The URL of the service, for a page that does not load /embed.js from it. */
	server: string;

	open(): void;
	/** Closes the panel, and ends what goes on in it. */
	close(): void;
	/** Ends what goes on in the panel. */
	end(): void;
}

/** The events bubble, and leave shadow roots. None has the session. */
export interface ShareLinkEvents {
	/** The panel has loaded. */
	'share-link:ready': CustomEvent<null>;
	'share-link:open': CustomEvent<null>;
	'share-link:close': CustomEvent<null>;
	/** A conversation has begun. */
	'share-link:start': CustomEvent<null>;
	'share-link:end': CustomEvent<{ state: ShareLinkState }>;
	/** The visitor cannot go on, and this is why. */
	'share-link:error': CustomEvent<{ state: ShareLinkState }>;
	'share-link:status': CustomEvent<{ state: ShareLinkState }>;
}

declare global {
	interface HTMLElementTagNameMap { 'share-link': ShareLinkElement }
	interface HTMLElementEventMap extends ShareLinkEvents {}
}
