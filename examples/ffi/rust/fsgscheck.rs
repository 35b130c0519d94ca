// SPDX-License-Identifier: MIT
//! Can the FSGSBASE instructions really be used here? libfsgscheck for Rust, without a crate.
//!
//! `sys` is what it uses of the C interface; the rest is safe. Any thread may call anything at any time.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::mem;

/// What this module uses of the C interface: include/fsgscheck.h, report.h and base.h.
pub mod sys {
    use std::os::raw::{c_char, c_int};

    #[repr(C)]
    #[derive(Clone, Copy, Debug)]
    pub struct Trial {
        pub outcome: u32,
        pub width: u32,
        pub signal: i32,
        pub code: i32,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Debug)]
    pub struct Report {
        pub verdict: u32,
        pub proof: u32,
        pub verdicts: [u32; 2],
        pub access: [u32; 2],
        pub findings: u64,
        pub vantage: u32,
        pub mode: u32,
        pub cpuid_max_leaf: u32,
        pub cpuid_fsgsbase: u32,
        pub cpuid_faulting: u32,
        pub hwcap2_present: u32,
        pub hwcap2_fsgsbase: u32,
        pub cpuinfo_flag: u32,
        pub trials: [Trial; 4],
        pub refusal: u32,
        pub refusal_error: i32,
        pub canonical_check: u32,
        pub survival_tried: u32,
        pub survival_lost: u32,
        pub fallback: [u32; 2],
        pub fallback_error: [i32; 2],
        pub signs: u32,
        pub kernel_version: u32,
        pub cpus_checked: u32,
        pub cpus_differ: u32,
        pub samples_differ: u32,
        pub cr4_write: u32,
        pub cr4_sticks: u32,
        pub cr4_set: [Trial; 4],
        pub cr4_cleared: [Trial; 4],
        pub family: u32,
        pub model: u32,
        pub stepping: u32,
        pub hypervisor_present: u32,
        pub hypervisor_build: u32,
        pub hypervisor_version: u32,
        pub vendor: [c_char; 16],
        pub brand: [c_char; 56],
        pub hypervisor: [c_char; 16],
        pub kernel: [c_char; 72],
    }

    pub const FSGS_CHECK_NO_TRIAL: u32 = 1;
    pub const FSGS_CHECK_CONTEXT: u32 = 2;
    pub const FSGS_CHECK_ALL_CPUS: u32 = 4;
    pub const FSGS_CHECK_SURVIVAL: u32 = 8;
    pub const FSGS_SEGMENT_FS: u32 = 0;
    pub const FSGS_SEGMENT_GS: u32 = 1;
    pub const FSGS_LIST_VERDICT: u32 = 0;
    pub const FSGS_LIST_FINDING: u32 = 1;
    pub const FSGS_LIST_OUTCOME: u32 = 2;
    pub const FSGS_LIST_INSN: u32 = 3;
    pub const FSGS_LIST_ACCESS: u32 = 4;
    pub const FSGS_LIST_PROOF: u32 = 5;

    #[link(name = "fsgscheck")]
    extern "C" {
        pub fn fsgs_check(report: *mut Report, size: usize, flags: u32) -> c_int;
        pub fn fsgs_usable() -> c_int;
        pub fn fsgs_refresh();
        pub fn fsgs_name(list: u32, value: u32) -> *const c_char;
        pub fn fsgs_describe(list: u32, value: u32) -> *const c_char;
        pub fn fsgs_reason(report: *const Report, size: usize) -> *const c_char;
        pub fn fsgs_advice(report: *const Report, size: usize, step: u32) -> *const c_char;
        pub fn fsgs_base_access(segment: u32) -> u32;
        pub fn fsgs_get_base(segment: u32, base: *mut u64) -> c_int;
        pub fn fsgs_set_base(segment: u32, base: u64) -> c_int;
        pub fn fsgs_ensure_base(segment: u32, base: u64) -> c_int;
        pub fn fsgs_version_string() -> *const c_char;
    }
}

/// A static string of the library.
fn text(pointer: *const std::os::raw::c_char) -> Option<&'static str> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null; every string of the library is static and ends with a zero byte.
    unsafe { CStr::from_ptr(pointer) }.to_str().ok()
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $list:ident: $($member:ident = $value:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name { $($member = $value,)* }

        impl $name {
            /// All that this module lists, in the order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$member,)*];

            /// The sentence that explains it.
            pub fn text(self) -> &'static str {
                // SAFETY: takes two numbers, any of which is allowed.
                text(unsafe { sys::fsgs_describe(sys::$list, self as u32) }).unwrap_or("")
            }
        }

        /// The library's own name.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
                // SAFETY: takes two numbers, any of which is allowed.
                f.write_str(text(unsafe { sys::fsgs_name(sys::$list, *self as u32) }).unwrap_or("?"))
            }
        }
    };
}

/// For those whose 0 says the least (unknown, none, not tried): a number that this module does not list counts as that.
macro_rules! results {
    ($($name:ident)*) => {
        $(impl From<u32> for $name {
            fn from(number: u32) -> $name {
                $name::ALL.get(number as usize).copied().unwrap_or($name::ALL[0])
            }
        })*
    };
}

words! {
    /// What the evidence adds up to.
    Verdict, FSGS_LIST_VERDICT:
    Unknown = 0, Usable = 1, Unsupported = 2, Disabled = 3, Unadvertised = 4, Broken = 5, Inconsistent = 6,
}
words! {
    /// What refines a verdict.
    Finding, FSGS_LIST_FINDING:
    KernelTooOld = 0, SwitchedOff = 1, Unproven = 2, UpgradeRisk = 3, WrongMode = 4, CpusDiffer = 5,
    CpuidMasked = 6, Emulated = 7, NoCanonicalCheck = 8, ValueLost = 9, Sandboxed = 10,
    ArchPrctlDenied = 11, ArchPrctlLies = 12, Instrumented = 13, PrivilegeRisk = 14, InsnUd = 15,
    Cr4Refused = 16, Cr4Dropped = 17, Cr4Unenforced = 18, Proven = 19,
}
words! {
    /// What came of executing one instruction.
    Outcome, FSGS_LIST_OUTCOME:
    NotTried = 0, Ok = 1, Undefined = 2, Faulted = 3, WrongValue = 4, ValueLost = 5,
}
words! {
    /// The four instructions.
    Insn, FSGS_LIST_INSN:
    Rdfsbase = 0, Rdgsbase = 1, Wrfsbase = 2, Wrgsbase = 3,
}
words! {
    /// How a base is to be read and written.
    Access, FSGS_LIST_ACCESS:
    None = 0, Instruction = 1, ArchPrctl = 2,
}
words! {
    /// What the verdict rests on.
    Proof, FSGS_LIST_PROOF:
    Advertised = 0, Tried = 1,
}
results! { Verdict Outcome Access Proof }

/// The two segments that have a base of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    Fs = sys::FSGS_SEGMENT_FS as isize,
    Gs = sys::FSGS_SEGMENT_GS as isize,
}

/// What a check is asked to do besides the plain one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub no_trial: bool,
    pub context: bool,
    pub all_cpus: bool,
    pub survival: bool,
}

impl Options {
    fn flags(self) -> u32 {
        let flag = |wanted: bool, bit: u32| if wanted { bit } else { 0 };
        flag(self.no_trial, sys::FSGS_CHECK_NO_TRIAL)
            | flag(self.context, sys::FSGS_CHECK_CONTEXT)
            | flag(self.all_cpus, sys::FSGS_CHECK_ALL_CPUS)
            | flag(self.survival, sys::FSGS_CHECK_SURVIVAL)
    }
}

/// One check: what was decided, and the evidence.
#[derive(Clone, Debug)]
pub struct Report {
    raw: sys::Report,
}

fn answer(value: u32) -> Option<bool> {
    match value {
        1 => Some(false),
        2 => Some(true),
        _ => None,
    }
}

fn characters(array: &[std::os::raw::c_char]) -> String {
    let bytes: Vec<u8> = array.iter().map(|&c| c as u8).take_while(|&c| c != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Report {
    pub fn raw(&self) -> &sys::Report {
        &self.raw
    }
    pub fn verdict(&self) -> Verdict {
        Verdict::from(self.raw.verdict)
    }
    pub fn verdict_of(&self, segment: Segment) -> Verdict {
        Verdict::from(self.raw.verdicts[segment as usize])
    }
    pub fn access(&self, segment: Segment) -> Access {
        Access::from(self.raw.access[segment as usize])
    }
    pub fn proof(&self) -> Proof {
        Proof::from(self.raw.proof)
    }
    pub fn outcome(&self, insn: Insn) -> Outcome {
        Outcome::from(self.raw.trials[insn as usize].outcome)
    }
    /// Those that this module lists.
    pub fn findings(&self) -> impl Iterator<Item = Finding> + '_ {
        let bits = self.raw.findings;
        Finding::ALL.iter().copied().filter(move |&f| bits >> f as u32 & 1 == 1)
    }
    /// All that the library has a name for, so those of a later one as well; every bit is in `raw().findings`.
    pub fn finding_names(&self) -> impl Iterator<Item = &'static str> {
        let bits = self.raw.findings;
        // SAFETY: takes two numbers, any of which is allowed.
        (0..u64::BITS)
            .filter(move |bit| bits >> bit & 1 == 1)
            .filter_map(|bit| text(unsafe { sys::fsgs_name(sys::FSGS_LIST_FINDING, bit) }))
    }
    pub fn cpuid(&self) -> Option<bool> {
        answer(self.raw.cpuid_fsgsbase)
    }
    pub fn hwcap2(&self) -> Option<bool> {
        answer(self.raw.hwcap2_fsgsbase)
    }
    pub fn vendor(&self) -> String {
        characters(&self.raw.vendor)
    }
    pub fn kernel(&self) -> String {
        characters(&self.raw.kernel)
    }
    /// Why the verdict is what it is, in one sentence.
    pub fn reason(&self) -> &'static str {
        // SAFETY: a whole report, with its size.
        text(unsafe { sys::fsgs_reason(&self.raw, mem::size_of::<sys::Report>()) }).unwrap_or("")
    }
    /// What to do, cheapest first; nothing on a healthy machine.
    pub fn advice(&self) -> impl Iterator<Item = &'static str> + '_ {
        // SAFETY: as above; any step is allowed.
        (0..).map_while(move |step| {
            text(unsafe { sys::fsgs_advice(&self.raw, mem::size_of::<sys::Report>(), step) })
        })
    }
}

fn result(status: i32) -> io::Result<()> {
    match status {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}

fn check_flags(flags: u32) -> io::Result<Report> {
    let mut raw = mem::MaybeUninit::<sys::Report>::zeroed();
    // SAFETY: the library writes at most the size that it is told; zeroes are a valid report, too.
    let raw = unsafe {
        result(sys::fsgs_check(raw.as_mut_ptr(), mem::size_of::<sys::Report>(), flags))?;
        raw.assume_init()
    };
    Ok(Report { raw })
}

/// Collect evidence and decide. Any verdict can come with success.
pub fn check(options: Options) -> io::Result<Report> {
    check_flags(options.flags())
}

/// Whether all four instructions may be used by this process; cached until `refresh()`.
pub fn usable() -> bool {
    // SAFETY: no argument, any thread.
    unsafe { sys::fsgs_usable() == 1 }
}

/// Look again: after a resume, a migration, a restore.
pub fn refresh() {
    // SAFETY: no argument, any thread.
    unsafe { sys::fsgs_refresh() }
}

/// How a base is read and written here.
pub fn base_access(segment: Segment) -> Access {
    // SAFETY: takes a number, any of which is allowed.
    Access::from(unsafe { sys::fsgs_base_access(segment as u32) })
}

/// A base of the calling thread.
pub fn get_base(segment: Segment) -> io::Result<u64> {
    let mut base = 0;
    // SAFETY: the pointer is to a u64.
    result(unsafe { sys::fsgs_get_base(segment as u32, &mut base) })?;
    Ok(base)
}

/// Write the GS base of the calling thread.
pub fn set_gs_base(base: u64) -> io::Result<()> {
    // SAFETY: neither Rust nor the C library uses GS on this system.
    result(unsafe { sys::fsgs_set_base(Segment::Gs as u32, base) })
}

/// The same, but write only what is not there already: cheaper where it often is.
pub fn ensure_gs_base(base: u64) -> io::Result<()> {
    // SAFETY: as above.
    result(unsafe { sys::fsgs_ensure_base(Segment::Gs as u32, base) })
}

/// Write the FS base of the calling thread.
///
/// # Safety
/// Thread-local storage lives behind it: see "While the FS base is foreign" in fsgscheck/base.h.
pub unsafe fn set_fs_base(base: u64) -> io::Result<()> {
    result(sys::fsgs_set_base(Segment::Fs as u32, base))
}

/// The same, but write only what is not there already.
///
/// # Safety
/// As `set_fs_base()`.
pub unsafe fn ensure_fs_base(base: u64) -> io::Result<()> {
    result(sys::fsgs_ensure_base(Segment::Fs as u32, base))
}

/// The version of the library that is running.
pub fn version() -> &'static str {
    // SAFETY: no argument.
    text(unsafe { sys::fsgs_version_string() }).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlisted_number_counts_as_what_says_the_least() {
        assert_eq!(Verdict::from(1000), Verdict::Unknown);
        assert_eq!(Access::from(1000), Access::None);
        assert_eq!(Outcome::from(1000), Outcome::NotTried);
    }

    #[test]
    fn a_report_can_be_printed() {
        let report = check(Options::default()).unwrap();
        assert!(format!("{:?}", report).contains("verdict: "));
    }

    #[test]
    fn an_unknown_flag_is_an_error() {
        assert_eq!(check_flags(1 << 31).err().and_then(|e| e.raw_os_error()), Some(22));
    }
}
