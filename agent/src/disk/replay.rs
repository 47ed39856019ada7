//! The door to the core's loader, so that this room need not know the core.

use zk_wire::{StatPersisted, Zxid};

/// What takes the state that is read back: the core's loader. An error is one line that says what
/// does not fit.
pub trait Replay {
    /// A piece of a native snapshot, in order.
    ///
    /// # Errors
    /// When it makes no sense.
    fn piece(&mut self, bytes: &[u8]) -> std::result::Result<(), String>;

    /// A session of an Apache snapshot.
    ///
    /// # Errors
    /// When it makes no sense.
    fn session(&mut self, id: i64, timeout_ms: i32) -> std::result::Result<(), String>;

    /// An entry of the ACL table of an Apache snapshot: `list` is a jute `vector<ACL>`.
    ///
    /// # Errors
    /// When it makes no sense.
    fn acl(&mut self, id: i64, list: &[u8]) -> std::result::Result<(), String>;

    /// A znode of an Apache snapshot, parents first; the root has the empty path. `acl_id` is -1
    /// for `world:anyone` with all permissions, otherwise one that came by `acl`.
    ///
    /// # Errors
    /// When it makes no sense.
    fn znode(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl_id: i64,
        stat: &StatPersisted,
    ) -> std::result::Result<(), String>;

    /// The tree digest that an Apache snapshot says holds once txn `zxid` is applied.
    fn digest(&mut self, zxid: Zxid, digest: i64);

    /// The snapshot, of either kind, is complete. `fuzzy` ones may hold effects of later txns.
    ///
    /// # Errors
    /// When it is not one whole.
    fn snapshot_end(&mut self, zxid: Zxid, fuzzy: bool) -> std::result::Result<(), String>;

    /// Forget everything: what came so far was damaged, another snapshot follows.
    fn reset(&mut self);

    /// A txn above the snapshot, in order: header, record and digest.
    ///
    /// # Errors
    /// When it cannot be decoded or applied.
    fn txn(&mut self, zxid: Zxid, bytes: &[u8]) -> std::result::Result<(), String>;
}
