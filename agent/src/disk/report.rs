//! What the disk's threads tell the loop.

use zk_wire::Zxid;

/// Something that happened on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Every txn up to and including this one survives a power cut.
    Durable(Zxid),
    /// Whether the log has room. While it has not, what was handed over is kept, and written when
    /// there is room again; nothing more should be handed over.
    Space(bool),
    /// A write or a sync of the log failed. Nothing more will be written; the process must end
    /// with [`EXIT_DISK`](super::EXIT_DISK).
    Failed {
        /// What failed, with the file.
        error: String,
    },
    /// A snapshot is on disk under its final name.
    SnapshotTaken {
        /// The zxid it stands at.
        zxid: Zxid,
        /// The oldest snapshot that was kept: the log below it may go.
        oldest_kept: Zxid,
    },
    /// A snapshot could not be written. Its file is gone; the log is kept.
    SnapshotFailed {
        /// What failed, with the file.
        error: String,
    },
}
