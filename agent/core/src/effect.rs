//! What must follow from an event. Carried out in list order by the shell.

use std::ops::Range;

use zk_wire::Zxid;

use crate::audit::Audit;
use crate::ids::{Cluster, ConnId, Epochs, PeerId, Port};
use crate::members::Members;

/// One thing to do. Byte ranges point into [`Effects::bytes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append a txn to the log and make it durable; answered by `Event::Durable`.
    Append {
        /// Its zxid; each one is larger than the one before.
        zxid: Zxid,
        /// TxnHeader, record and digest as Apache's servers write them.
        txn: Range<usize>,
    },
    /// Send these bytes, which are whole frames with their lengths, to a client.
    Send {
        /// To whom.
        conn: ConnId,
        /// Replies and watch events, ready to be written. Several effects may share a range.
        frames: Range<usize>,
    },
    /// Close a connection after what was sent before has been flushed.
    Close {
        /// Which one.
        conn: ConnId,
    },
    /// Stop reading requests from a connection.
    Pause {
        /// Which one.
        conn: ConnId,
    },
    /// Read requests from it again.
    Resume {
        /// Which one.
        conn: ConnId,
    },
    /// A snapshot has begun; ask for it by `Event::SnapshotSlice` until the last piece.
    SnapshotBegin {
        /// The zxid it stands at: it holds every txn up to this one and none above.
        zxid: Zxid,
        /// It stands for a history that is not the log's: once it is on disk, the log and all other
        /// snapshots are void, atomically. Nothing is appended meanwhile.
        replaces: bool,
    },
    /// The running snapshot is given up.
    SnapshotAbandon,
    /// A piece of the running snapshot.
    SnapshotBytes {
        /// The piece, opaque to the shell; pieces are loaded in the order they came in.
        piece: Range<usize>,
        /// True for the last one.
        last: bool,
    },
    /// Connect to a peer; answered by `PeerConnected` or `PeerClosed`. Names are resolved anew.
    Dial {
        /// The number of the connection.
        peer: PeerId,
        /// Host names or addresses with their ports, all of the same server.
        addresses: Vec<(String, u16)>,
        /// Which port it is.
        port: Port,
    },
    /// Send bytes to a peer, behind what was sent before.
    SendPeer {
        /// To which connection.
        peer: PeerId,
        /// What to send. Several effects may share a range.
        bytes: Range<usize>,
    },
    /// Close a connection to a peer after what was sent before has been flushed.
    ClosePeer {
        /// Which connection.
        peer: PeerId,
    },
    /// Read txns of the log for a learner; answered by `LogRead`. Another one of the same learner is
    /// asked for when that has come, and the network has taken what it brought.
    ReadLog {
        /// For whom.
        peer: PeerId,
        /// Behind which txn.
        after: Zxid,
        /// Up to which one: all up to there are durable.
        through: Zxid,
        /// Bytes of txns after which the piece ends; it has at least one txn if there is one.
        bytes_max: usize,
    },
    /// Write the epochs down, durably and behind every append before; answered by `EpochsSaved`.
    SaveEpochs {
        /// What to write.
        epochs: Epochs,
    },
    /// Write the id of the ensemble down, durably before anything that is asked for behind this:
    /// `EnsembleConfig::cluster` of the next start.
    SaveCluster {
        /// What to write, with an id.
        cluster: Cluster,
    },
    /// Cut everything above a zxid out of the log, and snapshots above it, durably; then load the
    /// state anew. Answered by `Reloaded`. Without a zxid nothing is cut, nor when there is no
    /// older state from which that zxid can be reached.
    Reload {
        /// The newest txn that stays.
        cut: Option<Zxid>,
    },
    /// Write a configuration down as the newest one that was proposed, durably before anything that
    /// is asked for behind this: `EnsembleConfig::proposed` of the next start, unless it is the one
    /// in force by then.
    MembersProposed {
        /// What was proposed.
        members: Box<Members>,
    },
    /// A configuration is in force: this server's own ports follow it.
    MembersInForce {
        /// What is in force.
        members: Box<Members>,
        /// It is written down: `EnsembleConfig::members` of the next start. Not so for a server that
        /// has no place in it and never had one: it begins again with the list that it was given.
        kept: bool,
    },
    /// From now on clients are served, or not.
    Serve {
        /// Whether they are.
        on: bool,
    },
    /// Something an operator should read.
    Log {
        /// How loud.
        level: Level,
        /// One line, without client data.
        line: String,
    },
    /// A line of the audit log; only with `Config::audit`.
    Audit(Box<Audit>),
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is wrong.
    Error,
    /// Something will be wrong.
    Warn,
    /// Worth knowing at 3 a.m.
    Info,
    /// For whoever looks for a fault.
    Debug,
}

/// The ordered list of effects and the bytes they point to. Kept and reused by the shell, so that a
/// turn allocates nothing once it is warm.
#[derive(Debug, Default)]
pub struct Effects {
    /// What to do, in order.
    pub list: Vec<Effect>,
    /// The bytes of frames, txns and snapshot pieces.
    pub bytes: Vec<u8>,
}

impl Effects {
    /// An empty list.
    pub fn new() -> Effects {
        Effects::default()
    }

    /// Forgets everything that has been carried out; keeps the memory.
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
    }

    /// Adds frames for a connection that were written to `bytes` from `start` on. Joins them to the
    /// effect before when that went to the same connection and ended where they begin.
    pub fn send(&mut self, conn: ConnId, start: usize) {
        let end = self.bytes.len();
        if let Some(Effect::Send { conn: to, frames }) = self.list.last_mut()
            && *to == conn
            && frames.end == start
        {
            frames.end = end;
            return;
        }
        self.list.push(Effect::Send { conn, frames: start..end });
    }

    /// Adds bytes for a peer that were written to `bytes` from `start` on.
    pub fn send_peer(&mut self, peer: PeerId, start: usize) {
        let end = self.bytes.len();
        if let Some(Effect::SendPeer { peer: to, bytes }) = self.list.last_mut()
            && *to == peer
            && bytes.end == start
        {
            bytes.end = end;
            return;
        }
        self.list.push(Effect::SendPeer { peer, bytes: start..end });
    }

    /// Adds lines for the audit log.
    pub fn audit(&mut self, lines: Vec<Audit>) {
        self.list.extend(lines.into_iter().map(|line| Effect::Audit(Box::new(line))));
    }

    /// Adds a line for the log.
    pub fn log(&mut self, level: Level, line: String) {
        self.list.push(Effect::Log { level, line });
    }
}
