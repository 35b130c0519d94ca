# SPDX-License-Identifier: MIT
"""Can the FSGSBASE instructions really be used here? libfsgscheck by ctypes.

    >>> report = fsgscheck.check(fsgscheck.Check.CONTEXT)
    >>> report.verdict is fsgscheck.Verdict.USABLE
    True
    >>> hex(fsgscheck.get_base(fsgscheck.Segment.GS))
    '0x0'

The enumerations of results (Verdict, Finding, Outcome, Insn, Access, Proof) are made from the library's own names when
the module is loaded. Calls release the interpreter lock, and any number of threads may make them at once. A call that
the library refuses raises OSError. An argument that does not fit into the library's type raises OverflowError.
"""

import ctypes
import enum
import operator
import os
import sys

# The library's version. Its first number is part of the soname.
__version__ = '1.0.0'


def _load():
    soname = 'libfsgscheck.so.' + __version__.partition('.')[0]
    try:
        return ctypes.CDLL(soname)
    except OSError as error:
        raise ImportError(f'''{soname} cannot be loaded: {error}
Build and install it in the source tree of libfsgscheck:
    meson setup build -Dtests=disabled && sudo meson install -C build && sudo ldconfig
For a folder that the loader does not search, set LD_LIBRARY_PATH.''') from error


_library = _load()
for _text in ('name', 'describe', 'reason', 'advice', 'version_string', 'report_field'):
    getattr(_library, f'fsgs_{_text}').restype = ctypes.c_char_p
_library.fsgs_report_size.restype = ctypes.c_size_t
_library.fsgs_base_access.restype = ctypes.c_uint32
_library.fsgs_check.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32]
_library.fsgs_reason.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_library.fsgs_advice.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32]
_library.fsgs_report_field.argtypes = [ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t]
_library.fsgs_base_access.argtypes = [ctypes.c_uint32]
_library.fsgs_get_base.argtypes = [ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)]
_library.fsgs_set_base.argtypes = [ctypes.c_uint32, ctypes.c_uint64]
_library.fsgs_ensure_base.argtypes = [ctypes.c_uint32, ctypes.c_uint64]


class Check(enum.IntFlag):
    """The flags of check(): enum fsgs_check_flag."""
    NO_TRIAL = 1
    CONTEXT = 2
    ALL_CPUS = 4
    SURVIVAL = 8


class Segment(enum.IntEnum):
    """The two segments that have a base: enum fsgs_segment."""
    FS = 0
    GS = 1


class List(enum.IntEnum):
    """The lists of names, as in enum fsgs_list."""
    VERDICT = 1
    FINDING = 2
    OUTCOME = 3
    INSN = 4
    ACCESS = 5
    PROOF = 6


class _Word(enum.IntEnum):
    """A number that has a name in the library; str() gives the name."""

    def __str__(self):
        return _library.fsgs_name(self._LIST, self).decode()

    @property
    def text(self):
        """The sentence that explains the number."""
        return _library.fsgs_describe(self._LIST, self).decode()


class _Result(_Word):
    """An enumeration in which 0 claims the least. A number without a name counts as 0."""

    @classmethod
    def _missing_(cls, value):
        return cls(0)


def _words(base, title, which):
    words = {}
    while name := _library.fsgs_name(which, len(words)):
        words[name.decode().upper().replace('-', '_')] = len(words)
    result = base(title, words)
    result._LIST = which
    return result


Verdict = _words(_Result, 'Verdict', List.VERDICT)
Finding = _words(_Word, 'Finding', List.FINDING)
Outcome = _words(_Result, 'Outcome', List.OUTCOME)
Insn = _words(_Word, 'Insn', List.INSN)
Access = _words(_Result, 'Access', List.ACCESS)
Proof = _words(_Result, 'Proof', List.PROOF)
_ANSWERS = {0: None, 1: False, 2: True}


class _Field(ctypes.Structure):
    """struct fsgs_field."""
    _fields_ = [(name, ctypes.c_uint32)
                for name in ('type', 'offset', 'width', 'count', 'stride', 'list', 'index', 'reserved')]

    def read(self, report):
        """The value of this field: text, a number, or a list of numbers."""
        if self.type == 4:
            return report[self.offset:self.offset + self.width].partition(b'\0')[0].decode(errors='replace')
        starts = range(self.offset, self.offset + self.count * self.stride, self.stride)
        numbers = [int.from_bytes(report[at:at + self.width], sys.byteorder, signed=self.type == 2) for at in starts]
        return numbers if self.index else numbers[0]


def _fields():
    fields = {}
    while name := _library.fsgs_report_field(len(fields), ctypes.byref(field := _Field()), ctypes.sizeof(_Field)):
        fields[name.decode()] = field
    return fields


class Report:
    """The result of one check: the decision and the evidence. `raw` has every field of the report, by its name."""

    def __init__(self, report):
        self._report = report
        self.raw = raw = {name: field.read(report.raw) for name, field in _fields().items()}
        self.verdict = Verdict(raw['verdict'])
        self.verdicts = {segment: Verdict(raw['verdicts'][segment]) for segment in Segment}
        self.access = {segment: Access(raw['access'][segment]) for segment in Segment}
        self.proof = Proof(raw['proof'])
        self.findings = [finding for finding in Finding if raw['findings'] >> finding & 1]
        self.outcomes = {insn: Outcome(raw['trials.outcome'][insn]) for insn in Insn}
        self.cpuid = _ANSWERS.get(raw['cpuid_fsgsbase'])
        self.hwcap2 = _ANSWERS.get(raw['hwcap2_fsgsbase'])
        self.vendor = raw['vendor']
        self.kernel = raw['kernel']

    @property
    def reason(self):
        """The reason for the verdict, in one or two sentences."""
        return _library.fsgs_reason(self._report, len(self._report)).decode()

    @property
    def advice(self):
        """The steps of the advice, cheapest first; empty on a healthy machine."""
        steps = []
        while step := _library.fsgs_advice(self._report, len(self._report), len(steps)):
            steps.append(step.decode())
        return steps


def _raise(error):
    if error:
        raise OSError(-error, os.strerror(-error))


def _fit(value, bits):
    """Checks the range, because ctypes would truncate: a base of 1 << 64 would become 0, and a segment of 1 << 32 would
    become FS."""
    value = operator.index(value)
    if not 0 <= value < 1 << bits:
        raise OverflowError(f'{value} is not an unsigned number of {bits} bits')
    return value


def check(flags=0):
    """Collect evidence and decide. No verdict raises an exception, not even BROKEN."""
    report = ctypes.create_string_buffer(_library.fsgs_report_size())
    _raise(_library.fsgs_check(report, len(report), _fit(flags, 32)))
    return Report(report)


def usable():
    """Whether all four instructions may be used by this process; cached until refresh()."""
    return bool(_library.fsgs_usable())


def refresh():
    """Check again, after a resume, a migration or a restore. Returns whether anything changed."""
    return bool(_library.fsgs_refresh())


def base_access(segment):
    """How the base of a segment is read and written here; Access.NONE for an invalid segment."""
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
    """Write a base only if the segment has another base. Cheaper than set_base() if the two are often equal."""
    _raise(_library.fsgs_ensure_base(_fit(segment, 32), _fit(base, 64)))


def version():
    """The version of the library that is running."""
    return _library.fsgs_version_string().decode()
