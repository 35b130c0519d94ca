-- SPDX-License-Identifier: MIT
-- The tests of the binding: luarocks test
local fsgscheck = require 'fsgscheck'

local report = assert(fsgscheck.check())
assert(report.reason ~= '')
assert((report.verdict == 'usable') == fsgscheck.usable())

local nothing, message, errno = fsgscheck.check(2 ^ 31)
assert(nothing == nil and message and errno == 22)
assert(not pcall(fsgscheck.set_base, fsgscheck.GS, 2 ^ 64))

for _, segment in ipairs { fsgscheck.FS, fsgscheck.GS } do
	assert(fsgscheck.get_base(segment))
end
assert(fsgscheck.version():match '^%d+' == fsgscheck._VERSION:match '^%d+')
print 'ok'
