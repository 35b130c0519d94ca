// SPDX-License-Identifier: MIT
// Makes checks in many worker threads while the garbage collector runs. Then prints facts, which tests/live/ffi.py
// compares. Run with --expose-gc. With the argument "facts" it only prints the facts.
'use strict';

const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const os = require('os');
const fsgscheck = require('fsgscheck');

const { Check, Segment, List } = fsgscheck;
const WORKERS = 8;
const CHECKS = 50;

function work({ number, expected }) {
	const marker = BigInt(0x1000 * (number + 1));
	const before = fsgscheck.getBase(Segment.GS);
	let agreed = 0;

	fsgscheck.setBase(Segment.GS, marker);
	for (let i = 0; i < CHECKS; i++) {
		const garbage = Array.from({ length: 1000 }, () => ({}));
		const report = fsgscheck.check(i % 10 === 0 ? Check.CONTEXT : 0);
		if (report.verdict === expected && fsgscheck.getBase(Segment.GS) === marker && garbage.length)
			agreed++;
		if (i % 10 === 0)
			globalThis.gc();
	}
	fsgscheck.setBase(Segment.GS, before);
	return agreed;
}

function thrown(call) {
	try {
		call();
	} catch (error) {
		return error;
	}
	return {};
}

// Prints the errno of each call that fails: its error must be like Node's own errors, with a code and a negative errno.
function errors() {
	const calls = {
		check: () => fsgscheck.check(0x80000000),
		set_base: () => fsgscheck.setBase(Segment.GS, 1n << 63n),
		ensure_base: () => fsgscheck.ensureBase(Segment.GS, 1n << 63n),
	};
	for (const [name, call] of Object.entries(calls)) {
		const { code, errno } = thrown(call);
		console.log(`error.${name} ${os.constants.errno[code] === -errno ? -errno : code}`);
	}
	const refused = [
		[RangeError, () => fsgscheck.check(2 ** 32)], [TypeError, () => fsgscheck.check(0.5)],
		[RangeError, () => fsgscheck.setBase(Segment.GS, 1n << 64n)], [RangeError, () => fsgscheck.setBase(Segment.GS, -1n)],
		[TypeError, () => fsgscheck.setBase(Segment.GS, 0.5)], [TypeError, () => fsgscheck.setBase(Segment.GS, 2 ** 64)],
		[RangeError, () => fsgscheck.ensureBase(Segment.GS, 1n << 64n)],
		[RangeError, () => fsgscheck.setBase(2 ** 32, 0n)], [RangeError, () => fsgscheck.getBase(2 ** 32)],
		[RangeError, () => fsgscheck.baseAccess(2 ** 32)],
	];
	console.log(`refused ${refused.filter(([type, call]) => thrown(call) instanceof type).length} of ${refused.length}`);
}

function ensure() {
	const before = fsgscheck.getBase(Segment.GS);
	fsgscheck.ensureBase(Segment.GS, 0x7000);
	console.log(`ensured 0x${fsgscheck.getBase(Segment.GS).toString(16)}`);
	fsgscheck.ensureBase(Segment.GS, before);
}

function facts(report) {
	console.log(`verdict ${report.verdict}`);
	console.log(`proof ${report.proof}`);
	console.log(`findings ${report.findings}`);
	console.log(`bits 0x${BigInt(report.raw.findings).toString(16)}`);
	console.log(`reason ${report.reason}`);
	console.log(`library ${fsgscheck.version()}`);
	console.log(`cpuid.vendor ${report.vendor}`);
	console.log(`kernel.release ${report.kernel}`);
	console.log(`cpuid.fsgsbase ${report.cpuid}`);
	console.log(`hwcap2.fsgsbase ${report.hwcap2}`);
	for (const segment of ['fs', 'gs']) {
		console.log(`${segment} ${report.verdicts[segment]}`);
		console.log(`access.${segment} ${report.access[segment]}`);
		console.log(`base_access.${segment} ${fsgscheck.baseAccess(Segment[segment.toUpperCase()])}`);
	}
	for (const [insn, outcome] of Object.entries(report.outcomes))
		console.log(`trial.${insn} ${outcome}`);
	for (const step of report.advice)
		console.log(`advice ${step}`);
	console.log(`usable ${fsgscheck.usable()}`);
	fsgscheck.refresh();
	console.log(`refreshed ${fsgscheck.usable()}`);
}

function copies(report) {
	for (const list of ['Verdict', 'Finding', 'Outcome', 'Insn', 'Access', 'Proof'])
		Object.keys(fsgscheck[list]).forEach((key, value) => console.log(`name ${list.toLowerCase()} ${value} ${key}`));
	for (const [prefix, numbers] of [['CHECK', Check], ['SEGMENT', Segment], ['LIST', List]])
		for (const [key, value] of Object.entries(numbers))
			console.log(`constant FSGS_${prefix}_${key} ${value}`);
	for (const field of Object.keys(report.raw))
		console.log(`field ${field}`);
}

async function threads(expected) {
	const workers = Array.from({ length: WORKERS }, (_, number) => new Promise((resolve, reject) => {
		const worker = new Worker(__filename, { workerData: { number, expected } });
		worker.on('message', resolve);
		worker.on('error', reject);
	}));
	const agreed = (await Promise.all(workers)).reduce((sum, n) => sum + n, 0);

	console.log(`threads ${agreed} of ${WORKERS * CHECKS}`);
}

async function main() {
	const report = fsgscheck.check(Check.CONTEXT);

	if (process.argv[2] !== 'facts')
		await threads(report.verdict);
	errors();
	ensure();
	facts(report);
	copies(report);
}

if (isMainThread)
	main();
else
	parentPort.postMessage(work(workerData));
