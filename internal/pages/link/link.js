'use strict';
// The page of a link that can be opened. The order matters: the microphone first, then the player, and only then the open, so
// that neither a refusal nor a program that presses buttons spends a use.
(() => {
	const page = document.getElementById('visit');
	const { sessions, player, integrity, engine } = page.dataset;
	const { nonce } = document.currentScript;
	let microphone = null;
	let client = null;
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
		section.querySelector('h1').focus({ preventScroll: true });
		// A screen reader reads the heading because it has the focus, and the words below it from here.
		document.getElementById('status').textContent = section.querySelector('p:not(.above)')?.textContent ?? '';
		const retry = section.querySelector('button[data-do=start]');
		clearInterval(countdown);
		if (retry) {
			waitFor(retry, wait);
		}
	}

	// waitFor disables a button for some seconds, and counts them on it.
	function waitFor(button, seconds) {
		button.dataset.label ??= button.textContent;
		const until = performance.now() + seconds * 1000;
		const tick = () => {
			const left = Math.ceil((until - performance.now()) / 1000);
			button.disabled = left > 0;
			button.textContent = left > 0 ? `${button.dataset.label} in ${left} s` : button.dataset.label;
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
		if (window !== window.top && policy?.allowsFeature && !policy.allowsFeature('microphone')) {
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

	// open spends one use.
	async function open() {
		let response;
		try {
			response = await fetch(sessions, {
				method: 'POST', cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(45_000),
			});
			if (response.status === 201) {
				return await response.json();
			}
		} catch (error) {
			throw new Refusal(error.name === 'TimeoutError' ? 'slow' : 'lost');
		}
		const wait = Math.min(Number(response.headers.get('Retry-After')) || 0, 3600);
		switch (response.status) {
		case 403:
			throw new Refusal('origin');
		case 404:
			throw new Refusal('unknown');
		case 410: {
			const problem = await response.json().catch(() => ({}));
			const code = String(problem.type).split('/share-link-').pop();
			throw new Refusal(['disabled', 'expired', 'exhausted'].includes(code) ? code : 'unknown');
		}
		case 504:
			throw new Refusal('slow', wait);
		}
		throw new Refusal('busy', wait);
	}

	async function play(sessionToken) {
		const video = document.getElementById('persona');
		video.onplaying = () => see(true);
		client = globalThis.anam.createClient(sessionToken, { api: { baseUrl: engine }, metrics: { disableClientMetrics: true } });
		client.addListener?.('CONNECTION_CLOSED', (reason) => {
			if (client) {
				leave(['CONNECTION_CLOSED_CODE_NORMAL', 'CONNECTION_CLOSED_CODE_SERVER_CLOSED_CONNECTION'].includes(reason) ? 'ended' : 'lost');
			}
		});
		try {
			await client.streamToVideoElement(video.id, microphone);
		} catch (error) {
			throw new Refusal(error.statusCode === 429 || error.statusCode === 503 ? 'busy' : 'lost');
		}
		if (client) { // it may have been closed meanwhile
			show('live');
		}
	}

	async function start() {
		try {
			show('asking');
			microphone = await listen();
			show('connecting');
			if (player) {
				await load();
			}
			const { sessionToken } = await open();
			if (player) {
				await play(sessionToken);
			} else {
				leave('local');
			}
		} catch (error) {
			leave(error instanceof Refusal ? error.state : 'lost', error.wait);
		}
	}

	// leave ends the conversation and says why.
	function leave(state, wait = 0) {
		const streaming = client;
		client = null;
		streaming?.stopStreaming?.();
		microphone?.getTracks().forEach((track) => track.stop());
		microphone = null;
		see(false);
		show(state, wait);
	}

	function mute(button) {
		const muted = button.getAttribute('aria-pressed') !== 'true';
		button.setAttribute('aria-pressed', muted);
		button.textContent = muted ? 'Unmute' : 'Mute';
		microphone?.getAudioTracks().forEach((track) => { track.enabled = !muted; });
	}

	page.addEventListener('click', ({ target }) => {
		const button = target.closest('button[data-do]');
		switch (button?.dataset.do) {
		case 'start':
			start();
			break;
		case 'mute':
			mute(button);
			break;
		case 'end':
			leave('ended');
			break;
		}
	});
	addEventListener('pagehide', () => {
		if (client) {
			leave('ended');
		}
	});
	page.querySelector('[data-for=ready] button').disabled = false;
})();
