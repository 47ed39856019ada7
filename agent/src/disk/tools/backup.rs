//! A copy of the data of a server that may run, as a directory that a server starts from.
//!
//! Reads only, takes no lock, and stops at a zxid that is known to be committed. What is purged while it
//! reads makes it begin anew. The copy is read back and compared before it gets its name; a directory
//! with that name is whole, and nothing else looks like one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use zk_core::{Config, Recovered};
use zk_wire::Zxid;

use super::super::apache::export::Export;
use super::super::error::{Context, DiskError, Result};
use super::super::identity::{Epochs, Identity};
use super::super::layout::list_segments;
use super::super::loading::Loading;
use super::super::recover::load_newest;
use super::super::replay::Replay;
use super::super::scan::{Part, scan_through};
use super::super::segment::Header;
use super::state::{load_snapshot, write_state};
use crate::sys::date::Date;
use crate::sys::file::sync_dir;

/// What a backup's name begins with.
const PREFIX: &str = "zk-";
/// What stands before a name while its directory is not whole, or about to go.
const UNFINISHED: &str = ".unfinished-";
/// Attempts to read files that a running server purges meanwhile.
const ATTEMPTS: u32 = 5;

/// What to copy, and where to.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// As in zoo.cfg.
    pub data_dir: &'a Path,
    /// As in zoo.cfg.
    pub log_dir: &'a Path,
    /// The newest txn that is known to be committed; `None` when nobody knows: everything there is.
    pub through: Option<Zxid>,
    /// Where backups are.
    pub to: &'a Path,
    /// Backups that stay, at least 1; `None` for all.
    pub keep: Option<usize>,
    /// Goes into the name, in ms since 1970.
    pub now_ms: i64,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The directory, for `dataDir`.
    pub path: PathBuf,
    /// The newest txn in it.
    pub zxid: Zxid,
    /// Znodes.
    pub znodes: usize,
    /// Older backups that were removed.
    pub removed: Vec<PathBuf>,
    /// Whose state it is, if it was a member of an ensemble.
    pub member: Option<i64>,
}

/// Makes a backup, and removes what is too many.
///
/// # Errors
/// When the files cannot be read or contradict themselves, or the copy cannot be written or read back;
/// older backups stay then.
pub fn backup(wanted: &Wanted<'_>, config: &Config) -> Result<Backup> {
    let path = wanted.data_dir.join("zk-agent/identity");
    let Some(identity) = Identity::load(&path)? else {
        return Err(refusal(
            format!("{} holds no data of zk-agent", wanted.data_dir.display()),
            "name the settings of a server that has run",
        ));
    };
    let State { recovered, zxid, txn } = read_patiently(wanted, &identity, config)?;
    fs::create_dir_all(wanted.to).context("make", wanted.to)?;
    clear_unfinished(wanted.to);
    let stamp = Date::from_ms(wanted.now_ms).seconds().replace(['-', ':'], "");
    let name = format!("{PREFIX}{stamp}-{:x}", zxid.0);
    let beside = wanted.to.join(format!("{UNFINISHED}{}-{name}", std::process::id()));
    let member = (identity.server_id > 0).then_some(identity.server_id);
    let export = Export::create(&beside, zxid).context("write", &beside)?;
    let file = export.snapshot_file().context("write", &beside)?;
    write_state(&recovered, zxid, &file).context("write", &beside)?;
    let epochs = Epochs::load(&wanted.data_dir.join("zk-agent/epochs"))?.unwrap_or_default();
    let finished = export.finish(&file, txn.as_deref(), epochs, member);
    finished.context("write", &beside)?;
    let (digest, znodes) = (recovered.tree.digest(), recovered.tree.len());
    let sessions = recovered.sessions.len();
    // Two trees at a time would be too many.
    drop(recovered);
    let copy = load_snapshot(&beside.join("version-2"), config)?;
    if (copy.tree.digest(), copy.tree.len(), copy.sessions.len()) != (digest, znodes, sessions) {
        return Err(refusal(
            format!("{} is not what was written", beside.display()),
            "look at the disk it is on; older backups are as they were",
        ));
    }
    let path = wanted.to.join(&name);
    fs::rename(&beside, &path).context("name", &path)?;
    sync_dir(wanted.to).context("sync", wanted.to)?;
    let removed = wanted.keep.map_or(Ok(Vec::new()), |keep| prune(wanted.to, keep, &name))?;
    Ok(Backup { path, zxid, znodes, removed, member })
}

fn refusal(detail: String, remedy: &str) -> DiskError {
    DiskError::History { detail, remedy: remedy.to_owned() }
}

struct State {
    recovered: Recovered,
    zxid: Zxid,
    /// The bytes of the newest txn, if the log has them.
    txn: Option<Vec<u8>>,
}

/// Reads until it was not disturbed.
fn read_patiently(wanted: &Wanted<'_>, identity: &Identity, config: &Config) -> Result<State> {
    let mut attempt = 1;
    loop {
        match read(wanted, identity, config) {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

fn read(wanted: &Wanted<'_>, identity: &Identity, config: &Config) -> Result<State> {
    let data = wanted.data_dir.join("zk-agent");
    let mut load = Loading::new(config, None);
    let mut notes = Vec::new();
    let snapshot = load_newest(&data, identity.cluster, &mut load, &mut notes)?;
    if snapshot.is_none() && (!notes.is_empty() || identity.imported_zxid.is_some()) {
        return Err(refusal(
            format!("{} holds no snapshot that can be read", data.display()),
            "try again when the server has taken one; a start takes one soon",
        ));
    }
    let base = snapshot.unwrap_or(Zxid::ZERO);
    // A snapshot that was taken meanwhile holds only what is committed, too.
    let through = wanted.through.map(|through| through.max(base));
    let mut files = Vec::new();
    for (serial, path) in list_segments(&wanted.log_dir.join("zk-agent"))? {
        let file = File::open(&path).context("open", &path)?;
        let header = Header::read(&file).context("read", &path)?;
        // One that is being made has none yet, and is the last; one that went has another.
        if let Ok(header) = header
            && header.serial == serial
            && header.cluster == identity.cluster
        {
            files.push((path, file, header));
        }
    }
    let parts: Vec<Part<'_>> =
        files.iter().map(|(path, source, header)| Part { path, header: *header, source }).collect();
    let mut newest = None;
    let outcome = scan_through(&parts, Some(base), through, &mut |_, _, zxid, bytes| {
        newest = Some((zxid, bytes.to_vec()));
        load.txn(zxid, bytes)
    })?;
    let zxid = outcome.last.unwrap_or(base).max(base);
    if through.is_some_and(|through| zxid < through) {
        return Err(refusal(
            format!("the log ends at {zxid}, before what the server has committed"),
            "try again; if it stays so, look at the data with zk-agent verify",
        ));
    }
    let recovered = load.loader.finish();
    if let Some((first, count)) = recovered.mismatches {
        return Err(refusal(
            format!("from txn {first} on the digests of {count} txns are not those of the tree"),
            "this is no good data to keep; take the backup on another server",
        ));
    }
    let txn = newest.filter(|(at, _)| *at == zxid).map(|(_, bytes)| bytes);
    Ok(State { recovered, zxid, txn })
}

/// Whether it is the name of a backup: `zk-20260706T100101Z-` and digits.
fn is_backup(name: &str) -> bool {
    let Some((stamp, zxid)) = name.strip_prefix(PREFIX).and_then(|name| name.split_once('-'))
    else {
        return false;
    };
    let shape = |(at, byte): (usize, u8)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    stamp.len() == 16
        && stamp.bytes().enumerate().all(shape)
        && !zxid.is_empty()
        && zxid.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// Removes the oldest backups, and never the one that was just made.
fn prune(dir: &Path, keep: usize, made: &str) -> Result<Vec<PathBuf>> {
    let all = names(dir).context("list", dir)?;
    let backups: Vec<&String> = all.iter().filter(|name| is_backup(name)).collect();
    let mut removed = Vec::new();
    for name in &backups[..backups.len().saturating_sub(keep.max(1))] {
        if *name == made {
            continue;
        }
        let path = dir.join(name);
        // Half a backup must not look like one, should this be interrupted.
        let aside = dir.join(format!("{UNFINISHED}{}-{name}", std::process::id()));
        fs::rename(&path, &aside).context("remove", &path)?;
        fs::remove_dir_all(&aside).context("remove", &aside)?;
        removed.push(path);
    }
    Ok(removed)
}

/// What processes that are gone have left; another one may be at work.
fn clear_unfinished(dir: &Path) {
    for name in names(dir).unwrap_or_default() {
        let pid = name.strip_prefix(UNFINISHED).and_then(|rest| rest.split('-').next());
        let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        if pid == std::process::id() || !Path::new(&format!("/proc/{pid}")).exists() {
            // What cannot be removed costs space and nothing else.
            let _ = fs::remove_dir_all(dir.join(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_backups_look_like_one() {
        assert!(is_backup("zk-20260706T100101Z-700000003"));
        for other in
            ["zk-20260706T100101Z-", "zk-2026", "zk-20260706T100101Z", "version-2", "zk-agent"]
        {
            assert!(!is_backup(other), "{other}");
        }
    }

    #[test]
    fn the_oldest_go_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("zk-prune-{}", std::process::id()));
        let name = |day: u32| format!("zk-202607{day:02}T000000Z-{day:x}");
        for day in 1..=5 {
            fs::create_dir_all(dir.join(name(day)).join("version-2")).unwrap();
        }
        fs::create_dir_all(dir.join("a-2019")).unwrap();
        fs::create_dir_all(dir.join(format!("{UNFINISHED}4294967294-x"))).unwrap();
        clear_unfinished(&dir);
        // A clock that went back: the one just made is the oldest by its name.
        let removed = prune(&dir, 2, &name(1)).unwrap();
        assert_eq!(removed, [dir.join(name(2)), dir.join(name(3))]);
        assert_eq!(names(&dir).unwrap(), ["a-2019".to_owned(), name(1), name(4), name(5)]);
        fs::remove_dir_all(&dir).unwrap();
    }
}
