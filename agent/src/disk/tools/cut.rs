//! Gives up the end of a damaged log: the operator's decision, never made by itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::super::error::{Context, DiskError, Result};
use super::super::layout::list_segments;
use super::super::recover::wipe;
use super::super::segment::{Header, RECORDS_START};
use crate::sys::file::{sync_dir, try_lock};

/// Wipes a segment from an offset on and sets the later segments aside as `cut-log-...`, so that
/// the log ends there. At offset 0 the segment itself is set aside too.
///
/// Returns what was set aside. The txns from there on are lost unless a snapshot holds them.
///
/// # Errors
/// [`DiskError::Locked`] while a server runs; [`DiskError::History`] when the file is no segment of
/// ours or the offset is none of a record.
pub fn cut(path: &Path, offset: u64) -> Result<Vec<PathBuf>> {
    let refuse = |detail: String| DiskError::History {
        detail,
        remedy: "name the file and the offset that the error message gave".into(),
    };
    let path = path.canonicalize().context("find", path)?;
    let dir = path.parent().ok_or_else(|| refuse(format!("{} is no file", path.display())))?;
    let segments = list_segments(dir)?;
    let Some(index) = segments.iter().position(|(_, listed)| *listed == path) else {
        return Err(refuse(format!("{} is not a log segment of zk-agent", path.display())));
    };
    let lock = dir.join("lock");
    let Some(_lock) = try_lock(&lock).context("lock", &lock)? else {
        return Err(DiskError::Locked { path: lock });
    };
    let mut aside = &segments[index..];
    if offset != 0 {
        let file = File::options().read(true).write(true).open(&path).context("open", &path)?;
        let header = Header::read(&file).context("read", &path)?.map_err(refuse)?;
        if !offset.is_multiple_of(8) || !(RECORDS_START..=header.size).contains(&offset) {
            return Err(refuse(format!("no record can begin at offset {offset}")));
        }
        wipe(&file, offset, header.size).context("wipe", &path)?;
        aside = &segments[index + 1..];
    }
    let mut moved = Vec::new();
    // The newest goes first: no hole may be left should this end half way.
    for (_, segment) in aside.iter().rev() {
        let name = segment.file_name().expect("a listed file has a name").to_string_lossy();
        let target = dir.join(format!("cut-{name}"));
        fs::rename(segment, &target).context("rename", segment)?;
        moved.push(target);
    }
    sync_dir(dir).context("sync", dir)?;
    Ok(moved)
}
