// What the views of the dashboard have in common: how elements are made, and how links, times and numbers are said.

import { now } from './api.js';

// make returns an element. An attribute that is a function listens. What is false or null is left out. Nothing is ever
// parsed as HTML.
export function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === 'function') {
			element.addEventListener(name, value);
		} else if (value !== false && value != null) {
			element.setAttribute(name, value === true ? '' : value);
		}
	}
	element.append(...children.flat().filter((child) => child != null && child !== false));
	return element;
}

// table returns a table. Its roles are said, because a browser may forget those of a table that is laid out as something else.
export function table(heads, rows) {
	const columns = (of, tag, role, attributes = {}) => of.map((content, i) => make(tag, { role, class: i > 2 && 'wide', ...attributes }, content));
	return make('table', { role: 'table' },
		make('thead', { role: 'rowgroup' }, make('tr', { role: 'row' }, columns(heads, 'th', 'columnheader', { scope: 'col' }))),
		make('tbody', { role: 'rowgroup' }, rows.map((row) => make('tr', { role: 'row' }, columns(row, 'td', 'cell')))));
}

// template returns a copy of one of the page's templates.
export const template = (id) => document.getElementById(id).content.cloneNode(true);

const status = document.getElementById('status');

// say shows a sentence below the page, which is spoken too, with a button if there is something to do about it.
export function say(text, doing, action) {
	status.replaceChildren(make('p', {}, text));
	if (action) {
		status.append(make('button', { type: 'button', class: 'quiet', click: action }, doing));
	}
	status.append(make('button', { type: 'button', class: 'quiet', 'aria-label': 'Close the message', click: () => status.replaceChildren() }, '×'));
}

let parting = '';

// goTo shows another view, and says there what was done here.
export function goTo(hash, text) {
	parting = text;
	location.hash = hash;
}

// arrive takes back what was said in the view before.
export function arrive() {
	status.replaceChildren();
	if (parting) {
		say(parting);
	}
	parting = '';
}

// pausing returns a function that calls another once it has not been called for a moment, as when somebody stops typing.
export function pausing(call) {
	let pause;
	return () => {
		clearTimeout(pause);
		pause = setTimeout(call, 250);
	};
}

// failure returns what is shown instead of something that could not be loaded.
export function failure(problem, again) {
	return make('div', { class: 'empty', role: 'alert' },
		make('h1', { tabindex: -1 }, problem.status === 404 ? 'It is not there' : 'That did not work'),
		make('p', {}, sentence(problem)),
		again ? make('button', { type: 'button', click: again }, 'Try again') : make('a', { class: 'button quiet', href: '#/' }, 'All links'));
}

// sentence returns what went wrong, as a sentence.
export function sentence({ message, wait }) {
	const text = message[0].toUpperCase() + message.slice(1);
	return text.replace(/[^.!?]$/, '$&.') + (wait ? ` Try again in ${plural(Number(wait), 'second')}.` : '');
}

export const nameOf = (link) => link.label || link.personaName;

const statuses = { ACTIVE: 'Active', DISABLED: 'Disabled', EXPIRED: 'Expired', EXHAUSTED: 'Used up' };

// statusOf returns whether a link can be opened, in the order of the contract's ShareLinkStatus.
export function statusOf(link) {
	if (!link.enabled) {
		return 'DISABLED';
	}
	if (link.expiresAt && Date.parse(link.expiresAt) <= now()) {
		return 'EXPIRED';
	}
	return link.usageLimit && link.usageCount >= link.usageLimit ? 'EXHAUSTED' : 'ACTIVE';
}

export const chip = (link) => make('span', { class: 'chip', 'data-status': statusOf(link) }, statuses[statusOf(link)]);

export const typeNames = { LINK: 'Link', PLAYER_EMBED: 'Player embed', ORB_EMBED: 'Orb embed' };

export const number = (n) => n.toLocaleString();
export const plural = (n, thing) => `${number(n)} ${thing}${n === 1 ? '' : 's'}`;
export const usesOf = (link) => (link.usageLimit ? `${number(link.usageCount)} of ${number(link.usageLimit)}` : `${number(link.usageCount)}, no limit`);

// time returns an instant in the time zone of who looks, and in UTC for who points at it.
export function time(at, options = { dateStyle: 'medium', timeStyle: 'short' }) {
	return make('time', { datetime: at, title: new Date(at).toUTCString() }, new Intl.DateTimeFormat(undefined, options).format(new Date(at)));
}

const units = [['year', 31557600e3], ['month', 2629800e3], ['day', 86400e3], ['hour', 3600e3], ['minute', 60e3], ['second', 1e3]];

// fromNow returns how far away an instant is, such as "in 6 days".
export function fromNow(at) {
	const away = Date.parse(at) - now();
	const [unit, length] = units.find(([, length]) => Math.abs(away) >= length) ?? units.at(-1);
	return make('time', { datetime: at, title: new Date(at).toString() }, new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(Math.round(away / length), unit));
}

// copy puts a text on the clipboard. Where a page may not, as over plain http, the old way still works.
export async function copy(field) {
	field.select();
	try {
		await navigator.clipboard.writeText(field.value);
	} catch {
		document.execCommand('copy');
	}
	say('Copied.');
}
