-- SPDX-License-Identifier: MIT
--- Can the FSGSBASE instructions really be used here? libfsgscheck by LuaJIT's ffi.
--
--     local fsgscheck = require 'fsgscheck'
--     local report = assert(fsgscheck.check())
--     print(report.verdict, report.reason)
--
-- Results are the library's own words, as strings. A function that fails returns nil, a message and the errno. A number
-- that does not fit into the library's type raises an error.
-- @module fsgscheck
local ffi = require 'ffi'
local bit = require 'bit'

ffi.cdef [[
struct fsgs_field {
	uint32_t type, offset, width, count, stride, list, index, reserved;
};

int fsgs_check(void *report, size_t size, uint32_t flags);
int fsgs_usable(void);
int fsgs_refresh(void);
size_t fsgs_report_size(void);
const char *fsgs_report_field(uint32_t number, struct fsgs_field *field, size_t size);
const char *fsgs_name(uint32_t list, uint32_t value);
const char *fsgs_describe(uint32_t list, uint32_t value);
const char *fsgs_reason(const void *report, size_t size);
const char *fsgs_advice(const void *report, size_t size, uint32_t step);
uint32_t fsgs_base_access(uint32_t segment);
int fsgs_get_base(uint32_t segment, uint64_t *base);
int fsgs_set_base(uint32_t segment, uint64_t base);
int fsgs_ensure_base(uint32_t segment, uint64_t base);
const char *fsgs_version_string(void);

char *strerror(int error);
]]

-- The library's version. Its first number is part of the soname.
local VERSION = '1.0.0'

local function load()
	local soname = 'libfsgscheck.so.' .. VERSION:match '^%d+'
	local loaded, library = pcall(ffi.load, soname)
	if not loaded then
		error(soname .. ' cannot be loaded: ' .. library .. [[

Build and install it in the source tree of libfsgscheck:
    meson setup build -Dtests=disabled && sudo meson install -C build && sudo ldconfig
For a folder that the loader does not search, set LD_LIBRARY_PATH.]], 0)
	end
	return library
end

local C = load()
local size = C.fsgs_report_size()

local M = {
	_VERSION = VERSION,
	-- enum fsgs_check_flag
	NO_TRIAL = 1, CONTEXT = 2, ALL_CPUS = 4, SURVIVAL = 8,
	-- enum fsgs_segment
	FS = 0, GS = 1,
	-- enum fsgs_list
	VERDICT = 1, FINDING = 2, OUTCOME = 3, INSN = 4, ACCESS = 5, PROOF = 6,
}

-- By enum fsgs_answer; nil if the source was not queried or did not answer.
local answers = { [0] = nil, [1] = false, [2] = true }

-- What a function returns for a status of the library: the value, or nil, a message and the errno.
local function given(status, value)
	if status ~= 0 then
		return nil, ffi.string(ffi.C.strerror(-status)), -status
	end
	return value
end

-- Checks the range, because ffi would truncate: a segment of 2^32 would become FS. A uint64_t always fits a base.
local function fit(number, bits)
	if ffi.istype('uint64_t', number) and bits == 64 then
		return number
	end
	if type(number) ~= 'number' or number % 1 ~= 0 or number < 0 or number >= 2 ^ bits then
		error(tostring(number) .. ' is not an unsigned number of ' .. bits .. ' bits', 3)
	end
	return number
end

--- The word for a number of a list; nil when the library does not know it.
-- @param list VERDICT, FINDING, OUTCOME, INSN, ACCESS or PROOF
-- @param value a number
-- @return a string, or nil
function M.name(list, value)
	local name = C.fsgs_name(list, value)
	return name ~= nil and ffi.string(name) or nil
end

-- The word for a result. A number that the library does not know counts as 0, which claims the least.
local function result(list, value)
	return M.name(list, value) or M.name(list, 0)
end

--- All words of a list; the key is the number.
-- @param list VERDICT, FINDING, OUTCOME, INSN, ACCESS or PROOF
-- @return a table of strings
function M.names(list)
	local names, value = {}, 0
	while C.fsgs_name(list, value) ~= nil do
		names[value] = M.name(list, value)
		value = value + 1
	end
	return names
end

--- The sentence that explains a number of a list.
-- @param list VERDICT, FINDING, OUTCOME, INSN, ACCESS or PROOF
-- @param value a number
-- @return a string, or nil
function M.describe(list, value)
	local text = C.fsgs_describe(list, value)
	return text ~= nil and ffi.string(text) or nil
end

local types = { 'uint32_t *', 'int32_t *', 'uint32_t *', 'char *' }

-- Every field of the report by its name: text, a number, or a table with the numbers of its elements as keys.
local function read(buffer)
	local raw, field = {}, ffi.new 'struct fsgs_field'
	for number = 0, math.huge do
		local name = C.fsgs_report_field(number, field, ffi.sizeof(field))
		if name == nil then
			return raw
		end
		local at, values = buffer + field.offset, {}
		for i = 0, field.count - 1 do
			local kind = field.width == 8 and 'uint64_t *' or types[field.type]
			values[i] = ffi.cast(kind, at + i * field.stride)[0]
		end
		raw[ffi.string(name)] = field.type == 4 and ffi.string(at) or field.index == 0 and values[0] or values
	end
end

--- Collects evidence and decides. No verdict is an error, not even `broken`.
-- The report has the words `verdict`, `proof`, `verdicts.fs`, `verdicts.gs`, `access.fs` and `access.gs`; the table
-- `outcomes`, with a word for the name of each instruction; the lists `findings` and `advice`; the answers `cpuid` and
-- `hwcap2` (nil if unknown); the texts `vendor`, `kernel` and `reason`. `raw` has every field of the report, also findings
-- without a name.
-- @param[opt] flags the sum of NO\_TRIAL, CONTEXT, ALL\_CPUS and SURVIVAL
-- @return a report, or nil, a message and the errno
function M.check(flags)
	local buffer = ffi.new('char[?]', size)
	local status = C.fsgs_check(buffer, size, fit(flags or 0, 32))
	if status ~= 0 then
		return given(status)
	end
	local raw = read(buffer)
	local report = {
		raw = raw,
		verdict = result(M.VERDICT, raw.verdict),
		proof = result(M.PROOF, raw.proof),
		verdicts = { fs = result(M.VERDICT, raw.verdicts[M.FS]), gs = result(M.VERDICT, raw.verdicts[M.GS]) },
		access = { fs = result(M.ACCESS, raw.access[M.FS]), gs = result(M.ACCESS, raw.access[M.GS]) },
		findings = {}, outcomes = {}, advice = {},
		cpuid = answers[raw.cpuid_fsgsbase],
		hwcap2 = answers[raw.hwcap2_fsgsbase],
		vendor = raw.vendor,
		kernel = raw.kernel,
		reason = ffi.string(C.fsgs_reason(buffer, size)),
	}
	for value = 0, 63 do
		if bit.band(bit.rshift(raw.findings, value), 1) ~= 0 then
			report.findings[#report.findings + 1] = M.name(M.FINDING, value)
		end
	end
	for value, name in pairs(M.names(M.INSN)) do
		report.outcomes[name] = result(M.OUTCOME, raw['trials.outcome'][value])
	end
	local step = C.fsgs_advice(buffer, size, 0)
	while step ~= nil do
		report.advice[#report.advice + 1] = ffi.string(step)
		step = C.fsgs_advice(buffer, size, #report.advice)
	end
	return report
end

--- Whether all four instructions may be used by this process; cached until refresh().
-- @return a boolean
function M.usable()
	return C.fsgs_usable() == 1
end

--- Checks again, after a resume, a migration or a restore.
-- @return whether anything changed
function M.refresh()
	return C.fsgs_refresh() == 1
end

--- How a base is read and written here.
-- @param segment FS or GS
-- @return a word; 'none' for an invalid segment
function M.base_access(segment)
	return result(M.ACCESS, C.fsgs_base_access(fit(segment, 32)))
end

--- Reads a base of the calling thread.
-- @param segment FS or GS
-- @return a uint64\_t, or nil, a message and the errno
function M.get_base(segment)
	local base = ffi.new 'uint64_t[1]'
	local status = C.fsgs_get_base(fit(segment, 32), base)
	return given(status, base[0])
end

--- Writes a base of the calling thread. FS is the C library's: leave it alone.
-- @param segment FS or GS
-- @param base a number or a uint64\_t
-- @return true, or nil, a message and the errno
function M.set_base(segment, base)
	return given(C.fsgs_set_base(fit(segment, 32), fit(base, 64)), true)
end

--- Writes a base of the calling thread only if the segment has another base. Cheaper than set_base() if the two
-- are often equal.
-- @param segment FS or GS
-- @param base a number or a uint64\_t
-- @return true, or nil, a message and the errno
function M.ensure_base(segment, base)
	return given(C.fsgs_ensure_base(fit(segment, 32), fit(base, 64)), true)
end

--- The version of the library that is running.
-- @return a string
function M.version()
	return ffi.string(C.fsgs_version_string())
end

return M
