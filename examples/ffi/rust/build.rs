// SPDX-License-Identifier: MIT
//! Asks pkg-config where the linker finds libfsgscheck. docs.rs has no library, so nothing is linked there.

use std::process::{exit, Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    if std::env::var_os("DOCS_RS").is_some() {
        return;
    }
    let major = env!("CARGO_PKG_VERSION_MAJOR");
    let wanted = format!("fsgscheck >= {}", major);
    let output = Command::new("pkg-config").args(["--print-errors", "--variable=libdir", &wanted]).output();
    let why = match output {
        Ok(output) if output.status.success() => {
            println!("cargo:rustc-link-search=native={}", String::from_utf8_lossy(&output.stdout).trim());
            println!("cargo:rustc-link-lib=dylib=fsgscheck");
            return;
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_string(),
        Err(error) => error.to_string(),
    };
    eprintln!("libfsgscheck is not found by pkg-config: {}", why);
    eprintln!("Build and install it in the source tree of libfsgscheck:");
    eprintln!("    meson setup build -Dtests=disabled && sudo meson install -C build && sudo ldconfig");
    eprintln!("For a folder that pkg-config does not search, set PKG_CONFIG_PATH.");
    exit(1);
}
