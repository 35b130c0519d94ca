-- SPDX-License-Identifier: MIT
rockspec_format = '3.0'
package = 'fsgscheck'
version = '1.0.0-1'
source = {
	-- The address of your copy of the tree; `luarocks make` reads this folder instead.
	url = 'git+https://example.org/libfsgscheck.git',
	tag = 'v1.0.0',
	dir = 'libfsgscheck/examples/ffi/lua',
}
description = {
	summary = 'Can the FSGSBASE instructions really be used here?',
	detailed = "libfsgscheck by LuaJIT's ffi.",
	license = 'MIT',
}
supported_platforms = { 'linux' }
-- The module needs LuaJIT, which implements Lua 5.1.
dependencies = { 'lua == 5.1' }
build = {
	type = 'builtin',
	modules = { fsgscheck = 'fsgscheck.lua' },
}
test = {
	type = 'command',
	command = 'luajit test.lua',
}
