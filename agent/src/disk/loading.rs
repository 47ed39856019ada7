//! The core's loader behind the door that recovery knows: every snapshot and log comes in by here,
//! whether the server starts or a tool looks.

use zk_core::{Config, Loader};
use zk_wire::{StatPersisted, Zxid};

use super::replay::Replay;

/// The core's loader as the disk feeds it.
pub struct Loading<'a> {
    /// Where everything goes.
    pub loader: Loader,
    /// Told of the bytes of each thing that came.
    pub progress: Option<Box<dyn FnMut(usize) + 'a>>,
    /// Bytes of txns that came.
    pub replayed_bytes: u64,
}

impl<'a> Loading<'a> {
    /// Feeds an empty loader.
    pub fn new(config: &Config, progress: Option<Box<dyn FnMut(usize) + 'a>>) -> Loading<'a> {
        Loading { loader: Loader::new(config), progress, replayed_bytes: 0 }
    }

    fn add(&mut self, bytes: usize) {
        if let Some(progress) = &mut self.progress {
            progress(bytes);
        }
    }
}

impl Replay for Loading<'_> {
    fn piece(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.add(bytes.len());
        self.loader.piece(bytes)
    }

    fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), String> {
        self.loader.session(id, timeout_ms);
        Ok(())
    }

    fn acl(&mut self, id: i64, list: &[u8]) -> Result<(), String> {
        self.loader.acl(id, list)
    }

    fn znode(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl_id: i64,
        stat: &StatPersisted,
    ) -> Result<(), String> {
        self.add(path.len() + data.map_or(0, <[u8]>::len));
        self.loader.znode(path, data, acl_id, stat)
    }

    fn digest(&mut self, zxid: Zxid, _: i64) {
        // Up to there the snapshot may hold effects of txns that are replayed again.
        self.loader.compare_from(zxid);
    }

    fn snapshot_end(&mut self, zxid: Zxid, _: bool) -> Result<(), String> {
        self.loader.snapshot_end(zxid)
    }

    fn reset(&mut self) {
        self.loader.reset();
    }

    fn txn(&mut self, zxid: Zxid, bytes: &[u8]) -> Result<(), String> {
        self.add(bytes.len());
        self.replayed_bytes += bytes.len() as u64;
        self.loader.txn(zxid, bytes)
    }
}
