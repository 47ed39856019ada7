//! The licences of what is linked into our binaries, as their authors want them shown.
//!
//! Made from what cargo has unpacked; the same lock file gives the same text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::library;

/// A crate of somebody else's, as cargo prints it.
struct Crate {
    name: String,
    version: String,
    licence: String,
}

/// What a package that holds a binary of the crate `name` has to show besides our own licence: each
/// crate in it, and the texts of their licences once. `common` leaves out texts of Apache's licence,
/// where they stand beside every package.
pub fn third_parties(root: &Path, name: &str, common: bool) -> Result<String, String> {
    let crates = linked(root, name)?;
    let mut text = String::from(
        "It holds, linked into it, the standard library of Rust (MIT or Apache-2.0) and these crates:\n\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in &crates {
        let Crate { name, version, licence } = part;
        let _ = writeln!(text, "  {name} {version}: {licence}");
        let folder = unpacked(part)?;
        for words in shown(&folder, common)? {
            texts.entry(words).or_default().push(format!("{name} {version}"));
        }
    }
    let mut texts: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(words, names)| (names, words)).collect();
    texts.sort();
    for (names, words) in texts {
        let _ = write!(text, "\n{}\n{}:\n\n", "-".repeat(78), names.join(", "));
        for line in words.lines() {
            let _ = writeln!(text, "  {}", line.trim_end());
        }
    }
    Ok(text)
}

/// Foreign crates that end up in the binary: neither build scripts nor macros.
fn linked(root: &Path, name: &str) -> Result<Vec<Crate>, String> {
    let tree = crate::output(
        Command::new(library::cargo())
            .args(["tree", "--frozen", "-p", name, "-e", "normal", "--prefix", "none"])
            .args(["--no-dedupe", "--format", "{p}|{l}"])
            .current_dir(root),
    )?;
    let mut lines: Vec<&str> = tree.lines().filter(|line| !line.contains(" (")).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut crates = Vec::new();
    for line in lines {
        let odd = || format!("cargo tree says {line:?}");
        let (package, licence) = line.split_once('|').ok_or_else(odd)?;
        let (name, version) = package.split_once(" v").ok_or_else(odd)?;
        let [name, version, licence] = [name, version, licence].map(|word| word.trim().to_owned());
        crates.push(Crate { name, version, licence });
    }
    if crates.is_empty() {
        return Err(format!("cargo tree knows no crate in {name}"));
    }
    Ok(crates)
}

fn unpacked(part: &Crate) -> Result<PathBuf, String> {
    let name = format!("{}-{}", part.name, part.version);
    let places = library::registries()?.into_iter().map(|registry| registry.join(&name));
    places
        .into_iter()
        .find(|place| place.is_dir())
        .ok_or_else(|| format!("{name} is not unpacked; cargo fetch does it"))
}

/// The licence texts in a folder. Where there is a choice the one of MIT is enough.
fn shown(folder: &Path, common: bool) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let named = |words: &[&str], file: &Path| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        words.iter().any(|word| name.contains(word)) && file.is_file()
    };
    let all = ["license", "licence", "copying", "unlicense", "copyright", "notice"];
    files.retain(|file| named(&all, file));
    if files.iter().any(|file| named(&["mit"], file)) {
        files.retain(|file| !named(&["apache", "unlicense"], file));
    }
    let mut texts = Vec::new();
    for file in files {
        let words = crate::read(&file)?;
        let apache = words.contains("Version 2.0, January 2004");
        if !(common && apache) {
            texts.push(words.trim_end().to_owned());
        }
    }
    Ok(texts)
}
