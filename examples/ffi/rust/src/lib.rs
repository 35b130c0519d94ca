// SPDX-License-Identifier: MIT
//! Can the FSGSBASE instructions really be used here? libfsgscheck for Rust.
//!
//! ```
//! let report = fsgscheck::check(fsgscheck::Options::default())?;
//! if report.verdict() != fsgscheck::Verdict::Usable {
//!     println!("{}: {}", report.verdict(), report.reason());
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The module [`sys`] has the part of the C interface that this crate uses. Everything else is safe, except the
//! functions that write the FS base. Any thread may call any function at any time.

#![warn(missing_docs)]

use std::convert::TryFrom;
use std::convert::TryInto;
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::mem;

/// The part of the C interface that this module uses: include/fsgscheck.h, report.h and base.h.
#[allow(missing_docs)]
pub mod sys {
    use std::os::raw::{c_char, c_int};

    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Field {
        pub kind: u32, // `type` is a keyword
        pub offset: u32,
        pub width: u32,
        pub count: u32,
        pub stride: u32,
        pub list: u32,
        pub index: u32,
        pub reserved: u32,
    }

    pub const FSGS_CHECK_NO_TRIAL: u32 = 1;
    pub const FSGS_CHECK_CONTEXT: u32 = 2;
    pub const FSGS_CHECK_ALL_CPUS: u32 = 4;
    pub const FSGS_CHECK_SURVIVAL: u32 = 8;
    pub const FSGS_SEGMENT_FS: u32 = 0;
    pub const FSGS_SEGMENT_GS: u32 = 1;
    pub const FSGS_LIST_VERDICT: u32 = 1;
    pub const FSGS_LIST_FINDING: u32 = 2;
    pub const FSGS_LIST_OUTCOME: u32 = 3;
    pub const FSGS_LIST_INSN: u32 = 4;
    pub const FSGS_LIST_ACCESS: u32 = 5;
    pub const FSGS_LIST_PROOF: u32 = 6;

    // build.rs names the library to the linker.
    extern "C" {
        pub fn fsgs_check(report: *mut u8, size: usize, flags: u32) -> c_int;
        pub fn fsgs_usable() -> c_int;
        pub fn fsgs_refresh() -> c_int;
        pub fn fsgs_report_size() -> usize;
        pub fn fsgs_report_field(number: u32, field: *mut Field, size: usize) -> *const c_char;
        pub fn fsgs_name(list: u32, value: u32) -> *const c_char;
        pub fn fsgs_describe(list: u32, value: u32) -> *const c_char;
        pub fn fsgs_reason(report: *const u8, size: usize) -> *const c_char;
        pub fn fsgs_advice(report: *const u8, size: usize, step: u32) -> *const c_char;
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
        #[allow(missing_docs)]
        pub enum $name { $($member = $value,)* }

        impl $name {
            /// All values that this module lists, in the order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$member,)*];

            /// The sentence that explains the value.
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

/// For enumerations in which 0 claims the least: a number that this module does not list counts
/// as 0.
macro_rules! results {
    ($($name:ident)*) => {
        $(impl From<u64> for $name {
            fn from(number: u64) -> $name {
                $name::ALL.get(number as usize).copied().unwrap_or($name::ALL[0])
            }
        })*
    };
}

words! {
    /// The result of weighing the evidence.
    Verdict, FSGS_LIST_VERDICT:
    Unknown = 0, Usable = 1, Unsupported = 2, Disabled = 3, Unadvertised = 4, Broken = 5, Inconsistent = 6,
}
words! {
    /// A detail of a verdict.
    Finding, FSGS_LIST_FINDING:
    KernelTooOld = 0, SwitchedOff = 1, Unproven = 2, UpgradeRisk = 3, WrongMode = 4, CpusDiffer = 5,
    CpuidMasked = 6, Emulated = 7, NoCanonicalCheck = 8, ValueLost = 9, Sandboxed = 10,
    ArchPrctlDenied = 11, ArchPrctlLies = 12, Instrumented = 13, PrivilegeRisk = 14, InsnUd = 15,
    Cr4Refused = 16, Cr4Dropped = 17, Cr4Unenforced = 18, Proven = 19,
    Misconfigured = 20,
}
words! {
    /// The result of executing one instruction.
    Outcome, FSGS_LIST_OUTCOME:
    NotTried = 0, Ok = 1, Undefined = 2, Faulted = 3, WrongValue = 4, ValueLost = 5,
}
words! {
    /// The four instructions.
    Insn, FSGS_LIST_INSN:
    Rdfsbase = 0, Rdgsbase = 1, Wrfsbase = 2, Wrgsbase = 3,
}
words! {
    /// How a base is read and written.
    Access, FSGS_LIST_ACCESS:
    None = 0, Instruction = 1, ArchPrctl = 2,
}
words! {
    /// The evidence that the verdict is based on.
    Proof, FSGS_LIST_PROOF:
    Advertised = 0, Tried = 1,
}
results! { Verdict Outcome Access Proof }

/// The two segments that have a base of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Holds the thread pointer of the C library.
    Fs = sys::FSGS_SEGMENT_FS as isize,
    /// Free for programs.
    Gs = sys::FSGS_SEGMENT_GS as isize,
}

/// The flags of a check.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Do not execute the instructions.
    pub no_trial: bool,
    /// Also collect the evidence that findings and advice need.
    pub context: bool,
    /// Try the instructions on every CPU that this thread may use.
    pub all_cpus: bool,
    /// Test whether a GS base survives system calls, signals and other events.
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

/// The result of one check: the decision, and the evidence.
#[derive(Clone, Debug)]
pub struct Report {
    raw: Vec<u8>,
}

fn answer(value: u64) -> Option<bool> {
    match value {
        1 => Some(false),
        2 => Some(true),
        _ => None,
    }
}

/// The name and the description of each field of a report.
pub fn fields() -> impl Iterator<Item = (&'static str, sys::Field)> {
    (0..).map_while(|number| {
        let mut field = sys::Field::default();
        // SAFETY: the library writes at most the size that it is passed; any number is allowed.
        text(unsafe { sys::fsgs_report_field(number, &mut field, mem::size_of_val(&field)) }).map(|name| (name, field))
    })
}

fn field(name: &str) -> sys::Field {
    fields().find(|(known, _)| *known == name).map(|(_, field)| field).expect("a field of the library")
}

impl Report {
    /// One element of any field: 64 bits if the field has them, else 32.
    pub fn number(&self, name: &str, index: u32) -> u64 {
        let field = field(name);
        let at = (field.offset + index * field.stride) as usize;
        let bytes = &self.raw[at..at + field.width as usize];
        match <[u8; 8]>::try_from(bytes) {
            Ok(wide) => u64::from_ne_bytes(wide),
            Err(_) => u32::from_ne_bytes(bytes.try_into().expect("4 or 8 bytes")).into(),
        }
    }
    fn characters(&self, name: &str) -> String {
        let field = field(name);
        let all = &self.raw[field.offset as usize..][..field.width as usize];
        String::from_utf8_lossy(all.split(|&byte| byte == 0).next().unwrap_or(all)).into_owned()
    }
    /// What the evidence adds up to: the worse of the two segments.
    pub fn verdict(&self) -> Verdict {
        Verdict::from(self.number("verdict", 0))
    }
    /// The verdict of one segment.
    pub fn verdict_of(&self, segment: Segment) -> Verdict {
        Verdict::from(self.number("verdicts", segment as u32))
    }
    /// How the base of a segment is read and written.
    pub fn access(&self, segment: Segment) -> Access {
        Access::from(self.number("access", segment as u32))
    }
    /// What the verdict rests on.
    pub fn proof(&self) -> Proof {
        Proof::from(self.number("proof", 0))
    }
    /// The result of one instruction.
    pub fn outcome(&self, insn: Insn) -> Outcome {
        Outcome::from(self.number("trials.outcome", insn as u32))
    }
    /// The findings that this module lists.
    pub fn findings(&self) -> impl Iterator<Item = Finding> + '_ {
        let bits = self.number("findings", 0);
        Finding::ALL.iter().copied().filter(move |&f| bits >> f as u32 & 1 == 1)
    }
    /// The names of all findings, also of those that only a newer library knows; `number("findings", 0)` has all bits.
    pub fn finding_names(&self) -> impl Iterator<Item = &'static str> {
        let bits = self.number("findings", 0);
        // SAFETY: takes two numbers, any of which is allowed.
        (0..u64::BITS)
            .filter(move |bit| bits >> bit & 1 == 1)
            .filter_map(|bit| text(unsafe { sys::fsgs_name(sys::FSGS_LIST_FINDING, bit) }))
    }
    /// Whether CPUID offers the instructions; None if unknown.
    pub fn cpuid(&self) -> Option<bool> {
        answer(self.number("cpuid_fsgsbase", 0))
    }
    /// Whether the kernel advertises the instructions; None if unknown.
    pub fn hwcap2(&self) -> Option<bool> {
        answer(self.number("hwcap2_fsgsbase", 0))
    }
    /// The vendor of the processor.
    pub fn vendor(&self) -> String {
        self.characters("vendor")
    }
    /// The release of the kernel.
    pub fn kernel(&self) -> String {
        self.characters("kernel")
    }
    /// The reason for the verdict, in one or two sentences.
    pub fn reason(&self) -> &'static str {
        // SAFETY: a whole report, with its size.
        text(unsafe { sys::fsgs_reason(self.raw.as_ptr(), self.raw.len()) }).unwrap_or("")
    }
    /// The steps of the advice, cheapest first; empty on a healthy machine.
    pub fn advice(&self) -> impl Iterator<Item = &'static str> + '_ {
        // SAFETY: a whole report, with its size; any step is allowed.
        (0..).map_while(move |step| {
            text(unsafe { sys::fsgs_advice(self.raw.as_ptr(), self.raw.len(), step) })
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
    // SAFETY: the library writes at most the size that it is passed.
    unsafe {
        let mut raw = vec![0; sys::fsgs_report_size()];
        result(sys::fsgs_check(raw.as_mut_ptr(), raw.len(), flags))?;
        Ok(Report { raw })
    }
}

/// Collect evidence and decide. No verdict is an error, not even `Broken`.
pub fn check(options: Options) -> io::Result<Report> {
    check_flags(options.flags())
}

/// Whether all four instructions may be used by this process; cached until `refresh()`.
pub fn usable() -> bool {
    // SAFETY: no argument, any thread.
    unsafe { sys::fsgs_usable() == 1 }
}

/// Check again, after a resume, a migration or a restore. Returns whether anything changed.
pub fn refresh() -> bool {
    // SAFETY: no argument, any thread.
    unsafe { sys::fsgs_refresh() == 1 }
}

/// How a base is read and written here.
pub fn base_access(segment: Segment) -> Access {
    // SAFETY: takes a number, any of which is allowed.
    Access::from(u64::from(unsafe { sys::fsgs_base_access(segment as u32) }))
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

/// Write a base only if GS has another base. Cheaper than `set_gs_base()` if GS often has this base already.
pub fn ensure_gs_base(base: u64) -> io::Result<()> {
    // SAFETY: neither Rust nor the C library uses GS on this system.
    result(unsafe { sys::fsgs_ensure_base(Segment::Gs as u32, base) })
}

/// Write the FS base of the calling thread.
///
/// # Safety
/// Thread-local storage is addressed through FS: see "While the FS base is foreign" in fsgscheck/base.h.
pub unsafe fn set_fs_base(base: u64) -> io::Result<()> {
    result(sys::fsgs_set_base(Segment::Fs as u32, base))
}

/// Write a base only if FS has another base.
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
        assert!(format!("{:?}", report).contains("raw: "));
    }

    #[test]
    fn an_unknown_flag_is_an_error() {
        assert_eq!(check_flags(1 << 31).err().and_then(|e| e.raw_os_error()), Some(22));
    }
}
