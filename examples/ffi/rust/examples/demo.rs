// SPDX-License-Identifier: MIT
//! Prints the verdict and the GS base.

use fsgscheck::{check, get_base, Options, Segment};

fn main() -> std::io::Result<()> {
    let report = check(Options { context: true, ..Options::default() })?;

    println!("{}: {}", report.verdict(), report.reason());
    println!("GS base {:#x}", get_base(Segment::Gs)?);
    Ok(())
}
