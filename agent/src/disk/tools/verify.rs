//! Looks at every byte of a data directory that has a checksum, and at what ties them together.

use std::fs::File;
use std::path::{Path, PathBuf};

use zk_wire::{StatPersisted, Zxid};

use super::super::apache::import;
use super::super::apache::log::{LogReader, Next};
use super::super::apache::snapshot::read_snapshot;
use super::super::error::{Context, DiskError, Result};
use super::super::identity::{Epochs, Identity};
use super::super::layout::{list_segments, list_snapshots};
use super::super::replay::Replay;
use super::super::scan::{Outcome, Part, scan_log};
use super::super::segment::Header;
use super::super::snapshot::{self, SnapshotReader};
use super::dump::Progress;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it should be.
    pub good: bool,
    /// One line about it, with the file.
    pub line: String,
}

/// Checks everything in a data directory, ours and Apache's; true when all of it is good.
///
/// - `data_dir`, `log_dir`: as in zoo.cfg.
/// - `tell`: gets each finding as it is made.
///
/// Reads only, and takes no lock: a server that runs may make the newest segment look unfinished.
///
/// # Errors
/// When a directory or file cannot be read at all.
pub fn verify(
    data_dir: &Path,
    log_dir: Option<&Path>,
    tell: &mut dyn FnMut(Finding),
    progress: &mut Progress<'_>,
) -> Result<bool> {
    let logs = log_dir.unwrap_or(data_dir);
    let mut check = Check { tell, progress, total: 0, done: 0, good: true };
    let places = Places {
        data: data_dir.join("zk-agent"),
        logs: logs.join("zk-agent"),
        apache_data: data_dir.join("version-2"),
        apache_logs: logs.join("version-2"),
    };
    check.ours(&places)?;
    check.apaches(&places)?;
    (check.progress)(check.total, check.total);
    Ok(check.good)
}

struct Places {
    data: PathBuf,
    logs: PathBuf,
    apache_data: PathBuf,
    apache_logs: PathBuf,
}

struct Check<'c> {
    tell: &'c mut dyn FnMut(Finding),
    progress: &'c mut Progress<'c>,
    total: u64,
    done: u64,
    good: bool,
}

impl Check<'_> {
    fn say(&mut self, good: bool, line: String) {
        self.good &= good;
        (self.tell)(Finding { good, line });
    }

    fn add<'p>(&mut self, paths: impl Iterator<Item = &'p PathBuf>) -> Result<()> {
        for path in paths {
            self.total += path.metadata().context("read", path)?.len();
        }
        Ok(())
    }

    fn file_done(&mut self, path: &Path) {
        self.done += path.metadata().map_or(0, |meta| meta.len());
        (self.progress)(self.done, self.total);
    }

    fn ours(&mut self, places: &Places) -> Result<()> {
        let snapshots = list_snapshots(&places.data)?;
        let segments = list_segments(&places.logs)?;
        self.add(snapshots.iter().map(|(_, path)| path))?;
        self.add(segments.iter().map(|(_, path)| path))?;
        if !places.data.is_dir() && segments.is_empty() {
            return Ok(());
        }
        for (name, loaded) in [
            ("identity", Identity::load(&places.data.join("identity")).map(|_| ())),
            ("epochs", Epochs::load(&places.data.join("epochs")).map(|_| ())),
        ] {
            match loaded {
                Ok(()) => self.say(true, format!("{}: good", places.data.join(name).display())),
                Err(error) => self.say(false, error.to_string()),
            }
        }
        let mut newest = None;
        for (zxid, path) in &snapshots {
            match self.snapshot(path) {
                Ok(pieces) => {
                    newest = Some(*zxid);
                    self.say(true, format!("{}: good, {pieces} pieces", path.display()));
                }
                Err(detail) => self.say(false, format!("{}: {detail}", path.display())),
            }
            self.file_done(path);
        }
        self.segments(&segments, newest)
    }

    fn snapshot(&mut self, path: &Path) -> std::result::Result<u64, String> {
        let file = snapshot::open(path).map_err(|error| error.to_string())?;
        let mut reader = SnapshotReader::new(&file).map_err(|error| error.to_string())?;
        let mut pieces = 0;
        while reader.next_piece().map_err(|error| error.to_string())?.is_some() {
            pieces += 1;
            (self.progress)(self.done + reader.progress().0, self.total);
        }
        Ok(pieces)
    }

    /// The log by itself, and whether it begins where the newest good snapshot ends.
    fn segments(&mut self, listed: &[(u64, PathBuf)], snapshot: Option<Zxid>) -> Result<()> {
        let mut opened = Vec::new();
        for (serial, path) in listed {
            let file = File::open(path).context("open", path)?;
            match Header::read(&file).context("read", path)? {
                Ok(header) if header.serial == *serial => opened.push((path, file, header)),
                Ok(_) => self.say(false, format!("{}: belongs elsewhere", path.display())),
                Err(detail) => self.say(false, format!("{}: {detail}", path.display())),
            }
        }
        for pair in opened.windows(2) {
            if pair[0].2.serial + 1 != pair[1].2.serial {
                let (before, after) = (pair[0].0.display(), pair[1].0.display());
                self.say(false, format!("{before} and {after}: segments between are missing"));
            }
        }
        let parts: Vec<Part<'_>> = opened
            .iter()
            .map(|(path, source, header)| Part { path, header: *header, source })
            .collect();
        let (done, total) = (self.done, self.total);
        let progress = &mut self.progress;
        let scanned = scan_log(&parts, None, &mut |_, offset, _, _| {
            progress(done + offset, total);
            Ok(())
        });
        match scanned {
            Ok(outcome) => self.judge(&outcome, &parts, snapshot),
            Err(error @ DiskError::Corrupt { .. }) => self.say(false, error.to_string()),
            Err(error) => return Err(error),
        }
        listed.iter().for_each(|(_, path)| self.file_done(path));
        Ok(())
    }

    fn judge(&mut self, outcome: &Outcome, parts: &[Part<'_>], snapshot: Option<Zxid>) {
        for (part, first) in parts.iter().zip(&outcome.firsts) {
            let holds = first.map_or("no txns".into(), |first| format!("txns from {first} on"));
            self.say(true, format!("{}: good, {holds}", part.path.display()));
        }
        if let Some(end) = outcome.end.filter(|end| end.dirty) {
            let path = parts[end.index].path.display();
            let line = "an unfinished batch, which the next start wipes";
            self.say(true, format!("{path}: offset {}: {line}", end.offset));
        }
        let Some(base) = snapshot else { return };
        match (outcome.firsts.iter().flatten().min(), outcome.last) {
            (Some(first), _) if *first > base && base.next() != Some(*first) => {
                self.say(false, format!("the log begins at {first}, the snapshot ends at {base}"));
            }
            (_, Some(last)) if last < base => {
                self.say(false, format!("the log ends at {last}, below the snapshot at {base}"));
            }
            _ => self.say(true, format!("the log goes on from the snapshot at {base}")),
        }
    }

    fn apaches(&mut self, places: &Places) -> Result<()> {
        let files = import::list(&places.apache_data, &places.apache_logs)?;
        if files.is_empty() {
            return Ok(());
        }
        self.add(files.snapshots.iter().map(|(_, path, _)| path))?;
        self.add(files.logs.iter().map(|(_, path)| path))?;
        for (_, path, packing) in &files.snapshots {
            let read = read_snapshot(path, *packing, &mut Nobody);
            let (good, line) = match read {
                Ok(summary) => (true, format!("good, {} znodes", summary.znodes)),
                Err(detail) => (false, detail),
            };
            self.say(good, format!("{}: {line}", path.display()));
            self.file_done(path);
        }
        for (_, path) in &files.logs {
            let (good, line) = self.apache_log(path)?;
            self.say(good, format!("{}: {line}", path.display()));
            self.file_done(path);
        }
        match import::import(&places.apache_data, &places.apache_logs, &mut Nobody) {
            Ok(imported) => {
                let imported = imported.expect("there are files");
                imported.notes.into_iter().for_each(|note| self.say(true, note));
                self.say(true, format!("version-2 makes one history up to {}", imported.last));
            }
            Err(error @ DiskError::Io { .. }) => return Err(error),
            Err(error) => self.say(false, error.to_string()),
        }
        Ok(())
    }

    fn apache_log(&mut self, path: &Path) -> Result<(bool, String)> {
        let file = File::open(path).context("open", path)?;
        let mut reader = match LogReader::new(&file).context("read", path)? {
            Ok(reader) => reader,
            Err(detail) => return Ok((false, detail.to_owned())),
        };
        let mut txns = 0u64;
        loop {
            let at = reader.progress().0;
            (self.progress)(self.done + at, self.total);
            match reader.next_record().context("read", path)? {
                Next::Record(_) => txns += 1,
                Next::End => return Ok((true, format!("good, {txns} txns"))),
                Next::Bad(detail) => return Ok((false, format!("offset {at}: {detail}"))),
            }
        }
    }
}

/// Takes everything and keeps nothing.
struct Nobody;

impl Replay for Nobody {
    fn piece(&mut self, _: &[u8]) -> std::result::Result<(), String> {
        Ok(())
    }

    fn session(&mut self, _: i64, _: i32) -> std::result::Result<(), String> {
        Ok(())
    }

    fn acl(&mut self, _: i64, _: &[u8]) -> std::result::Result<(), String> {
        Ok(())
    }

    fn znode(
        &mut self,
        _: &str,
        _: Option<&[u8]>,
        _: i64,
        _: &StatPersisted,
    ) -> std::result::Result<(), String> {
        Ok(())
    }

    fn digest(&mut self, _: Zxid, _: i64) {}

    fn snapshot_end(&mut self, _: Zxid, _: bool) -> std::result::Result<(), String> {
        Ok(())
    }

    fn reset(&mut self) {}

    fn txn(&mut self, _: Zxid, bytes: &[u8]) -> std::result::Result<(), String> {
        zk_core::txn::Txn::decode(bytes).map(|_| ()).map_err(|error| error.to_string())
    }
}
