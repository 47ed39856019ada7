//! `cargo xtask dropin`: links the drop-in for Apache's C client, with threads and without.
//!
//! The code is one static library; a version script keeps all names in but Apache's, and the
//! SONAMEs are Apache's. Names bind as in any shared object (no `-Bsymbolic`): programs hold copies
//! of the data objects.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds everything into a folder, `target/dropin` unless `--out` names another.
pub fn run(
    arguments: impl Iterator<Item = String>,
    root: &Path,
    target: &Path,
) -> Result<(), String> {
    let arguments: Vec<String> = arguments.collect();
    let mut out = target.join("dropin");
    let mut profile = "release".to_owned();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--out" => out = PathBuf::from(value),
            "--profile" => profile.clone_from(value),
            _ => return Err(format!("{word} is no option")),
        }
    }
    std::fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    crate::run(
        Command::new(cargo)
            .args(["build", "-p", "zkclient-dropin", "--profile", &profile])
            .current_dir(root),
    )?;
    let folder = if profile == "dev" { "debug" } else { &profile };
    let archive = target.join(folder).join("libzkdropin.a");
    let symbols = root.join("libzkclient/dropin/symbols.txt");
    let symbols = std::fs::read_to_string(&symbols)
        .map_err(|error| format!("{}: {error}", symbols.display()))?;
    for threads in [true, false] {
        link(root, &out, &archive, &symbols, threads)?;
    }
    println!("{}", out.display());
    Ok(())
}

fn link(
    root: &Path,
    out: &Path,
    archive: &Path,
    symbols: &str,
    threads: bool,
) -> Result<(), String> {
    let name = if threads { "zookeeper_mt" } else { "zookeeper_st" };
    let map = out.join(format!("{name}.map"));
    let script = version_script(symbols, threads);
    std::fs::write(&map, script).map_err(|error| format!("{}: {error}", map.display()))?;
    let mut objects = Vec::new();
    for source in ["shim", "jute"] {
        let object = out.join(format!("{name}-{source}.o"));
        crate::run(
            Command::new("cc")
                .args(["-std=gnu11", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror", "-c"])
                .arg(format!("-DZKD_THREADED={}", u8::from(threads)))
                .arg("-I")
                .arg(root.join("include/zookeeper"))
                .arg(root.join(format!("libzkclient/dropin/{source}.c")))
                .arg("-o")
                .arg(&object),
        )?;
        objects.push(object);
    }
    let soname = format!("lib{name}.so.2");
    let file = out.join(format!("{soname}.0.0"));
    crate::run(
        Command::new("cc")
            .args(["-shared", "-o"])
            .arg(&file)
            .args(&objects)
            .arg("-Wl,--whole-archive")
            .arg(archive)
            .args(["-Wl,--no-whole-archive", "-Wl,--gc-sections", "-Wl,-z,nodelete"])
            .args(["-Wl,-z,relro", "-Wl,-z,now", "-Wl,--strip-debug"])
            .arg(format!("-Wl,--version-script={}", map.display()))
            .arg(format!("-Wl,-soname,{soname}"))
            .args(["-Wl,--as-needed", "-lgcc_s", "-lpthread", "-ldl", "-lm"]),
    )?;
    crate::alias(out, &format!("{soname}.0.0"), &soname)?;
    crate::alias(out, &soname, &format!("lib{name}.so"))?;
    let library = out.join(format!("lib{name}.a"));
    std::fs::copy(archive, &library).map_err(|error| format!("{}: {error}", library.display()))?;
    add_objects(&library, &objects)
}

/// Adds objects to an archive. What `ar` says of Rust's metadata, which no plugin of a linker can
/// read, is shown on failure only.
fn add_objects(library: &Path, objects: &[PathBuf]) -> Result<(), String> {
    let mut ar = Command::new("ar");
    let output = ar.arg("rs").arg(library).args(objects).output();
    let output = output.map_err(|error| format!("ar: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ar: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// The names that stay visible; without threads those that wait are left out.
fn version_script(symbols: &str, threads: bool) -> String {
    let mut script = "{\n  global:\n".to_owned();
    for line in symbols.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix("mt ") {
            Some(_) if !threads => {}
            Some(name) => drop(writeln!(script, "    {name};")),
            None => drop(writeln!(script, "    {line};")),
        }
    }
    script.push_str("  local: *;\n};\n");
    script
}
