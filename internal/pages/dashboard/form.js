// The form that makes a link, and the same one that changes it.

import { createLink, getLink, listPersonas, now, updateLink } from './api.js';
import { backToList } from './list.js';
import { goTo, make, nameOf, pausing, plural, sentence, template } from './page.js';

const shownPersonas = 50; // at a time
const another = 'another'; // the choice of a persona that is not in the list

const byDefault = () => ({
	label: '', type: 'LINK', usageLimit: 10, allowedOrigins: [], allowAllOrigins: false, removeWatermark: false, enabled: true, isPrimary: false,
	expiresAt: new Date(now() + 168 * 3600e3).toISOString(),
});

export async function create({ signal }) {
	const view = template('form');
	view.querySelector('h1').textContent = 'New link';
	const form = fill(view, byDefault(), 'Create', backToList());
	const persona = choosePersona(form, signal);
	await persona.load();
	let last = {};
	submit(form, signal, async () => {
		// Sent again because the answer was lost, it is the same request under the same key, and makes no second link.
		const said = JSON.stringify([persona.id(), form.origins(), ...new FormData(form)]);
		if (said !== last.said) {
			last = { said, key: randomKey(), body: { personaId: persona.id(), ...read(form) } };
		}
		const link = await createLink(last.body, last.key);
		goTo(`#/links/${link.id}`, 'The link is made.');
	});
	return view;
}

const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

export async function edit({ id, signal }) {
	const link = await getLink(id);
	const view = template('form');
	view.querySelector('h1').textContent = `Edit ${nameOf(link)}`;
	view.querySelector('[data-field=personaId]').remove();
	view.querySelector('#uses-hint').textContent = `How many times the link can be opened, the ${plural(link.usageCount, 'use')} so far included.`;
	const form = fill(view, link, 'Save', `#/links/${id}`);
	submit(form, signal, async () => {
		await updateLink(id, read(form, link));
		goTo(`#/links/${id}`, 'The link is changed.');
	});
	return view;
}

// A date field has the time of who looks, to the minute.
const toField = (at) => new Date(Date.parse(at) - new Date(at).getTimezoneOffset() * 60e3).toISOString().slice(0, 16);

// fill puts a link into the form.
function fill(view, link, verb, back) {
	const form = view.querySelector('form');
	form.querySelector('button:not([type])').textContent = verb;
	form.querySelector('.actions a').href = back;
	form.label.value = link.label;
	form.never.checked = !link.expiresAt;
	form.expires.value = link.expiresAt ? toField(link.expiresAt) : '';
	form.unlimited.checked = !link.usageLimit;
	form.uses.value = link.usageLimit ?? '';
	form.type.value = link.type;
	for (const name of ['isPrimary', 'enabled', 'removeWatermark', 'allowAllOrigins']) {
		form[name].checked = link[name];
	}
	view.querySelector('#expires-hint').textContent = `In your time zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`;
	form.origins = takeOrigins(form, link.allowedOrigins);
	const follow = () => {
		form.expires.disabled = form.never.checked;
		form.uses.disabled = form.unlimited.checked;
		form.querySelector('#embedding').hidden = form.type.value === 'LINK';
	};
	form.addEventListener('change', follow);
	follow();
	return form;
}

// takeOrigins makes a chip of each origin that is entered. It returns a function that lists them.
function takeOrigins(form, origins) {
	const list = form.querySelector('.chips');
	const field = form.querySelector('#origin');
	const add = (origin) => {
		const chip = make('li', { class: 'chip', 'data-origin': origin }, origin,
			make('button', { type: 'button', 'aria-label': `Remove ${origin}`, click: () => { chip.remove(); field.focus(); } }, '×'));
		list.append(chip);
	};
	const take = () => {
		field.value.split(/[\s,]+/).filter(Boolean).forEach(add);
		field.value = '';
	};
	origins.forEach(add);
	field.addEventListener('blur', take);
	field.addEventListener('keydown', (event) => {
		if (event.key === 'Enter' || event.key === ',') {
			event.preventDefault();
			take();
		} else if (event.key === 'Backspace' && !field.value) {
			list.lastElementChild?.remove();
		}
	});
	return () => {
		take();
		return Array.from(list.children, (chip) => chip.dataset.origin);
	};
}

// read returns what the form says, of a link that there is what is not so already. A text that should be a number goes as it is: the
// server says what it is to be.
function read(form, link) {
	const uses = form.uses.value.trim();
	const fields = {
		label: form.label.value,
		usageLimit: form.unlimited.checked ? null : (/^\d{1,15}$/.test(uses) ? Number(uses) : uses),
		type: form.type.value,
		allowedOrigins: form.origins(),
		allowAllOrigins: form.allowAllOrigins.checked,
		removeWatermark: form.removeWatermark.checked,
		enabled: form.enabled.checked,
		isPrimary: form.isPrimary.checked,
	};
	for (const name of Object.keys(link ? fields : {})) {
		if (JSON.stringify(fields[name]) === JSON.stringify(link[name])) {
			delete fields[name];
		}
	}
	const expires = form.never.checked ? null : form.expires.value;
	if (!link || expires !== (link.expiresAt && toField(link.expiresAt))) {
		fields.expiresInHours = expires === null ? null : hoursUntil(expires);
	}
	return fields;
}

// hoursUntil returns how far away the time in a date field is. What the server would say about a time that is past is in hours.
function hoursUntil(text) {
	const hours = (new Date(text) - now()) / 3600e3;
	if (!(hours > 0)) {
		throw { status: 400, violations: [{ pointer: '/expiresInHours', detail: text ? 'choose a time that is not past yet' : 'choose a date, or Never' }] };
	}
	return hours;
}

// choosePersona lists the personas by name. When there are more than fit, a field finds them.
function choosePersona(form, signal) {
	const choice = form.querySelector('#persona');
	const search = form.querySelector('#persona-search');
	const id = form.querySelector('#persona-id');
	const follow = () => { id.hidden = choice.value !== another; };
	async function load() {
		const options = [];
		const asked = search.value;
		try {
			const { data, meta } = await listPersonas({ search: asked.trim(), perPage: shownPersonas });
			options.push(...data.map((persona) => make('option', { value: persona.id }, persona.name)));
			search.hidden &&= meta.total <= shownPersonas;
		} catch (problem) {
			if (problem.status === 401) {
				throw problem;
			}
			violate(form, 'personaId', sentence(problem));
		}
		if (!signal.aborted && asked === search.value) {
			choice.replaceChildren(...options, make('option', { value: another }, 'Another, by its id'));
			follow();
		}
	}
	search.addEventListener('input', pausing(load));
	choice.addEventListener('change', follow);
	return { load, id: () => (choice.value === another ? id.value.trim() : choice.value) };
}

// violate shows what is wrong with a field, and returns whether the form has it.
function violate(form, name, text) {
	const field = form.querySelector(`[data-field="${CSS.escape(name)}"]`);
	if (!field || field.closest('[hidden]')) {
		return false;
	}
	field.classList.add('wrong');
	const error = field.querySelector('.error');
	error.textContent = [error.textContent, text].filter(Boolean).join(' ');
	for (const input of field.querySelectorAll('input, select')) {
		input.setAttribute('aria-invalid', 'true');
	}
	return true;
}

// submit sends the form, and shows what the server says against it at the fields that it says it of.
function submit(form, signal, send) {
	const alert = form.querySelector('.alert');
	const button = form.querySelector('button:not([type])');
	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		for (const error of form.querySelectorAll('.error')) {
			error.textContent = '';
		}
		for (const field of form.querySelectorAll('.wrong, [aria-invalid]')) {
			field.classList.remove('wrong');
			field.removeAttribute('aria-invalid');
		}
		button.disabled = true;
		try {
			await send();
		} catch (problem) {
			if (signal.aborted) {
				return;
			}
			button.disabled = false;
			const elsewhere = (problem.violations?.length ? problem.violations : [{ detail: problem.message }]).filter(({ pointer = '', detail, hint }) => {
				const [, name, index] = pointer.split('/');
				const text = sentence({ message: [detail.replace(', or null', ''), hint].filter(Boolean).join('; ') }); // null is what a box says
				if (name === 'allowedOrigins' && index) {
					const chip = form.querySelectorAll('.chips .chip')[index];
					chip?.classList.add('wrong');
					return !violate(form, name, `${chip?.dataset.origin}: ${text}`);
				}
				return !violate(form, name, text);
			});
			alert.textContent = elsewhere.map(({ detail }) => sentence({ message: detail, wait: problem.wait })).join(' ');
			(form.querySelector('.wrong:is(fieldset, .field) :is(input, select):not([hidden])') ?? button).focus();
		}
	});
}
