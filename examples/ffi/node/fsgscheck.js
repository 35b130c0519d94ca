// SPDX-License-Identifier: MIT
// Can the FSGSBASE instructions really be used here? libfsgscheck by koffi.
//
//   const fsgscheck = require('fsgscheck');
//   const report = fsgscheck.check(fsgscheck.Check.CONTEXT);
//   if (report.verdict === fsgscheck.Verdict.USABLE) ...
//
// Results are the library's own words, as strings. The objects that list the words are made when the module is loaded.
// A function that fails throws an Error with code and errno, like Node's own functions. It throws RangeError or TypeError
// for an argument that does not fit into the library's type. Workers may call any function at any time.
'use strict';

const koffi = require('koffi');
const util = require('util');
const { version: VERSION } = require('./package.json');

// The package and the library have the same version. The first number of the version is part of the soname.
function load() {
	const soname = `libfsgscheck.so.${VERSION.split('.')[0]}`;
	try {
		return koffi.load(soname);
	} catch (cause) {
		throw new Error(`${soname} cannot be loaded: ${cause.message}
Build and install it in the source tree of libfsgscheck:
    meson setup build -Dtests=disabled && sudo meson install -C build && sudo ldconfig
For a folder that the loader does not search, set LD_LIBRARY_PATH.`, { cause });
	}
}

const library = load();
const field = koffi.struct(Object.fromEntries(['type', 'offset', 'width', 'count', 'stride', 'list', 'index',
	'reserved'].map((member) => [member, 'uint32_t'])));
const C = {
	check: library.func('fsgs_check', 'int', ['void *', 'size_t', 'uint32_t']),
	usable: library.func('fsgs_usable', 'int', []),
	refresh: library.func('fsgs_refresh', 'int', []),
	reportSize: library.func('fsgs_report_size', 'size_t', []),
	field: library.func('fsgs_report_field', 'str', ['uint32_t', koffi.out(koffi.pointer(field)), 'size_t']),
	name: library.func('fsgs_name', 'str', ['uint32_t', 'uint32_t']),
	describe: library.func('fsgs_describe', 'str', ['uint32_t', 'uint32_t']),
	reason: library.func('fsgs_reason', 'str', ['void *', 'size_t']),
	advice: library.func('fsgs_advice', 'str', ['void *', 'size_t', 'uint32_t']),
	baseAccess: library.func('fsgs_base_access', 'uint32_t', ['uint32_t']),
	getBase: library.func('fsgs_get_base', 'int', ['uint32_t', koffi.out(koffi.pointer('uint64_t'))]),
	setBase: library.func('fsgs_set_base', 'int', ['uint32_t', 'uint64_t']),
	ensureBase: library.func('fsgs_ensure_base', 'int', ['uint32_t', 'uint64_t']),
	version: library.func('fsgs_version_string', 'str', []),
};

// The numbers of enum fsgs_check_flag, enum fsgs_segment and enum fsgs_list.
const Check = Object.freeze({ NO_TRIAL: 1, CONTEXT: 2, ALL_CPUS: 4, SURVIVAL: 8 });
const Segment = Object.freeze({ FS: 0, GS: 1 });
const List = Object.freeze({ VERDICT: 1, FINDING: 2, OUTCOME: 3, INSN: 4, ACCESS: 5, PROOF: 6 });
const answer = (value) => [null, false, true][value] ?? null;

// The word for a result. A number that the library does not know counts as 0, which claims the least in each of these lists.
const result = (list, value) => C.name(list, value) ?? C.name(list, 0);

// The words of a list as {NAME: 'name', ...}, in the order of their numbers.
function words(list) {
	const all = {};
	for (let value = 0, word; (word = C.name(list, value)) !== null; value++)
		all[word.toUpperCase().replaceAll('-', '_')] = word;
	return Object.freeze(all);
}

const Verdict = words(List.VERDICT);
const Finding = words(List.FINDING);
const Outcome = words(List.OUTCOME);
const Insn = words(List.INSN);
const Access = words(List.ACCESS);
const Proof = words(List.PROOF);

function succeed(call, status) {
	if (status === 0)
		return;
	const code = util.getSystemErrorName(status);
	throw Object.assign(new Error(`${code}: ${call}`), { code, errno: status, syscall: call });
}

// Check the range, because koffi would truncate numbers to 32 bits and BigInts to 64 bits: 2n ** 64n would become 0.
function u32(value) {
	if (!Number.isInteger(value))
		throw new TypeError(`not an integer: ${value}`);
	if (value < 0 || value > 0xffffffff)
		throw new RangeError(`not an unsigned number of 32 bits: ${value}`);
	return value;
}

function u64(value) {
	if (typeof value !== 'bigint' && !Number.isSafeInteger(value))
		throw new TypeError(`neither a BigInt nor a safe integer: ${value}`);
	const number = BigInt(value);
	if (BigInt.asUintN(64, number) !== number)
		throw new RangeError(`not an unsigned number of 64 bits: ${value}`);
	return number;
}

// Every field of the report by its name: text, a number (a BigInt if it has 64 bits), or an array.
function read(report) {
	const raw = {};
	for (let number = 0, f = {}, name; (name = C.field(number, f, koffi.sizeof(field))) !== null; number++) {
		const one = (at) => f.width === 8 ? report.readBigUInt64LE(at) : f.type === 2 ? report.readInt32LE(at) : report.readUInt32LE(at);
		raw[name] = f.type === 4 ? report.toString('utf8', f.offset, f.offset + f.width).split('\0')[0]
			: f.index ? Array.from({ length: f.count }, (_, i) => one(f.offset + i * f.stride)) : one(f.offset);
	}
	return raw;
}

function advice(report) {
	const steps = [];
	for (let step; (step = C.advice(report, report.length, steps.length)) !== null;)
		steps.push(step);
	return steps;
}

// Collects evidence and decides. No verdict causes an exception, not even `broken`. raw.findings also has the bits of
// findings that have no name.
function check(flags = 0) {
	const report = Buffer.alloc(Number(C.reportSize()));
	succeed('fsgs_check', C.check(report, report.length, u32(flags)));
	const raw = read(report);
	const segments = (list, [fs, gs]) => ({ fs: result(list, fs), gs: result(list, gs) });
	return {
		raw,
		verdict: result(List.VERDICT, raw.verdict),
		proof: result(List.PROOF, raw.proof),
		verdicts: segments(List.VERDICT, raw.verdicts),
		access: segments(List.ACCESS, raw.access),
		findings: Object.values(Finding).filter((_, bit) => raw.findings >> BigInt(bit) & 1n),
		outcomes: Object.fromEntries(Object.values(Insn).map((insn, i) => [insn, result(List.OUTCOME, raw['trials.outcome'][i])])),
		cpuid: answer(raw.cpuid_fsgsbase),
		hwcap2: answer(raw.hwcap2_fsgsbase),
		vendor: raw.vendor,
		kernel: raw.kernel,
		reason: C.reason(report, report.length),
		advice: advice(report),
	};
}

// How a base is read and written here: a word of Access, which is Access.NONE for an invalid segment.
function baseAccess(segment) {
	return result(List.ACCESS, C.baseAccess(u32(segment)));
}

// Returns a base of the calling thread, as a BigInt.
function getBase(segment) {
	const base = [null];
	succeed('fsgs_get_base', C.getBase(u32(segment), base));
	return BigInt(base[0]);
}

// Writes a base of the calling thread. FS is the C library's: leave it alone.
function setBase(segment, base) {
	succeed('fsgs_set_base', C.setBase(u32(segment), u64(base)));
}

// Writes a base only if the segment has another base. Cheaper than setBase() if the two are often equal.
function ensureBase(segment, base) {
	succeed('fsgs_ensure_base', C.ensureBase(u32(segment), u64(base)));
}

module.exports = {
	Check, Segment, List, Verdict, Finding, Outcome, Insn, Access, Proof,
	check, baseAccess, getBase, setBase, ensureBase,
	usable: () => C.usable() === 1, // cached until refresh()
	refresh: () => C.refresh() === 1, // checks again, after a resume, a migration or a restore
	describe: (list, value) => C.describe(u32(list), u32(value)),
	version: () => C.version(),
};
