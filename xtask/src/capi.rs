//! `cargo xtask header` and `cargo xtask capi`: the C library, its header and what finds them.
//!
//! The header is made by cbindgen from `libzkclient/src/ffi`, committed, and with `--check` compared.
//! The library is one static archive; linked with a version script that lets only `zkc_*` out.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The number in the SONAME: it changes when a program that was linked must be linked anew.
const ABI: &str = "1";

/// Makes `include/zkclient.h`, or with `--check` says whether it is stale.
pub fn header(mut arguments: impl Iterator<Item = String>, root: &Path) -> Result<(), String> {
    let check = match arguments.next().as_deref() {
        None => false,
        Some("--check") => true,
        Some(word) => return Err(format!("{word} is no option")),
    };
    let file = root.join("include/zkclient.h");
    let made = make_header(root)?;
    if !check {
        return std::fs::write(&file, made).map_err(|error| format!("{}: {error}", file.display()));
    }
    let there = std::fs::read_to_string(&file)
        .map_err(|error| format!("{}: {error}; cargo xtask header makes it", file.display()))?;
    match there == made {
        true => Ok(()),
        false => Err(format!("{} is stale: run cargo xtask header", file.display())),
    }
}

fn make_header(root: &Path) -> Result<String, String> {
    let room = root.join("libzkclient");
    let config = cbindgen::Config::from_file(room.join("cbindgen.toml"))
        .map_err(|error| format!("libzkclient/cbindgen.toml: {error}"))?;
    let mut builder = cbindgen::Builder::new().with_config(config);
    // The rooms in the order in which a reader wants them.
    for name in [
        "codes", "types", "result", "registry", "client", "call", "data", "several", "watch",
        "lock", "logs",
    ] {
        builder = builder.with_src(room.join(format!("src/ffi/{name}.rs")));
    }
    let bindings = builder.generate().map_err(|error| format!("cbindgen: {error}"))?;
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    String::from_utf8(bytes).map_err(|error| format!("cbindgen: {error}"))
}

/// Builds libzkclient for C into a folder laid out as a prefix: `include`, `lib`, `lib/pkgconfig`,
/// `lib/cmake`. `target/capi` unless `--out` names another; `--prefix` is what the files that find
/// it say (`/usr`).
pub fn build(
    arguments: impl Iterator<Item = String>,
    root: &Path,
    target: &Path,
) -> Result<(), String> {
    let arguments: Vec<String> = arguments.collect();
    let (mut out, mut profile) = (target.join("capi"), "release".to_owned());
    let mut prefix = None;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--out" => out = PathBuf::from(value),
            "--profile" => profile.clone_from(value),
            "--prefix" => prefix = Some(value.clone()),
            _ => return Err(format!("{word} is no option")),
        }
    }
    let prefix = prefix.unwrap_or_else(|| out.to_string_lossy().into_owned());
    let (lib, include) = (out.join("lib"), out.join("include"));
    for folder in [&lib, &include, &lib.join("pkgconfig"), &lib.join("cmake/zkclient")] {
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    crate::run(
        Command::new(cargo)
            .args(["build", "-p", "zkclient-capi", "--profile", &profile])
            .current_dir(root),
    )?;
    let folder = if profile == "dev" { "debug" } else { &profile };
    let archive = target.join(folder).join("libzkcapi.a");
    copy(&archive, &lib.join("libzkclient.a"))?;
    for header in ["zkclient.h", "zkclient.hpp"] {
        copy(&root.join("include").join(header), &include.join(header))?;
    }
    link(root, &lib, &archive)?;
    let version = env!("CARGO_PKG_VERSION");
    for (from, to) in [
        ("zkclient.pc.in", "pkgconfig/zkclient.pc"),
        ("zkclient-config.cmake.in", "cmake/zkclient/zkclient-config.cmake"),
        ("zkclient-config-version.cmake.in", "cmake/zkclient/zkclient-config-version.cmake"),
    ] {
        let from = root.join("libzkclient/capi").join(from);
        let text = std::fs::read_to_string(&from)
            .map_err(|error| format!("{}: {error}", from.display()))?;
        let text = text.replace("@PREFIX@", &prefix).replace("@VERSION@", version);
        let to = lib.join(to);
        std::fs::write(&to, text).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    println!("{}", out.display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let copied = std::fs::copy(from, to);
    copied.map(|_| ()).map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

fn link(root: &Path, lib: &Path, archive: &Path) -> Result<(), String> {
    let soname = format!("libzkclient.so.{ABI}");
    let file = format!("{soname}.{}", env!("CARGO_PKG_VERSION"));
    let map = root.join("libzkclient/capi/zkclient.map");
    crate::run(
        Command::new("cc")
            .args(["-shared", "-o"])
            .arg(lib.join(&file))
            .arg("-Wl,--whole-archive")
            .arg(archive)
            .args(["-Wl,--no-whole-archive", "-Wl,--gc-sections", "-Wl,-z,nodelete"])
            .args(["-Wl,-z,relro", "-Wl,-z,now", "-Wl,--strip-debug"])
            .arg(format!("-Wl,--version-script={}", map.display()))
            .arg(format!("-Wl,-soname,{soname}"))
            .args(["-Wl,--as-needed", "-lgcc_s", "-lpthread", "-ldl", "-lm"]),
    )?;
    crate::alias(lib, &file, &soname)?;
    crate::alias(lib, &soname, "libzkclient.so")
}
