//! The first start on a directory that Apache's server wrote: read in place, changed in nothing.
//!
//! The newest snapshot that loads, then the logs above it. What Apache's server would pass over
//! in silence is refused when it loses txns, and said when it does not.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use zk_wire::Zxid;

use super::super::error::{Context, DiskError, Result};
use super::super::identity::Epochs;
use super::super::replay::Replay;
use super::log::{HEADER_BYTES, LogReader, LogRecord, Next};
use super::names::ApacheFiles;
use super::snapshot::{looks_complete, read_snapshot};

/// Snapshots that are tried, as in Apache's server.
const CANDIDATES_MAX: usize = 100;
/// Txns that are remembered, to know them again.
const REMEMBERED: usize = 1 << 16;
/// Header, type at 28.
const TXN_HEADER_BYTES: usize = 32;
const ERROR_TYPE: i32 = -1;
const CLOSE_SESSION_TYPE: i32 = -11;
const MULTI_TYPE: i32 = 14;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The newest txn.
    pub last: Zxid,
    /// The snapshot that was loaded; `None` when the log alone told everything.
    pub snapshot: Option<Zxid>,
    /// Txns replayed from the logs.
    pub txns: u64,
    /// The epoch files, repaired where the order of writes proves the answer.
    pub epochs: Epochs,
    /// What an operator should know.
    pub notes: Vec<String>,
}

/// Reads Apache's files; `None` when there are none.
///
/// - `data`: the `version-2` directory below `dataDir`: snapshots and epochs.
/// - `logs`: the `version-2` directory below `dataLogDir`; often the same.
///
/// # Errors
/// When there are files but no whole state can be read from them.
pub fn import(data: &Path, logs: &Path, replay: &mut dyn Replay) -> Result<Option<Imported>> {
    let files = list(data, logs)?;
    if files.is_empty() {
        return Ok(None);
    }
    let mut notes = Vec::new();
    for path in &files.strange {
        notes.push(format!("{} is not read, though Apache's server would", path.display()));
    }
    let snapshot = load_snapshot(&files, replay, &mut notes)?;
    let base = snapshot.unwrap_or(Zxid::ZERO);
    let (seen, repeats) = (VecDeque::new(), 0);
    let mut logs = Logs { replay, notes, last: base, txns: 0, seen, repeats, lethal: 0 };
    logs.read_all(&files.logs, base)?;
    let Logs { last, txns, mut notes, lethal, repeats, .. } = logs;
    if repeats > 0 {
        notes.push(format!("{repeats} txns of the logs are there more than once"));
    }
    if lethal > 0 {
        notes.push(format!("{lethal} closeSession txns without a list, but with a digest"));
    }
    if snapshot.is_none() && txns == 0 {
        notes.push("there are logs without a txn and no snapshot: nothing to read".into());
    }
    let epochs = import_epochs(data, last, &mut notes)?;
    Ok(Some(Imported { last, snapshot, txns, epochs, notes }))
}

/// The files of both directories.
///
/// # Errors
/// When they cannot be read, or stand where they do not belong.
pub fn list(data: &Path, logs: &Path) -> Result<ApacheFiles> {
    let mut files = ApacheFiles::list(data).context("list", data)?;
    let same = match (data.canonicalize(), logs.canonicalize()) {
        (Ok(data), Ok(logs)) => data == logs,
        _ => data == logs,
    };
    if same {
        return Ok(files);
    }
    let mut others = ApacheFiles::list(logs).context("list", logs)?;
    let (wrong, what) = match (files.logs.first(), others.snapshots.first()) {
        (Some((_, path)), _) => (path, "a log in the data directory"),
        (None, Some((_, path, _))) => (path, "a snapshot in the log directory"),
        (None, None) => {
            files.logs = others.logs;
            files.strange.append(&mut others.strange);
            return Ok(files);
        }
    };
    Err(DiskError::History {
        detail: format!("{} is {what}", wrong.display()),
        remedy: "set dataDir and dataLogDir as Apache's server had them".into(),
    })
}

fn load_snapshot(
    files: &ApacheFiles,
    replay: &mut dyn Replay,
    notes: &mut Vec<String>,
) -> Result<Option<Zxid>> {
    for (zxid, path, packing) in files.snapshots.iter().rev().take(CANDIDATES_MAX) {
        let complete = looks_complete(path, *packing).context("read", path)?;
        let loaded = if complete {
            read_snapshot(path, *packing, replay).and_then(|summary| {
                // A digest of before the snapshot's own zxid says nothing about its contents.
                if let Some((at, digest)) = summary.digest.filter(|(at, _)| at >= zxid)
                    && at > Zxid::ZERO
                {
                    replay.digest(at, digest);
                }
                replay.snapshot_end(*zxid, true)
            })
        } else {
            Err("it is not complete".into())
        };
        match loaded {
            Ok(()) => return Ok(Some(*zxid)),
            Err(detail) => {
                notes.push(format!("snapshot {} is passed over: {detail}", path.display()));
                replay.reset();
            }
        }
    }
    // A history from the very first txn needs no snapshot.
    let whole = files.logs.first().is_some_and(|(first, _)| first.counter() <= 1);
    if files.snapshots.is_empty() && (whole || files.logs.is_empty()) {
        return Ok(None);
    }
    Err(DiskError::History {
        detail: format!(
            "none of {} snapshots of Apache's server can be read{}",
            files.snapshots.len(),
            notes.last().map(|note| format!(" ({note})")).unwrap_or_default()
        ),
        remedy: "restore one from a copy, or move version-2 away to start empty".into(),
    })
}

struct Logs<'r> {
    replay: &'r mut dyn Replay,
    notes: Vec<String>,
    last: Zxid,
    txns: u64,
    /// The newest txns, ascending: zxid and [`mark`].
    seen: VecDeque<(Zxid, u32)>,
    repeats: u64,
    lethal: u64,
}

/// What two records of one txn have in common. Of a multi that failed Apache's leader sends the parts
/// as they were or marked as errors, depending on when.
fn mark(txn: &[u8], kind: i32) -> u32 {
    let length = txn.len() as u32;
    let bytes = if kind == MULTI_TYPE { &txn[..TXN_HEADER_BYTES] } else { txn };
    crc32c::crc32c_append(length, bytes)
}

impl Logs<'_> {
    /// All files that may hold something above `base`: those named above it, and one before.
    fn read_all(&mut self, logs: &[(Zxid, PathBuf)], base: Zxid) -> Result<()> {
        let above = logs.partition_point(|(first, _)| *first <= base);
        let from = above.saturating_sub(1);
        for (index, (_, path)) in logs.iter().enumerate().skip(from) {
            self.read_one(path, index + 1 == logs.len())?;
        }
        Ok(())
    }

    fn read_one(&mut self, path: &Path, newest: bool) -> Result<()> {
        let file = File::open(path).context("open", path)?;
        let size = file.metadata().context("read", path)?.len();
        if size == 0 || (newest && unwritten(&file, size).context("read", path)?) {
            self.notes.push(format!("{} is empty", path.display()));
            return Ok(());
        }
        let mut reader = LogReader::new(&file).context("read", path)?.map_err(|detail| {
            let (last_good, detail) = (self.last, detail.to_owned());
            DiskError::Corrupt { path: path.to_owned(), offset: 0, last_good, detail }
        })?;
        loop {
            match reader.next_record().context("read", path)? {
                Next::Record(record) => self.take(path, &record)?,
                Next::End => return Ok(()),
                Next::Bad(detail) => {
                    let (offset, _) = reader.progress();
                    return self.on_bad(path, offset, newest, detail, &mut reader);
                }
            }
        }
    }

    /// A bad record may only be the last thing that was written: then it was never acknowledged.
    fn on_bad(
        &mut self,
        path: &Path,
        offset: u64,
        newest: bool,
        detail: &str,
        reader: &mut LogReader<'_>,
    ) -> Result<()> {
        let later = reader.find_later().context("read", path)?;
        if newest && later.is_none() {
            self.notes.push(format!(
                "{} ends at offset {offset} in an unfinished record ({detail}), which is left out",
                path.display()
            ));
            return Ok(());
        }
        let behind = match later {
            Some((at, zxid)) => format!("txn {zxid} stands behind it at offset {at}"),
            None => "this is not the newest log".into(),
        };
        Err(DiskError::Corrupt {
            path: path.to_owned(),
            offset,
            last_good: self.last,
            detail: format!("{detail}, and {behind}"),
        })
    }

    fn take(&mut self, path: &Path, record: &LogRecord<'_>) -> Result<()> {
        let LogRecord { offset, zxid, txn } = *record;
        let kind = i32::from_be_bytes(txn[28..32].try_into().expect("a txn has a header"));
        if zxid <= self.last {
            return self.take_again(path, record, kind);
        }
        if self.last.next() != Some(zxid) && zxid.epoch() <= self.last.epoch() {
            return Err(DiskError::History {
                detail: format!(
                    "{}, offset {offset}: txn {zxid} follows {}; those between are missing",
                    path.display(),
                    self.last
                ),
                remedy: "restore the missing log from a copy, or let an Apache server of this \
                         data (before 3.9.4) start once and write a snapshot"
                    .into(),
            });
        }
        if kind == CLOSE_SESSION_TYPE && txn.len() == TXN_HEADER_BYTES + 12 {
            self.lethal += 1;
        }
        self.replay.txn(zxid, txn).map_err(|detail| DiskError::Replay {
            path: path.to_owned(),
            detail: format!("txn {zxid} at offset {offset}: {detail}"),
        })?;
        self.last = zxid;
        self.txns += 1;
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back((zxid, mark(txn, kind)));
        Ok(())
    }

    /// A zxid that was there already, or that the snapshot covers.
    fn take_again(&mut self, path: &Path, record: &LogRecord<'_>, kind: i32) -> Result<()> {
        if self.txns == 0 {
            return Ok(());
        }
        let LogRecord { offset, zxid, txn } = *record;
        // Followers up to 3.8.3 that begin to catch up anew log what they had logged before. Leaders
        // from 3.9.0 on give the error txn of a malformed request the zxid before it.
        let known = self.seen.binary_search_by_key(&zxid, |(zxid, _)| *zxid);
        let same = known.is_ok_and(|at| self.seen[at].1 == mark(txn, kind));
        let error_again = zxid == self.last && kind == ERROR_TYPE;
        if !same && !error_again {
            return Err(DiskError::Corrupt {
                path: path.to_owned(),
                offset,
                last_good: self.last,
                detail: format!("txn {zxid} stands behind {}", self.last),
            });
        }
        self.repeats += 1;
        Ok(())
    }
}

/// Whether a crash left the file before its header was written.
fn unwritten(file: &File, size: u64) -> io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let mut header = [0u8; HEADER_BYTES as usize];
    let bytes = HEADER_BYTES.min(size) as usize;
    file.read_exact_at(&mut header[..bytes], 0)?;
    Ok(size < HEADER_BYTES || header == [0; HEADER_BYTES as usize])
}

/// Reads `acceptedEpoch` and `currentEpoch` by the rules of Apache's server, and goes on where it
/// would refuse although the txns prove the answer.
fn import_epochs(data: &Path, last: Zxid, notes: &mut Vec<String>) -> Result<Epochs> {
    let proved = last.epoch();
    let accepted = read_epoch(&data.join("acceptedEpoch"))?;
    let mut current = read_epoch(&data.join("currentEpoch"))?.unwrap_or(proved);
    if current < proved {
        let unfinished = read_epoch(&data.join("currentEpoch.tmp"))?;
        let updating = data.join("updatingEpoch").exists();
        let raised = unfinished.filter(|epoch| *epoch >= proved).unwrap_or(proved);
        if unfinished.is_none() && !updating && accepted.is_some_and(|a| a < proved) {
            notes.push(format!(
                "acceptedEpoch and currentEpoch are below the epoch {proved} of the newest txn"
            ));
        }
        notes.push(format!("currentEpoch raised from {current} to {raised} by the log"));
        current = raised;
    }
    Ok(Epochs { accepted: accepted.unwrap_or(current).max(current), current })
}

fn read_epoch(path: &Path) -> Result<Option<i64>> {
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("read", path),
    };
    let line = text.lines().next().unwrap_or_default().trim();
    match line.parse() {
        Ok(epoch) => Ok(Some(epoch)),
        // A crash may leave it empty; the txns prove what matters.
        Err(_) if line.is_empty() => Ok(None),
        Err(_) => Err(DiskError::Identity {
            path: path.to_owned(),
            detail: "the first line is not an epoch; write the epoch of the newest txn into it, \
                     or remove the file"
                .into(),
        }),
    }
}
