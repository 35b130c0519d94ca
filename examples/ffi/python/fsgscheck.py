# SPDX-License-Identifier: MIT
"""Can the FSGSBASE instructions really be used here? libfsgscheck by ctypes.

    >>> report = fsgscheck.check(fsgscheck.Check.CONTEXT)
    >>> report.verdict is fsgscheck.Verdict.USABLE
    True
    >>> hex(fsgscheck.get_base(fsgscheck.Segment.GS))
    '0x0'

The enumerations of results are made from the library's own names when the module is loaded. Calls release the
interpreter lock; any number of threads may make them. What the library refuses raises OSError, and an argument that
does not fit into the library's own type OverflowError.
"""

import ctypes
import enum
import operator
import os

_library = ctypes.CDLL('libfsgscheck.so.1')
_library.fsgs_name.restype = ctypes.c_char_p
_library.fsgs_describe.restype = ctypes.c_char_p
_library.fsgs_reason.restype = ctypes.c_char_p
_library.fsgs_advice.restype = ctypes.c_char_p
_library.fsgs_version_string.restype = ctypes.c_char_p
_library.fsgs_check.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32]
_library.fsgs_reason.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_library.fsgs_advice.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32]
_library.fsgs_base_access.restype = ctypes.c_uint32
_library.fsgs_base_access.argtypes = [ctypes.c_uint32]
_library.fsgs_get_base.argtypes = [ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)]
_library.fsgs_set_base.argtypes = [ctypes.c_uint32, ctypes.c_uint64]
_library.fsgs_ensure_base.argtypes = [ctypes.c_uint32, ctypes.c_uint64]


class Check(enum.IntFlag):
    """What a check is asked to do besides the plain one: enum fsgs_check_flag."""
    NO_TRIAL = 1
    CONTEXT = 2
    ALL_CPUS = 4
    SURVIVAL = 8


class Segment(enum.IntEnum):
    """The two segments that have a base: enum fsgs_segment."""
    FS = 0
    GS = 1


class List(enum.IntEnum):
    """The lists of names: the first of enum fsgs_list."""
    VERDICT = 0
    FINDING = 1
    OUTCOME = 2
    INSN = 3
    ACCESS = 4
    PROOF = 5
    ANSWER = 6


class _Word(enum.IntEnum):
    """A number that the library has a name for."""

    def __str__(self):
        return _library.fsgs_name(self.LIST, self).decode()

    @property
    def text(self):
        """The sentence that explains it."""
        return _library.fsgs_describe(self.LIST, self).decode()


class _Result(_Word):
    """One whose 0 says the least: unknown, none, not tried. A number without a name counts as that."""

    @classmethod
    def _missing_(cls, value):
        return cls(0)


def _words(base, title, which):
    words = {}
    while name := _library.fsgs_name(which, len(words)):
        words[name.decode().upper().replace('-', '_')] = len(words)
    result = base(title, words)
    result.LIST = which
    return result


Verdict = _words(_Result, 'Verdict', List.VERDICT)
Finding = _words(_Word, 'Finding', List.FINDING)
Outcome = _words(_Result, 'Outcome', List.OUTCOME)
Insn = _words(_Word, 'Insn', List.INSN)
Access = _words(_Result, 'Access', List.ACCESS)
Proof = _words(_Result, 'Proof', List.PROOF)
_ANSWERS = {0: None, 1: False, 2: True}


class RawTrial(ctypes.Structure):
    """struct fsgs_trial as it is."""
    _fields_ = [('outcome', ctypes.c_uint32), ('width', ctypes.c_uint32), ('signal', ctypes.c_int32),
                ('code', ctypes.c_int32)]


class RawReport(ctypes.Structure):
    """struct fsgs_report as it is."""
    _fields_ = [
        ('verdict', ctypes.c_uint32), ('proof', ctypes.c_uint32), ('verdicts', ctypes.c_uint32 * 2),
        ('access', ctypes.c_uint32 * 2), ('findings', ctypes.c_uint64),
        ('vantage', ctypes.c_uint32), ('mode', ctypes.c_uint32), ('cpuid_max_leaf', ctypes.c_uint32),
        ('cpuid_fsgsbase', ctypes.c_uint32), ('cpuid_faulting', ctypes.c_uint32),
        ('hwcap2_present', ctypes.c_uint32), ('hwcap2_fsgsbase', ctypes.c_uint32),
        ('cpuinfo_flag', ctypes.c_uint32), ('trials', RawTrial * 4),
        ('refusal', ctypes.c_uint32), ('refusal_error', ctypes.c_int32),
        ('canonical_check', ctypes.c_uint32), ('survival_tried', ctypes.c_uint32),
        ('survival_lost', ctypes.c_uint32), ('fallback', ctypes.c_uint32 * 2),
        ('fallback_error', ctypes.c_int32 * 2), ('signs', ctypes.c_uint32),
        ('kernel_version', ctypes.c_uint32), ('cpus_checked', ctypes.c_uint32),
        ('cpus_differ', ctypes.c_uint32), ('samples_differ', ctypes.c_uint32),
        ('cr4_write', ctypes.c_uint32), ('cr4_sticks', ctypes.c_uint32), ('cr4_set', RawTrial * 4),
        ('cr4_cleared', RawTrial * 4),
        ('family', ctypes.c_uint32), ('model', ctypes.c_uint32), ('stepping', ctypes.c_uint32),
        ('hypervisor_present', ctypes.c_uint32), ('hypervisor_build', ctypes.c_uint32), ('hypervisor_version', ctypes.c_uint32),
        ('vendor', ctypes.c_char * 16), ('brand', ctypes.c_char * 56),
        ('hypervisor', ctypes.c_char * 16), ('kernel', ctypes.c_char * 72),
    ]


class Report:
    """One check: what was decided, and the evidence. Bits of findings without a name are in raw.findings."""

    def __init__(self, raw):
        self.raw = raw
        self.verdict = Verdict(raw.verdict)
        self.verdicts = {segment: Verdict(raw.verdicts[segment]) for segment in Segment}
        self.access = {segment: Access(raw.access[segment]) for segment in Segment}
        self.proof = Proof(raw.proof)
        self.findings = [finding for finding in Finding if raw.findings >> finding & 1]
        self.outcomes = {insn: Outcome(raw.trials[insn].outcome) for insn in Insn}
        self.cpuid = _ANSWERS.get(raw.cpuid_fsgsbase)
        self.hwcap2 = _ANSWERS.get(raw.hwcap2_fsgsbase)
        self.vendor = raw.vendor.decode(errors='replace')
        self.kernel = raw.kernel.decode(errors='replace')

    @property
    def reason(self):
        """Why the verdict is what it is, in one sentence."""
        return _library.fsgs_reason(ctypes.byref(self.raw), ctypes.sizeof(self.raw)).decode()

    @property
    def advice(self):
        """What to do, cheapest first; empty on a healthy machine."""
        steps = []
        while step := _library.fsgs_advice(ctypes.byref(self.raw), ctypes.sizeof(self.raw), len(steps)):
            steps.append(step.decode())
        return steps


def _raise(error):
    if error:
        raise OSError(-error, os.strerror(-error))


def _fit(value, bits):
    """ctypes would cut it off: a base of 1 << 64 is not 0, and a segment of 1 << 32 is not FS."""
    value = operator.index(value)
    if not 0 <= value < 1 << bits:
        raise OverflowError(f'{value} is not an unsigned number of {bits} bits')
    return value


def check(flags=Check(0)):
    """Collect evidence and decide. Any verdict can come with success."""
    raw = RawReport()
    _raise(_library.fsgs_check(ctypes.byref(raw), ctypes.sizeof(raw), _fit(flags, 32)))
    return Report(raw)


def usable():
    """Whether all four instructions may be used by this process; cached until refresh()."""
    return bool(_library.fsgs_usable())


def refresh():
    """Look again: after a resume, a migration, a restore."""
    _library.fsgs_refresh()


def base_access(segment):
    """How the base of a segment is read and written here; Access.NONE for what is no segment."""
    return Access(_library.fsgs_base_access(_fit(segment, 32)))


def get_base(segment):
    """The base of a segment in the calling thread."""
    base = ctypes.c_uint64()
    _raise(_library.fsgs_get_base(_fit(segment, 32), ctypes.byref(base)))
    return base.value


def set_base(segment, base):
    """Write the base of a segment in the calling thread. FS is the interpreter's own: leave it alone."""
    _raise(_library.fsgs_set_base(_fit(segment, 32), _fit(base, 64)))


def ensure_base(segment, base):
    """The same, but write only what is not there already: cheaper where it often is."""
    _raise(_library.fsgs_ensure_base(_fit(segment, 32), _fit(base, 64)))


def version():
    """The version of the library that is running."""
    return _library.fsgs_version_string().decode()
