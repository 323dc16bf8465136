// QR codes (ISO/IEC 18004) of texts in bytes mode with error correction level M: a code that is damaged or covered by 15 % is read.

// By version: how many bytes of error correction a block has, and how many blocks there are. An address is never longer than what
// version 20 holds, 666 bytes.
const correction = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26];
const blocks = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16];

// The powers of 2 in the field of 256 elements that the correction is computed in, and their logarithms.
const powers = [1];
for (let i = 1; i < 255; i++) {
	powers[i] = (powers[i - 1] << 1) ^ (powers[i - 1] & 128 ? 0x11d : 0);
}
const logarithms = powers.reduce((logs, power, i) => Object.assign(logs, { [power]: i }), []);
const times = (a, b) => (a && b ? powers[(logarithms[a] + logarithms[b]) % 255] : 0);

// remainder returns the error correction of some bytes: what is left when the polynomial that they are is divided.
function remainder(bytes, size) {
	let divisor = [1];
	for (let i = 0; i < size; i++) {
		divisor = [...divisor, 0].map((c, j) => c ^ times(divisor[j - 1] ?? 0, powers[i]));
	}
	const rest = [...bytes, ...Array(size).fill(0)];
	for (let i = 0; i < bytes.length; i++) {
		const factor = rest[i];
		divisor.forEach((c, j) => { rest[i + j] ^= times(c, factor); });
	}
	return rest.slice(bytes.length);
}

// bits returns the bits of a number, the highest first.
const bits = (n, count) => Array.from({ length: count }, (_, i) => (n >> (count - 1 - i)) & 1);

// check returns a number with its remainder by a generator of this many bits behind it.
function check(n, size, generator) {
	let rest = n << size;
	for (let i = 31 - Math.clz32(n) + size; i >= size; i--) {
		rest ^= (rest >> i) & 1 ? generator << (i - size) : 0;
	}
	return (n << size) | rest;
}

// centres returns where alignment patterns are, on either axis.
function centres(version) {
	if (version === 1) {
		return [];
	}
	const count = Math.floor(version / 7) + 2;
	const last = version * 4 + 10;
	const step = Math.ceil((last - 6) / (count - 1) / 2) * 2;
	return [6, ...Array.from({ length: count - 1 }, (_, i) => last - step * (count - 2 - i))];
}

// frame returns the modules that are the same for all texts, true for dark; those for data and for the mask are undefined.
function frame(version) {
	const size = version * 4 + 17;
	const modules = Array.from({ length: size }, () => Array(size));
	const ring = (x, y, radius, isDark) => {
		for (let dy = -radius; dy <= radius; dy++) {
			for (let dx = -radius; dx <= radius; dx++) {
				if (modules[y + dy] && x + dx >= 0 && x + dx < size) {
					modules[y + dy][x + dx] = isDark(Math.max(Math.abs(dx), Math.abs(dy)));
				}
			}
		}
	};
	for (let i = 0; i < size; i++) {
		modules[6][i] = modules[i][6] = i % 2 === 0;
	}
	for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
		ring(x, y, 4, (d) => d !== 2 && d !== 4);
	}
	const places = centres(version);
	const last = places.length - 1;
	places.forEach((y, i) => places.forEach((x, j) => {
		if (!(i === 0 && j === 0 || i === 0 && j === last || i === last && j === 0)) { // the three corners have their own
			ring(x, y, 2, (d) => d !== 1);
		}
	}));
	if (version >= 7) {
		bits(check(version, 12, 0x1f25), 18).reverse().forEach((bit, i) => {
			const [a, b] = [Math.floor(i / 3), size - 11 + i % 3];
			modules[a][b] = modules[b][a] = bit === 1;
		});
	}
	describe(modules, 0); // takes its place
	return modules;
}

// describe writes the level of correction and the mask.
function describe(modules, mask) {
	const size = modules.length;
	const format = check(mask, 10, 0x537) ^ 0x5412; // level M is 00
	for (let i = 0; i < 15; i++) {
		const isDark = ((format >> i) & 1) === 1;
		modules[i < 6 ? i : i < 8 ? i + 1 : size - 15 + i][8] = isDark;
		modules[8][i < 8 ? size - 1 - i : i < 9 ? 7 : 14 - i] = isDark;
	}
	modules[size - 8][8] = true;
}

const masks = [
	(x, y) => (x + y) % 2, (x, y) => y % 2, (x) => x % 3, (x, y) => (x + y) % 3, (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
	(x, y) => (x * y) % 2 + (x * y) % 3, (x, y) => ((x * y) % 2 + (x * y) % 3) % 2, (x, y) => ((x + y) % 2 + (x * y) % 3) % 2,
];

// penalty returns how hard the modules are to read, by the four rules of the standard.
function penalty(modules) {
	const size = modules.length;
	let sum = 0;
	let dark = 0;
	for (const lines of [modules, modules.map((_, x) => modules.map((row) => row[x]))]) {
		for (const line of lines) {
			const text = line.map(Number).join('');
			for (const run of text.match(/0{5,}|1{5,}/g) ?? []) {
				sum += run.length - 2;
			}
			sum += 40 * [...text.matchAll(/(?=00001011101|10111010000)/g)].length;
		}
	}
	for (let y = 0; y < size; y++) {
		for (let x = 0; x < size; x++) {
			dark += modules[y][x];
			if (x && y && new Set([modules[y][x], modules[y - 1][x], modules[y][x - 1], modules[y - 1][x - 1]]).size === 1) {
				sum += 3;
			}
		}
	}
	return sum + 10 * Math.floor(Math.abs(dark / (size * size) - 0.5) * 20);
}

// codewords returns the bytes of a text with their error correction, in the order in which they are written.
function codewords(bytes, version, total) {
	const count = blocks[version - 1];
	const extra = correction[version - 1];
	const capacity = total - count * extra;
	const header = [0, 1, 0, 0, ...bits(bytes.length, version < 10 ? 8 : 16)];
	const stream = [...header, ...bytes.flatMap((byte) => bits(byte, 8)), 0, 0, 0, 0].slice(0, capacity * 8);
	const data = Array.from({ length: Math.ceil(stream.length / 8) }, (_, i) => parseInt(stream.slice(i * 8, i * 8 + 8).join('').padEnd(8, '0'), 2));
	for (let i = 0; data.length < capacity; i++) {
		data.push(i % 2 ? 0x11 : 0xec);
	}
	const short = Math.floor(capacity / count);
	const parts = [];
	for (let i = 0, from = 0; i < count; i++) {
		const to = from + short + (i >= count - capacity % count ? 1 : 0); // the last ones have what is left over
		parts.push(data.slice(from, to));
		from = to;
	}
	const woven = (lists) => Array.from({ length: Math.max(...lists.map((l) => l.length)) }, (_, i) => lists.flatMap((l) => l[i] ?? [])).flat();
	return [...woven(parts), ...woven(parts.map((part) => remainder(part, extra)))];
}

// qrCode returns the modules of the code of a text, a list of rows in which true is dark, or null if the text is too long.
export function qrCode(text) {
	const bytes = [...new TextEncoder().encode(text)];
	for (let version = 1; version <= blocks.length; version++) {
		const fixed = frame(version);
		const total = Math.floor(fixed.flatMap((row) => Array.from(row)).filter((module) => module === undefined).length / 8);
		const room = total - blocks[version - 1] * correction[version - 1] - (version < 10 ? 2 : 3);
		if (bytes.length <= room) {
			return fill(fixed, codewords(bytes, version, total));
		}
	}
	return null;
}

// fill writes the bytes in columns of two modules, from the right, up and down, under the mask that is read best.
function fill(fixed, words) {
	const size = fixed.length;
	const stream = words.flatMap((byte) => bits(byte, 8));
	const places = [];
	for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
		right -= right === 6 ? 1 : 0; // the column of the timing pattern
		for (let i = 0; i < size; i++) {
			for (const x of [right, right - 1]) {
				const y = up ? size - 1 - i : i;
				if (fixed[y][x] === undefined) {
					places.push([x, y]);
				}
			}
		}
	}
	const candidates = masks.map((mask, i) => {
		const modules = fixed.map((row) => [...row]);
		places.forEach(([x, y], j) => { modules[y][x] = (stream[j] === 1) !== (mask(x, y) === 0); });
		describe(modules, i);
		return modules;
	});
	const penalties = candidates.map(penalty);
	return candidates[penalties.indexOf(Math.min(...penalties))];
}

// drawQR draws the code of a text, with the free space around it that readers need. It returns whether it could.
export function drawQR(canvas, text, scale = 8) {
	const modules = qrCode(text);
	if (!modules) {
		return false;
	}
	const quiet = 4;
	canvas.width = canvas.height = (modules.length + 2 * quiet) * scale;
	const pen = canvas.getContext('2d');
	pen.fillStyle = '#fff';
	pen.fillRect(0, 0, canvas.width, canvas.height);
	pen.fillStyle = '#000';
	modules.forEach((row, y) => row.forEach((isDark, x) => {
		if (isDark) {
			pen.fillRect((x + quiet) * scale, (y + quiet) * scale, scale, scale);
		}
	}));
	return true;
}
