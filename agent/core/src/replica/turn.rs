//! From one epoch to the next without an election, before the counter of zxids is spent.
//!
//! Once an epoch has many txns, and all its learners are ours and up to date, a serving leader does
//! with them what a new leader does, over the connections that there are: it promises the next epoch
//! on disk, has a quorum promise it (LEADERINFO, ACKEPOCH), enters it, and has a quorum enter it
//! (NEWLEADER, ACK). Before it asks, everything of the old epoch is committed and acknowledged, so
//! the histories are equal. What is written meanwhile gets its zxids in the next epoch, and is logged
//! and proposed once that stands: clients wait for that, and nobody else sees anything. When it comes
//! to nothing the leader steps down, as one does whose quorum is gone; what waited was never logged.
//!
//! Learners of Apache do not know of it. With one of them the leader steps down at last.

use std::collections::BTreeSet;

use zk_wire::Zxid;

use super::Replica;
use super::ensemble::{Role, Taken};
use super::lead::base;
use crate::effect::{Effect, Effects, Level};
use crate::ids::{Epochs, PeerId};
use crate::time::Now;
use crate::zab::leader::{self, Phase, Stage, Step};
use crate::zab::learner::{self, Turn};
use crate::zab::packet::{PROTOCOL, Packet, kind};

/// How long a follower may take to acknowledge what belongs to the old epoch, in ms.
const DRAIN_MS: i64 = 1_000;

impl Replica {
    /// Whether txns that are made now belong to an epoch that has not begun.
    pub(super) fn turns(&self) -> bool {
        self.leading().is_some_and(|leader| leader.turn.is_some())
    }

    /// The zxid of the next txn of this server.
    pub(super) fn next_zxid(&self) -> Zxid {
        let turn = self.leading().and_then(|leader| leader.turn.as_ref());
        let from = turn.map_or(self.logged, |turn| self.logged.max(base(turn.epoch)));
        from.next().expect("a server does not live for 2^63 txns")
    }

    /// Looks whether another epoch is due. True when this server had to step down for it.
    pub(super) fn look_at_counter(&mut self, now: Now, effects: &mut Effects) -> bool {
        let soft = self.config.epoch_txns_max;
        let counter = self.logged.counter();
        if counter <= soft || self.turns() {
            return false;
        }
        let next = self.leading().map_or(0, |leader| leader.epoch + 1);
        if self.begin_turn(now, next, effects) {
            return false;
        }
        // Half of what is left is more than any leader proposes between two looks.
        let spent = counter > soft + (u32::MAX - soft) / 2;
        if spent {
            self.look(now, "the counter of the epoch is nearly spent", effects);
        }
        spent
    }

    /// Begins to go to another epoch; false when something is in the way. Whoever was not told an
    /// epoch yet waits for that one.
    pub(super) fn begin_turn(&mut self, now: Now, epoch: i64, effects: &mut Effects) -> bool {
        let last = self.logged;
        let us = self.us();
        let changes = us.known.proposed.is_some() || us.stops;
        let Role::Leading(leader) = &mut us.role else { return false };
        let entered = leader.epoch;
        let in_step = |f: &leader::Follower| f.stage == Stage::Serving && f.entered == entered;
        let ready = |f: &leader::Follower| f.stage <= Stage::Known || (f.turns && in_step(f));
        let ready = leader.learners.values().all(ready);
        let possible = leader.turn.is_none() && epoch <= i64::from(i32::MAX);
        if !ready || !possible || changes || leader.phase != Phase::Serving {
            return false;
        }
        leader.turn = Some(leader::Turn {
            epoch,
            last,
            step: Step::Draining,
            due_ms: now.mono_ms + DRAIN_MS,
            begun_ms: now.mono_ms,
            done: BTreeSet::new(),
        });
        self.turn_on(now, effects);
        true
    }

    /// Goes to the next step when what this one waits for is there.
    pub(super) fn turn_on(&mut self, now: Now, effects: &mut Effects) {
        let applied = self.tree.last_zxid();
        let us = self.us();
        let electorate = us.known.electorate();
        let (me, sync_ms, epochs) = (us.me, us.sync_ms, us.epochs);
        let Role::Leading(leader) = &mut us.role else { return };
        let Some(turn) = &mut leader.turn else { return };
        let (epoch, serving) = (turn.epoch, leader.learners.values());
        let due_ms = now.mono_ms + sync_ms;
        turn.done.insert(me);
        match turn.step {
            Step::Draining => {
                let mut serving = serving.filter(|f| f.stage == Stage::Serving && !f.observer);
                if applied == turn.last && serving.all(|f| f.acked >= turn.last) {
                    (turn.step, turn.due_ms) = (Step::Promising, due_ms);
                    self.save_epochs(Epochs { accepted: epoch, ..epochs }, effects);
                }
            }
            Step::Promised if electorate.is_quorum(&turn.done) => {
                (turn.step, turn.due_ms) = (Step::Entering, due_ms);
                self.save_epochs(Epochs { accepted: epoch, current: epoch }, effects);
            }
            Step::Offered if electorate.is_quorum(&turn.done) => self.turned(now, effects),
            _ => {}
        }
    }

    /// The epochs of a leader that serves are on disk.
    pub(super) fn on_turn_saved(&mut self, now: Now, effects: &mut Effects) {
        let text = self.us().known.committed.text.clone();
        let Some(turn) = self.leader().and_then(|leader| leader.turn.as_mut()) else { return };
        turn.done.clear();
        let begin = base(turn.epoch);
        let (step, kind, data) = match turn.step {
            Step::Promising => (Step::Promised, kind::LEADERINFO, PROTOCOL.to_be_bytes().to_vec()),
            Step::Entering => (Step::Offered, kind::NEWLEADER, text.into_bytes()),
            step => unreachable!("epochs were saved in {step:?}"),
        };
        turn.step = step;
        for peer in self.at_stage(Stage::Serving) {
            self.send_packet(peer, kind, begin, Some(&data), effects);
        }
        self.turn_on(now, effects);
    }

    /// A learner promises the next epoch, or has entered it.
    ///
    /// # Errors
    /// When it was not asked for that.
    pub(super) fn on_turn_done(
        &mut self,
        now: Now,
        peer: PeerId,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> Taken {
        let Some(leader) = self.leader() else { return Ok(()) };
        let Some(follower) = leader.learners.get_mut(&peer) else { return Ok(()) };
        let sid = follower.sid;
        if packet.kind == kind::ACK {
            follower.entered = packet.zxid.epoch();
        }
        let asked = match packet.kind {
            kind::ACKEPOCH => Step::Promised,
            _ => Step::Offered,
        };
        match &mut leader.turn {
            Some(turn) if turn.step == asked => {
                if packet.kind == kind::ACKEPOCH && packet.zxid != turn.last {
                    return Err(format!("its log ends at {}, not {}", packet.zxid, turn.last));
                }
                turn.done.insert(sid);
            }
            // A quorum was quicker.
            _ => {}
        }
        self.turn_on(now, effects);
        Ok(())
    }

    /// The next epoch stands: what waited for it is logged and proposed.
    fn turned(&mut self, now: Now, effects: &mut Effects) {
        let Some(leader) = self.leader() else { return };
        let Some(turn) = leader.turn.take() else { return };
        leader.epoch = turn.epoch;
        let begin = base(turn.epoch);
        (self.durable, self.committed) = (begin, begin);
        self.logged = self.logged.max(begin);
        self.tree.applied(begin);
        self.us().election.established(turn.epoch);
        let took_ms = now.mono_ms - turn.begun_ms;
        let waited = self.pending.len();
        let line = format!(
            "ensemble: leading epoch={} history={} took_ms={took_ms} waited={waited}",
            turn.epoch, turn.last
        );
        effects.log(Level::Info, line);
        for peer in self.at_stage(Stage::Serving) {
            self.send_packet(peer, kind::UPTODATE, Zxid::NONE, None, effects);
        }
        let mut waiting = Vec::new();
        for (zxid, txn) in self.pending.txns() {
            let start = effects.bytes.len();
            effects.bytes.extend_from_slice(txn);
            waiting.push((zxid, start..effects.bytes.len()));
        }
        for (zxid, txn) in waiting {
            effects.list.push(Effect::Append { zxid, txn: txn.clone() });
            self.propose(now, zxid, txn, effects);
        }
        for peer in self.at_stage(Stage::Known) {
            self.ask(peer, effects);
        }
        self.on_applied(now, effects);
    }

    /// The leader steps down meanwhile: what was not logged did not happen.
    pub(super) fn abandon_turn(&mut self) {
        let Some(turn) = self.leader().and_then(|leader| leader.turn.take()) else { return };
        self.pending.truncate(turn.last);
        self.logged = turn.last;
    }

    /// Time passes while the epoch changes. True when this server had to step down for it.
    pub(super) fn on_turn_tick(&mut self, now: Now, effects: &mut Effects) -> bool {
        let Some(leader) = self.leader() else { return false };
        let Some(turn) = leader.turn.as_ref().filter(|turn| now.mono_ms >= turn.due_ms) else {
            return false;
        };
        if turn.step > Step::Draining {
            let why = format!("epoch {} did not begin in {:?}", turn.epoch, turn.step);
            self.look(now, &why, effects);
            return true;
        }
        let late = |f: &&leader::Follower| f.stage == Stage::Serving && f.acked < turn.last;
        let late = leader.learners.iter().filter(|(_, f)| !f.observer && late(f));
        let late: Vec<PeerId> = late.map(|(peer, _)| *peer).collect();
        if let Some(turn) = &mut leader.turn {
            turn.due_ms = now.mono_ms + DRAIN_MS;
        }
        for peer in late {
            self.drop_peer(now, peer, "it holds up the next epoch", effects);
        }
        let us = self.us();
        let electorate = us.known.electorate();
        let Role::Leading(leader) = &us.role else { return true };
        let begun_ms = leader.turn.as_ref().map_or(now.mono_ms, |turn| turn.begun_ms);
        // Who comes now waits for the next epoch, so nobody is to be waited for.
        if !electorate.is_quorum(&leader.in_step()) || now.mono_ms - begun_ms > us.sync_ms {
            self.look(now, "the old epoch does not come to its end", effects);
            return true;
        }
        self.turn_on(now, effects);
        false
    }

    /// The leader begins another epoch while this learner serves.
    ///
    /// # Errors
    /// When it must not.
    pub(super) fn on_next_epoch(&mut self, packet: &Packet<'_>, effects: &mut Effects) -> Taken {
        let (epochs, epoch) = (self.us().epochs, packet.zxid.epoch());
        let Some(learner) = self.learner() else { return Ok(()) };
        match (packet.kind, learner.turn) {
            (kind::LEADERINFO, None) if epoch > epochs.accepted => {
                learner.turn = Some(Turn::Promising(epoch));
                self.save_epochs(Epochs { accepted: epoch, ..epochs }, effects);
            }
            (kind::NEWLEADER, Some(Turn::Promised(promised))) if promised == epoch => {
                learner.turn = Some(Turn::Settling(epoch));
                self.settle_turn(effects);
            }
            (kind, turn) => {
                return Err(format!("packet {kind} of {epoch} with {epochs:?} and {turn:?}"));
            }
        }
        Ok(())
    }

    /// When all of its log is on disk the next epoch is entered.
    pub(super) fn settle_turn(&mut self, effects: &mut Effects) {
        let flushed = self.durable == self.logged;
        let epochs = self.us().epochs;
        let Some(learner) = self.learner() else { return };
        if let Some(Turn::Settling(epoch)) = learner.turn
            && flushed
        {
            learner.turn = Some(Turn::Entering(epoch));
            self.save_epochs(Epochs { current: epoch, ..epochs }, effects);
        }
    }

    /// The epochs of a learner that serves are on disk.
    pub(super) fn on_learner_turn_saved(&mut self, now: Now, effects: &mut Effects) {
        let (current, logged) = (self.us().epochs.current, self.logged);
        let Some(learner) = self.learner() else { return };
        let peer = learner.peer;
        match learner.turn {
            Some(Turn::Promising(epoch)) => {
                learner.turn = Some(Turn::Promised(epoch));
                let current = i32::try_from(current).expect("an epoch has 32 bits").to_be_bytes();
                self.send_packet(peer, kind::ACKEPOCH, logged, Some(&current), effects);
            }
            Some(Turn::Entering(epoch)) => {
                (learner.turn, learner.epoch) = (None, epoch);
                self.us().election.established(epoch);
                self.send_packet(peer, kind::ACK, base(epoch), None, effects);
                effects.log(Level::Info, format!("ensemble: following epoch={epoch}"));
            }
            turn => unreachable!("epochs were saved with {turn:?}"),
        }
        self.take_packets(now, peer, effects);
    }
}

impl leader::Leader {
    /// Whether this is how the next epoch is acknowledged, or was, when a quorum was quicker.
    pub(super) fn offers(&self, zxid: Zxid) -> bool {
        zxid == base(self.turn.as_ref().map_or(self.epoch, |turn| turn.epoch))
    }
}

impl learner::Turn {
    /// Whether the next packets of the leader have to wait.
    pub(super) fn holds(self) -> bool {
        !matches!(self, Turn::Promised(_))
    }
}
