//! `cargo xtask header` and `cargo xtask capi`: the C library, its header and what finds them.
//!
//! The header is made by cbindgen from `libzkclient/src/ffi`, committed, and with `--check` compared.
//! The library is one static archive; linked so that only the names of `libzkclient/capi/symbols.txt` come out.

use std::path::{Path, PathBuf};

use crate::library::{self, Library};

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
        return crate::write(&file, &made);
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

/// What a build of the C library leaves where.
pub struct Build {
    /// The folder that stands for the prefix.
    pub out: PathBuf,
    /// Cargo's profile.
    pub profile: String,
    /// What the files that find the library say for the prefix.
    pub prefix: String,
    /// The folder of libraries below it: `lib`, or with a triplet.
    pub libdir: String,
    /// Whether the shared object keeps its debug information.
    pub debug: bool,
}

/// Builds libzkclient for C into a folder laid out as a prefix: `include`, `lib`, `lib/pkgconfig`,
/// `lib/cmake`. `target/capi` unless `--out` names another; `--prefix` is what the files that find
/// it say (`/usr`), `--libdir` the folder of libraries below it.
pub fn run(
    arguments: impl Iterator<Item = String>,
    root: &Path,
    target: &Path,
) -> Result<(), String> {
    let arguments: Vec<String> = arguments.collect();
    let mut build = Build {
        out: target.join("capi"),
        profile: "release".to_owned(),
        prefix: String::new(),
        libdir: "lib".to_owned(),
        debug: false,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--out" => build.out = PathBuf::from(value),
            "--profile" => build.profile.clone_from(value),
            "--prefix" => build.prefix.clone_from(value),
            "--libdir" => build.libdir.clone_from(value),
            _ => return Err(format!("{word} is no option")),
        }
    }
    if build.prefix.is_empty() {
        build.prefix = build.out.to_string_lossy().into_owned();
    }
    make(&build, root, target)?;
    println!("{}", build.out.display());
    Ok(())
}

/// Builds it.
pub fn make(build: &Build, root: &Path, target: &Path) -> Result<(), String> {
    let (lib, include) = (build.out.join(&build.libdir), build.out.join("include"));
    let work = target.join("xtask/capi");
    for folder in [&work, &include, &lib.join("pkgconfig"), &lib.join("cmake/zkclient")] {
        crate::folder(folder)?;
    }
    let built = library::build(root, target, &build.profile, &["zkclient-capi"])?;
    for header in ["zkclient.h", "zkclient.hpp"] {
        crate::copy(&root.join("include").join(header), &include.join(header))?;
    }
    let room = root.join("libzkclient/capi");
    let symbols = crate::read(&room.join("symbols.txt"))?;
    let library = Library {
        name: "zkclient",
        abi: ABI,
        version: env!("CARGO_PKG_VERSION"),
        node: Some("ZKCLIENT_1"),
        names: &library::names(&symbols),
        archive: &built.join("libzkcapi.a"),
        objects: &[],
        debug: build.debug,
    };
    library.link_shared(&lib, &work)?;
    library.link_static(&lib, &work)?;
    for (from, to) in [
        ("zkclient.pc.in", "pkgconfig/zkclient.pc"),
        ("zkclient-config.cmake.in", "cmake/zkclient/zkclient-config.cmake"),
        ("zkclient-config-version.cmake.in", "cmake/zkclient/zkclient-config-version.cmake"),
    ] {
        let text = crate::read(&room.join(from))?;
        let text = text.replace("@PREFIX@", &build.prefix).replace("@LIBDIR@", &build.libdir);
        let text = text.replace("@UP@", &"../".repeat(build.libdir.split('/').count()));
        crate::write(&lib.join(to), &text.replace("@VERSION@", env!("CARGO_PKG_VERSION")))?;
    }
    Ok(())
}
