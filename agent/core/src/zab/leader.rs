//! What a leader knows: how far it has come, its learners, and what a quorum has.
//!
//! Bookkeeping only. Discovery chooses an epoch that a quorum promises to follow, synchronisation
//! brings a quorum to the leader's history, broadcast commits what a quorum has on disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zk_wire::Zxid;

use super::{Electorate, Members, Sid};
use crate::bugs::{self, Bug};
use crate::ids::{Cluster, PeerId};

/// How long a leader to whom nobody comes waits before it asks again who leads, in ms: the others may
/// have settled on somebody else.
const ALONE_MS: i64 = 2_000;

/// How far a leader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Learners report the epochs that they accepted.
    Discovery,
    /// The new epoch is being written down.
    Promising,
    /// Learners promise to follow the epoch.
    EpochAck,
    /// The epoch is being written down as the current one.
    Entering,
    /// Learners are brought to the leader's history.
    Synchronizing,
    /// Requests are served.
    Serving,
}

/// How far a learner's connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has connected.
    Fresh,
    /// It has told who it is; it hears the epoch when that stands.
    Known,
    /// It was told the epoch.
    Asked,
    /// It has promised, or has the epoch already; it is brought up to date next.
    Promised,
    /// The log on disk is read for it, and sent.
    Reading,
    /// The database is being sent.
    Snapshot,
    /// It was sent everything and NEWLEADER.
    Offered,
    /// It has everything on disk.
    Synced,
    /// It was told UPTODATE; it hears proposals, or what is committed.
    Serving,
}

/// A sync of a learner that waits for a quorum to confirm the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sync {
    /// Who asked: a learner, or a client of this server by the serial of its connection.
    pub from: SyncFrom,
    /// The newest proposal when it came.
    pub after: Zxid,
    /// The round of pings that confirms it.
    pub round: u64,
}

/// Who waits for a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncFrom {
    /// A learner.
    Learner(PeerId),
    /// A client of this server.
    Client(crate::ids::ConnId, u64),
}

/// How the log on disk is read for a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is not, so far.
    Possible,
    /// The log cannot be used, or would be longer than the database.
    Useless,
    /// The first piece is being read; it says how the learner is brought up.
    First,
    /// A further piece is being read.
    Next,
    /// The network takes a piece.
    Sending,
}

/// A learner's connection as its leader sees it.
#[derive(Clone, Debug)]
pub struct Follower {
    /// Its id; negative for who did not tell one.
    pub sid: Sid,
    /// How far it has come.
    pub stage: Stage,
    /// It observes.
    pub observer: bool,
    /// It is one of ours, and counts on frequent pings.
    pub kin: bool,
    /// It is one of ours, and goes along when the leader begins another epoch.
    pub turns: bool,
    /// The id of its ensemble; `None` when it knows of no such id.
    pub cluster: Option<Cluster>,
    /// What it was told of that, and how many pings it has to answer until it has it.
    pub telling: Option<(Cluster, usize)>,
    /// Last zxid that it told, or through which it has been sent the history.
    pub position: Zxid,
    /// The epoch that it has entered.
    pub entered: i64,
    /// How the log on disk is read for it.
    pub reading: Reading,
    /// It has everything up to this on disk.
    pub acked: Zxid,
    /// Leader's tick by which it must have been heard.
    pub tick_due: i64,
    /// When it was last heard, on the monotonic clock.
    pub heard_ms: i64,
    /// Rounds of the pings that it has not answered.
    pub pings: VecDeque<u64>,
    /// Newest round that it has answered.
    pub round: u64,
    /// When the oldest proposal that it has not acknowledged was sent, with its zxid.
    pub lag: Option<(Zxid, i64)>,
}

impl Follower {
    /// A learner that has just connected.
    pub fn new(tick_due: i64) -> Follower {
        Follower {
            sid: -1,
            stage: Stage::Fresh,
            observer: false,
            kin: false,
            turns: false,
            cluster: None,
            telling: None,
            entered: -1,
            position: Zxid::NONE,
            reading: Reading::Possible,
            acked: Zxid::NONE,
            tick_due,
            heard_ms: 0,
            pings: VecDeque::new(),
            round: 0,
            lag: None,
        }
    }
}

/// A leader.
#[derive(Debug)]
pub struct Leader {
    me: Sid,
    /// How far it has come.
    pub phase: Phase,
    /// The new epoch; until it is frozen, the smallest that is above every report.
    pub epoch: i64,
    /// Current epoch and last zxid when it was elected: nobody who has more may follow.
    pub own: (i64, Zxid),
    reports: BTreeSet<Sid>,
    promises: BTreeSet<Sid>,
    synced: BTreeSet<Sid>,
    /// Its learners.
    pub learners: BTreeMap<PeerId, Follower>,
    /// Half ticks since it began.
    pub half_ticks: i64,
    /// When the next half tick is, on the monotonic clock.
    pub next_half_tick_ms: i64,
    /// When the next ping to learners of ours is due, and a look at our own disk.
    pub next_look_ms: i64,
    /// What was on our disk when it was first seen to be behind a quorum of others, and when.
    pub behind: Option<(Zxid, i64)>,
    /// When the phase has to be over.
    pub phase_due_ms: i64,
    begun_ms: i64,
    phase_ms: i64,
    /// Round of the newest pings.
    pub round: u64,
    /// Syncs that wait.
    pub syncs: VecDeque<Sync>,
    /// The log on disk cannot be read behind this txn.
    pub unreadable: Zxid,
    /// The next epoch, while it is begun.
    pub turn: Option<Turn>,
}

/// How far the change to the next epoch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// What belongs to the old epoch is committed and acknowledged by every follower.
    Draining,
    /// The promise is being written down.
    Promising,
    /// Learners promise to follow.
    Promised,
    /// The epoch is being written down as the current one.
    Entering,
    /// Learners write it down.
    Offered,
}

/// The change of a serving leader to its next epoch.
#[derive(Debug)]
pub struct Turn {
    /// The next epoch.
    pub epoch: i64,
    /// The last txn of the old one.
    pub last: Zxid,
    /// How far it has come.
    pub step: Step,
    /// When the step has to be over.
    pub due_ms: i64,
    /// When it began.
    pub begun_ms: i64,
    /// Who has done what the step asks for.
    pub done: BTreeSet<Sid>,
}

impl Leader {
    /// Begins discovery. `accepted`: the epoch that this server has accepted.
    pub fn new(me: Sid, accepted: i64, own: (i64, Zxid), now_ms: i64, phase_ms: i64) -> Leader {
        let mut leader = Leader {
            me,
            phase: Phase::Discovery,
            epoch: -1,
            own,
            reports: BTreeSet::new(),
            promises: BTreeSet::new(),
            synced: BTreeSet::new(),
            learners: BTreeMap::new(),
            half_ticks: 0,
            next_half_tick_ms: now_ms,
            next_look_ms: now_ms,
            behind: None,
            begun_ms: now_ms,
            phase_ms,
            phase_due_ms: now_ms + phase_ms.min(ALONE_MS),
            round: 0,
            syncs: VecDeque::new(),
            unreadable: Zxid::NONE,
            turn: None,
        };
        leader.report(me, accepted);
        leader
    }

    /// Someone tells the epoch that it has accepted. Voter or not, the new one is above it.
    pub fn report(&mut self, sid: Sid, accepted: i64) {
        if self.phase == Phase::Discovery {
            let next = if bugs::on(Bug::EpochReused) { accepted.max(1) } else { accepted + 1 };
            self.epoch = self.epoch.max(next);
            if self.reports.insert(sid) && sid != self.me {
                self.phase_due_ms = self.begun_ms + self.phase_ms;
            }
        }
    }

    /// Whether a quorum has reported.
    pub fn is_reported(&self, electorate: &Electorate<'_>) -> bool {
        self.reports.contains(&self.me) && electorate.is_quorum(&self.reports)
    }

    /// Someone promises to follow, with a history that is not above the leader's.
    pub fn promise(&mut self, sid: Sid) {
        self.promises.insert(sid);
    }

    /// Whether a quorum has promised.
    pub fn is_promised(&self, electorate: &Electorate<'_>) -> bool {
        self.promises.contains(&self.me) && electorate.is_quorum(&self.promises)
    }

    /// Someone has the leader's history on disk.
    pub fn sync(&mut self, sid: Sid) {
        self.synced.insert(sid);
    }

    /// Whether a quorum has it.
    pub fn is_synced(&self, electorate: &Electorate<'_>) -> bool {
        let early = bugs::on(Bug::ServesEarly);
        self.synced.contains(&self.me) && (early || electorate.is_quorum(&self.synced))
    }

    /// Enters the next phase.
    pub fn enter(&mut self, phase: Phase, now_ms: i64, phase_ms: i64) {
        assert!(phase > self.phase, "from {:?} to {phase:?}", self.phase);
        self.phase = phase;
        self.phase_due_ms = if phase == Phase::Serving { i64::MAX } else { now_ms + phase_ms };
    }

    /// The newest zxid that a quorum has on disk, when that is more than is committed. `durable`:
    /// what is on the leader's own.
    pub fn committable(
        &self,
        electorate: &Electorate<'_>,
        durable: Zxid,
        committed: Zxid,
    ) -> Option<Zxid> {
        let serving = self.learners.values().filter(|f| f.stage == Stage::Serving && !f.observer);
        if bugs::on(Bug::CommitAlone) && durable > committed {
            return Some(durable);
        }
        let mut acked: Vec<(Zxid, Sid)> = serving.map(|f| (f.acked, f.sid)).collect();
        acked.push((durable, self.me));
        acked.sort_unstable();
        let mut have = BTreeSet::new();
        for (zxid, sid) in acked.into_iter().rev() {
            if zxid <= committed {
                return None;
            }
            have.insert(sid);
            if electorate.is_quorum(&have) {
                return Some(zxid);
            }
        }
        None
    }

    /// Which of the voters of a new configuration takes over: who has most of the history on disk,
    /// the txn that makes the configuration at least. None when there is nobody.
    pub fn successor(&self, next: &Members, from: Zxid) -> Option<Sid> {
        let serving = self.learners.values().filter(|f| f.stage == Stage::Serving && !f.observer);
        let able = serving.filter(|f| f.acked >= from && next.is_voter(f.sid) && f.sid != self.me);
        able.max_by_key(|f| (f.acked, std::cmp::Reverse(f.sid))).map(|f| f.sid)
    }

    /// Voters of a configuration that have everything and were heard of lately, this server
    /// included.
    pub fn in_step(&self) -> BTreeSet<Sid> {
        let tick = self.half_ticks / 2;
        let serving = self.learners.values().filter(|f| f.stage == Stage::Serving && !f.observer);
        let mut sids: BTreeSet<Sid> =
            serving.filter(|f| f.tick_due >= tick).map(|f| f.sid).collect();
        sids.insert(self.me);
        sids
    }

    /// Whether a quorum of others has had more than what is on our own disk for so long: it is what
    /// everybody waits for.
    pub fn holds_up(
        &mut self,
        electorate: &Electorate<'_>,
        durable: Zxid,
        now_ms: i64,
        limit_ms: i64,
    ) -> bool {
        if self.committable(electorate, Zxid::NONE, durable).is_none() {
            self.behind = None;
            return false;
        }
        let same = self.behind.filter(|(zxid, _)| *zxid == durable);
        let (_, since_ms) = *self.behind.insert(same.unwrap_or((durable, now_ms)));
        now_ms - since_ms > limit_ms
    }

    /// The newest round of pings that a quorum has answered.
    pub fn confirmed_round(&self, electorate: &Electorate<'_>) -> u64 {
        let serving = self.learners.values().filter(|f| f.stage == Stage::Serving && !f.observer);
        let mut rounds: Vec<(u64, Sid)> = serving.map(|f| (f.round, f.sid)).collect();
        rounds.push((self.round, self.me));
        rounds.sort_unstable();
        let mut have = BTreeSet::new();
        for (round, sid) in rounds.into_iter().rev() {
            have.insert(sid);
            if electorate.is_quorum(&have) {
                return round;
            }
        }
        0
    }

    /// Whether a quorum has been heard of lately.
    pub fn is_heard(&self, electorate: &Electorate<'_>) -> bool {
        let tick = self.half_ticks / 2;
        let alive = self.learners.values().filter(|f| f.tick_due >= tick && f.stage > Stage::Fresh);
        let mut sids: BTreeSet<Sid> = alive.map(|f| f.sid).collect();
        sids.insert(self.me);
        electorate.is_quorum(&sids)
    }
}
