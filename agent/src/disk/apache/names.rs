//! Which files of a `version-2` directory are Apache's, by name.
//!
//! `log.<hex zxid>` and `snapshot.<hex zxid>[.gz|.snappy]`. Apache's server itself takes more for
//! its own (it ignores what follows a second dot); such side files are reported, never read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zk_wire::Zxid;

/// How a snapshot is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// The stream format of snappy-java.
    Snappy,
}

/// The files of one directory, each list by zxid, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApacheFiles {
    /// Transaction logs by the zxid of their first record.
    pub logs: Vec<(Zxid, PathBuf)>,
    /// Snapshots by the zxid they begin at.
    pub snapshots: Vec<(Zxid, PathBuf, Packing)>,
    /// What Apache's server would read by its lax rule, and we do not.
    pub strange: Vec<PathBuf>,
}

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Log(Zxid),
    Snapshot(Zxid, Packing),
    Strange,
    Other,
}

impl ApacheFiles {
    /// Lists a directory; a missing one is an empty one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(dir: &Path) -> io::Result<ApacheFiles> {
        let mut files = ApacheFiles::default();
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            match parse(&entry.file_name().to_string_lossy()) {
                Name::Log(zxid) => files.logs.push((zxid, path)),
                Name::Snapshot(zxid, packing) => files.snapshots.push((zxid, path, packing)),
                Name::Strange => files.strange.push(path),
                Name::Other => {}
            }
        }
        files.logs.sort();
        files.snapshots.sort();
        files.strange.sort();
        Ok(files)
    }

    /// True when there is neither a log nor a snapshot.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.snapshots.is_empty()
    }

    /// The largest zxid that a name mentions.
    pub fn newest_name(&self) -> Option<Zxid> {
        let log = self.logs.last().map(|log| log.0);
        log.max(self.snapshots.last().map(|snapshot| snapshot.0))
    }
}

fn parse(name: &str) -> Name {
    let mut parts = name.split('.');
    let kind = parts.next().unwrap_or_default();
    if kind != "log" && kind != "snapshot" {
        return Name::Other;
    }
    let Some(zxid) = parts.next().and_then(|digits| u64::from_str_radix(digits, 16).ok()) else {
        return Name::Other;
    };
    let digits = &name[kind.len() + 1..];
    let strict = |hex: &str| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let zxid = Zxid(zxid as i64);
    match (kind, parts.next(), parts.next()) {
        ("log", None, _) if strict(digits) => Name::Log(zxid),
        ("snapshot", None, _) if strict(digits) => Name::Snapshot(zxid, Packing::Plain),
        ("snapshot", Some("gz"), None) => Name::Snapshot(zxid, Packing::Gzip),
        ("snapshot", Some("snappy"), None) => Name::Snapshot(zxid, Packing::Snappy),
        _ => Name::Strange,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_strictly() {
        let zxid = Zxid(0x1_0000_0002);
        for (name, expected) in [
            ("log.100000002", Name::Log(zxid)),
            ("snapshot.100000002", Name::Snapshot(zxid, Packing::Plain)),
            ("snapshot.100000002.gz", Name::Snapshot(zxid, Packing::Gzip)),
            ("snapshot.100000002.snappy", Name::Snapshot(zxid, Packing::Snappy)),
            ("log.100000002.bak", Name::Strange),
            ("snapshot.100000002.tmp", Name::Strange),
            ("log.1A", Name::Strange),
            ("log.xyz", Name::Other),
            ("log", Name::Other),
            ("acceptedEpoch", Name::Other),
            ("snapshot.100000002.gz.old", Name::Strange),
        ] {
            assert_eq!(parse(name), expected, "{name}");
        }
    }
}
