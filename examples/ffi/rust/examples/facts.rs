// SPDX-License-Identifier: MIT
//! Makes checks in many threads, which also allocate and free memory. Then prints facts, which tests/live/ffi.py
//! compares. With the argument "facts" it only prints the facts.

use fsgscheck::{base_access, check, ensure_gs_base, get_base, set_gs_base, sys, Options, Report, Segment, Verdict};
use std::thread;

const THREADS: u64 = 8;
const CHECKS: u64 = 50;

fn work(number: u64, expected: Verdict) -> std::io::Result<u64> {
    let marker = 0x1000 * (number + 1);
    let before = get_base(Segment::Gs)?;
    let mut agreed = 0;

    set_gs_base(marker)?;
    for i in 0..CHECKS {
        let report = Box::new(check(Options { context: i % 10 == 0, ..Options::default() })?);
        if report.verdict() == expected && get_base(Segment::Gs)? == marker {
            agreed += 1;
        }
    }
    set_gs_base(before)?;
    Ok(agreed)
}

fn threads(expected: Verdict) {
    let workers: Vec<_> = (0..THREADS).map(|i| thread::spawn(move || work(i, expected))).collect();
    let agreed: u64 = workers.into_iter().map(|w| w.join().unwrap().unwrap()).sum();
    println!("threads {} of {}", agreed, THREADS * CHECKS);
}

fn answer(value: Option<bool>) -> String {
    value.map_or("none".to_string(), |yes| yes.to_string())
}

fn facts(report: &Report) {
    let findings: Vec<String> = report.findings().map(|f| f.to_string()).collect();

    println!("verdict {}", report.verdict());
    println!("proof {}", report.proof());
    println!("findings {}", report.finding_names().collect::<Vec<_>>().join(","));
    println!("known {}", findings.join(","));
    println!("bits {:#x}", report.number("findings", 0));
    println!("reason {}", report.reason());
    println!("library {}", fsgscheck::version());
    println!("cpuid.vendor {}", report.vendor());
    println!("kernel.release {}", report.kernel());
    println!("cpuid.fsgsbase {}", answer(report.cpuid()));
    println!("hwcap2.fsgsbase {}", answer(report.hwcap2()));
    for (name, segment) in [("fs", Segment::Fs), ("gs", Segment::Gs)] {
        println!("{} {}", name, report.verdict_of(segment));
        println!("access.{} {}", name, report.access(segment));
        println!("base_access.{} {}", name, base_access(segment));
    }
    for &insn in fsgscheck::Insn::ALL {
        println!("trial.{} {}", insn, report.outcome(insn));
    }
    for step in report.advice() {
        println!("advice {}", step);
    }
    println!("usable {}", fsgscheck::usable());
    fsgscheck::refresh();
    println!("refreshed {}", fsgscheck::usable());
}

fn errno(result: std::io::Result<()>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).unwrap_or(0)
}

fn ensure() -> std::io::Result<()> {
    let before = get_base(Segment::Gs)?;

    ensure_gs_base(0x7000)?;
    println!("ensured {:#x}", get_base(Segment::Gs)?);
    ensure_gs_base(before)
}

macro_rules! names {
    ($($list:literal $name:ident,)*) => {
        $(for &word in fsgscheck::$name::ALL {
            println!("name {} {} {:?}", $list, word as u32, word);
        })*
    };
}

macro_rules! constants {
    ($($name:ident)*) => { $(println!("constant {} {}", stringify!($name), sys::$name);)* };
}

fn main() -> std::io::Result<()> {
    let report = check(Options { context: true, ..Options::default() })?;

    if std::env::args().nth(1).as_deref() != Some("facts") {
        threads(report.verdict());
    }
    println!("error.set_base {}", errno(set_gs_base(1 << 63)));
    println!("error.ensure_base {}", errno(ensure_gs_base(1 << 63)));
    ensure()?;
    facts(&report);
    names! { "verdict" Verdict, "finding" Finding, "outcome" Outcome, "insn" Insn, "access" Access, "proof" Proof, }
    for (name, _) in fsgscheck::fields() {
        println!("field {}", name);
    }
    constants! { FSGS_CHECK_NO_TRIAL FSGS_CHECK_CONTEXT FSGS_CHECK_ALL_CPUS FSGS_CHECK_SURVIVAL
                 FSGS_SEGMENT_FS FSGS_SEGMENT_GS FSGS_LIST_VERDICT FSGS_LIST_FINDING FSGS_LIST_OUTCOME
                 FSGS_LIST_INSN FSGS_LIST_ACCESS FSGS_LIST_PROOF }
    Ok(())
}
