-- SPDX-License-Identifier: MIT
-- Prints the verdict and the GS base.
local fsgscheck = require 'fsgscheck'

local report = assert(fsgscheck.check(fsgscheck.CONTEXT))
print(report.verdict .. ': ' .. report.reason)
print('GS base 0x' .. bit.tohex(assert(fsgscheck.get_base(fsgscheck.GS))):gsub('^0+(%x)', '%1'))
