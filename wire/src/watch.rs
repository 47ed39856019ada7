//! Watch events and the numbers around watches.

use crate::jute::{Reader, Result, Writer};

/// Event types (`Watcher.Event.EventType`) that a server sends.
pub mod event {
    /// The znode was created.
    pub const CREATED: i32 = 1;
    /// The znode was deleted.
    pub const DELETED: i32 = 2;
    /// The znode's data changed.
    pub const DATA_CHANGED: i32 = 3;
    /// The znode's children changed.
    pub const CHILDREN_CHANGED: i32 = 4;
}

/// The only state a server sends (`Watcher.Event.KeeperState.SyncConnected`).
pub const STATE_SYNC_CONNECTED: i32 = 3;

/// What follows the header of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatcherEvent {
    /// See [`event`].
    pub kind: i32,
    /// See [`STATE_SYNC_CONNECTED`].
    pub state: i32,
    /// The path that changed, or the parent for `CHILDREN_CHANGED`.
    pub path: String,
}

impl WatcherEvent {
    /// Reads an event.
    pub fn decode(reader: &mut Reader<'_>) -> Result<WatcherEvent> {
        Ok(WatcherEvent {
            kind: reader.int("WatcherEvent.type")?,
            state: reader.int("WatcherEvent.state")?,
            path: reader.string("WatcherEvent.path")?.into_owned(),
        })
    }
}

/// Writes an event of a server.
pub fn encode_event(kind: i32, path: &str, out: &mut Vec<u8>) {
    out.put_int(kind);
    out.put_int(STATE_SYNC_CONNECTED);
    out.put_string(path);
}
