// The list of links.

import { listLinks } from './api.js';
import { chip, fromNow, make, nameOf, number, pausing, plural, table, template, time, typeNames, usesOf } from './page.js';

const perPage = 25;
let last = '#/'; // the list as it was seen last

export const backToList = () => last;

const address = (search, page) => {
	const query = new URLSearchParams({ ...(search && { search }), ...(page > 1 && { page }) });
	return `#/${String(query) && `?${query}`}`;
};

export async function list({ query, signal }) {
	const search = query.get('search') ?? '';
	const page = Math.max(1, Math.trunc(Number(query.get('page'))) || 1);
	last = address(search, page);
	const found = await listLinks({ search: search.trim(), page, perPage });
	if (signal.aborted) {
		return null;
	}
	// The field stays in its place while the list below it changes: somebody types there.
	const isThere = document.querySelector('#results');
	const view = isThere ? document.querySelector('main') : template('list');
	const field = view.querySelector('#search');
	if (document.activeElement !== field) {
		field.value = search;
	}
	view.querySelector('#results').replaceChildren(...results(found, search));
	if (isThere) {
		return null;
	}
	const form = view.querySelector('form');
	// Whoever has gone on to a link is not brought back.
	const look = () => field.isConnected && location.replace(address(field.value.trim(), 1));
	form.addEventListener('submit', (event) => {
		event.preventDefault();
		look();
	});
	field.addEventListener('input', pausing(look));
	return view;
}

function results({ data, meta }, search) {
	if (meta.total === 0 && !search) {
		return [make('div', { class: 'empty' },
			make('h2', {}, 'No share links yet'),
			make('p', {}, 'A share link leads people to an AI persona: for a while, or for a number of uses.'),
			make('a', { class: 'button', href: '#/new', 'data-writes': true }, 'Make the first one'))];
	}
	if (meta.total === 0) {
		return [make('div', { class: 'empty' },
			make('h2', {}, 'Nothing found'),
			make('p', {}, `No link has “${search}” in its label or its persona’s name, or as its token or id.`),
			make('a', { class: 'button quiet', href: '#/' }, 'All links'))];
	}
	if (data.length === 0) {
		return [make('p', { class: 'empty' }, `The list ends before this page: it has ${plural(meta.lastPage, 'page')}.`), pages(meta, search)];
	}
	return [table(['Link', 'Status', 'Uses', 'Expires', 'Type', 'Created'], data.map(row)), pages(meta, search)];
}

function row(link) {
	const name = [
		make('a', { class: 'name', dir: 'auto', href: `#/links/${link.id}` }, nameOf(link)),
		make('span', { class: 'hint' }, [link.label && link.personaName, link.isPrimary && 'primary'].filter(Boolean).join(' · ')),
	];
	const expires = link.expiresAt ? fromNow(link.expiresAt) : 'never';
	return [name, chip(link), usesOf(link), expires, typeNames[link.type], time(link.createdAt, { dateStyle: 'medium' })];
}

function pages(meta, search) {
	const from = (meta.currentPage - 1) * meta.perPage + 1;
	const range = `${number(Math.min(from, meta.total))}–${number(Math.min(from + meta.perPage - 1, meta.total))} of ${plural(meta.total, 'link')}`;
	const turn = (title, page) => (page
		? make('a', { class: 'button quiet', href: address(search, page) }, title)
		: make('span', { class: 'button quiet', 'aria-disabled': 'true', role: 'link' }, title));
	return make('nav', { class: 'pages', 'aria-label': 'Pages' },
		make('p', { role: 'status' }, meta.currentPage > meta.lastPage ? plural(meta.total, 'link') : range),
		meta.lastPage > 1 && [
			turn('First', meta.prev && 1),
			turn('Previous', meta.prev && Math.min(meta.prev, meta.lastPage)),
			turn('Next', meta.next),
			turn('Last', meta.next && meta.lastPage),
		]);
}
