//! The plain structs of the C API.

use std::ffi::{c_char, c_void};

use zk_wire::{Acl, Stat};

use super::border;
use crate::error::{Error, Result};

/// The stat of a znode. Times are ms since 1970.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct zkc_stat_t {
    /// The zxid that created it.
    pub czxid: i64,
    /// The zxid that changed its data last.
    pub mzxid: i64,
    /// When it was created, in ms.
    pub ctime_ms: i64,
    /// When its data was changed last, in ms.
    pub mtime_ms: i64,
    /// Changes of its data.
    pub version: i32,
    /// Changes of its children.
    pub cversion: i32,
    /// Changes of its ACL.
    pub aversion: i32,
    /// Bytes of its data.
    pub data_length: i32,
    /// The session it goes with; 0 for none.
    pub ephemeral_owner: i64,
    /// The zxid that changed its children last.
    pub pzxid: i64,
    /// Number of its children.
    pub num_children: i32,
    /// Always 0.
    pub reserved: i32,
}

impl From<Stat> for zkc_stat_t {
    fn from(stat: Stat) -> zkc_stat_t {
        zkc_stat_t {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime_ms: stat.ctime_ms,
            mtime_ms: stat.mtime_ms,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            data_length: stat.data_length,
            ephemeral_owner: stat.ephemeral_owner,
            pzxid: stat.pzxid,
            num_children: stat.num_children,
            reserved: 0,
        }
    }
}

/// An entry of an ACL. Borrowed in both directions.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zkc_acl_t {
    /// `ZKC_PERM_*`, added.
    pub perms: i32,
    /// `world`, `auth`, `digest`, `ip` or another scheme.
    pub scheme: *const c_char,
    /// The id in the syntax of the scheme.
    pub id: *const c_char,
}

/// Read data and list children.
pub const ZKC_PERM_READ: i32 = 1;
/// Set data.
pub const ZKC_PERM_WRITE: i32 = 2;
/// Create children.
pub const ZKC_PERM_CREATE: i32 = 4;
/// Delete children.
pub const ZKC_PERM_DELETE: i32 = 8;
/// Set the ACL.
pub const ZKC_PERM_ADMIN: i32 = 16;
/// All of them.
pub const ZKC_PERM_ALL: i32 = 31;

/// Stays until deleted.
pub const ZKC_PERSISTENT: i32 = 0;
/// Goes with its session.
pub const ZKC_EPHEMERAL: i32 = 1;
/// Persistent, with a number behind the name.
pub const ZKC_PERSISTENT_SEQUENTIAL: i32 = 2;
/// Ephemeral, with a number behind the name.
pub const ZKC_EPHEMERAL_SEQUENTIAL: i32 = 3;
/// Goes when its last child is deleted.
pub const ZKC_CONTAINER: i32 = 4;
/// Goes when it was not changed for its TTL and has no children.
pub const ZKC_TTL: i32 = 5;
/// The same, with a number behind the name.
pub const ZKC_TTL_SEQUENTIAL: i32 = 6;

/// The session's state has changed; the other numbers are what happened to a znode.
pub const ZKC_EVENT_SESSION: i32 = -1;
/// The znode was created.
pub const ZKC_EVENT_CREATED: i32 = 1;
/// The znode was deleted.
pub const ZKC_EVENT_DELETED: i32 = 2;
/// The znode's data was set.
pub const ZKC_EVENT_CHANGED: i32 = 3;
/// The znode's children changed.
pub const ZKC_EVENT_CHILDREN: i32 = 4;

/// Opened, and no server was tried yet.
pub const ZKC_STATE_NOT_CONNECTED: i32 = 999;
/// Between two attempts to connect.
pub const ZKC_STATE_DISCONNECTED: i32 = 0;
/// A connection is being made; in an event: the connection was lost.
pub const ZKC_STATE_CONNECTING: i32 = 1;
/// Connected, and the server has not said yet whether the session stands.
pub const ZKC_STATE_ASSOCIATING: i32 = 2;
/// The session stands.
pub const ZKC_STATE_CONNECTED: i32 = 3;
/// The session stands on a server that answers reads only.
pub const ZKC_STATE_READ_ONLY: i32 = 5;
/// The session is over. The end, unless `ZKC_OPEN_RECREATE` was given.
pub const ZKC_STATE_EXPIRED: i32 = -112;
/// The server refused an identity. The end.
pub const ZKC_STATE_AUTH_FAILED: i32 = -113;
/// Closed. The end.
pub const ZKC_STATE_CLOSED: i32 = -116;

/// What happened. Borrowed: valid in the callback only.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zkc_event_t {
    /// Bytes of this struct in the library that runs; later versions add members behind.
    pub size: usize,
    /// `ZKC_EVENT_*`.
    pub kind: i32,
    /// `ZKC_STATE_*`: of the session.
    pub state: i32,
    /// The znode, without the chroot; "" for an event of the session. Never NULL.
    pub path: *const c_char,
    /// The zxid of the change; -1 when the server does not say.
    pub zxid: i64,
}

/// Is told of events. Runs on the library's thread for callbacks, one callback of a handle at a
/// time, or inside `zkc_process` for a handle that is driven by a loop. May call anything that does
/// not block, `zkc_close` included.
pub type zkc_watcher_fn =
    Option<unsafe extern "C" fn(event: *const zkc_event_t, user_data: *mut c_void)>;

/// Frees user data when no callback can need it any more; called once, on any thread. May be NULL.
pub type zkc_drop_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The ACL that an array says: the open one (`world:anyone` may do everything) when it is NULL.
///
/// # Safety
/// `acl` is NULL or points to `count` entries with strings that end.
pub(super) unsafe fn acl_of(acl: *const zkc_acl_t, count: usize) -> Result<Vec<Acl>> {
    if acl.is_null() && count == 0 {
        return Ok(Acl::open());
    }
    // SAFETY: as promised by the caller.
    let entries = unsafe { border::list("acl", acl, count) }?;
    if entries.is_empty() {
        return Err(Error::argument("acl", "empty; give NULL for the open one"));
    }
    entries
        .iter()
        .map(|entry| {
            // SAFETY: as promised by the caller.
            let (scheme, id) = unsafe {
                (border::text("acl.scheme", entry.scheme)?, border::text("acl.id", entry.id)?)
            };
            Ok(Acl::new(entry.perms, scheme, id))
        })
        .collect()
}
