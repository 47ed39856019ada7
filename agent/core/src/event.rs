//! What can happen to a replica.

use std::net::IpAddr;

use zk_wire::Zxid;

/// A connection, by the number of its place in the shell's table. A number is used again only after
/// [`Event::ClientClosed`] was stepped for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u32);

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Time has passed; `Now` says how much.
    Tick,
    /// A client has connected.
    ClientOpened {
        /// Its place in the shell's table.
        conn: ConnId,
        /// The address it came from; it becomes the `ip` identity.
        peer: IpAddr,
    },
    /// A whole frame of a client, without its length. The first one is the ConnectRequest.
    ClientRequest {
        /// Who sent it.
        conn: ConnId,
        /// The body of the frame.
        frame: &'a [u8],
    },
    /// A frame above `request_bytes_max` whose body the shell has skipped or will skip.
    ClientOversized {
        /// Who sent it.
        conn: ConnId,
        /// The first bytes of the body, at least 8.
        head: &'a [u8],
    },
    /// A connection is gone, whoever ended it.
    ClientClosed {
        /// Which one.
        conn: ConnId,
    },
    /// Every txn up to and including this zxid is on disk.
    Durable {
        /// The newest one on disk.
        zxid: Zxid,
    },
    /// Whether the log has room for further txns. While it has not, writes are refused.
    DiskSpace {
        /// True: writes may go on.
        available: bool,
    },
    /// The shell has room for more of the running snapshot.
    SnapshotSlice {
        /// About how many bytes to give at most.
        bytes_max: usize,
    },
    /// The running snapshot is safely on disk.
    SnapshotTaken {
        /// The zxid it stands at.
        zxid: Zxid,
    },
    /// The running snapshot could not be written; it is given up and tried again later.
    SnapshotFailed,
    /// The operator or the shell asks for a snapshot now. Ignored while one runs.
    SnapshotWanted,
}
