//! What can happen to a replica.

use std::net::IpAddr;

use zk_wire::Zxid;

use crate::history::LogPiece;
use crate::ids::{ConnId, Epochs, PeerId, Port};
use crate::load::Recovered;

/// Something that happened outside.
#[derive(Debug)]
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
    /// This server is about to stop: nothing new is begun. It should be stepped on until
    /// [`Replica::is_idle`](crate::Replica::is_idle).
    Stopping,
    /// It stops: whoever it leads is let go, so that they elect another at once. It speaks to nobody
    /// any more.
    Stopped,
    /// A peer has connected to one of our ports.
    PeerAccepted {
        /// The connection.
        peer: PeerId,
        /// To which port.
        port: Port,
    },
    /// A connection that [`Effect::Dial`](crate::Effect::Dial) asked for is there.
    PeerConnected {
        /// The connection.
        peer: PeerId,
    },
    /// Bytes of a peer, in order, cut anywhere.
    PeerBytes {
        /// From which connection.
        peer: PeerId,
        /// What came.
        bytes: &'a [u8],
    },
    /// Everything that was sent to a peer has been handed to the network.
    PeerDrained {
        /// Which connection.
        peer: PeerId,
    },
    /// A connection is gone, or could not be made; whoever ended it.
    PeerClosed {
        /// Which connection.
        peer: PeerId,
    },
    /// Txns of the log, as [`Effect::ReadLog`](crate::Effect::ReadLog) asked for.
    LogRead {
        /// For whom.
        peer: PeerId,
        /// Behind which txn.
        after: Zxid,
        /// What there is; `None` when it cannot be read, or is not there any more.
        piece: Option<&'a LogPiece>,
    },
    /// The epochs are on disk.
    EpochsSaved {
        /// What is there now.
        epochs: Epochs,
    },
    /// The log was cut, durably, and the state loaded from disk anew.
    Reloaded {
        /// What was found; taken by the core.
        recovered: &'a mut Option<Box<Recovered>>,
    },
}
