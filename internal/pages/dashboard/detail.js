// One link: its address, what it looks like, what became of it, and what can be done with it.

import { deleteLink, getLink, listVisits, now, updateLink } from './api.js';
import { backToList } from './list.js';
import { chip, copy, fromNow, goTo, make, nameOf, number, plural, say, sentence, table, template, time, typeNames, usesOf } from './page.js';
import { drawQR } from './qr.js';

export async function detail({ id, signal, refresh }) {
	const link = await getLink(id);
	const view = template('detail');
	const find = (selector) => view.querySelector(selector);
	find('.back a').href = backToList();
	find('h1').textContent = nameOf(link);
	find('.summary').append(chip(link), ` ${[link.label && link.personaName, typeNames[link.type], link.isPrimary && 'primary link'].filter(Boolean).join(' · ')}`);
	find('#address').value = link.url;
	find('#view').href = link.url;
	const picture = find('canvas');
	find('.qr').hidden = !drawQR(picture, link.url);
	find('[data-do=picture]').addEventListener('click', () => picture.toBlob((blob) => save(blob, `${nameOf(link)}.png`)));
	if (link.type !== 'LINK') {
		find('#snippet-card').hidden = false;
		find('#snippet').value = snippet(link);
		find('#embeds').textContent = link.allowAllOrigins ? 'Any site may embed it.'
			: link.allowedOrigins.length ? `These sites may embed it: ${link.allowedOrigins.join(', ')}.` : 'No site may embed it yet: edit the link, and add yours.';
	}
	for (const button of view.querySelectorAll('[data-copies]')) {
		button.addEventListener('click', () => copy(document.getElementById(button.dataset.copies)));
	}
	find('dl').append(...facts(link));
	find('.preview').append(preview(link));
	act(view, link, refresh);
	showVisits(find('#visits'), find('#days'), link, signal);
	return view;
}

function facts(link) {
	const yes = (is) => (is ? 'yes' : 'no');
	return Object.entries({
		Persona: link.personaName,
		Uses: usesOf(link),
		Expires: link.expiresAt ? make('span', {}, time(link.expiresAt), ', ', fromNow(link.expiresAt)) : 'never',
		Enabled: yes(link.enabled),
		Watermark: yes(!link.removeWatermark),
		Created: time(link.createdAt),
		Id: make('code', {}, link.id),
	}).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]);
}

// snippet returns what a site is to have, as EmbedHTML of the Go client does.
function snippet(link) {
	const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
	if (link.type === 'ORB_EMBED') {
		const base = link.url.slice(0, link.url.lastIndexOf('/frame/'));
		return `<script src="${escape(base)}/embed.js" async></script>\n<share-link token="${escape(link.token)}"></share-link>`;
	}
	return `<iframe src="${escape(link.url)}" title="${escape(link.personaName)}" allow="microphone; autoplay" referrerpolicy="origin" width="720" height="480" style="border: 0; max-width: 100%"></iframe>`;
}

// preview shows the link as a visitor sees it. An orb stands in the corner of the box, as in that of a site.
function preview(link) {
	if (link.type === 'ORB_EMBED') {
		return make('share-link', { token: link.token });
	}
	const place = link.type === 'LINK' ? 'share' : 'frame';
	return make('iframe', { src: `${place}/${encodeURIComponent(link.token)}`, title: 'Preview of the link', allow: 'microphone; autoplay' });
}

function save(blob, name) {
	const url = URL.createObjectURL(blob);
	make('a', { href: url, download: name }).click();
	URL.revokeObjectURL(url);
}

// act lets the link be enabled, extended and deleted. What the contract can take back has an Undo.
function act(view, link, refresh) {
	const isGone = link.expiresAt && Date.parse(link.expiresAt) <= now();
	const change = async (body, done, undo) => {
		try {
			await updateLink(link.id, body);
			await refresh();
			say(done, 'Undo', undo && (() => change(undo(), 'It is as it was.')));
		} catch (problem) {
			say(sentence(problem));
		}
	};
	const enable = (enabled) => change({ enabled }, enabled ? 'The link is enabled.' : 'The link is disabled.', () => ({ enabled: link.enabled }));
	const button = view.querySelector('[data-do=enable]');
	button.textContent = link.enabled ? 'Disable' : 'Enable';
	button.addEventListener('click', () => enable(!link.enabled));
	view.querySelector('[data-do=edit]').href = `#/links/${link.id}/edit`;

	const extend = view.querySelector('#extend');
	extend.querySelector('.hint').textContent = !link.expiresAt ? 'The link never expires. From now on it would:'
		: isGone ? 'The link has expired. From now on it works again:' : 'Later than it would expire now:';
	view.querySelector('[data-do=extend]').addEventListener('click', () => ask(extend, (answer) => {
		const from = link.expiresAt && !isGone ? Date.parse(link.expiresAt) : now();
		const hours = answer === 'never' ? null : (from - now()) / 3600e3 + Number(answer);
		// A link that had expired cannot be made to have expired.
		const undo = isGone ? null : () => ({ expiresInHours: link.expiresAt && (Date.parse(link.expiresAt) - now()) / 3600e3 });
		change({ expiresInHours: hours }, hours === null ? 'The link never expires.' : 'The link works for longer.', undo);
	}));

	const remove = view.querySelector('#delete');
	view.querySelector('[data-do=delete]').addEventListener('click', () => ask(remove, async (answer) => {
		if (answer === 'disable') {
			await enable(false);
			return;
		}
		try {
			await deleteLink(link.id);
			goTo(backToList(), 'The link is deleted.');
		} catch (problem) {
			say(sentence(problem));
		}
	}));
}

// ask opens a dialog and does what its answer says, unless it was closed without one.
function ask(dialog, then) {
	dialog.returnValue = '';
	dialog.addEventListener('close', () => dialog.returnValue && then(dialog.returnValue), { once: true });
	dialog.showModal();
}

const outcomes = {
	OPENED: 'Opened', DISABLED: 'Refused: disabled', EXPIRED: 'Refused: expired', EXHAUSTED: 'Refused: used up',
	ORIGIN_REFUSED: 'Refused: the site may not', UPSTREAM_REFUSED: 'The persona was not available', UPSTREAM_TIMEOUT: 'The persona did not answer',
};

const shownVisits = 20;
const shownDays = 30;
const pagesOfVisits = 10; // of 100: no more is read for the plot

async function showVisits(list, plot, link, signal) {
	let visits = [];
	let total = 0;
	try {
		for (let page = 1, lastPage = 1; page <= Math.min(lastPage, pagesOfVisits); page++) {
			const { data, meta } = await listVisits(link.id, { page, perPage: 100 });
			if (signal.aborted) {
				return;
			}
			({ lastPage, total } = meta);
			visits = visits.concat(data);
			if (data.length && dayOf(data.at(-1).at) < dayOf(now(), shownDays - 1)) {
				break;
			}
		}
	} catch (problem) {
		const again = () => showVisits(list, plot, link, signal);
		list.replaceChildren(make('p', { class: 'error' }, sentence(problem)), make('button', { type: 'button', class: 'quiet', click: again }, 'Try again'));
		plot.replaceChildren();
		return;
	} finally {
		list.removeAttribute('aria-busy');
		plot.removeAttribute('aria-busy');
	}
	plot.replaceChildren(...plotOf(visits, total));
	if (total === 0) {
		list.replaceChildren(make('p', { class: 'hint' }, 'Nobody has opened the link yet.'));
		return;
	}
	const rows = visits.slice(0, shownVisits).map(({ at, outcome, origin, client, address }) =>
		[time(at), outcomes[outcome], origin ?? 'no site', client ?? 'not said', address ?? 'not known']);
	list.replaceChildren(
		table(['When', 'What', 'Site', 'Browser', 'Network'], rows),
		make('p', { class: 'hint' }, total > shownVisits ? `The last ${shownVisits} of ${plural(total, 'visit')}.` : `${plural(total, 'visit')} in all.`));
}

// dayOf returns the day of an instant, some days before it, in the time zone of who looks: 2026-04-20.
function dayOf(at, before = 0) {
	const day = new Date(at);
	day.setDate(day.getDate() - before);
	return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((n) => String(n).padStart(2, '0')).join('-');
}

const svg = (tag, attributes, ...children) => {
	const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
	Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
	element.append(...children);
	return element;
};

// plotOf draws how often the link was opened on each of the last days.
function plotOf(visits, total) {
	const days = Array.from({ length: shownDays }, (_, i) => dayOf(now(), shownDays - 1 - i));
	const opens = days.map((day) => visits.filter((visit) => dayOf(visit.at) === day && visit.outcome === 'OPENED').length);
	const most = Math.max(1, ...opens);
	const sum = opens.reduce((a, b) => a + b, 0);
	const [width, height] = [10, 100];
	const bars = opens.map((n, i) => svg('rect', { x: i * width + 1, width: width - 2, y: height - Math.max(n / most * height, 1), height: Math.max(n / most * height, 1), class: n ? 'some' : 'none' },
		svg('title', {}, `${days[i]}: ${plural(n, 'open')}`)));
	const said = sum ? `${plural(sum, 'open')} in ${shownDays} days, at most ${number(most)} on one.` : `No opens in ${shownDays} days.`;
	const isPart = visits.length < total && dayOf(visits.at(-1).at) >= days[0];
	return [
		make('p', {}, said, isPart ? ` This counts the last ${plural(visits.length, 'visit')}.` : null),
		svg('svg', { viewBox: `0 0 ${shownDays * width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Opens on each of the last 30 days' }, ...bars),
		make('p', { class: 'axis hint' }, time(new Date(`${days[0]}T12:00`).toISOString(), { dateStyle: 'medium' }), make('span', {}, 'today')),
	];
}
