//! `cargo xtask rpm`: packages of rpm, by rpmbuild, from what cargo has fetched.
//!
//! The same tree as Debian's packages, in the folders of Fedora and its kin. Two builds of the same
//! source are the same bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::changelog::Changelog;
use crate::licences;
use crate::stage::{self, Layout};

/// The crates whose code stands in each package.
const HOLDS: &[(&str, &str)] = &[
    ("zk-agent", "zk-agent"),
    ("zkctl", "zkctl"),
    ("libzkclient1", "zkclient-capi"),
    ("libzkclient-devel", "zkclient-capi"),
    ("libzkclient-compat", "zkclient-dropin"),
];

/// Builds the packages into `target/rpm` unless `--out` names another folder. `--version` gives them
/// another version than the changelog's, which is what an upgrade is tried with.
pub fn run(
    arguments: impl Iterator<Item = String>,
    root: &Path,
    target: &Path,
) -> Result<(), String> {
    let arguments: Vec<String> = arguments.collect();
    let (mut out, mut version) = (target.join("rpm"), None);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--out" => out = PathBuf::from(value),
            "--version" => version = Some(value.clone()),
            _ => return Err(format!("{word} is no option")),
        }
    }
    let work = target.join("xtask/rpm");
    // What an earlier build has left would be packed again.
    let _ = std::fs::remove_dir_all(&work);
    let staged = work.join("staged");
    crate::folder(&staged)?;
    let changelog = Changelog::load(root, version.as_deref())?;
    let libdir = evaluated("%{_libdir}")?;
    let libdir = libdir.strip_prefix("/usr/").ok_or_else(|| format!("_libdir is {libdir}"))?;
    let layout = Layout {
        libdir: libdir.to_owned(),
        units: "usr/lib/systemd/system",
        zsh: "usr/share/zsh/site-functions",
        development: "libzkclient-devel",
        readme: "README",
        date: changelog.day.clone(),
    };
    stage::make(&layout, &staged, root, target)?;
    for (package, name) in HOLDS {
        let folder = staged.join("usr/share/licenses").join(package);
        crate::folder(&folder)?;
        crate::copy(&root.join("LICENSE"), &folder.join("LICENSE"))?;
        let theirs = licences::third_parties(root, name, false)?;
        crate::write(&folder.join("THIRD-PARTIES"), &theirs)?;
    }
    pack(&work, &staged, &changelog, root)?;
    stage::collect(&work.join("packages"), "rpm", &out)
}

/// What rpm makes of a macro.
fn evaluated(text: &str) -> Result<String, String> {
    let said = crate::output(Command::new("rpm").args(["--eval", text]))?;
    Ok(said.trim().to_owned())
}

fn pack(work: &Path, staged: &Path, changelog: &Changelog, root: &Path) -> Result<(), String> {
    let room = root.join("packaging/rpm");
    let spec = crate::read(&room.join("zk-agent.spec.in"))?;
    let spec = spec.replace("@STAGED@", &staged.to_string_lossy());
    let spec = spec.replace("@VERSION@", &changelog.version);
    let spec = spec.replace("@RELEASE@", &changelog.release);
    let spec = spec.replace("@FORMAT@", &stage::format(root)?);
    let spec = spec.replace("@CHANGELOG@", &changelog.of_a_spec()?);
    let file = work.join("zk-agent.spec");
    crate::write(&file, &spec)?;
    let mut pack = Command::new("rpmbuild");
    pack.arg("-bb");
    if evaluated("%{?systemd_post:there}")?.is_empty() {
        pack.arg("--load").arg(room.join("macros.systemd"));
    }
    for (name, value) in [
        ("_topdir", work.to_string_lossy().as_ref()),
        ("_rpmdir", work.join("packages").to_string_lossy().as_ref()),
        // All in one folder.
        ("_rpmfilename", "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"),
        ("_buildhost", "localhost"),
        ("use_source_date_epoch_as_buildtime", "1"),
        ("clamp_mtime_to_source_date_epoch", "1"),
    ] {
        pack.arg("--define").arg(format!("{name} {value}"));
    }
    pack.arg(&file).env("SOURCE_DATE_EPOCH", &changelog.seconds);
    pack.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    let said = pack.output().map_err(|error| format!("rpmbuild (package rpm): {error}"))?;
    if said.status.success() {
        return Ok(());
    }
    let text = [said.stdout, said.stderr].concat();
    Err(format!("{}\nrpmbuild: {}", String::from_utf8_lossy(&text), said.status))
}
