'use strict';
// <share-link token="sh_..." theme="dark" label="Talk to us"></share-link>: an orb in the corner of a page that opens the
// persona of a share link. It sends nothing to the server before it is pressed.
(() => {
	const base = document.currentScript?.src;
	if (!base || customElements.get('share-link')) {
		return;
	}

	// A constructed sheet needs no exception in the style-src of the page that it is used in.
	const sheet = new CSSStyleSheet();
	sheet.replaceSync(`
		:host { position: fixed; right: max(1.25rem, env(safe-area-inset-right)); bottom: max(1.25rem, env(safe-area-inset-bottom)); z-index: 2147483000; display: block }
		:host([hidden]) { display: none }
		* { box-sizing: border-box }
		button { cursor: pointer; border: 0; padding: 0 }
		button:focus-visible { outline: 3px solid #9a3d1e; outline-offset: 3px; box-shadow: 0 0 0 3px #fff }
		.orb {
			display: block; width: 4rem; height: 4rem; border-radius: 50%;
			background: radial-gradient(circle at 32% 24%, #fff9 0, #fff0 34%), radial-gradient(circle at 70% 78%, #7a3fb5 0, #7a3fb500 58%),
				radial-gradient(circle at 24% 82%, #e0457b 0, #e0457b00 60%), linear-gradient(160deg, #ffc98f, #f0764a 55%, #c8459a);
			box-shadow: 0 .5rem 1.75rem -.25rem #e2734e99;
			animation: breathe 5s ease-in-out infinite; transition: transform .2s;
		}
		.orb:hover { transform: scale(1.06); animation: none }
		@keyframes breathe { 50% { transform: scale(1.04) } }
		.panel {
			position: absolute; right: 0; bottom: 5rem; width: min(24rem, calc(100vw - 2.5rem)); height: min(36rem, calc(100vh - 8rem));
			overflow: hidden; border-radius: 1.25rem; background: #faf7f3; box-shadow: 0 1.5rem 4rem -1rem #0008, 0 0 0 1px #0002;
			animation: rise .25s ease-out;
		}
		.panel.dark { background: #131110; box-shadow: 0 1.5rem 4rem -1rem #000, 0 0 0 1px #fff3 }
		@media (prefers-color-scheme: dark) { .panel:not(.light) { background: #131110; box-shadow: 0 1.5rem 4rem -1rem #000, 0 0 0 1px #fff3 } }
		@keyframes rise { from { opacity: 0; transform: translateY(.75rem) } }
		iframe { display: block; width: 100%; height: 100%; border: 0 }
		.close {
			position: absolute; top: .625rem; right: .625rem; width: 2.25rem; height: 2.25rem; border-radius: 50%;
			background: #211c19cc; color: #fff; font: 1.25rem/1 system-ui, sans-serif;
		}
		@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important } }
	`);

	function make(tag, className, attributes = {}) {
		const element = document.createElement(tag);
		element.className = className;
		for (const [name, value] of Object.entries(attributes)) {
			element.setAttribute(name, value);
		}
		return element;
	}

	class ShareLink extends HTMLElement {
		#orb = make('button', 'orb', { type: 'button', 'aria-haspopup': 'dialog', 'aria-expanded': 'false' });
		#panel = null;

		static observedAttributes = ['label', 'token', 'theme'];

		constructor() {
			super();
			const root = this.attachShadow({ mode: 'open' });
			root.adoptedStyleSheets = [sheet];
			root.append(this.#orb);
			this.#orb.addEventListener('click', () => (this.#panel ? this.close() : this.open()));
			root.addEventListener('keydown', (event) => {
				if (event.key === 'Escape' && this.#panel) {
					event.stopPropagation();
					this.close();
				}
			});
		}

		connectedCallback() {
			this.attributeChangedCallback();
		}

		disconnectedCallback() {
			this.close();
		}

		attributeChangedCallback() {
			this.#orb.setAttribute('aria-label', this.#label);
			this.#orb.title = this.#label;
			if (this.#panel && this.#panel.src !== this.#address) { // the open frame is of another link
				this.close();
			}
		}

		get #label() {
			return this.getAttribute('label') || 'Talk to us';
		}

		get #theme() {
			const theme = this.getAttribute('theme');
			return theme === 'dark' || theme === 'light' ? theme : '';
		}

		get #address() {
			const address = new URL(`frame/${encodeURIComponent(this.getAttribute('token') ?? '')}`, base);
			if (this.#theme) {
				address.searchParams.set('theme', this.#theme);
			}
			return address.href;
		}

		open() {
			if (this.#panel || !this.isConnected) {
				return;
			}
			const element = make('div', `panel ${this.#theme}`, { role: 'dialog', 'aria-label': this.#label });
			// The site's origin is sent whatever its own policy is, so that a link that may not be shown there can say so.
			const frame = make('iframe', '', {
				allow: 'microphone; autoplay', referrerpolicy: 'origin', title: this.#label, src: this.#address,
			});
			const close = make('button', 'close', { type: 'button', 'aria-label': 'Close' });
			close.textContent = '\u00d7';
			close.addEventListener('click', () => this.close());
			element.append(frame, close);
			this.#panel = { element, src: frame.src };
			this.shadowRoot.append(element);
			this.#orb.setAttribute('aria-expanded', 'true');
			close.focus();
		}

		close() {
			if (!this.#panel) {
				return;
			}
			this.#panel.element.remove(); // this ends the conversation
			this.#panel = null;
			this.#orb.setAttribute('aria-expanded', 'false');
			this.#orb.focus();
		}
	}

	customElements.define('share-link', ShareLink);
})();
