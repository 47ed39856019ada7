//! From files to a state: the newest good snapshot, then the log above it.
//!
//! On the first start on a directory of Apache's, that is read instead. Nothing is served before
//! everything that was read is known to be on disk: what stands in the page cache after a crash of
//! the process may never have been synced.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use zk_wire::Zxid;

use super::ahead::each_piece;
use super::apache::import::import;
use super::apache::names::ApacheFiles;
use super::error::{Context, DiskError, Result};
use super::identity::Epochs;
use super::layout::{DataDir, list_segments, list_snapshots, list_spares, spare_path};
use super::prepare::Site;
use super::replay::Replay;
use super::rewrite::Rewrite;
use super::scan::{End, Outcome, Part, first_zxid, scan_through};
use super::segment::{Header, RECORDS_START, SegmentInfo};
use super::snapshot::{self, SnapshotReader};
use super::writer::LogPosition;
use crate::sys::file::sync_dir;

/// What recovery found.
#[derive(Debug)]
pub struct Recovery {
    /// The newest txn: all of them up to this one are in the state, and durable.
    pub last: Zxid,
    /// The epochs, as saved or as the txns prove.
    pub epochs: Epochs,
    /// Where the log goes on.
    pub log: LogPosition,
    /// The snapshot that was loaded, if there was one.
    pub snapshot: Option<Zxid>,
    /// Txns replayed from the log.
    pub txns: u64,
    /// A snapshot should be taken soon: there is none of ours for this state.
    pub wants_snapshot: bool,
    /// Lines for the operator's log.
    pub notes: Vec<String>,
}

/// Reads back everything the directory holds and leaves it ready for new txns.
///
/// # Errors
/// See [`DiskError`]; nothing was changed unless an unfinished batch had to be wiped.
pub fn recover(dir: &mut DataDir, replay: &mut dyn Replay) -> Result<Recovery> {
    let mut notes = Vec::new();
    let rewrite = Rewrite::load(dir)?;
    match rewrite {
        Some(rewrite) => rewrite.perform(dir)?,
        None => Rewrite::forget_received(dir)?,
    }
    let cut = match rewrite {
        Some(Rewrite::Cut(zxid)) => Some(zxid),
        _ => None,
    };
    let segments = open_segments(dir)?;
    let loaded = load_newest(dir.data(), dir.identity().cluster, replay, &mut notes)?;
    let FirstBase { base, wants_snapshot, epochs } = match loaded {
        Some(base) => FirstBase { base, wants_snapshot: false, epochs: Epochs::default() },
        None => first_base(dir, &segments, replay, &mut notes)?,
    };
    if !wants_snapshot {
        warn_of_newer(dir, &mut notes);
    }
    let (outcome, from) = replay_log(&segments, base, cut, replay)?;
    let last = outcome.last.unwrap_or(base).max(base);
    let log = settle(dir, segments, &outcome, from, base, last, &mut notes)?;
    let epochs = recover_epochs(dir, last, epochs, &mut notes)?;
    if let Some(cut) = cut {
        if last > cut {
            return Err(DiskError::History {
                detail: format!("the log cannot be cut to {cut}: the oldest state is {last}"),
                remedy: "move the data directory away; the server gets its state from the others"
                    .into(),
            });
        }
        notes.push(format!("the log was cut to {cut} at the leader's word, it ends at {last}"));
    }
    if rewrite.is_some() {
        Rewrite::done(dir)?;
    }
    Ok(Recovery { last, epochs, log, snapshot: loaded, txns: outcome.txns, wants_snapshot, notes })
}

/// A segment that was opened and whose header is good.
struct Opened {
    path: PathBuf,
    file: File,
    header: Header,
    first: Option<Zxid>,
}

impl Opened {
    fn part(&self) -> Part<'_> {
        Part { path: &self.path, header: self.header, source: &self.file }
    }
}

fn open_segments(dir: &DataDir) -> Result<Vec<Opened>> {
    let mut listed = list_segments(dir.logs())?;
    if let Some((_, path)) = listed.last() {
        // No record can be in a file without a byte.
        if std::fs::metadata(path).context("read", path)?.len() == 0 {
            std::fs::remove_file(path).context("remove", path)?;
            listed.pop();
        }
    }
    let mut opened: Vec<Opened> = Vec::new();
    for (serial, path) in listed {
        if let Some(before) = opened.last().filter(|before| before.header.serial + 1 != serial) {
            return Err(DiskError::History {
                detail: format!(
                    "{} is followed by {}: the log segments between are missing",
                    before.path.display(),
                    path.display()
                ),
                remedy: "restore them from a copy".into(),
            });
        }
        let file = File::options().read(true).write(true).open(&path).context("open", &path)?;
        let refuse = |detail: String| DiskError::Corrupt {
            path: path.clone(),
            offset: 0,
            last_good: opened.last().and_then(|before| before.first).unwrap_or(Zxid::ZERO),
            detail,
        };
        let header = Header::read(&file).context("read", &path)?.map_err(refuse)?;
        if header.serial != serial || header.cluster != dir.identity().cluster {
            let detail = "this segment belongs elsewhere: its header has another serial number \
                          or cluster id than its place";
            return Err(DiskError::Identity { path, detail: detail.into() });
        }
        // Only what is on disk counts, so it is put there before it is looked at. (After a failed
        // write, `LogFile` made sure that the page cache holds nothing but what is there.)
        file.sync_data().context("sync", &path)?;
        opened.push(Opened { path, file, header, first: None });
    }
    for segment in &mut opened {
        segment.first = first_zxid(&segment.part())?;
    }
    sync_dir(dir.logs()).context("sync", dir.logs())?;
    Ok(opened)
}

/// Loads the newest snapshot that is good, if there is one; those that are not are noted. `data`: where
/// ours are.
///
/// # Errors
/// When the directory cannot be read.
pub(super) fn load_newest(
    data: &Path,
    cluster: u128,
    replay: &mut dyn Replay,
    notes: &mut Vec<String>,
) -> Result<Option<Zxid>> {
    let snapshots = list_snapshots(data)?;
    let mut damaged = None;
    for (zxid, path) in snapshots.iter().rev() {
        match load_one(path, *zxid, cluster, replay) {
            Ok(()) => return Ok(Some(*zxid)),
            Err(detail) => {
                notes.push(format!("snapshot {} is passed over: {detail}", path.display()));
                damaged.get_or_insert(path);
                replay.reset();
            }
        }
    }
    if let Some(path) = damaged {
        notes.push(format!(
            "none of {} snapshots can be read, the newest being {}",
            snapshots.len(),
            path.display()
        ));
    }
    Ok(None)
}

fn load_one(
    path: &Path,
    zxid: Zxid,
    cluster: u128,
    replay: &mut dyn Replay,
) -> std::result::Result<(), String> {
    let file = snapshot::open(path).map_err(|error| error.to_string())?;
    let mut reader = SnapshotReader::new(&file).map_err(|error| error.to_string())?;
    if reader.zxid() != zxid || reader.cluster() != cluster {
        return Err("its header has another zxid or cluster id than its place".into());
    }
    each_piece(&mut reader, |piece| replay.piece(piece))?;
    replay.snapshot_end(zxid, false)
}

/// The state the log begins at when there is no snapshot of ours.
struct FirstBase {
    base: Zxid,
    wants_snapshot: bool,
    /// The epochs that Apache's files say.
    epochs: Epochs,
}

/// Empty, or what Apache's server left, if the log begins there.
fn first_base(
    dir: &mut DataDir,
    segments: &[Opened],
    replay: &mut dyn Replay,
    notes: &mut Vec<String>,
) -> Result<FirstBase> {
    let first = segments.iter().find_map(|segment| segment.first);
    let ours = first.is_some() || !list_snapshots(dir.data())?.is_empty();
    let imported = dir.identity().imported_zxid;
    let mut found =
        FirstBase { base: Zxid::ZERO, wants_snapshot: false, epochs: Epochs::default() };
    if imported.is_some() || !ours {
        let read = import(dir.apache_data(), dir.apache_logs(), replay)?;
        if let Some(read) = read {
            notes.push(format!(
                "read the files of an Apache server in {} snapshot={} txns={} last={}; they stay \
                 as they are",
                dir.apache_data().display(),
                read.snapshot.unwrap_or(Zxid::ZERO),
                read.txns,
                read.last
            ));
            notes.extend(read.notes);
            found = FirstBase { base: read.last, wants_snapshot: true, epochs: read.epochs };
        }
        match imported {
            None if found.wants_snapshot => dir.save_imported(found.base)?,
            None => {}
            Some(zxid) if zxid == found.base => {}
            Some(zxid) => {
                return Err(DiskError::History {
                    detail: format!(
                        "the first start read {} up to {zxid}, now it ends at {}, and there is no \
                         snapshot of our own yet",
                        dir.apache_data().display(),
                        found.base
                    ),
                    remedy: format!(
                        "restore version-2 as it was, or move {} away to read it anew and lose \
                         what was written since",
                        dir.data().display()
                    ),
                });
            }
        }
    }
    // An ensemble's first txn is the first one of its epoch.
    let follows = |first: Zxid| first.counter() == 1 || imported.is_some();
    if ours && !first.is_some_and(follows) {
        return Err(DiskError::History {
            detail: format!(
                "{} holds no snapshot that can be read, and the log does not begin at the first \
                 txn",
                dir.data().display()
            ),
            remedy: "restore a snapshot from a copy".into(),
        });
    }
    Ok(found)
}

/// Says that Apache's files have gone on without us.
fn warn_of_newer(dir: &DataDir, notes: &mut Vec<String>) {
    let newest = [dir.apache_data(), dir.apache_logs()]
        .into_iter()
        .filter_map(|path| ApacheFiles::list(path).ok()?.newest_name())
        .max();
    if newest > dir.identity().imported_zxid {
        notes.push(format!(
            "{} holds files of an Apache server that are not part of this state and are not read; \
             to start from them, move {} away",
            dir.apache_data().display(),
            dir.data().display()
        ));
    }
}

/// Hands on the txns above `base`; also says with which segment the scan began.
fn replay_log(
    segments: &[Opened],
    base: Zxid,
    cut: Option<Zxid>,
    replay: &mut dyn Replay,
) -> Result<(Outcome, usize)> {
    let reaches = |segment: &Opened| {
        segment.first.is_some_and(|first| first <= base || base.next() == Some(first))
    };
    let from = segments.iter().rposition(reaches).unwrap_or(0);
    let parts: Vec<Part<'_>> = segments[from..].iter().map(Opened::part).collect();
    let mut visit = |_: &Path, _: u64, zxid: Zxid, bytes: &[u8]| replay.txn(zxid, bytes);
    let mut outcome = scan_through(&parts, Some(base), cut, &mut visit)?;
    if let Some(end) = &mut outcome.end {
        end.index += from;
    }
    Ok((outcome, from))
}

/// Wipes what stands behind the end, retires what was never used, and says where the log goes on.
fn settle(
    dir: &DataDir,
    segments: Vec<Opened>,
    outcome: &Outcome,
    from: usize,
    base: Zxid,
    last: Zxid,
    notes: &mut Vec<String>,
) -> Result<LogPosition> {
    let (dir_path, cluster) = (dir.logs().to_owned(), dir.identity().cluster);
    let site = Site { dir: dir_path, cluster, force_sync: true };
    let fresh = End { index: from, offset: RECORDS_START, dirty: false, dropped: 0 };
    let end = outcome.end.unwrap_or(fresh);
    let mut current = None;
    let mut kept = Vec::new();
    for (index, segment) in segments.into_iter().enumerate() {
        let Opened { path, file, header, first } = segment;
        if index > end.index {
            let spare = spare_path(dir.logs(), header.serial);
            std::fs::rename(&path, &spare).context("rename", &path)?;
            continue;
        }
        if index == end.index {
            if end.dirty {
                notes.push(format!(
                    "{} ends at offset {} with txn {last}; an unfinished batch behind it, never \
                     acknowledged, was wiped records={}",
                    path.display(),
                    end.offset,
                    end.dropped
                ));
                wipe(&file, end.offset, header.size).context("wipe the end of", &path)?;
            }
            // Behind a log that ends below the snapshot a new segment must begin.
            if outcome.last.is_none_or(|logged| logged >= base) {
                current = Some((path.clone(), header, end.offset));
            } else {
                notes.push(format!(
                    "{} ends below the snapshot at {base}; the log goes on in a new segment",
                    path.display()
                ));
            }
        }
        kept.push(SegmentInfo { serial: header.serial, first, size: header.size, path });
    }
    sync_dir(dir.logs()).context("sync", dir.logs())?;
    let spares = list_spares(dir.logs())?;
    Ok(LogPosition { site, last, current, segments: kept, spares })
}

/// Overwrites everything from an offset on with zeros, durably.
pub(crate) fn wipe(file: &File, from: u64, size: u64) -> std::io::Result<()> {
    let zeros = vec![0u8; 1 << 20];
    let mut at = from;
    while at < size {
        let bytes = (size - at).min(zeros.len() as u64);
        file.write_all_at(&zeros[..bytes as usize], at)?;
        at += bytes;
    }
    file.sync_data()
}

/// The saved epochs, raised to what the order of writes proves: a txn of an epoch is only logged
/// after that epoch was accepted and followed.
fn recover_epochs(
    dir: &DataDir,
    last: Zxid,
    imported: Epochs,
    notes: &mut Vec<String>,
) -> Result<Epochs> {
    let saved = dir.load_epochs()?.unwrap_or(imported);
    let current = saved.current.max(last.epoch());
    let epochs = Epochs { accepted: saved.accepted.max(current), current };
    if Some(epochs) != dir.load_epochs()? && epochs != Epochs::default() {
        if saved != Epochs::default() && saved != epochs {
            notes.push(format!(
                "epochs raised from accepted={} current={} to accepted={} current={} by the log",
                saved.accepted, saved.current, epochs.accepted, epochs.current
            ));
        }
        dir.save_epochs(epochs)?;
    }
    Ok(epochs)
}
