//! Changes of history: a log that is cut, or a database that was received in place of everything.
//!
//! Each takes several steps on disk. What is to be done is written down first, durably, in the file
//! `rewrite`; whoever finds it does the steps, again if need be, and removes it. So a crash leaves
//! the old history or the new one and never a mixture.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use zk_wire::Zxid;

use super::error::{Context, DiskError, Result};
use super::identity::{Fields, read, replace, seal};
use super::layout::{
    DataDir, list_segments, list_snapshots, list_spares, snapshot_path, spare_path,
};
use super::prepare::Site;
use super::scan::{Part, first_watermark};
use super::segment::Header;
use super::writer::LogPosition;
use crate::sys::file::sync_dir;

const TITLE: &str = "zk-agent rewrite";

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// Everything above this txn goes.
    Cut(Zxid),
    /// The snapshot in [`received_path`], which stands here, takes the place of all there is.
    Replace(Zxid),
}

fn path(dir: &DataDir) -> PathBuf {
    dir.data().join("rewrite")
}

/// Where a database that is received is written.
pub fn received_path(dir: &Path) -> PathBuf {
    dir.join("received")
}

impl Rewrite {
    /// What was written down and is not done; `None` when there is nothing.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn load(dir: &DataDir) -> Result<Option<Rewrite>> {
        let path = path(dir);
        let Some(text) = read(&path)? else { return Ok(None) };
        let refuse = |detail: String| DiskError::Identity { path: path.clone(), detail };
        let fields = Fields::parse(&text, TITLE).map_err(refuse)?;
        let zxid = Zxid(fields.number("zxid", 16).map_err(refuse)?);
        match fields.get("kind") {
            Some("cut") => Ok(Some(Rewrite::Cut(zxid))),
            Some("replace") => Ok(Some(Rewrite::Replace(zxid))),
            other => Err(refuse(format!("kind={other:?} is neither cut nor replace"))),
        }
    }

    /// Whether the log can be cut there: there must be a state of ours at or below it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn can_cut(dir: &DataDir, zxid: Zxid) -> Result<bool> {
        if list_snapshots(dir.data())?.iter().any(|(stands, _)| *stands <= zxid) {
            return Ok(true);
        }
        if dir.identity().imported_zxid.is_some_and(|imported| imported > zxid) {
            return Ok(false);
        }
        let Some((_, path)) = list_segments(dir.logs())?.into_iter().next() else {
            return Ok(false);
        };
        let file = File::open(&path).context("open", &path)?;
        let Ok(header) = Header::read(&file).context("read", &path)? else { return Ok(false) };
        let base = dir.identity().imported_zxid.unwrap_or(Zxid::ZERO);
        let part = Part { path: &path, header, source: &file };
        Ok(first_watermark(&part)?.is_some_and(|known| known <= base))
    }

    /// Writes it down, durably.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn save(self, dir: &DataDir) -> Result<()> {
        let (kind, zxid) = match self {
            Rewrite::Cut(zxid) => ("cut", zxid),
            Rewrite::Replace(zxid) => ("replace", zxid),
        };
        replace(&path(dir), &seal(format!("{TITLE}\nkind={kind}\nzxid={zxid}\n")))
    }

    /// Does what concerns whole files. What a cut leaves of a segment is for recovery to wipe.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn perform(self, dir: &DataDir) -> Result<()> {
        let above = match self {
            Rewrite::Cut(zxid) => zxid,
            Rewrite::Replace(zxid) => {
                let received = received_path(dir.data());
                // It is gone when this is done again.
                if received.exists() {
                    for (_, path) in list_snapshots(dir.data())? {
                        fs::remove_file(&path).context("remove", &path)?;
                    }
                    let place = snapshot_path(dir.data(), zxid);
                    fs::rename(&received, &place).context("rename", &received)?;
                }
                for (serial, path) in list_segments(dir.logs())? {
                    let spare = spare_path(dir.logs(), serial);
                    fs::rename(&path, &spare).context("rename", &path)?;
                }
                sync_dir(dir.logs()).context("sync", dir.logs())?;
                zxid
            }
        };
        for (zxid, path) in list_snapshots(dir.data())? {
            if zxid > above {
                fs::remove_file(&path).context("remove", &path)?;
            }
        }
        sync_dir(dir.data()).context("sync", dir.data())
    }

    /// It is done.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn done(dir: &DataDir) -> Result<()> {
        let path = path(dir);
        fs::remove_file(&path).context("remove", &path)?;
        sync_dir(dir.data()).context("sync", dir.data())
    }

    /// Removes a database that was not received to its end.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn forget_received(dir: &DataDir) -> Result<()> {
        let path = received_path(dir.data());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).context("remove", &path)
            }
            _ => Ok(()),
        }
    }
}

/// Puts the database that was received in the place of everything. Says where the log goes on.
///
/// # Errors
/// What the operating system says; a restart then goes on where this stopped.
pub fn replace_history(dir: &DataDir, zxid: Zxid) -> Result<LogPosition> {
    let rewrite = Rewrite::Replace(zxid);
    rewrite.save(dir)?;
    rewrite.perform(dir)?;
    Rewrite::done(dir)?;
    let (logs, cluster) = (dir.logs().to_owned(), dir.identity().cluster);
    let spares = list_spares(dir.logs())?;
    let site = Site { dir: logs, cluster, force_sync: true };
    Ok(LogPosition { site, last: zxid, current: None, segments: Vec::new(), spares })
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::SnapshotFile;
    use super::super::testing::{Log, TestDir, assert_txns, recover_all};
    use super::*;

    fn names(dir: &DataDir) -> Vec<i64> {
        list_snapshots(dir.data()).unwrap().into_iter().map(|(zxid, _)| zxid.0).collect()
    }

    /// Goal: a log that is cut holds what is left and goes on behind that, whatever a crash left of
    /// the rest.
    /// Method: the cut is written down and the tail damaged at each of many places, as a crash
    /// while it is wiped would leave it; then two starts follow.
    #[test]
    fn a_cut_is_done_however_far_it_had_come() {
        for damaged in 0..12 {
            let test = TestDir::new(&format!("cut-{damaged}"));
            let (dir, recovery, _) = recover_all(&test.0).unwrap();
            let mut log = Log::start(recovery);
            log.write(1..=20, 5_000);
            drop(log);
            Rewrite::Cut(Zxid(8)).save(&dir).unwrap();
            let (_, path) = list_segments(dir.logs()).unwrap().remove(0);
            if damaged > 0 {
                let file = fs::File::options().write(true).open(&path).unwrap();
                let at = (8 + damaged) as u64 * 5_048;
                std::os::unix::fs::FileExt::write_all_at(&file, &[0; 9_000], at).unwrap();
            }
            drop(dir);
            let (dir, recovery, state) = recover_all(&test.0).unwrap();
            assert_eq!(recovery.last, Zxid(8), "damaged at {damaged}");
            assert_txns(&state, 1..=8, 5_000);
            assert_eq!(Rewrite::load(&dir).unwrap(), None);
            let mut log = Log::start(recovery);
            log.write(9..=30, 100);
            drop(log);
            drop(dir);
            let (_, recovery, _) = recover_all(&test.0).unwrap();
            assert_eq!(recovery.last, Zxid(30));
        }
    }

    /// Goal: a database that was received takes the place of everything, or of nothing.
    /// Method: the steps are stopped behind each, and a start follows.
    #[test]
    fn a_received_database_replaces_everything_or_nothing() {
        for step in 0..5 {
            let test = TestDir::new(&format!("replace-{step}"));
            let (dir, recovery, _) = recover_all(&test.0).unwrap();
            let cluster = dir.identity().cluster;
            SnapshotFile::create(dir.data(), Zxid(15), cluster, false).unwrap().finish().unwrap();
            let mut log = Log::start(recovery);
            log.write(1..=20, 100);
            drop(log);
            let zxid = Zxid::new(2, 0);
            let received = received_path(dir.data());
            let file = SnapshotFile::create_as(received, zxid, cluster, false).unwrap();
            file.finish().unwrap();
            let rewrite = Rewrite::Replace(zxid);
            match step {
                0 => {}
                1 => rewrite.save(&dir).unwrap(),
                2 => {
                    rewrite.save(&dir).unwrap();
                    fs::remove_file(snapshot_path(dir.data(), Zxid(15))).unwrap();
                }
                3 => {
                    rewrite.save(&dir).unwrap();
                    rewrite.perform(&dir).unwrap();
                }
                _ => {
                    let position = replace_history(&dir, zxid).unwrap();
                    let mut log = Log::start_at(position);
                    log.write(zxid.0 + 1..=zxid.0 + 4, 100);
                }
            }
            drop(dir);
            let (dir, recovery, _) = recover_all(&test.0).unwrap();
            assert!(!received_path(dir.data()).exists(), "step {step}");
            match step {
                0 => assert_eq!((recovery.last, names(&dir)), (Zxid(20), vec![15])),
                4 => assert_eq!((recovery.last, names(&dir)), (Zxid(zxid.0 + 4), vec![zxid.0])),
                _ => assert_eq!((recovery.last, names(&dir)), (zxid, vec![zxid.0]), "step {step}"),
            }
        }
    }
}
