'use strict';
// <share-link token="sh_..."></share-link>: an orb in the corner of a page that opens the persona of a share link. It sends nothing to
// the server before it is pressed, unless it has hidden-when. embed.d.ts lists its attributes, methods and events.
(() => {
	if (customElements.get('share-link')) {
		return;
	}
	// A module has no current script, and what a bundler has packed has no address: there the attribute server says it.
	const script = document.currentScript ?? document.querySelector('script[type=module][src*="/embed.js"]');
	const words = LANGUAGES; // the server puts them here
	const attributes = ['token', 'theme', 'position', 'label', 'lang', 'open', 'hidden-when', 'server'];
	const connected = new Set(); // the elements in the page, in the order in which they came

	const orbCSS = `
		:host { position: fixed; z-index: 2147483000; display: block; --space: calc(20px + var(--place, 0) * 80px) }
		:host, :host([position=bottom-right]) { right: max(20px, env(safe-area-inset-right)); bottom: max(var(--space), env(safe-area-inset-bottom)) }
		:host([position=bottom-left]) { right: auto; left: max(20px, env(safe-area-inset-left)) }
		:host([position=top-right]) { bottom: auto; top: max(var(--space), env(safe-area-inset-top)) }
		:host([position=top-left]) { inset: max(var(--space), env(safe-area-inset-top)) auto auto max(20px, env(safe-area-inset-left)) }
		:host([hidden]), :host([unavailable]) { display: none }
		.orb {
			display: block; width: 64px; height: 64px; padding: 0; border: 0; border-radius: 50%; cursor: pointer;
			background: radial-gradient(circle at 32% 24%, #fff9 0, #fff0 34%), radial-gradient(circle at 70% 78%, #7a3fb5 0, #7a3fb500 58%),
				radial-gradient(circle at 24% 82%, #e0457b 0, #e0457b00 60%), linear-gradient(160deg, #ffc98f, #f0764a 55%, #c8459a);
			box-shadow: 0 8px 28px -4px #e2734e99;
			animation: breathe 5s ease-in-out infinite;
		}
		/* The orb keeps its place: what presses it in a test waits until it stands still. */
		@keyframes breathe { 50% { filter: brightness(1.12) } }
		@media (prefers-reduced-motion: reduce) { .orb { animation: none } }
		@media (forced-colors: active) { .orb { border: 4px solid ButtonText } }
		@media print { :host { display: none } }
		button:focus-visible { outline: 3px solid #9a3d1e; outline-offset: 3px; box-shadow: 0 0 0 3px #fff }
	`;
	const panelCSS = `
		:host { all: initial; color-scheme: light }
		:host([hidden]) { display: none }
		.panel {
			position: fixed; z-index: 2147483001; right: 20px; bottom: calc(100px + var(--place, 0) * 80px); box-sizing: border-box; overflow: hidden;
			width: 384px; height: min(576px, 100vh - 128px); border-radius: 20px; background: #faf7f3; box-shadow: 0 24px 64px -16px #0008, 0 0 0 1px #0002;
		}
		.bottom-left, .top-left { right: auto; left: 20px }
		.top-left, .top-right { bottom: auto; top: calc(100px + var(--place, 0) * 80px) }
		.dark { background: #131110; box-shadow: 0 24px 64px -16px #000, 0 0 0 1px #fff3 }
		iframe { display: block; width: 100%; height: 100%; border: 0 }
		.close {
			position: absolute; top: 10px; right: 10px; width: 44px; height: 44px; padding: 0; border: 0; border-radius: 50%; cursor: pointer;
			background: #211c19cc; color: #fff; font: 22px/1 system-ui, sans-serif;
		}
		button:focus-visible { outline: 3px solid #9a3d1e; outline-offset: 3px; box-shadow: 0 0 0 3px #fff }
		@media (max-width: 480px), (max-height: 480px) { .panel { inset: 0; width: auto; height: auto; border-radius: 0 } }
		@media (forced-colors: active) { .panel { border: 2px solid CanvasText } .close { border: 2px solid ButtonText } }
		@media print { .panel { display: none } }
	`;

	// A constructed sheet needs no exception in the style-src of the page that it is used in. Safari has them from 16.4 on.
	function styled(root, css) {
		try {
			const sheet = new CSSStyleSheet();
			sheet.replaceSync(css);
			root.adoptedStyleSheets = [sheet];
		} catch {
			root.append(Object.assign(document.createElement('style'), { textContent: css }));
		}
		return root;
	}

	function make(tag, className, attributes = {}) {
		const element = document.createElement(tag);
		element.className = className;
		for (const [name, value] of Object.entries(attributes)) {
			element.setAttribute(name, value);
		}
		return element;
	}

	const isTalking = (state) => state === 'live' || state === 'unheard';
	const goesOn = ['ready', 'asking', 'connecting', 'live', 'unheard', 'local', 'ended'];

	class ShareLink extends HTMLElement {
		#orb = make('button', 'orb', { type: 'button', 'aria-haspopup': 'dialog', 'aria-expanded': 'false' });
		// What the orb opens is not in the element, so that the page can move that: a frame that is moved is loaded anew.
		#panel = null;

		static observedAttributes = attributes;

		constructor() {
			super();
			styled(this.attachShadow({ mode: 'open' }), orbCSS).append(this.#orb);
			this.#orb.addEventListener('click', () => (this.#isOpen ? this.close() : this.open()));
			this.shadowRoot.addEventListener('keydown', (event) => this.#escape(event));
		}

		connectedCallback() {
			for (const name of Object.keys(properties)) { // that were set before the element was one of these
				if (Object.prototype.hasOwnProperty.call(this, name)) {
					const value = this[name];
					delete this[name];
					this[name] = value;
				}
			}
			connected.add(this);
			place();
			this.attributeChangedCallback();
			if (!this.getAttribute('token') || !this.#address) {
				console.error('sharelinks: <share-link> needs a token, and to be loaded as a script of the service or to name it in the attribute server');
				this.toggleAttribute('unavailable', true);
			} else if (this.hasAttribute('hidden-when')) {
				this.#look();
			}
		}

		disconnectedCallback() {
			setTimeout(() => { // it may only be moved
				if (!this.isConnected) {
					this.#remove();
					connected.delete(this);
					place();
				}
			});
		}

		attributeChangedCallback(name) {
			if (!this.isConnected) {
				return;
			}
			this.#orb.setAttribute('aria-label', this.#label);
			this.#orb.title = this.#label;
			if (this.#panel && this.#panel.address !== this.#address) { // it is of another link
				this.#remove();
			}
			this.#dress();
			if (name === undefined || name === 'open') {
				if (this.hasAttribute('open') !== this.#isOpen) {
					this.hasAttribute('open') ? this.open() : this.close();
				}
			}
		}

		get #label() {
			return this.getAttribute('label') || this.#words.orb;
		}

		get #lang() {
			return this.getAttribute('lang') || document.documentElement.lang;
		}

		get #words() {
			return words[this.#lang.toLowerCase().split('-')[0]] ?? words.en;
		}

		// Without a theme of its own the panel has that of the site, which may have left the choice to its visitor.
		get #theme() {
			const theme = this.getAttribute('theme');
			if (theme === 'dark' || theme === 'light') {
				return theme;
			}
			const scheme = getComputedStyle(this).colorScheme ?? '';
			return /dark/.test(scheme) && (!/light/.test(scheme) || matchMedia('(prefers-color-scheme: dark)').matches) ? 'dark' : 'light';
		}

		get #server() {
			const server = this.getAttribute('server');
			try {
				return new URL(server ? server.replace(/\/*$/, '/') : script.src);
			} catch {
				return null;
			}
		}

		get #address() {
			return this.#server && new URL(`frame/${encodeURIComponent(this.getAttribute('token') ?? '')}`, this.#server).href;
		}

		get #isOpen() {
			return Boolean(this.#panel) && !this.#panel.host.hidden;
		}

		#emit(name, detail) {
			this.dispatchEvent(new CustomEvent(`share-link:${name}`, { bubbles: true, composed: true, detail }));
		}

		// look hides the orb of a link that cannot be opened here.
		async #look() {
			const preview = new URL(`v1/share/${encodeURIComponent(this.getAttribute('token'))}`, this.#server);
			const link = await fetch(preview, { credentials: 'omit', referrerPolicy: 'no-referrer' }).then((r) => r.json()).catch(() => ({}));
			this.toggleAttribute('unavailable', link.status !== 'ACTIVE');
		}

		open() {
			if (this.#isOpen || !this.isConnected || !this.getAttribute('token') || !this.#address) {
				return;
			}
			for (const other of connected) { // one conversation at a time
				if (other !== this) {
					other.close();
				}
			}
			this.#panel ??= this.#make();
			this.#panel.opener = document.activeElement;
			this.#panel.host.hidden = false;
			this.#dress();
			this.#panel.close.focus();
			this.#shown(true);
		}

		#make() {
			const host = make('div', 'share-link-panel');
			const element = make('div', '', { role: 'dialog', 'aria-modal': 'true' });
			const close = make('button', 'close', { type: 'button' });
			close.textContent = '\u00d7';
			close.addEventListener('click', () => this.close());
			// The site's origin is sent whatever its own policy is, so that a link that may not be shown there can say so.
			const frame = make('iframe', '', {
				allow: 'microphone; autoplay', referrerpolicy: 'origin', src: `${this.#address}?theme=${this.#theme}&lang=${encodeURIComponent(this.#lang)}`,
			});
			// Tab goes round inside: from the first to the last and back.
			const turn = (to) => {
				const guard = make('span', '', { tabindex: '0' });
				guard.addEventListener('focus', () => to.focus());
				return guard;
			};
			element.append(turn(frame), close, frame, turn(close));
			element.addEventListener('keydown', (event) => this.#escape(event));
			styled(host.attachShadow({ mode: 'open' }), panelCSS).append(element);
			document.body.append(host);
			return { host, element, close, frame, address: this.#address, state: '', opener: null };
		}

		// dress gives the panel the label, the place and the theme of the element.
		#dress() {
			if (!this.#panel) {
				return;
			}
			const { host, element, close, frame } = this.#panel;
			close.setAttribute('aria-label', this.#words.close);
			element.className = `panel ${this.#theme} ${this.getAttribute('position') ?? ''}`;
			host.style.setProperty('--place', this.style.getPropertyValue('--place'));
			element.setAttribute('aria-label', this.#label);
			frame.title = this.#label;
			this.#send({ theme: this.#theme });
		}

		#send(message) {
			if (this.#panel?.state) { // the frame has a script, and it runs
				this.#panel.frame.contentWindow.postMessage({ source: 'share-link', ...message }, this.#server.origin);
			}
		}

		// heard takes what the frame says: the name of its state, or a key that was pressed in it.
		heard({ source, origin, data }) {
			const panel = this.#panel;
			if (source !== panel?.frame.contentWindow || origin !== this.#server?.origin || data?.source !== 'share-link') {
				return;
			}
			if (data.key === 'Escape') {
				this.close();
			}
			if (typeof data.state !== 'string') {
				return;
			}
			const before = panel.state;
			panel.state = data.state;
			if (!before) {
				this.#emit('ready');
				this.#dress();
			}
			this.#emit('status', { state: data.state });
			if ((isTalking(data.state) || data.state === 'local') && !isTalking(before)) {
				this.#emit('start');
			}
			if (isTalking(before) && !isTalking(data.state)) {
				this.#emit('end', { state: data.state });
			}
			if (!goesOn.includes(data.state)) {
				this.#emit('error', { state: data.state });
			}
		}

		#escape(event) {
			if (event.key === 'Escape' && this.#isOpen) {
				event.stopPropagation();
				this.close();
			}
		}

		close() {
			if (!this.#isOpen) {
				return;
			}
			const { host, state, opener } = this.#panel;
			if (!state || isTalking(state)) {
				this.#remove(); // whatever runs in it, nobody is heard any more
			} else {
				this.end(); // a use that was spent on no conversation is kept in the frame
				host.hidden = true;
				this.#shown(false);
			}
			(opener && ![this, document.body].includes(opener) && opener.isConnected ? opener : this.#orb).focus();
		}

		end() {
			this.#send({ end: true });
		}

		#remove() {
			if (!this.#panel) {
				return;
			}
			const { host, state } = this.#panel;
			const wasOpen = this.#isOpen;
			host.remove();
			this.#panel = null;
			if (isTalking(state)) {
				this.#emit('end', { state: 'ended' });
			}
			if (wasOpen) {
				this.#shown(false);
			}
		}

		#shown(isOpen) {
			this.#orb.setAttribute('aria-expanded', String(isOpen));
			this.toggleAttribute('open', isOpen);
			this.#emit(isOpen ? 'open' : 'close');
		}
	}

	// Each attribute is a property too, but open is a method.
	const properties = {};
	for (const name of attributes.filter((name) => !['lang', 'open'].includes(name))) { // an element has a lang
		properties[name.replace(/-(.)/, (_, letter) => letter.toUpperCase())] = {
			get() { return this.getAttribute(name) ?? ''; },
			set(value) { value == null ? this.removeAttribute(name) : this.setAttribute(name, value); },
		};
	}
	Object.defineProperties(ShareLink.prototype, properties);

	// place stands elements beside each other that have the same corner.
	function place() {
		const taken = {};
		for (const element of connected) {
			const corner = element.getAttribute('position') || 'bottom-right';
			element.style.setProperty('--place', taken[corner] ??= 0);
			taken[corner] += 1;
		}
	}

	addEventListener('message', (event) => connected.forEach((element) => element.heard(event)));
	customElements.define('share-link', ShareLink);
})();
