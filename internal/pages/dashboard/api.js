// The dashboard's client of the contract, openapi.yaml. It calls nothing else.

const kept = sessionStorage; // of this tab, and it ends with it
let skew = 0; // milliseconds that the server's clock is ahead of this one

export const isSignedIn = () => Boolean(kept.getItem('key'));
export const isReadOnly = () => kept.getItem('allow') === 'GET, HEAD';

// now returns the server's time: that is what links expire by.
export const now = () => Date.now() + skew;

// signIn keeps the key if the server accepts it.
export async function signIn(key) {
	kept.setItem('key', key);
	try {
		await listLinks({ perPage: 1 });
	} catch (problem) {
		signOut();
		throw problem;
	}
}

export function signOut() {
	kept.removeItem('key');
	kept.removeItem('allow');
}

// Problem is an answer that is an error (RFC 9457), or that none came: its status is 0 then.
export class Problem extends Error {
	constructor(status, message, violations = [], wait = '') {
		super(message);
		Object.assign(this, { status, violations, wait });
	}
}

async function call(method, path, { query = {}, body, headers = {} } = {}) {
	const url = new URL(`v1/${path}`, location); // beside the page, so that it is right behind any proxy
	for (const [name, value] of Object.entries(query)) {
		if (value) {
			url.searchParams.set(name, value);
		}
	}
	let response;
	try {
		response = await fetch(url, {
			method, cache: 'no-store', credentials: 'same-origin', redirect: 'error',
			headers: { Authorization: `Bearer ${kept.getItem('key')}`, ...(body && { 'Content-Type': 'application/json' }), ...headers },
			body: body && JSON.stringify(body),
		});
	} catch {
		throw new Problem(0, 'The server cannot be reached. Check the connection, and try again.');
	}
	const ahead = Date.parse(response.headers.get('Date')) - Date.now();
	skew = Math.abs(ahead) > 2000 ? ahead : 0; // the header is to the second
	const answer = await response.json().catch(() => null);
	if (answer === null) {
		throw new Problem(0, `Something on the way answered ${response.status} instead of the server.`);
	}
	if (!response.ok) {
		throw new Problem(response.status, answer.detail, answer.errors, response.headers.get('Retry-After'));
	}
	return { answer, headers: response.headers };
}

export async function listLinks(query) {
	const { answer, headers } = await call('GET', 'share-links', { query });
	kept.setItem('allow', headers.get('Allow'));
	return answer;
}

const link = (id) => `share-links/${encodeURIComponent(id)}`;

export const getLink = async (id) => (await call('GET', link(id))).answer;
export const createLink = async (body, key) => (await call('POST', 'share-links', { body, headers: { 'Idempotency-Key': key } })).answer;
export const updateLink = async (id, body) => (await call('PUT', link(id), { body })).answer;
export const deleteLink = async (id) => (await call('DELETE', link(id))).answer;
export const listVisits = async (id, query) => (await call('GET', `${link(id)}/visits`, { query })).answer;
export const listPersonas = async (query) => (await call('GET', 'personas', { query })).answer;
