//! `cargo xtask dropin`: links the drop-in for Apache's C client, with threads and without.
//!
//! The code is one static library; a version script keeps all names in but Apache's, and the
//! SONAMEs are Apache's. Names bind as in any shared object (no `-Bsymbolic`): programs hold copies
//! of the data objects.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::library::{self, Library};

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
    make(&out, &profile, false, root, target)?;
    println!("{}", out.display());
    Ok(())
}

/// Links both libraries into a folder; `debug` leaves debug information in the shared objects.
pub fn make(
    out: &Path,
    profile: &str,
    debug: bool,
    root: &Path,
    target: &Path,
) -> Result<(), String> {
    let work = target.join("xtask/dropin");
    crate::folder(out)?;
    crate::folder(&work)?;
    let archive = library::build(root, target, profile, &["zkclient-dropin"])?;
    let archive = archive.join("libzkdropin.a");
    let symbols = crate::read(&root.join("libzkclient/dropin/symbols.txt"))?;
    for threads in [true, false] {
        let name = if threads { "zookeeper_mt" } else { "zookeeper_st" };
        let library = Library {
            name,
            abi: "2",
            version: "0.0",
            node: None,
            names: &exported(&symbols, threads),
            archive: &archive,
            objects: &compile(root, &work, name, threads)?,
            debug,
        };
        library.link_shared(out, &work)?;
        library.link_static(out, &work)?;
    }
    Ok(())
}

/// What is written in C, as objects.
fn compile(root: &Path, work: &Path, name: &str, threads: bool) -> Result<Vec<PathBuf>, String> {
    let mut objects = Vec::new();
    for source in ["shim", "jute"] {
        let object = work.join(format!("{name}-{source}.o"));
        crate::run(
            Command::new("cc")
                .args(["-std=gnu11", "-g1", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror"])
                // The C compiler as the Rust one: no folder of this machine in what it makes.
                .arg("-ffile-prefix-map=.=/usr/src/zk-agent")
                .arg(format!("-ffile-prefix-map={}=/usr/src/zk-agent", root.display()))
                .arg(format!("-DZKD_THREADED={}", u8::from(threads)))
                .args(["-I", "include/zookeeper", "-c", "-o"])
                .arg(&object)
                .arg(format!("libzkclient/dropin/{source}.c"))
                .current_dir(root),
        )?;
        objects.push(object);
    }
    Ok(objects)
}

/// The names that a library exports; without threads those that wait are left out.
fn exported(symbols: &str, threads: bool) -> Vec<&str> {
    let lines = library::names(symbols).into_iter();
    lines
        .filter_map(|line| match line.strip_prefix("mt ") {
            Some(name) => threads.then_some(name),
            None => Some(line),
        })
        .collect()
}
