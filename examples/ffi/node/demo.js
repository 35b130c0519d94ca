// SPDX-License-Identifier: MIT
// Prints the verdict and the GS base.
'use strict';

const fsgscheck = require('fsgscheck');

const report = fsgscheck.check(fsgscheck.Check.CONTEXT);
console.log(`${report.verdict}: ${report.reason}`);
console.log(`GS base 0x${fsgscheck.getBase(fsgscheck.Segment.GS).toString(16)}`);
