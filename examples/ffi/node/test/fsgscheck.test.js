// SPDX-License-Identifier: MIT
'use strict';

const assert = require('assert');
const test = require('node:test');
const fsgscheck = require('fsgscheck');
const manifest = require('../package.json');

test('a check decides and says why', () => {
	const report = fsgscheck.check();
	assert.ok(Object.values(fsgscheck.Verdict).includes(report.verdict));
	assert.notStrictEqual(report.reason, '');
	assert.strictEqual(report.verdict === fsgscheck.Verdict.USABLE, fsgscheck.usable());
});

test('an unknown flag is an error', () => {
	assert.throws(() => fsgscheck.check(0x80000000), { code: 'EINVAL', errno: -22 });
});

test('a base that does not fit is refused', () => {
	assert.throws(() => fsgscheck.setBase(fsgscheck.Segment.GS, 1n << 64n), RangeError);
});

test('the bases can be read', () => {
	for (const segment of Object.values(fsgscheck.Segment))
		assert.strictEqual(typeof fsgscheck.getBase(segment), 'bigint');
});

test('the library has the soname of this version', () => {
	assert.strictEqual(fsgscheck.version().split('.')[0], manifest.version.split('.')[0]);
});
