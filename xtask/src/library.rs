//! What all builds share: `cargo build` with the flags of a release, and the linking of a Rust archive
//! into a shared and a static library that let chosen names out.
//!
//! Nothing of the machine goes into what is built: paths are mapped, so that the same source gives
//! the same bytes in any folder. Debug builds are cargo's own, and share its cache with the tests.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the sources of the workspace and of its crates seem to stand, for debuggers.
const SOURCES: &str = "/usr/src/zk-agent";

/// Cargo, as whoever called us has it.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds crates in a profile, and says in which folder the results are.
///
/// Crates that are named together share the features of what they import, so the same words must
/// be used wherever the same bytes are wanted.
pub fn build(
    root: &Path,
    target: &Path,
    profile: &str,
    crates: &[&str],
) -> Result<PathBuf, String> {
    let mut command = Command::new(cargo());
    command.args(["build", "--profile", profile]).current_dir(root);
    for name in crates {
        command.args(["-p", name]);
    }
    if profile == "release" {
        command.arg("--frozen").env("CARGO_ENCODED_RUSTFLAGS", flags(root, target)?);
    }
    crate::run(&mut command)?;
    Ok(target.join(if profile == "dev" { "debug" } else { profile }))
}

/// The flags of a release, as cargo wants them in `CARGO_ENCODED_RUSTFLAGS`: those that the caller
/// has set, then ours.
fn flags(root: &Path, target: &Path) -> Result<String, String> {
    let separator = "\u{1f}";
    let mut flags: Vec<String> = match std::env::var("CARGO_ENCODED_RUSTFLAGS") {
        Ok(text) => text.split(separator).map(str::to_owned).collect(),
        Err(_) => {
            let text = std::env::var("RUSTFLAGS").unwrap_or_default();
            text.split_whitespace().map(str::to_owned).collect()
        }
    };
    // A folder that stands in the flags of the linker would stand in the names of all symbols, so
    // it is a relative one: cargo links what is ours from the root of the workspace.
    for flag in ["-Clink-arg=-Lpackaging/link", "-Clink-arg=-Wl,--build-id=sha1"] {
        flags.push(flag.to_owned());
    }
    // Of several that fit the last one counts.
    flags.push(format!("--remap-path-prefix={}={SOURCES}", root.display()));
    flags.push(format!("--remap-path-prefix={}={SOURCES}/target", target.display()));
    for registry in registries()? {
        flags.push(format!("--remap-path-prefix={}={SOURCES}/crates", registry.display()));
    }
    let (sysroot, commit) = compiler()?;
    // Where a toolchain has the sources of std, paths into them are shown; elsewhere these are.
    flags.push(format!("--remap-path-prefix={sysroot}/lib/rustlib/src/rust=/rustc/{commit}"));
    flags.retain(|flag| !flag.is_empty());
    Ok(flags.join(separator))
}

/// The folders in which cargo has unpacked crates.
pub fn registries() -> Result<Vec<PathBuf>, String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let user = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let home = home.or_else(user).ok_or("neither CARGO_HOME nor HOME is set")?;
    let folder = home.join("registry/src");
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| format!("{}: {error}; cargo fetch makes it", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry.map_err(|error| format!("{}: {error}", folder.display()))?.path());
    }
    found.sort();
    Ok(found)
}

/// The folder of the toolchain, and the commit that it was made from.
fn compiler() -> Result<(String, String), String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = crate::output(Command::new(&rustc).args(["--print", "sysroot"]))?;
    let version = crate::output(Command::new(&rustc).arg("-vV"))?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    Ok((sysroot.trim().to_owned(), commit.unwrap_or("unknown").to_owned()))
}

/// A Rust archive, and what becomes of it.
pub struct Library<'a> {
    /// `zkclient` for `libzkclient.so`.
    pub name: &'a str,
    /// The number in the SONAME.
    pub abi: &'a str,
    /// What follows it in the name of the file.
    pub version: &'a str,
    /// The version that the names carry; none leaves them without.
    pub node: Option<&'a str>,
    /// The names that are let out, and no others.
    pub names: &'a [&'a str],
    /// The archive, and objects that stand beside it.
    pub archive: &'a Path,
    /// What a C compiler made.
    pub objects: &'a [PathBuf],
    /// Whether debug information stays in the shared object, for somebody who splits it off.
    pub debug: bool,
}

impl Library<'_> {
    /// Links the shared object and its two links into `out`; what it takes on the way lies in `work`.
    pub fn link_shared(&self, out: &Path, work: &Path) -> Result<(), String> {
        let soname = format!("lib{}.so.{}", self.name, self.abi);
        let file = format!("{soname}.{}", self.version);
        let map = work.join(format!("{}.map", self.name));
        crate::write(&map, &self.version_script())?;
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-o"]).arg(out.join(&file)).args(self.objects);
        cc.arg("-Wl,--whole-archive").arg(self.archive).arg("-Wl,--no-whole-archive");
        cc.args(["-Wl,--gc-sections", "-Wl,-z,nodelete", "-Wl,-z,relro", "-Wl,-z,now"]);
        cc.arg("-Wl,--build-id=sha1");
        if !self.debug {
            cc.arg("-Wl,--strip-debug");
        }
        cc.arg(format!("-Wl,--version-script={}", map.display()));
        cc.arg(format!("-Wl,-soname,{soname}"));
        crate::run(cc.args(["-Wl,--as-needed", "-lgcc_s", "-lpthread", "-ldl", "-lm"]))?;
        crate::alias(out, &file, &soname)?;
        crate::alias(out, &soname, &format!("lib{}.so", self.name))
    }

    /// The library as one object in which only its names are global: nothing of Rust's can meet a
    /// second copy in a program that is partly Rust.
    pub fn link_static(&self, out: &Path, work: &Path) -> Result<(), String> {
        let whole = work.join(format!("{}.o", self.name));
        let mut cc = Command::new("cc");
        cc.args(["-r", "-nostdlib", "-Wl,--gc-sections", "-o"]).arg(&whole);
        for name in self.names {
            cc.arg(format!("-Wl,-u,{name}"));
        }
        crate::run(cc.args(self.objects).arg(self.archive))?;
        let list = work.join(format!("{}.names", self.name));
        crate::write(&list, &self.names.join("\n"))?;
        crate::run(
            Command::new("objcopy")
                .arg(format!("--keep-global-symbols={}", list.display()))
                .arg("--strip-debug")
                // The compiler's bitcode, which makes other tools look for a plugin.
                .args(["--remove-section=.llvmbc", "--remove-section=.llvmcmd"])
                .arg(&whole),
        )?;
        let library = out.join(format!("lib{}.a", self.name));
        // `ar` adds to what is there.
        let _ = std::fs::remove_file(&library);
        crate::run(Command::new("ar").arg("rcsD").arg(&library).arg(&whole))
    }

    /// The names that stay visible, for the linker.
    fn version_script(&self) -> String {
        let node = self.node.map(|node| format!("{node} ")).unwrap_or_default();
        let mut script = format!("{node}{{\n  global:\n");
        for name in self.names {
            let _ = writeln!(script, "    {name};");
        }
        script.push_str("  local: *;\n};\n");
        script
    }
}

/// The lines of a list of names that are neither empty nor a comment.
pub fn names(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}
