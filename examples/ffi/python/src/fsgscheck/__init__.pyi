# SPDX-License-Identifier: MIT
# The types, for mypy and editors. A newer library adds members to the enumerations of results.
import enum
from typing import Any, SupportsIndex

__version__: str

class Check(enum.IntFlag):
    NO_TRIAL = 1
    CONTEXT = 2
    ALL_CPUS = 4
    SURVIVAL = 8

class Segment(enum.IntEnum):
    FS = 0
    GS = 1

class List(enum.IntEnum):
    VERDICT = 1
    FINDING = 2
    OUTCOME = 3
    INSN = 4
    ACCESS = 5
    PROOF = 6

# These two classes have no members. mypy 1.12 and later would report that.
class _Word(enum.IntEnum):  # type: ignore[misc]
    @property
    def text(self) -> str: ...

class _Result(_Word): ...  # type: ignore[misc]

class Verdict(_Result):
    UNKNOWN = 0
    USABLE = 1
    UNSUPPORTED = 2
    DISABLED = 3
    UNADVERTISED = 4
    BROKEN = 5
    INCONSISTENT = 6

class Finding(_Word):
    KERNEL_TOO_OLD = 0
    SWITCHED_OFF = 1
    UNPROVEN = 2
    UPGRADE_RISK = 3
    WRONG_MODE = 4
    CPUS_DIFFER = 5
    CPUID_MASKED = 6
    EMULATED = 7
    NO_CANONICAL_CHECK = 8
    VALUE_LOST = 9
    SANDBOXED = 10
    ARCH_PRCTL_DENIED = 11
    ARCH_PRCTL_LIES = 12
    INSTRUMENTED = 13
    PRIVILEGE_RISK = 14
    INSN_UD = 15
    CR4_REFUSED = 16
    CR4_DROPPED = 17
    CR4_UNENFORCED = 18
    PROVEN = 19
    MISCONFIGURED = 20

class Outcome(_Result):
    NOT_TRIED = 0
    OK = 1
    UNDEFINED = 2
    FAULTED = 3
    WRONG_VALUE = 4
    VALUE_LOST = 5

class Insn(_Word):
    RDFSBASE = 0
    RDGSBASE = 1
    WRFSBASE = 2
    WRGSBASE = 3

class Access(_Result):
    NONE = 0
    INSTRUCTION = 1
    ARCH_PRCTL = 2

class Proof(_Result):
    ADVERTISED = 0
    TRIED = 1

class Report:
    raw: dict[str, Any]
    verdict: Verdict
    verdicts: dict[Segment, Verdict]
    access: dict[Segment, Access]
    proof: Proof
    findings: list[Finding]
    outcomes: dict[Insn, Outcome]
    cpuid: bool | None
    hwcap2: bool | None
    vendor: str
    kernel: str
    def __init__(self, report: Any) -> None: ...
    @property
    def reason(self) -> str: ...
    @property
    def advice(self) -> list[str]: ...

def check(flags: SupportsIndex = ...) -> Report: ...
def usable() -> bool: ...
def refresh() -> bool: ...
def base_access(segment: SupportsIndex) -> Access: ...
def get_base(segment: SupportsIndex) -> int: ...
def set_base(segment: SupportsIndex, base: SupportsIndex) -> None: ...
def ensure_base(segment: SupportsIndex, base: SupportsIndex) -> None: ...
def version() -> str: ...
