//! Bringing learners to the leader's history: DIFF, TRUNC or SNAP, and what follows behind.

use zk_wire::Zxid;

use super::Replica;
use super::ensemble::Role;
use super::lead::base;
use crate::bugs::{self, Bug};
use crate::effect::{Effects, Level};
use crate::ids::PeerId;
use crate::time::Now;
use crate::zab::leader::{Phase, Reading, Stage};
use crate::zab::packet::{self, kind};

/// How a learner is brought to the leader's history.
enum Way {
    /// It is sent what it lacks, behind this zxid.
    Diff(Zxid),
    /// It cuts its log to this zxid and is sent what follows.
    Trunc(Zxid),
    /// The log on disk may have what it lacks.
    Log,
    /// It is sent the database.
    Snap,
}

impl Replica {
    /// The zxid to which a learner is brought now. What a quorum has is history, even while this
    /// server's own disk lags behind: no learner may be told to cut it off.
    pub(super) fn top(&mut self) -> Zxid {
        let applied = bugs::on(Bug::CommittedCutOff);
        match self.decides() {
            true if applied => self.tree.last_zxid(),
            true => self.committed,
            false => self.logged,
        }
    }

    fn way(&mut self, peer: PeerId, position: Zxid) -> Way {
        let top = self.top();
        if position == top {
            return Way::Diff(top);
        }
        let fresh = position.counter() == 0;
        if position > top {
            let kept = fresh || bugs::on(Bug::TailKept);
            return if kept { Way::Diff(position) } else { Way::Trunc(top) };
        }
        let us = self.ensemble.as_ref().expect("there is an ensemble");
        if position < us.history.before() {
            return if self.may_read_log(peer, position) { Way::Log } else { Way::Snap };
        }
        let unapplied = self.pending.zxids().take_while(|zxid| *zxid <= top);
        let applied = us.history.at_or_below(position);
        let before = unapplied.clone().filter(|zxid| *zxid <= position).last().or(applied);
        if before == Some(position) || fresh {
            return Way::Diff(position);
        }
        let mut above = us.history.after(position).map(|(zxid, _)| zxid).chain(unapplied);
        let next = above.find(|zxid| *zxid > position);
        match (before, next) {
            (Some(_), Some(_)) if bugs::on(Bug::TailKept) => Way::Diff(position),
            (Some(before), Some(next)) if next.epoch() == position.epoch() => Way::Trunc(before),
            // Nothing was written since the epoch of the learner's last txns: these are all it has
            // too much.
            (Some(before), None) if before.epoch() == position.epoch() => Way::Trunc(before),
            _ => Way::Snap,
        }
    }

    /// Sends a learner what it lacks, and the offer of the epoch.
    pub(super) fn bring_up(&mut self, now: Now, peer: PeerId, effects: &mut Effects) {
        let Some(position) = self.follower(peer).map(|follower| follower.position) else { return };
        if self.turns() {
            return;
        }
        let top = self.top();
        let (kind, zxid, from, method) = match self.way(peer, position) {
            Way::Diff(from) => (kind::DIFF, top.max(from), from, "DIFF"),
            Way::Trunc(to) => (kind::TRUNC, to, to, "TRUNC"),
            Way::Log => return self.begin_reading(peer, position, effects),
            Way::Snap => return self.begin_sending(now, peer, effects),
        };
        let sid = self.follower(peer).map_or(-1, |follower| follower.sid);
        let line = format!("ensemble: syncing server={sid} by={method} from={position} to={top}");
        effects.log(Level::Info, line);
        self.send_packet(peer, kind, zxid, None, effects);
        self.offer(peer, from, effects);
    }

    /// Sends the history behind `from` and NEWLEADER. The history in memory reaches back to there.
    pub(super) fn offer(&mut self, peer: PeerId, from: Zxid, effects: &mut Effects) {
        let mut top = self.top();
        let kept = self.us().history.before();
        assert!(
            from >= kept.min(top),
            "{peer} lacks txns behind {from}, and {kept} is the first kept"
        );
        let sent = self.follower(peer).is_some_and(|f| f.stage == Stage::Snapshot);
        let from = match sent {
            true if bugs::on(Bug::Zk3104) => top,
            true if bugs::on(Bug::TxnTwice) && from.counter() > 1 => Zxid(from.0 - 1),
            _ => from,
        };
        let skipped = usize::from(bugs::on(Bug::Zk2846));
        let start = effects.bytes.len();
        let us = self.ensemble.as_ref().expect("there is an ensemble");
        let Role::Leading(leader) = &us.role else { return };
        let epoch = leader.epoch;
        // While this leader serves, what is on its way follows behind UPTODATE.
        let members = match leader.phase {
            Phase::Serving => &us.known.committed,
            _ => us.known.newest(),
        };
        let out = &mut effects.bytes;
        let history = us.history.after(from).skip(skipped);
        for (zxid, txn) in history.take_while(|(zxid, _)| *zxid <= top) {
            packet::put_committed(zxid, txn, out);
        }
        for (zxid, txn) in self.pending.txns().filter(|(zxid, _)| *zxid > from && *zxid <= top) {
            packet::put_committed(zxid, txn, out);
        }
        if bugs::on(Bug::Zk4394) && leader.phase == Phase::Serving {
            // As Apache's leaders do, what is on its way goes before NEWLEADER.
            for (zxid, txn) in self.pending.txns().filter(|(zxid, _)| *zxid > top.max(from)) {
                packet::put(kind::PROPOSAL, zxid, Some(txn), out);
            }
            top = self.pending.zxids().last().unwrap_or(top).max(top);
        }
        packet::put(kind::NEWLEADER, base(epoch), Some(members.text.as_bytes()), out);
        effects.send_peer(peer, start);
        if let Some(follower) = self.follower(peer) {
            follower.stage = Stage::Offered;
            follower.position = top;
        }
        self.pin_history();
    }

    /// Whether the database can be sent now. What a learner has acknowledged must be in it: it takes
    /// the place of the learner's log, and what follows behind it may never arrive.
    fn has_database(&mut self, now: Now, effects: &mut Effects) -> bool {
        if self.tree.snapshot_runs() {
            return false;
        }
        if !self.decides() && self.durable == self.logged {
            // The history that is led with; a start applies all of the log, too.
            self.committed = self.logged;
            self.apply_ready(now, effects);
        }
        self.tree.last_zxid() >= self.top()
    }

    /// Sends the database, when no other snapshot is being taken and this server's own disk has what
    /// is committed; else when that is so.
    fn begin_sending(&mut self, now: Now, peer: PeerId, effects: &mut Effects) {
        if !self.has_database(now, effects) {
            return;
        }
        self.snapshot_to = Some(peer);
        let zxid = self.tree.last_zxid();
        let Some(follower) = self.follower(peer) else { return };
        follower.stage = Stage::Snapshot;
        follower.position = zxid;
        let line = format!("ensemble: syncing server={} by=SNAP to={zxid}", follower.sid);
        effects.log(Level::Info, line);
        self.send_packet(peer, kind::SNAP, zxid, None, effects);
        let start = effects.bytes.len();
        let sessions: Vec<(i64, i32)> = self.sessions.iter().collect();
        self.tree.wire_begin(&sessions, &mut effects.bytes);
        effects.send_peer(peer, start);
        self.pin_history();
    }

    /// Who takes what it is sent is given time.
    fn is_taking(&mut self, peer: PeerId) {
        let us = self.us();
        let sync_ticks = us.sync_ms / us.tick_ms;
        let Role::Leading(leader) = &mut us.role else { return };
        let due = leader.half_ticks / 2 + sync_ticks;
        if let Some(follower) = leader.learners.get_mut(&peer)
            && (Stage::Reading..Stage::Offered).contains(&follower.stage)
        {
            follower.tick_due = follower.tick_due.max(due);
        }
    }

    /// The network has taken what was sent: more of the database follows.
    pub(super) fn on_peer_drained(&mut self, now: Now, peer: PeerId, effects: &mut Effects) {
        const SLICE_BYTES: usize = 64 << 10;
        self.is_taking(peer);
        if self.snapshot_to != Some(peer) {
            return self.read_on(peer, effects);
        }
        let start = effects.bytes.len();
        let last = self.tree.wire_slice(SLICE_BYTES, &mut effects.bytes);
        effects.send_peer(peer, start);
        if last {
            self.snapshot_to = None;
            if let Some(follower) = self.follower(peer) {
                // What was written meanwhile may be more than memory keeps: it is read on as a log is.
                follower.reading = Reading::Sending;
                self.read_on(peer, effects);
            }
            self.feed_waiting(now, effects);
        }
    }

    /// Whoever waits for the database is next.
    pub(super) fn feed_waiting(&mut self, now: Now, effects: &mut Effects) {
        if self.leader().is_some_and(|leader| leader.phase >= Phase::Synchronizing) {
            for peer in self.at_stage(Stage::Promised) {
                self.bring_up(now, peer, effects);
            }
        }
    }

    /// Keeps what learners that are being brought up will hear next.
    pub(super) fn pin_history(&mut self) {
        let us = self.us();
        let lowest = match &us.role {
            Role::Leading(leader) => {
                let stages = Stage::Reading..Stage::Serving;
                let busy = leader.learners.values().filter(|f| stages.contains(&f.stage));
                busy.map(|f| f.position).min()
            }
            _ => None,
        };
        us.history.pin(lowest);
    }

    /// A learner serves from now on: it hears what came meanwhile, and everything that comes.
    pub(super) fn admit(&mut self, now: Now, peer: PeerId, effects: &mut Effects) {
        let us = self.ensemble.as_ref().expect("there is an ensemble");
        let Role::Leading(leader) = &us.role else { return };
        let Some(follower) = leader.learners.get(&peer) else { return };
        let (position, observer) = (follower.position, follower.observer);
        if position < us.history.before() {
            return self.drop_peer(now, peer, "it took too long to catch up", effects);
        }
        let start = effects.bytes.len();
        let out = &mut effects.bytes;
        packet::put(kind::UPTODATE, Zxid::NONE, None, out);
        let (me, committed) = (us.me, self.committed);
        let applied = us.history.after(position);
        for (zxid, txn) in applied.chain(self.pending.txns().filter(|(zxid, _)| *zxid > position)) {
            match (observer, zxid <= committed) {
                (true, true) => packet::put_inform(zxid, txn, me, out),
                (true, false) => {}
                (false, true) => packet::put_both(zxid, txn, me, out),
                (false, false) => packet::put(kind::PROPOSAL, zxid, Some(txn), out),
            }
        }
        effects.send_peer(peer, start);
        if let Some(follower) = self.follower(peer) {
            follower.stage = Stage::Serving;
            let (sid, acked) = (follower.sid, follower.acked);
            let line = format!("ensemble: serving server={sid} observer={observer} from={acked}");
            effects.log(Level::Info, line);
        }
        self.pin_history();
    }
}
