// The dashboard: which view is seen follows from the part of the address behind #, which no server gets.

import { isReadOnly, isSignedIn, signIn, signOut } from './api.js';
import { detail } from './detail.js';
import { create, edit } from './form.js';
import { list } from './list.js';
import { arrive, failure, sentence, template } from './page.js';

const views = [
	[/^\/$/, list],
	[/^\/new$/, create],
	[/^\/links\/([^/]+)$/, detail],
	[/^\/links\/([^/]+)\/edit$/, edit],
];

const main = document.querySelector('main');
const header = document.querySelector('header');
let leaving = new AbortController(); // aborted when another view is shown
let shown = null; // the path of the view

// show shows the view of the address, which is what it returns, or nothing if it has changed what is seen.
async function show() {
	leaving.abort();
	leaving = new AbortController();
	const { signal } = leaving;
	const [path, query = ''] = (location.hash.slice(1) || '/').split('?');
	const samePage = shown === path;
	shown = path;
	header.hidden = !isSignedIn();
	if (!isSignedIn()) {
		welcome();
		return;
	}
	const doing = document.activeElement.dataset.do; // what was pressed
	const [, view, args] = views.map(([pattern, view]) => [pattern, view, path.match(pattern)]).find(([, , match]) => match) ?? [null, lost, []];
	main.setAttribute('aria-busy', 'true');
	let content;
	try {
		content = await view({ signal, query: new URLSearchParams(query), id: args[1] && decodeURIComponent(args[1]), refresh: show });
	} catch (problem) {
		if (signal.aborted) {
			return;
		}
		if (problem.status === 401) {
			signOut();
			header.hidden = true;
			welcome('The API key is no longer accepted.');
			return;
		}
		content = failure(problem, problem.status === 404 ? null : show);
	}
	if (signal.aborted) {
		return;
	}
	main.removeAttribute('aria-busy');
	if (content) {
		main.replaceChildren(content);
	}
	for (const element of main.querySelectorAll('[data-writes]')) {
		element.hidden = isReadOnly();
	}
	document.querySelector('.readonly').hidden = !isReadOnly();
	const heading = main.querySelector('h1');
	document.title = `${heading.textContent} · ${location.host}`;
	if (!samePage) {
		arrive();
		scrollTo(0, 0);
	}
	if (!samePage || !main.contains(document.activeElement)) {
		(main.querySelector(`[data-do="${samePage && doing}"]`) ?? heading).focus();
	}
}

const lost = () => failure({ status: 404, message: 'The dashboard has no such page.' });

// welcome asks for the API key.
function welcome(error = '') {
	main.removeAttribute('aria-busy');
	main.replaceChildren(template('sign-in'));
	document.title = `Sign in · ${location.host}`;
	shown = null; // the next view is another
	const form = main.querySelector('form');
	const refuse = (text) => {
		form.querySelector('.error').textContent = text;
		form.key.setAttribute('aria-invalid', String(Boolean(text)));
		form.key.focus();
	};
	refuse(error);
	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		const key = form.key.value.trim();
		if (!/^[!-~]+$/.test(key)) {
			refuse(key ? 'An API key has letters, digits and signs of ASCII only.' : 'Paste an API key.');
			return;
		}
		const button = form.querySelector('button');
		button.disabled = true;
		try {
			await signIn(key);
			await show();
		} catch (problem) {
			button.disabled = false;
			refuse(problem.status === 401 ? 'The server does not accept this API key.' : sentence(problem));
		}
	});
}

document.getElementById('server').textContent = location.host;
document.getElementById('sign-out').addEventListener('click', () => {
	signOut();
	arrive();
	history.replaceState(null, '', location.pathname);
	show();
});
addEventListener('hashchange', show);
show();
