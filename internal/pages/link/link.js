'use strict';
// The page of a link that can be opened. The order matters: the link and the microphone first, then the player, and only then the
// open, so that neither a refusal nor a program that presses buttons spends a use.
(() => {
	const page = document.getElementById('visit');
	const { sessions, player, integrity, engine, left, forOwner } = page.dataset;
	const { nonce } = document.currentScript;
	const framed = window !== window.top;

	let conversation = null; // the one under way: what comes late from another changes nothing
	let session = null; // a promise of the session that a use was spent for, until a conversation has had it
	let uses = left === undefined ? Infinity : Number(left); // that this page knows to be left
	let muted = false; // what the button says
	let countdown = 0;

	// Refusal names the section that says why it goes no further, and the seconds after which another attempt may work.
	class Refusal extends Error {
		constructor(state, wait = 0) {
			super(state);
			this.state = state;
			this.wait = wait;
		}
	}

	function show(state, wait = 0) {
		page.dataset.state = state;
		for (const section of page.querySelectorAll('section')) {
			section.hidden = section.dataset.for !== state;
		}
		const section = page.querySelector(`section[data-for=${state}]`);
		const use = session ? 'kept' : { 0: 'none', 1: 'last', [Infinity]: 'any' }[uses] ?? 'some';
		for (const note of section.querySelectorAll('[data-use]')) {
			note.hidden = note.dataset.use !== use;
			note.textContent = (note.dataset.text ??= note.textContent).replace('{n}', uses);
		}
		const retry = section.querySelector('button[data-do=start]');
		clearInterval(countdown);
		if (retry) {
			retry.hidden = use === 'none';
			waitFor(retry, wait);
		}
		section.querySelector('h1').focus({ preventScroll: true });
		// A screen reader reads the heading because it has the focus, and the words below it from here.
		document.getElementById('status').textContent = Array.from(section.querySelectorAll('p:not(.above, [hidden])'), (p) => p.textContent).join(' ');
		tell({ state });
	}

	// warn says to the owner of the site, in the browser's console, what a visitor cannot mend.
	function warn(words) {
		console.warn(`sharelinks: ${words}. See https://github.com/sharelinks-dev/sharelinks/blob/main/docs/embed.md`);
	}

	// isTalking tells whether a conversation is on.
	function isTalking() {
		return ['live', 'unheard'].includes(page.dataset.state);
	}

	// tell says to the page that shows this one in a frame what state it is in. The session is never told.
	function tell(message) {
		if (framed) {
			window.parent.postMessage({ source: 'share-link', ...message }, '*');
		}
	}

	// waitFor disables a button for some seconds, and counts them on it.
	function waitFor(button, seconds) {
		button.dataset.label ??= button.textContent;
		const until = performance.now() + seconds * 1000;
		const tick = () => {
			const left = Math.ceil((until - performance.now()) / 1000);
			button.disabled = left > 0;
			const { label } = button.dataset;
			button.textContent = left > 0 ? page.dataset.wait.replace('{label}', label).replace('{n}', left) : label;
			if (left <= 0) {
				clearInterval(countdown);
			}
		};
		countdown = setInterval(tick, 250);
		tick();
	}

	async function listen() {
		const policy = document.permissionsPolicy ?? document.featurePolicy;
		if (!navigator.mediaDevices?.getUserMedia) {
			throw new Refusal('insecure');
		}
		if (framed && policy?.allowsFeature && !policy.allowsFeature('microphone')) {
			warn('no visitor can talk here, because the iframe has no allow="microphone; autoplay"');
			throw new Refusal('embed');
		}
		try {
			return await navigator.mediaDevices.getUserMedia({
				audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
			});
		} catch (error) {
			throw new Refusal(error.name === 'NotAllowedError' || error.name === 'SecurityError' ? 'blocked' : 'nomicrophone');
		}
	}

	// load runs the player's script, unless it did already. The browser runs only the bytes that the integrity names.
	function load() {
		if (globalThis.anam) {
			return Promise.resolve();
		}
		return new Promise((resolve, reject) => {
			const script = document.createElement('script');
			Object.assign(script, { src: player, integrity, crossOrigin: 'anonymous', referrerPolicy: 'no-referrer', nonce });
			script.onload = () => (globalThis.anam ? resolve() : reject(new Refusal('noplayer')));
			script.onerror = () => {
				script.remove();
				reject(new Refusal('noplayer'));
			};
			document.head.append(script);
		});
	}

	// see shows or hides the persona. The element is never removed: some browsers play nothing in a hidden one.
	function see(seen) {
		page.toggleAttribute('data-seen', seen);
		document.getElementById('persona')?.setAttribute('aria-hidden', !seen);
	}

	// ask sends a request to the service and returns the body of an answer of this status.
	async function ask(method, address, seconds, status) {
		const abort = new AbortController();
		const timer = setTimeout(() => abort.abort(), seconds * 1000);
		try {
			// An access proxy in front of the service knows its users by a cookie.
			const options = { method, cache: 'no-store', credentials: 'same-origin', redirect: 'manual', signal: abort.signal };
			const response = await fetch(address, options);
			const ours = /^application\/(problem\+)?json\b/.test(response.headers.get('Content-Type') ?? '');
			if (response.status === status && ours) {
				return await response.json();
			}
			throw await refusal(response, ours);
		} catch (error) {
			throw error instanceof Refusal ? error : new Refusal(abort.signal.aborted ? 'slow' : 'lost');
		} finally {
			clearTimeout(timer);
		}
	}

	async function refusal(response, ours) {
		const wait = Math.min(Number(response.headers.get('Retry-After')) || 0, 3600);
		if (response.status === 429 || response.status >= 500) { // a proxy's too
			return new Refusal(response.status === 504 ? 'slow' : 'busy', wait);
		}
		const kind = ours ? String((await response.json()).type).split('/').pop() : '';
		return new Refusal({
			'origin-not-allowed': 'origin', 'share-link-not-found': 'unknown', 'share-link-disabled': 'disabled',
			'share-link-expired': 'expired', 'share-link-exhausted': 'exhausted',
		}[kind] ?? 'intercepted');
	}

	// look asks whether the link can still be opened, before the visitor is asked for anything.
	async function look() {
		const { status } = await ask('GET', sessions.replace(/\/sessions$/, ''), 10, 200);
		if (status !== 'ACTIVE') {
			throw new Refusal(status.toLowerCase());
		}
	}

	// open spends one use, unless a session is at hand that no conversation has had.
	function open() {
		if (!session) {
			session = ask('POST', sessions, 45, 201).then(({ sessionToken }) => {
				uses -= 1;
				return sessionToken;
			});
			session.catch(() => { session = null; });
		}
		return session;
	}

	// start begins a conversation, silent or with the microphone.
	async function start(silent = false) {
		const mine = { client: null, microphone: null };
		conversation = mine;
		const goOn = () => {
			if (conversation !== mine) {
				stop(mine);
				throw new Error('over');
			}
		};
		try {
			show(silent ? 'connecting' : 'asking');
			if (!session) {
				await look();
				goOn();
			}
			if (!silent) {
				mine.microphone = await listen();
				goOn();
			}
			for (const track of mine.microphone?.getAudioTracks() ?? []) {
				track.enabled = !muted;
				track.onended = () => {
					if (conversation === mine) {
						page.dataset.state === 'live' ? show('unheard') : leave('nomicrophone');
					}
				};
			}
			show('connecting');
			if (player) {
				await load();
				goOn();
			}
			const sessionToken = await open();
			goOn();
			if (!player) {
				session = null;
				leave('local');
				return;
			}
			await play(mine, sessionToken);
			goOn();
			session = null;
			page.querySelector('[data-do=mute]').hidden = silent;
			showText(silent || remembered());
			show('live');
		} catch (error) {
			if (conversation === mine) {
				leave(error instanceof Refusal ? error.state : 'lost', error.wait);
			}
		}
	}

	async function play(mine, sessionToken) {
		const video = document.getElementById('persona');
		video.onplaying = () => see(conversation === mine);
		document.getElementById('said').replaceChildren();
		mine.client = globalThis.anam.createClient(sessionToken, {
			api: { baseUrl: engine }, metrics: { disableClientMetrics: true }, disableInputAudio: !mine.microphone,
		});
		mine.client.addListener?.('MESSAGE_STREAM_EVENT_RECEIVED', ({ id, role, content }) => {
			if (conversation === mine) {
				say(id, role, content);
			}
		});
		mine.client.addListener?.('CONNECTION_CLOSED', (reason) => {
			if (conversation === mine) {
				session = null;
				leave(['CONNECTION_CLOSED_CODE_NORMAL', 'CONNECTION_CLOSED_CODE_SERVER_CLOSED_CONNECTION'].includes(reason) ? 'ended' : 'lost');
			}
		});
		try {
			await mine.client.streamToVideoElement(video.id, ...(mine.microphone ? [mine.microphone] : []));
		} catch (error) {
			const busy = error.statusCode === 429 || error.statusCode === 503;
			if (!busy && conversation === mine) {
				session = null;
			}
			throw new Refusal(busy ? 'busy' : 'lost');
		}
	}

	// stop lets go of what a conversation holds.
	function stop({ client, microphone }) {
		client?.stopStreaming?.()?.catch?.(() => {});
		microphone?.getTracks().forEach((track) => track.stop());
	}

	// leave ends the conversation and says why.
	function leave(state, wait = 0) {
		const mine = conversation;
		conversation = null;
		if (mine) {
			stop(mine);
		}
		see(false);
		show(state, wait);
	}

	// end is what the visitor wants: what has not begun is cancelled, and the use that it spent is kept for the next Start.
	function end() {
		if (conversation) {
			leave(isTalking() ? 'ended' : 'ready');
		}
	}

	// say adds words to what was said. The words of one message come bit by bit.
	function say(id, role, words) {
		const said = document.getElementById('said');
		let line = Array.from(said.children).find((line) => line.dataset.id === id);
		if (!line) {
			line = document.createElement('p');
			line.dataset.id = id;
			line.append(Object.assign(document.createElement('b'), { textContent: said.dataset[role] ?? role }), ' ');
			said.append(line);
		}
		line.append(words);
		while (said.children.length > 200) {
			said.firstChild.remove();
		}
		said.scrollTop = said.scrollHeight;
	}

	function showText(shown) {
		document.getElementById('text').hidden = !shown;
		page.querySelector('[data-do=text]').setAttribute('aria-pressed', shown);
	}

	// remembered returns whether the visitor has switched the text on before. A frame may not be allowed to remember.
	function remembered() {
		try {
			return sessionStorage.getItem('sharelinks-text') === 'true';
		} catch {
			return false;
		}
	}

	function remember(shown) {
		try {
			sessionStorage.setItem('sharelinks-text', shown);
		} catch { /* then it is off again the next time */ }
	}

	function toggleText() {
		const shown = document.getElementById('text').hidden;
		showText(shown);
		remember(shown);
	}

	// write sends what the visitor has typed. No event reports it, as Anam's documentation of sendUserMessage says.
	function write(event) {
		event.preventDefault();
		const { message } = event.target.elements;
		if (!message.value.trim()) {
			return;
		}
		try {
			conversation.client.sendUserMessage(message.value);
		} catch {
			message.setCustomValidity(message.dataset.unsent);
			message.reportValidity();
			message.setCustomValidity('');
			return;
		}
		say(`typed-${performance.now()}`, 'user', message.value);
		message.value = '';
	}

	function mute(button) {
		muted = !muted;
		button.setAttribute('aria-pressed', muted);
		[button.textContent, button.dataset.other] = [button.dataset.other, button.textContent];
		conversation?.microphone?.getAudioTracks().forEach((track) => { track.enabled = !muted; });
	}

	page.addEventListener('click', ({ target }) => {
		const button = target.closest('button[data-do]');
		switch (button?.dataset.do) {
		case 'start':
			start();
			break;
		case 'silent':
			start(true);
			break;
		case 'mute':
			mute(button);
			break;
		case 'text':
			toggleText();
			break;
		case 'end':
			end();
			break;
		}
	});
	if (framed) {
		addEventListener('keydown', ({ key }) => {
			if (key === 'Escape') {
				tell({ key });
			}
		});
		tell({ state: page.dataset.state });
	}
	if (forOwner) {
		warn(forOwner);
	}
	if (!sessions) { // it cannot be opened
		return;
	}
	addEventListener('beforeunload', (event) => {
		if (session || isTalking()) { // a use would be lost
			event.preventDefault();
			event.returnValue = true;
		}
	});
	addEventListener('pagehide', end);
	if (framed) {
		// Which sites may show this page in a frame is decided by frame-ancestors.
		addEventListener('message', ({ source, data }) => {
			if (source !== window.parent || data?.source !== 'share-link') {
				return;
			}
			if (data.end === true) {
				end();
			}
			if (data.theme === 'dark' || data.theme === 'light') {
				document.documentElement.dataset.theme = data.theme;
			}
		});
	}
	document.getElementById('write').addEventListener('submit', write);
	page.querySelector('[data-for=ready] button').disabled = false;
})();
