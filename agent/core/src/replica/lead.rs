//! Leading: from discovery to broadcast.

use zk_wire::Zxid;
use zk_wire::jute::Reader;

use super::Replica;
use super::ensemble::{Role, Taken};
use crate::bugs::{self, Bug};
use crate::effect::{Effect, Effects, Level};
use crate::ids::{Epochs, PeerId};
use crate::time::Now;
use crate::zab::kin;
use crate::zab::leader::{Follower, Leader, Phase, Stage, SyncFrom};
use crate::zab::packet::{self, PROTOCOL, Packet, kind};

impl Replica {
    pub(super) fn leader(&mut self) -> Option<&mut Leader> {
        match &mut self.us().role {
            Role::Leading(leader) => Some(leader),
            _ => None,
        }
    }

    pub(super) fn leading(&self) -> Option<&Leader> {
        match &self.ensemble.as_ref()?.role {
            Role::Leading(leader) => Some(leader),
            _ => None,
        }
    }

    pub(super) fn follower(&mut self, peer: PeerId) -> Option<&mut Follower> {
        self.leader()?.learners.get_mut(&peer)
    }

    /// Whether this server decides about writes: it leads, or is alone.
    pub(super) fn decides(&self) -> bool {
        match &self.ensemble {
            None => true,
            Some(us) => matches!(&us.role, Role::Leading(l) if l.phase == Phase::Serving),
        }
    }

    /// Begins to lead.
    pub(super) fn lead(&mut self, now: Now, effects: &mut Effects) {
        let own_last = self.logged;
        let us = self.us();
        let own = (us.epochs.current, own_last);
        let accepted = us.epochs.accepted.max(us.heard_epoch);
        let leader = Leader::new(us.me, accepted, own, now.mono_ms, us.init_ms);
        us.role = Role::Leading(Box::new(leader));
        if bugs::on(Bug::Zk4837) && !self.tree.snapshot_runs() {
            self.begin_snapshot_of(false, effects);
        }
        let us = self.us();
        let waiting: Vec<PeerId> = us.peers.keys().copied().collect();
        for peer in waiting {
            self.welcome(peer);
            self.take_packets(now, peer, effects);
        }
        self.advance(now, effects);
    }

    /// Takes in a learner that has connected.
    pub(super) fn welcome(&mut self, peer: PeerId) {
        let us = self.us();
        let ticks = (us.init_ms + us.sync_ms) / us.tick_ms;
        if let Role::Leading(leader) = &mut us.role {
            let due = leader.half_ticks / 2 + ticks;
            leader.learners.insert(peer, Follower::new(due));
        }
    }

    pub(super) fn on_learner_gone(&mut self, now: Now, peer: PeerId, effects: &mut Effects) {
        if self.snapshot_to == Some(peer) {
            self.snapshot_to = None;
            self.tree.snapshot_abort();
        }
        if let Some(leader) = self.leader() {
            leader.learners.remove(&peer);
            leader.syncs.retain(|sync| sync.from != SyncFrom::Learner(peer));
        }
        self.pin_history();
        self.feed_waiting(now, effects);
    }

    /// Goes to the next phase when what this one waits for is there.
    pub(super) fn advance(&mut self, now: Now, effects: &mut Effects) {
        let (durable, logged) = (self.durable, self.logged);
        let us = self.us();
        let electorate = us.known.electorate();
        let Role::Leading(leader) = &mut us.role else { return };
        let epoch = leader.epoch;
        match leader.phase {
            Phase::Discovery if leader.is_reported(&electorate) => {
                leader.enter(Phase::Promising, now.mono_ms, us.init_ms);
                let epochs = Epochs { accepted: epoch, current: us.epochs.current };
                self.stamp_members(now, base(epoch), effects);
                self.save_epochs(epochs, effects);
            }
            Phase::EpochAck if leader.is_promised(&electorate) => {
                leader.enter(Phase::Entering, now.mono_ms, us.init_ms);
                self.save_epochs(Epochs { accepted: epoch, current: epoch }, effects);
            }
            Phase::Synchronizing => {
                if durable == logged {
                    leader.sync(us.me);
                }
                if leader.is_synced(&electorate) {
                    self.establish(now, effects);
                }
            }
            _ => {}
        }
    }

    /// The epochs are on disk.
    pub(super) fn on_epochs_saved(&mut self, now: Now, epochs: Epochs, effects: &mut Effects) {
        self.saving = false;
        let us = self.us();
        us.epochs = epochs;
        match &mut us.role {
            Role::Flushing => self.look_if_flushed(now, effects),
            Role::Looking => {}
            Role::Learning(_) => self.on_learner_epochs_saved(now, effects),
            Role::Leading(leader) => {
                let init_ms = us.init_ms;
                match leader.phase {
                    Phase::Promising => {
                        leader.enter(Phase::EpochAck, now.mono_ms, init_ms);
                        leader.promise(us.me);
                        for peer in self.at_stage(Stage::Known) {
                            self.ask(peer, effects);
                        }
                    }
                    Phase::Entering => {
                        leader.enter(Phase::Synchronizing, now.mono_ms, init_ms);
                        for peer in self.at_stage(Stage::Promised) {
                            self.bring_up(now, peer, effects);
                        }
                    }
                    Phase::Serving => return self.on_turn_saved(now, effects),
                    phase => unreachable!("epochs were saved in {phase:?}"),
                }
                self.advance(now, effects);
            }
        }
    }

    pub(super) fn at_stage(&mut self, stage: Stage) -> Vec<PeerId> {
        let Some(leader) = self.leader() else { return Vec::new() };
        let at = leader.learners.iter().filter(|(_, follower)| follower.stage == stage);
        at.map(|(peer, _)| *peer).collect()
    }

    /// Sends a packet.
    pub(super) fn send_packet(
        &mut self,
        peer: PeerId,
        kind: i32,
        zxid: Zxid,
        data: Option<&[u8]>,
        effects: &mut Effects,
    ) {
        let start = effects.bytes.len();
        packet::put(kind, zxid, data, &mut effects.bytes);
        effects.send_peer(peer, start);
    }

    /// Tells a learner the epoch.
    pub(super) fn ask(&mut self, peer: PeerId, effects: &mut Effects) {
        // While another epoch begins, who comes waits for that.
        let Some(leader) = self.leader().filter(|leader| leader.turn.is_none()) else { return };
        let epoch = leader.epoch;
        let mut data = PROTOCOL.to_be_bytes().to_vec();
        let follower = leader.learners.get_mut(&peer);
        if follower.is_some_and(|follower| {
            follower.stage = Stage::Asked;
            follower.kin
        }) {
            self.put_mark(&mut data);
        }
        self.send_packet(peer, kind::LEADERINFO, base(epoch), Some(&data), effects);
    }

    /// A packet of a learner.
    ///
    /// # Errors
    /// Why its connection has to be closed.
    pub(super) fn on_learner_packet(
        &mut self,
        now: Now,
        peer: PeerId,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> Taken {
        let us = self.us();
        let sync_ticks = us.sync_ms / us.tick_ms;
        let Role::Leading(leader) = &mut us.role else { return Ok(()) };
        let tick = leader.half_ticks / 2;
        let Some(follower) = leader.learners.get_mut(&peer) else { return Ok(()) };
        follower.tick_due = follower.tick_due.max(tick + sync_ticks);
        follower.heard_ms = now.mono_ms;
        let stage = follower.stage;
        match (stage, packet.kind) {
            (Stage::Fresh, kind::FOLLOWERINFO | kind::OBSERVERINFO) => {
                self.on_introduction(now, peer, packet, effects)
            }
            (Stage::Asked, kind::ACKEPOCH) => self.on_promise(now, peer, packet, effects),
            (Stage::Offered, kind::ACK) => {
                self.on_offer_taken(now, peer, packet.zxid, effects);
                Ok(())
            }
            (Stage::Offered | Stage::Synced, kind::PING) => Ok(()),
            (Stage::Serving, kind::ACKEPOCH) => self.on_turn_done(now, peer, packet, effects),
            (Stage::Serving, kind::ACK) if leader.offers(packet.zxid) => {
                self.on_turn_done(now, peer, packet, effects)
            }
            (Stage::Serving | Stage::Synced, kind::ACK) => {
                self.on_ack(peer, packet.zxid);
                Ok(())
            }
            (Stage::Serving, kind::PING) => self.on_ping_reply(now, peer, packet, effects),
            (Stage::Serving, kind::REQUEST) => self.on_forwarded(now, peer, packet, effects),
            (Stage::Serving, kind::REVALIDATE) => self.on_revalidate(peer, packet, effects),
            (_, kind) => Err(format!("packet {kind} of a learner that is {stage:?}")),
        }
    }

    fn on_introduction(
        &mut self,
        now: Now,
        peer: PeerId,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> Taken {
        let mut reader = Reader::new(packet.data.unwrap_or_default());
        let sid = reader.long("LearnerInfo.serverid").map_err(|error| error.to_string())?;
        if let Ok(version) = reader.int("LearnerInfo.protocolVersion")
            && version != PROTOCOL
        {
            return Err(format!("server {sid} speaks protocol {version:#x}, not {PROTOCOL:#x}"));
        }
        let config = reader.long("LearnerInfo.configVersion").unwrap_or(0);
        let (promises, cluster) = (kin::promises(reader.rest()), kin::cluster(reader.rest()));
        let us = self.us();
        if config > us.known.newest().version {
            return Err(format!("server {sid} has a newer configuration, {config:#x}"));
        }
        self.check_learner(now, peer, sid, cluster.unwrap_or_default(), effects)?;
        self.check_twin(now, peer, sid, promises, effects)?;
        let us = self.us();
        // A stranger may follow all the same, without a vote: so it has everything when it joins.
        let observer = packet.kind == kind::OBSERVERINFO;
        let voter = us.known.electorate().is_voter(sid) || bugs::on(Bug::Zk2959);
        let Role::Leading(leader) = &mut us.role else { return Ok(()) };
        let accepted = packet.zxid.epoch();
        let serves = leader.phase == Phase::Serving && leader.turn.is_none();
        let above = voter && serves && accepted > leader.epoch;
        if let Some(follower) = leader.learners.get_mut(&peer) {
            follower.sid = sid;
            follower.observer = observer;
            follower.kin = promises & kin::PINGS != 0;
            follower.cluster = cluster;
            follower.turns = promises & kin::EPOCHS != 0;
            follower.stage = Stage::Known;
        }
        // A stranger's promise counts for the choice of the epoch, not for the quorum.
        leader.report(if voter { sid } else { -1 }, accepted);
        if above && !self.begin_turn(now, accepted + 1, effects) {
            // It can follow nobody below its promise, and would stay out until the next election.
            let us = self.us();
            us.heard_epoch = us.heard_epoch.max(accepted);
            self.look(now, "a voter has promised a newer epoch", effects);
            return Ok(());
        }
        let Some(leader) = self.leader() else { return Ok(()) };
        if leader.phase >= Phase::EpochAck {
            self.ask(peer, effects);
        }
        self.advance(now, effects);
        Ok(())
    }

    fn on_promise(
        &mut self,
        now: Now,
        peer: PeerId,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> Taken {
        let data = packet.data.and_then(|data| data.first_chunk::<4>());
        let current = i64::from(i32::from_be_bytes(*data.ok_or("a promise without an epoch")?));
        let us = self.us();
        let electorate = us.known.electorate();
        let Role::Leading(leader) = &mut us.role else { return Ok(()) };
        let open = leader.phase == Phase::EpochAck;
        let Some(follower) = leader.learners.get_mut(&peer) else { return Ok(()) };
        follower.position = packet.zxid;
        follower.stage = Stage::Promised;
        let sid = follower.sid;
        if open && current != -1 {
            if (current, packet.zxid) > leader.own {
                return Err(format!("server {sid} has more: epoch {current}, {}", packet.zxid));
            }
            let votes = electorate.is_voter(sid) || bugs::on(Bug::Zk2959);
            if packet.zxid != Zxid::NONE && votes {
                leader.promise(sid);
            }
        }
        if leader.phase >= Phase::Synchronizing {
            self.bring_up(now, peer, effects);
        }
        self.advance(now, effects);
        Ok(())
    }

    /// A learner has everything on disk.
    fn on_offer_taken(&mut self, now: Now, peer: PeerId, zxid: Zxid, effects: &mut Effects) {
        let us = self.us();
        let electorate = us.known.electorate();
        let Role::Leading(leader) = &mut us.role else { return };
        if zxid != base(leader.epoch) {
            // Some versions acknowledge a proposal first (ZOOKEEPER-4685).
            return;
        }
        let Some(follower) = leader.learners.get_mut(&peer) else { return };
        follower.stage = Stage::Synced;
        follower.entered = leader.epoch;
        follower.acked = follower.position;
        let sid = follower.sid;
        if electorate.is_voter(sid) || bugs::on(Bug::Zk2959) {
            leader.sync(sid);
        }
        if leader.phase == Phase::Serving {
            self.admit(now, peer, effects);
        } else {
            self.advance(now, effects);
        }
    }

    /// A quorum has the history: it is committed, and the epoch begins.
    fn establish(&mut self, now: Now, effects: &mut Effects) {
        let history_end = self.logged;
        let us = self.us();
        let init_ms = us.init_ms;
        let Role::Leading(leader) = &mut us.role else { return };
        let epoch = leader.epoch;
        leader.enter(Phase::Serving, now.mono_ms, init_ms);
        self.committed = history_end;
        self.apply_ready(now, effects);
        assert!(self.pending.is_empty(), "the history is applied before the epoch begins");
        let begin = base(epoch);
        assert!(begin > self.logged, "epoch {epoch} begins above {}", self.logged);
        self.logged = begin;
        self.durable = begin;
        self.committed = begin;
        self.tree.applied(begin);
        self.sessions.restart();
        self.us().election.established(epoch);
        effects.log(Level::Info, format!("ensemble: leading epoch={epoch} history={history_end}"));
        let stays = self.complete_members(now, effects);
        for peer in self.at_stage(Stage::Synced) {
            self.admit(now, peer, effects);
        }
        if !stays {
            return self.look(now, "the configuration has another leader", effects);
        }
        self.serving = true;
        self.read_only.whole = true;
        effects.list.push(Effect::Serve { on: true });
    }
}

/// The zxid with which an epoch begins; no txn carries it.
pub(super) fn base(epoch: i64) -> Zxid {
    Zxid::new(i32::try_from(epoch).expect("an epoch has 32 bits"), 0)
}
