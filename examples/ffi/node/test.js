// SPDX-License-Identifier: MIT
// Checks from many worker threads under the garbage collector, then prints facts for tests/ffi/ffi.py to
// compare. Run with --expose-gc.
'use strict';

const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const koffi = require('koffi');
const fsgscheck = require('./fsgscheck');

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

function errnoOf(call) {
	try {
		call();
	} catch (error) {
		return -error.errno;
	}
	return 0;
}

function facts(report) {
	console.log(`verdict ${report.verdict}`);
	console.log(`proof ${report.proof}`);
	console.log(`findings ${report.findings}`);
	console.log(`reason ${report.reason}`);
	console.log(`library ${fsgscheck.version()}`);
	console.log(`cpuid.vendor ${report.vendor}`);
	console.log(`kernel.release ${report.kernel}`);
	console.log(`cpuid.fsgsbase ${report.cpuid}`);
	console.log(`hwcap2.fsgsbase ${report.hwcap2}`);
	for (const segment of ['fs', 'gs']) {
		console.log(`${segment} ${report.verdicts[segment]}`);
		console.log(`access.${segment} ${report.access[segment]}`);
	}
	for (const [insn, outcome] of Object.entries(report.outcomes))
		console.log(`trial.${insn} ${outcome}`);
	for (const step of report.advice)
		console.log(`advice ${step}`);
}

function copies() {
	for (const list of ['Verdict', 'Finding', 'Outcome', 'Insn', 'Access', 'Proof'])
		Object.keys(fsgscheck[list]).forEach((key, value) => console.log(`name ${list.toLowerCase()} ${value} ${key}`));
	for (const [prefix, numbers] of [['CHECK', Check], ['SEGMENT', Segment], ['LIST', List]])
		for (const [key, value] of Object.entries(numbers))
			console.log(`constant FSGS_${prefix}_${key} ${value}`);
	for (const field of Object.keys(koffi.introspect(fsgscheck.layout).members))
		console.log(`layout ${field} ${koffi.offsetof(fsgscheck.layout, field)}`);
	console.log(`layout sizeof ${koffi.sizeof(fsgscheck.layout)}`);
}

async function main() {
	const report = fsgscheck.check(Check.CONTEXT);
	const workers = Array.from({ length: WORKERS }, (_, number) => new Promise((resolve, reject) => {
		const worker = new Worker(__filename, { workerData: { number, expected: report.verdict } });
		worker.on('message', resolve);
		worker.on('error', reject);
	}));
	const agreed = (await Promise.all(workers)).reduce((sum, n) => sum + n, 0);

	console.log(`threads ${agreed} of ${WORKERS * CHECKS}`);
	console.log(`error.check ${errnoOf(() => fsgscheck.check(0x80000000))}`);
	console.log(`error.set_base ${errnoOf(() => fsgscheck.setBase(Segment.GS, 1n << 63n))}`);
	facts(report);
	copies();
}

if (isMainThread)
	main();
else
	parentPort.postMessage(work(workerData));
