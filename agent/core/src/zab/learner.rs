//! What a learner knows: how far it has come with its leader, and what it waits for.
//!
//! Follower and observer alike: an observer is told what is committed and is not asked.

use std::collections::VecDeque;

use zk_wire::{Code, Op, Zxid};

use super::kin;
use super::stream::Receiver;
use super::{Members, Sid};
use crate::audit::Asked;
use crate::ids::{ConnId, PeerId};

/// How far a learner has come.
#[derive(Debug)]
pub enum Phase {
    /// It connects.
    Dialing,
    /// It has told who it is.
    Introduced,
    /// It writes the new epoch down before it promises to follow.
    Promising,
    /// It has promised, and hears how it is brought up to date.
    Promised,
    /// It receives the database.
    Receiving(Box<Receiver>, Zxid),
    /// It waits for its log to be cut to this zxid and its state to be loaded anew.
    Cutting(Zxid),
    /// It hears the history that it lacks.
    Syncing,
    /// It has heard NEWLEADER and waits for everything to be on disk.
    Settling,
    /// It writes the epoch down as the current one.
    Entering,
    /// It has acknowledged NEWLEADER.
    Offered,
    /// It serves.
    Serving,
}

/// How far a serving learner has come into its leader's next epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It writes the promise down.
    Promising(i64),
    /// It has promised.
    Promised(i64),
    /// It waits for its log to be on disk.
    Settling(i64),
    /// It writes the epoch down as the current one.
    Entering(i64),
}

/// A write that was handed to the leader.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// The connection that asked, with its serial.
    pub client: (ConnId, u64),
    /// Its session.
    pub session: i64,
    /// The xid to answer.
    pub xid: i32,
    /// What was asked for.
    pub op: Op,
    /// When it came, on the monotonic clock.
    pub arrived_ms: i64,
    /// The error to answer with, should there be one.
    pub refused: Option<Code>,
    /// For the audit log.
    pub asked: Option<Box<Asked>>,
}

/// A proposal that is not in the log yet.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its zxid.
    pub zxid: Zxid,
    /// The txn.
    pub txn: Box<[u8]>,
}

/// A learner.
#[derive(Debug)]
pub struct Learner {
    /// Whom it follows.
    pub leader: Sid,
    /// The connection to the leader.
    pub peer: PeerId,
    /// How far it has come.
    pub phase: Phase,
    /// The last leader has named this one; nobody has elected it.
    pub designated: bool,
    /// The leader's epoch, once it is known.
    pub epoch: i64,
    /// The leader's next epoch, while it is begun.
    pub turn: Option<Turn>,
    /// It observes.
    pub observer: bool,
    /// The leader is one of ours and pings often.
    pub kin: bool,
    /// Times that it has dialed.
    pub dials: u32,
    /// When to dial again.
    pub redial_at_ms: Option<i64>,
    /// When something has to have been heard.
    pub due_ms: i64,
    /// It looks once more, because it came late itself.
    pub late: bool,
    /// The database it received is not on disk yet.
    pub snapshot_due: bool,
    /// Where the database stands that it received; NONE when it received none.
    pub received: Zxid,
    /// Proposals that are not logged: nothing commits them yet, and the epoch is not entered.
    pub held: VecDeque<Held>,
    /// The configuration of NEWLEADER: in force once the leader is established.
    pub offered: Option<Members>,
    /// The newest proposal that was heard.
    pub heard: Zxid,
    /// What is committed.
    pub committed: Zxid,
    /// Proposals to acknowledge once they are on disk.
    pub to_ack: VecDeque<Zxid>,
    /// Writes of clients that the leader has.
    pub forwarded: VecDeque<Forwarded>,
    /// Syncs of clients that the leader has, in order.
    pub syncs: VecDeque<(ConnId, u64)>,
    /// Clients that come back to a session, which the leader is asked about.
    pub renewals: VecDeque<(i64, ConnId, u64)>,
}

impl Learner {
    /// Begins with a connection that is being dialed.
    pub fn new(leader: Sid, peer: PeerId, observer: bool, due_ms: i64) -> Learner {
        Learner {
            leader,
            peer,
            phase: Phase::Dialing,
            designated: false,
            turn: None,
            epoch: -1,
            observer,
            kin: false,
            dials: 1,
            redial_at_ms: None,
            due_ms,
            late: false,
            snapshot_due: false,
            received: Zxid::NONE,
            held: VecDeque::new(),
            offered: None,
            heard: Zxid::NONE,
            committed: Zxid::NONE,
            to_ack: VecDeque::new(),
            forwarded: VecDeque::new(),
            syncs: VecDeque::new(),
            renewals: VecDeque::new(),
        }
    }

    /// How long the leader may be silent, in ms: `init_ms` before it serves, then `sync_ms`, and
    /// less when it is one of ours.
    pub fn patience_ms(&self, init_ms: i64, sync_ms: i64) -> i64 {
        match self.phase {
            Phase::Serving if self.kin => sync_ms.min(kin::HUNG_MS),
            Phase::Serving => sync_ms,
            _ => init_ms,
        }
    }

    /// Whether it serves clients.
    pub fn serves(&self) -> bool {
        matches!(self.phase, Phase::Serving)
    }
}
