//! Which snapshots may go.

use std::fs;
use std::path::Path;

use zk_wire::Zxid;

use super::error::{Context, Result};
use super::layout::list_snapshots;
use super::snapshot::looks_complete;
use crate::sys::file::sync_dir;

/// Snapshots that are always kept: one that cannot be read must not be the only one.
pub const KEEP_MIN: usize = 3;

/// Removes all but the newest `keep` complete snapshots (at least [`KEEP_MIN`]).
///
/// Returns the zxid of the oldest one kept, for the log below it may go; 0, so that all of the log
/// stays, while there are fewer.
///
/// # Errors
/// When the directory cannot be read or synced, or a file not removed.
pub fn purge_snapshots(dir: &Path, keep: usize) -> Result<Zxid> {
    let mut complete = 0;
    let mut oldest = Zxid::ZERO;
    let mut removed = false;
    for (zxid, path) in list_snapshots(dir)?.into_iter().rev() {
        if complete == keep.max(KEEP_MIN) {
            fs::remove_file(&path).context("remove", &path)?;
            removed = true;
        } else if looks_complete(&path) {
            complete += 1;
            if complete == keep.max(KEEP_MIN) {
                oldest = zxid;
            }
        }
    }
    if removed {
        // The log below is let go of afterwards: a snapshot must never outlive its log.
        sync_dir(dir).context("sync", dir)?;
    }
    Ok(oldest)
}

#[cfg(test)]
mod tests {
    use super::super::layout::snapshot_path;
    use super::super::snapshot::SnapshotFile;
    use super::*;

    #[test]
    fn the_newest_complete_ones_stay() {
        let dir = std::env::temp_dir().join(format!("zk-agent-purge-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        for zxid in 1..=6 {
            let mut file = SnapshotFile::create(&dir, Zxid(zxid), 1, false).unwrap();
            file.piece(b"state").unwrap();
            file.finish().unwrap();
            let oldest = purge_snapshots(&dir, 0).unwrap();
            assert_eq!(oldest, Zxid(if zxid < 3 { 0 } else { zxid - 2 }));
        }
        fs::write(snapshot_path(&dir, Zxid(7)), b"not a snapshot").unwrap();
        assert_eq!(purge_snapshots(&dir, 3).unwrap(), Zxid(4));
        let left: Vec<i64> = list_snapshots(&dir).unwrap().iter().map(|s| s.0.0).collect();
        assert_eq!(left, [4, 5, 6, 7]);
        fs::remove_dir_all(&dir).unwrap();
    }
}
