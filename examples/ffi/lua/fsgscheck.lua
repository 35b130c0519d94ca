-- SPDX-License-Identifier: MIT
-- Can the FSGSBASE instructions really be used here? libfsgscheck by LuaJIT's ffi.
--
--   local fsgscheck = require 'fsgscheck'
--   local report = assert(fsgscheck.check(fsgscheck.CONTEXT))
--   print(report.verdict, report.reason)
--
-- Words are the library's own, as strings; functions that can fail give nil, a message and the errno.
local ffi = require 'ffi'
local bit = require 'bit'

ffi.cdef [[
struct fsgs_trial {
	uint32_t outcome, width;
	int32_t signal, code;
};

struct fsgs_report {
	uint32_t verdict, proof, verdicts[2], access[2];
	uint64_t findings;
	uint32_t vantage, mode, cpuid_max_leaf, cpuid_fsgsbase, cpuid_faulting, hwcap2_present,
		hwcap2_fsgsbase, cpuinfo_flag;
	struct fsgs_trial trials[4];
	uint32_t refusal;
	int32_t refusal_error;
	uint32_t canonical_check, survival_tried, survival_lost, fallback[2];
	int32_t fallback_error[2];
	uint32_t signs, kernel_version, cpus_checked, cpus_differ, samples_differ, cr4_write, cr4_sticks,
		cleared[4], family, model, stepping, hypervisor_build, hypervisor_version, reserved;
	char vendor[16], brand[56], hypervisor[16], kernel[72];
	uint32_t ring0[4];
};

int fsgs_check(struct fsgs_report *report, size_t size, uint32_t flags);
int fsgs_usable(void);
void fsgs_refresh(void);
const char *fsgs_name(uint32_t list, uint32_t value);
const char *fsgs_describe(uint32_t list, uint32_t value);
const char *fsgs_reason(const struct fsgs_report *report, size_t size);
const char *fsgs_advice(const struct fsgs_report *report, size_t size, uint32_t step);
int fsgs_get_base(uint32_t segment, uint64_t *base);
int fsgs_set_base(uint32_t segment, uint64_t base);
const char *fsgs_version_string(void);

char *strerror(int error);
]]

local C = ffi.load 'libfsgscheck.so.0'
local size = ffi.sizeof 'struct fsgs_report'

local M = {
	-- enum fsgs_check_flag
	NO_TRIAL = 1, CONTEXT = 2, ALL_CPUS = 4, SURVIVAL = 8,
	-- enum fsgs_segment
	FS = 0, GS = 1,
	-- enum fsgs_list
	VERDICT = 0, FINDING = 1, OUTCOME = 2, INSN = 3, ACCESS = 4, PROOF = 5,
}

local answers = { [0] = nil, [1] = false, [2] = true }

local function failed(error)
	return nil, ffi.string(ffi.C.strerror(-error)), -error
end

-- The word for a number; one that the library does not know becomes the first of its list.
function M.name(list, value)
	local name = C.fsgs_name(list, value)
	return ffi.string(name ~= nil and name or C.fsgs_name(list, 0))
end

-- All words of a list; the key is the number.
function M.names(list)
	local names, value = {}, 0
	while C.fsgs_name(list, value) ~= nil do
		names[value] = M.name(list, value)
		value = value + 1
	end
	return names
end

-- The sentence that explains a number of a list.
function M.describe(list, value)
	local text = C.fsgs_describe(list, value)
	return text ~= nil and ffi.string(text) or nil
end

function M.check(flags)
	local raw = ffi.new 'struct fsgs_report'
	local error = C.fsgs_check(raw, size, flags or 0)
	if error ~= 0 then
		return failed(error)
	end
	local report = {
		raw = raw,
		verdict = M.name(M.VERDICT, raw.verdict),
		proof = M.name(M.PROOF, raw.proof),
		verdicts = { fs = M.name(M.VERDICT, raw.verdicts[M.FS]), gs = M.name(M.VERDICT, raw.verdicts[M.GS]) },
		access = { fs = M.name(M.ACCESS, raw.access[M.FS]), gs = M.name(M.ACCESS, raw.access[M.GS]) },
		findings = {}, outcomes = {}, advice = {},
		cpuid = answers[raw.cpuid_fsgsbase],
		hwcap2 = answers[raw.hwcap2_fsgsbase],
		vendor = ffi.string(raw.vendor),
		kernel = ffi.string(raw.kernel),
		reason = ffi.string(C.fsgs_reason(raw, size)),
	}
	for value, name in pairs(M.names(M.FINDING)) do
		if bit.band(bit.rshift(raw.findings, value), 1) ~= 0 then
			report.findings[#report.findings + 1] = name
		end
	end
	for value, name in pairs(M.names(M.INSN)) do
		report.outcomes[name] = M.name(M.OUTCOME, raw.trials[value].outcome)
	end
	local step = C.fsgs_advice(raw, size, 0)
	while step ~= nil do
		report.advice[#report.advice + 1] = ffi.string(step)
		step = C.fsgs_advice(raw, size, #report.advice)
	end
	return report
end

-- Cached until refresh().
function M.usable()
	return C.fsgs_usable() == 1
end

-- After a resume, a migration, a restore.
function M.refresh()
	C.fsgs_refresh()
end

-- A base of the calling thread, as a 64-bit number.
function M.get_base(segment)
	local base = ffi.new 'uint64_t[1]'
	local error = C.fsgs_get_base(segment, base)
	if error ~= 0 then
		return failed(error)
	end
	return base[0]
end

function M.set_base(segment, base)
	local error = C.fsgs_set_base(segment, base)
	if error ~= 0 then
		return failed(error)
	end
	return true
end

function M.version()
	return ffi.string(C.fsgs_version_string())
end

return M
