// SPDX-License-Identifier: MIT
// Can the FSGSBASE instructions really be used here? libfsgscheck by koffi.
//
//   const fsgscheck = require('./fsgscheck');
//   const report = fsgscheck.check(fsgscheck.Check.CONTEXT);
//   if (report.verdict === fsgscheck.Verdict.USABLE) ...
//
// Words are the library's own, as strings; the objects that list them are made when the module is loaded.
// Functions throw an Error with the system's code and errno. Workers may call anything at any time.
'use strict';

const koffi = require('koffi');
const os = require('os');

const trial = koffi.struct({ outcome: 'uint32_t', width: 'uint32_t', signal: 'int32_t', code: 'int32_t' });
const report = koffi.struct({
	verdict: 'uint32_t', proof: 'uint32_t', verdicts: koffi.array('uint32_t', 2),
	access: koffi.array('uint32_t', 2), findings: 'uint64_t',
	vantage: 'uint32_t', mode: 'uint32_t', cpuid_max_leaf: 'uint32_t', cpuid_fsgsbase: 'uint32_t',
	cpuid_faulting: 'uint32_t', hwcap2_present: 'uint32_t', hwcap2_fsgsbase: 'uint32_t',
	cpuinfo_flag: 'uint32_t', trials: koffi.array(trial, 4),
	refusal: 'uint32_t', refusal_error: 'int32_t', canonical_check: 'uint32_t', survival_tried: 'uint32_t',
	survival_lost: 'uint32_t', fallback: koffi.array('uint32_t', 2), fallback_error: koffi.array('int32_t', 2),
	signs: 'uint32_t', kernel_version: 'uint32_t', cpus_checked: 'uint32_t', cpus_differ: 'uint32_t',
	samples_differ: 'uint32_t', cr4_write: 'uint32_t', cr4_sticks: 'uint32_t', cleared: koffi.array('uint32_t', 4),
	family: 'uint32_t', model: 'uint32_t', stepping: 'uint32_t', hypervisor_build: 'uint32_t',
	hypervisor_version: 'uint32_t', reserved: 'uint32_t', vendor: koffi.array('char', 16),
	brand: koffi.array('char', 56), hypervisor: koffi.array('char', 16), kernel: koffi.array('char', 72),
	ring0: koffi.array('uint32_t', 4),
});
const size = koffi.sizeof(report);

const library = koffi.load('libfsgscheck.so.0');
const C = {
	check: library.func('fsgs_check', 'int', [koffi.out(koffi.pointer(report)), 'size_t', 'uint32_t']),
	usable: library.func('fsgs_usable', 'int', []),
	refresh: library.func('fsgs_refresh', 'void', []),
	name: library.func('fsgs_name', 'str', ['uint32_t', 'uint32_t']),
	describe: library.func('fsgs_describe', 'str', ['uint32_t', 'uint32_t']),
	reason: library.func('fsgs_reason', 'str', [koffi.pointer(report), 'size_t']),
	advice: library.func('fsgs_advice', 'str', [koffi.pointer(report), 'size_t', 'uint32_t']),
	getBase: library.func('fsgs_get_base', 'int', ['uint32_t', koffi.out(koffi.pointer('uint64_t'))]),
	setBase: library.func('fsgs_set_base', 'int', ['uint32_t', 'uint64_t']),
	version: library.func('fsgs_version_string', 'str', []),
};

// enum fsgs_check_flag, fsgs_segment and fsgs_list.
const Check = Object.freeze({ NO_TRIAL: 1, CONTEXT: 2, ALL_CPUS: 4, SURVIVAL: 8 });
const Segment = Object.freeze({ FS: 0, GS: 1 });
const List = Object.freeze({ VERDICT: 0, FINDING: 1, OUTCOME: 2, INSN: 3, ACCESS: 4, PROOF: 5 });
const answers = [null, false, true];

// The word for a number; one that the library does not know becomes the first of its list.
const name = (list, value) => C.name(list, value) ?? C.name(list, 0);

// {NAME: 'name', ...}, in the order of the numbers.
function words(list) {
	const result = {};
	for (let value = 0, word; (word = C.name(list, value)) !== null; value++)
		result[word.toUpperCase().replaceAll('-', '_')] = word;
	return Object.freeze(result);
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
	const code = Object.keys(os.constants.errno).find((key) => os.constants.errno[key] === -status);
	throw Object.assign(new Error(`${call}: ${code ?? status}`), { code, errno: -status, syscall: call });
}

function advice(raw) {
	const steps = [];
	for (let step; (step = C.advice(raw, size, steps.length)) !== null;)
		steps.push(step);
	return steps;
}

// Collects evidence and decides. Any verdict can come without an exception.
function check(flags = 0) {
	const raw = {};
	succeed('fsgs_check', C.check(raw, size, flags));
	const bits = BigInt(raw.findings);
	return {
		raw,
		verdict: name(List.VERDICT, raw.verdict),
		proof: name(List.PROOF, raw.proof),
		verdicts: { fs: name(List.VERDICT, raw.verdicts[Segment.FS]), gs: name(List.VERDICT, raw.verdicts[Segment.GS]) },
		access: { fs: name(List.ACCESS, raw.access[Segment.FS]), gs: name(List.ACCESS, raw.access[Segment.GS]) },
		findings: Object.values(Finding).filter((_, bit) => bits >> BigInt(bit) & 1n),
		outcomes: Object.fromEntries(Object.values(Insn).map((insn, i) => [insn, name(List.OUTCOME, raw.trials[i].outcome)])),
		cpuid: answers[raw.cpuid_fsgsbase],
		hwcap2: answers[raw.hwcap2_fsgsbase],
		vendor: raw.vendor,
		kernel: raw.kernel,
		reason: C.reason(raw, size),
		advice: advice(raw),
	};
}

// A base of the calling thread, as a BigInt.
function getBase(segment) {
	const base = [null];
	succeed('fsgs_get_base', C.getBase(segment, base));
	return BigInt(base[0]);
}

// FS is the C library's: leave it alone.
function setBase(segment, base) {
	succeed('fsgs_set_base', C.setBase(segment, base));
}

module.exports = {
	Check, Segment, List, Verdict, Finding, Outcome, Insn, Access, Proof,
	check, getBase, setBase,
	usable: () => C.usable() === 1, // cached until refresh()
	refresh: () => C.refresh(), // after a resume, a migration, a restore
	describe: (list, value) => C.describe(list, value),
	version: () => C.version(),
	layout: report,
};
