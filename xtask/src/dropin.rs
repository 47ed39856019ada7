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
    let script = version_script(&exported(symbols, threads));
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
    link_static(out, name, archive, &objects, &exported(symbols, threads))
}

/// The library as one object in which only Apache's names are global: nothing of Rust's can meet a
/// second copy in a program that is partly Rust.
fn link_static(
    out: &Path,
    name: &str,
    archive: &Path,
    objects: &[PathBuf],
    names: &[&str],
) -> Result<(), String> {
    let whole = out.join(format!("{name}.o"));
    let mut cc = Command::new("cc");
    cc.args(["-r", "-nostdlib", "-Wl,--gc-sections", "-o"]).arg(&whole);
    for name in names {
        cc.arg(format!("-Wl,-u,{name}"));
    }
    crate::run(cc.args(objects).arg(archive))?;
    let list = out.join(format!("{name}.names"));
    std::fs::write(&list, names.join("\n"))
        .map_err(|error| format!("{}: {error}", list.display()))?;
    crate::run(
        Command::new("objcopy")
            .arg(format!("--keep-global-symbols={}", list.display()))
            .arg("--strip-debug")
            // The compiler's bitcode, which makes other tools look for a plugin.
            .args(["--remove-section=.llvmbc", "--remove-section=.llvmcmd"])
            .arg(&whole),
    )?;
    let library = out.join(format!("lib{name}.a"));
    // `ar` adds to what is there.
    let _ = std::fs::remove_file(&library);
    crate::run(Command::new("ar").arg("rcs").arg(&library).arg(&whole))
}

/// The names that a library exports; without threads those that wait are left out.
fn exported(symbols: &str, threads: bool) -> Vec<&str> {
    let lines = symbols.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| match line.strip_prefix("mt ") {
            Some(name) => threads.then_some(name),
            None => Some(line),
        })
        .collect()
}

/// The names that stay visible, for the linker.
fn version_script(names: &[&str]) -> String {
    let mut script = "{\n  global:\n".to_owned();
    for name in names {
        let _ = writeln!(script, "    {name};");
    }
    script.push_str("  local: *;\n};\n");
    script
}
