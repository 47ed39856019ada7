//! `cargo xtask deb`: Debian packages, by debhelper, from what cargo has fetched.
//!
//! Two builds of the same source are the same bytes: nothing of the folder, the clock or the user goes
//! into them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::changelog::Changelog;
use crate::licences;
use crate::stage::{self, Layout};

/// The crates whose code stands in each package with a binary.
const HOLDS: &[(&str, &str)] = &[
    ("zk-agent", "zk-agent"),
    ("zkctl", "zkctl"),
    ("libzkclient1", "zkclient-capi"),
    ("libzkclient-dev", "zkclient-capi"),
    ("libzkclient-compat", "zkclient-dropin"),
];

/// Builds the packages into `target/deb` unless `--out` names another folder. `--version` gives them
/// another version than the changelog's, which is what an upgrade is tried with.
pub fn run(
    arguments: impl Iterator<Item = String>,
    root: &Path,
    target: &Path,
) -> Result<(), String> {
    let arguments: Vec<String> = arguments.collect();
    let (mut out, mut version) = (target.join("deb"), None);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--out" => out = PathBuf::from(value),
            "--version" => version = Some(value.clone()),
            _ => return Err(format!("{word} is no option")),
        }
    }
    let work = target.join("xtask/deb");
    // What an earlier build has left would be packed again.
    let _ = std::fs::remove_dir_all(&work);
    let source = work.join("zk-agent");
    let debian = source.join("debian");
    crate::folder(&debian.join("source"))?;
    let changelog = Changelog::load(root, version.as_deref())?;
    for file in stage::files(&root.join("packaging/deb"))? {
        let to = debian.join(file.file_name().unwrap_or_default());
        crate::copy(&file, &to)?;
    }
    crate::copy(&root.join("packaging/deb/source/format"), &debian.join("source/format"))?;
    crate::write(&debian.join("changelog"), &changelog.text)?;
    let preinst = debian.join("zk-agent.preinst");
    let text = crate::read(&preinst)?.replace("@FORMAT@", &stage::format(root)?);
    crate::write(&preinst, &text)?;
    let ours = crate::read(&debian.join("copyright"))?;
    for (package, name) in HOLDS {
        let theirs = licences::third_parties(root, name, true)?;
        crate::write(&debian.join(format!("{package}.copyright")), &format!("{ours}\n{theirs}"))?;
    }
    let layout = Layout {
        libdir: format!("lib/{}", asked("dpkg-architecture", &["-qDEB_HOST_MULTIARCH"], &source)?),
        units: "lib/systemd/system",
        zsh: "usr/share/zsh/vendor-completions",
        development: "libzkclient-dev",
        readme: "README.Debian",
        date: changelog.day.clone(),
    };
    stage::make(&layout, &source.join("staged"), root, target)?;
    pack(&source, &changelog.seconds)?;
    stage::collect(&work, "deb", &out)
}

fn asked(tool: &str, words: &[&str], folder: &Path) -> Result<String, String> {
    let said = crate::output(Command::new(tool).args(words).current_dir(folder))?;
    Ok(said.trim().to_owned())
}

fn pack(source: &Path, seconds: &str) -> Result<(), String> {
    let mut pack = Command::new("dpkg-buildpackage");
    // What it needs is checked by name: cargo need not be a package.
    pack.args(["-b", "-us", "-uc", "-d", "-nc"]).current_dir(source);
    pack.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env("SOURCE_DATE_EPOCH", seconds);
    for name in ["DEB_BUILD_OPTIONS", "DEB_BUILD_PROFILES", "DEB_BUILD_MAINT_OPTIONS", "DH_OPTIONS"]
    {
        pack.env_remove(name);
    }
    let said = pack.output().map_err(|e| format!("dpkg-buildpackage (package dpkg-dev): {e}"))?;
    if said.status.success() {
        return Ok(());
    }
    let text = [said.stdout, said.stderr].concat();
    Err(format!("{}\ndpkg-buildpackage: {}", String::from_utf8_lossy(&text), said.status))
}
