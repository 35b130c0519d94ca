-- SPDX-License-Identifier: MIT
-- Makes checks in many threads, each with a Lua state and a garbage collector of its own. Then prints facts, which
-- tests/live/ffi.py compares. With the argument "facts" it only prints the facts.
local ffi = require 'ffi'
local fsgscheck = require 'fsgscheck'

local THREADS, CHECKS = 8, 50

ffi.cdef [[
typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void luaL_openlibs(lua_State *L);
int luaL_loadstring(lua_State *L, const char *text);
int lua_pcall(lua_State *L, int arguments, int results, int handler);
ptrdiff_t lua_tointeger(lua_State *L, int index);
const char *lua_tolstring(lua_State *L, int index, size_t *length);
void lua_settop(lua_State *L, int index);
void lua_pushinteger(lua_State *L, ptrdiff_t number);
void lua_pushstring(lua_State *L, const char *text);
void lua_close(lua_State *L);
int pthread_create(unsigned long *thread, void *attributes, void *start, void *argument);
int pthread_join(unsigned long thread, void **result);
]]

-- Runs in a Lua state of its own. Returns the address of the function that the thread starts with.
local worker = [[
local number, expected, checks = ...
local ffi = require 'ffi'
local fsgscheck = require 'fsgscheck'
jit.off() -- a callback must not be entered from compiled code

local function work()
	local marker = 0x1000ULL * number
	local before = assert(fsgscheck.get_base(fsgscheck.GS))
	assert(fsgscheck.set_base(fsgscheck.GS, marker))
	for i = 1, checks do
		local garbage = {}
		for j = 1, 100 do garbage[j] = { garbage } end
		local report = assert(fsgscheck.check(i % 10 == 0 and fsgscheck.CONTEXT or 0))
		if report.verdict == expected and fsgscheck.get_base(fsgscheck.GS) == marker then
			agreed = agreed + 1
		end
		if i % 10 == 0 then collectgarbage() end
	end
	assert(fsgscheck.set_base(fsgscheck.GS, before))
end

agreed = 0
start = ffi.cast('void *(*)(void *)', function() pcall(work) return nil end)
return tonumber(ffi.cast('intptr_t', start))
]]

local function succeed(L, status)
	if status ~= 0 then
		error(ffi.string(ffi.C.lua_tolstring(L, -1, nil)))
	end
end

local function begin(number, expected)
	local L = ffi.C.luaL_newstate()
	ffi.C.luaL_openlibs(L)
	succeed(L, ffi.C.luaL_loadstring(L, worker))
	ffi.C.lua_pushinteger(L, number)
	ffi.C.lua_pushstring(L, expected)
	ffi.C.lua_pushinteger(L, CHECKS)
	succeed(L, ffi.C.lua_pcall(L, 3, 1, 0))
	local thread = ffi.new 'unsigned long[1]'
	local start = ffi.cast('void *', ffi.cast('intptr_t', ffi.C.lua_tointeger(L, -1)))
	assert(ffi.C.pthread_create(thread, nil, start, nil) == 0)
	return { L = L, thread = thread[0] }
end

local function finish(one)
	assert(ffi.C.pthread_join(one.thread, nil) == 0)
	succeed(one.L, ffi.C.luaL_loadstring(one.L, 'return agreed'))
	succeed(one.L, ffi.C.lua_pcall(one.L, 0, 1, 0))
	local agreed = tonumber(ffi.C.lua_tointeger(one.L, -1))
	ffi.C.lua_close(one.L)
	return agreed
end

local report = assert(fsgscheck.check(fsgscheck.CONTEXT))
if arg[1] ~= 'facts' then
	local running, agreed = {}, 0
	for i = 1, THREADS do running[i] = begin(i, report.verdict) end
	for i = 1, THREADS do agreed = agreed + finish(running[i]) end
	print('threads', agreed .. ' of ' .. THREADS * CHECKS)
end

print('error.check', (select(3, fsgscheck.check(bit.lshift(1, 30)))))
print('error.set_base', (select(3, fsgscheck.set_base(fsgscheck.GS, bit.lshift(1ULL, 63)))))
print('error.ensure_base', (select(3, fsgscheck.ensure_base(fsgscheck.GS, bit.lshift(1ULL, 63)))))
local calls = {
	{ fsgscheck.check, 2 ^ 32 }, { fsgscheck.set_base, fsgscheck.GS, 2 ^ 64 }, { fsgscheck.set_base, fsgscheck.GS, 0.5 },
	{ fsgscheck.set_base, fsgscheck.GS, -1 }, { fsgscheck.ensure_base, fsgscheck.GS, 2 ^ 64 },
	{ fsgscheck.set_base, 2 ^ 32, 0 }, { fsgscheck.get_base, 2 ^ 32 }, { fsgscheck.base_access, 2 ^ 32 },
}
local refused = 0
for _, call in ipairs(calls) do
	if not pcall(unpack(call)) then refused = refused + 1 end
end
print('refused', refused .. ' of ' .. #calls)
assert(fsgscheck.name(99, 0) == nil and fsgscheck.name(fsgscheck.FINDING, 99) == nil)

local before = assert(fsgscheck.get_base(fsgscheck.GS))
assert(fsgscheck.ensure_base(fsgscheck.GS, 0x7000))
print('ensured', '0x' .. bit.tohex(assert(fsgscheck.get_base(fsgscheck.GS)), 4))
assert(fsgscheck.ensure_base(fsgscheck.GS, before))
print('verdict', report.verdict)
print('proof', report.proof)
print('findings', table.concat(report.findings, ','))
print('bits', '0x' .. bit.tohex(report.raw.findings):gsub('^0+(%x)', '%1'))
print('reason', report.reason)
print('library', fsgscheck.version())
print('cpuid.vendor', report.vendor)
print('kernel.release', report.kernel)
print('cpuid.fsgsbase', report.cpuid)
print('hwcap2.fsgsbase', report.hwcap2)
for _, segment in ipairs { 'fs', 'gs' } do
	print(segment, report.verdicts[segment])
	print('access.' .. segment, report.access[segment])
	print('base_access.' .. segment, fsgscheck.base_access(fsgscheck[segment:upper()]))
end
for insn, outcome in pairs(report.outcomes) do print('trial.' .. insn, outcome) end
for _, step in ipairs(report.advice) do print('advice', step) end
print('usable', fsgscheck.usable())
fsgscheck.refresh()
print('refreshed', fsgscheck.usable())

for _, list in ipairs { 'VERDICT', 'FINDING', 'OUTCOME', 'INSN', 'ACCESS', 'PROOF' } do
	print('constant', 'FSGS_LIST_' .. list .. ' ' .. fsgscheck[list])
	for value, name in pairs(fsgscheck.names(fsgscheck[list])) do
		print('name', list:lower() .. ' ' .. value .. ' ' .. name)
	end
end
for _, flag in ipairs { 'NO_TRIAL', 'CONTEXT', 'ALL_CPUS', 'SURVIVAL' } do
	print('constant', 'FSGS_CHECK_' .. flag .. ' ' .. fsgscheck[flag])
end
for _, segment in ipairs { 'FS', 'GS' } do
	print('constant', 'FSGS_SEGMENT_' .. segment .. ' ' .. fsgscheck[segment])
end
for field in pairs(report.raw) do print('field', field) end
