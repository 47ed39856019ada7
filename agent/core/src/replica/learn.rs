//! Following and observing: from the first word to the leader until clients are served.
//!
//! The order in which things reach the disk is what everything hangs on: the promise before ACKEPOCH;
//! the history, then the epoch, before the acknowledgement of NEWLEADER; a txn before its ACK.

use zk_wire::{Writer, Zxid};

use super::Replica;
use super::ensemble::{Role, Taken, Wants};
use super::lead::base;
use crate::bugs::{self, Bug};
use crate::effect::{Effect, Effects, Level};
use crate::ids::{Epochs, PeerId, Port};
use crate::load::{Loader, Recovered};
use crate::time::Now;
use crate::txn::{Txn, TxnHeader};
use crate::zab::kin;
use crate::zab::learner::{Held, Learner, Phase};
use crate::zab::packet::{PROTOCOL, Packet, kind};
use crate::zab::stream::{Progress, Receiver};
use crate::zab::{Members, Sid};

/// Connections to a leader that are tried before another election.
const DIALS_MAX: u32 = 5;
/// Pause between two of them, in ms.
const DIAL_PAUSE_MS: i64 = 100;

impl Learner {
    /// What the next bytes of the leader are.
    pub(super) fn wants(&self) -> Wants {
        match self.phase {
            Phase::Receiving(..) => Wants::Database,
            // The log is being cut; what comes now builds on that.
            Phase::Cutting(_) | Phase::Promising => Wants::Nothing,
            Phase::Serving if self.turn.is_some_and(|turn| turn.holds()) => Wants::Nothing,
            _ => Wants::Packets,
        }
    }
}

impl Replica {
    pub(super) fn learner(&mut self) -> Option<&mut Learner> {
        match &mut self.us().role {
            Role::Learning(learner) => Some(learner),
            _ => None,
        }
    }

    /// Whether writes go to a leader.
    pub(super) fn forwards(&self) -> bool {
        matches!(&self.ensemble, Some(us) if matches!(us.role, Role::Learning(_)))
    }

    /// Begins to follow.
    pub(super) fn learn(&mut self, now: Now, leader: Sid, effects: &mut Effects) {
        let us = self.us();
        let observes = us.observes();
        if observes {
            us.election.observe();
        }
        let peer = us.fresh_peer();
        let learner = Learner::new(leader, peer, observes, now.mono_ms + us.init_ms);
        us.role = Role::Learning(Box::new(learner));
        let waiting: Vec<PeerId> = std::mem::take(&mut us.peers).into_keys().collect();
        for peer in waiting {
            effects.list.push(Effect::ClosePeer { peer });
        }
        self.dial_leader(now, leader, peer, effects);
    }

    fn dial_leader(&mut self, now: Now, leader: Sid, peer: PeerId, effects: &mut Effects) {
        let us = self.us();
        let known = [Some(&us.known.committed), us.known.proposed.as_ref()];
        let of = |members: &Members| members.servers.get(&leader).map(|m| m.quorum.clone());
        let Some(addresses) = known.into_iter().flatten().find_map(of) else {
            return self.look(now, "the leader is no member", effects);
        };
        us.peers.insert(peer, Vec::new());
        effects.list.push(Effect::Dial { peer, addresses, port: Port::Quorum });
    }

    /// The leader is reached: says who this is.
    pub(super) fn on_leader_connected(&mut self, now: Now, peer: PeerId, effects: &mut Effects) {
        let us = self.us();
        let (me, epochs, version) = (us.me, us.epochs, us.known.committed.version);
        let init_ms = us.init_ms;
        let Role::Learning(learner) = &mut us.role else { return };
        if learner.peer != peer {
            return;
        }
        learner.phase = Phase::Introduced;
        learner.due_ms = now.mono_ms + init_ms;
        let kind = if learner.observer { kind::OBSERVERINFO } else { kind::FOLLOWERINFO };
        let mut info = Vec::new();
        info.put_long(me);
        info.put_int(PROTOCOL);
        info.put_long(version);
        self.put_mark(&mut info);
        self.send_packet(peer, kind, base(epochs.accepted), Some(&info), effects);
    }

    pub(super) fn on_leader_gone(&mut self, now: Now, effects: &mut Effects) {
        let Some(learner) = self.learner() else { return };
        // Whom the last leader named may not have heard of it yet.
        let early = learner.designated && matches!(learner.phase, Phase::Introduced);
        if (early || matches!(learner.phase, Phase::Dialing)) && learner.dials < DIALS_MAX {
            learner.phase = Phase::Dialing;
            learner.redial_at_ms = Some(now.mono_ms + DIAL_PAUSE_MS);
            return;
        }
        self.look(now, "the leader is gone", effects);
    }

    pub(super) fn on_learner_tick(&mut self, now: Now, effects: &mut Effects) {
        let Some(learner) = self.learner() else { return };
        let late_ms = now.mono_ms - learner.due_ms;
        if late_ms > kin::LATE_MS && learner.serves() && !learner.late {
            // This process was away, not the leader: what it sent meanwhile is read next.
            learner.late = true;
            learner.due_ms = now.mono_ms + kin::LATE_MS;
        }
        if now.mono_ms >= learner.due_ms {
            let why = format!("the leader is silent in {}", learner.phase.name());
            return self.look(now, &why, effects);
        }
        if learner.redial_at_ms.is_some_and(|at| now.mono_ms >= at) {
            learner.redial_at_ms = None;
            learner.dials += 1;
            let leader = learner.leader;
            let peer = self.us().fresh_peer();
            if let Some(learner) = self.learner() {
                learner.peer = peer;
            }
            self.dial_leader(now, leader, peer, effects);
        }
    }

    /// A packet of the leader.
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub(super) fn on_leader_packet(
        &mut self,
        now: Now,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> Taken {
        let us = self.us();
        let (init_ms, sync_ms) = (us.init_ms, us.sync_ms);
        let Role::Learning(learner) = &mut us.role else { return Ok(()) };
        let wait_ms = learner.patience_ms(init_ms, sync_ms);
        learner.late = false;
        learner.due_ms = now.mono_ms + wait_ms;
        match (&learner.phase, packet.kind) {
            (Phase::Introduced, kind::LEADERINFO) => self.on_epoch(now, packet, effects),
            (Phase::Promised, kind::DIFF | kind::TRUNC | kind::SNAP) => {
                self.on_method(packet, effects)
            }
            (Phase::Syncing | Phase::Settling | Phase::Entering | Phase::Offered, _) => {
                self.on_sync_packet(now, packet, effects)
            }
            (Phase::Serving, _) => self.on_serving_packet(now, packet, effects),
            (_, kind::PING) => Ok(()),
            (phase, kind) => Err(format!("packet {kind} of the leader in {}", phase.name())),
        }
    }

    fn on_epoch(&mut self, now: Now, packet: &Packet<'_>, effects: &mut Effects) -> Taken {
        let mark = packet.data.and_then(|data| data.get(4..)).unwrap_or_default();
        self.check_refusal(now, mark)?;
        self.check_leader(now, kin::cluster(mark).unwrap_or_default())?;
        let epoch = packet.zxid.epoch();
        let have = self.us().epochs;
        if epoch < have.accepted {
            return Err(format!("the leader's epoch {epoch} is below {}", have.accepted));
        }
        let Some(learner) = self.learner() else { return Ok(()) };
        learner.epoch = epoch;
        learner.kin = kin::promises(mark) & kin::PINGS != 0;
        if epoch > have.accepted {
            learner.phase = Phase::Promising;
            self.save_epochs(Epochs { accepted: epoch, current: have.current }, effects);
            if bugs::on(Bug::PromiseInMemory) {
                self.promise(have.current, effects);
            }
        } else {
            // It was promised before, perhaps to another: bring me up, and do not count me.
            self.promise(-1, effects);
        }
        Ok(())
    }

    fn promise(&mut self, current: i64, effects: &mut Effects) {
        // Who says that it has nothing is sent everything, and does not count for the quorum.
        let us = self.us();
        let trusted = us.epochs.current > 0 || us.election.is_trusted();
        let counts = trusted && !self.wants_database;
        let last = if counts { self.logged } else { Zxid::NONE };
        let Some(learner) = self.learner() else { return };
        learner.phase = Phase::Promised;
        learner.heard = Zxid::NONE;
        let peer = learner.peer;
        let current = i32::try_from(current).expect("an epoch has 32 bits").to_be_bytes();
        self.send_packet(peer, kind::ACKEPOCH, last, Some(&current), effects);
    }

    pub(super) fn on_learner_epochs_saved(&mut self, now: Now, effects: &mut Effects) {
        let current = self.us().epochs.current;
        let Some(learner) = self.learner() else { return };
        let peer = learner.peer;
        match learner.phase {
            Phase::Promising => {
                self.promise(current, effects);
                self.take_packets(now, peer, effects);
            }
            Phase::Entering => {
                learner.phase = Phase::Offered;
                let epoch = learner.epoch;
                if bugs::on(Bug::Zk4643) {
                    self.log_committed(now, effects);
                }
                self.send_packet(peer, kind::ACK, base(epoch), None, effects);
                self.log_held(now, effects);
            }
            Phase::Serving => self.on_learner_turn_saved(now, effects),
            _ => {}
        }
    }

    /// DIFF, TRUNC or SNAP.
    fn on_method(&mut self, packet: &Packet<'_>, effects: &mut Effects) -> Taken {
        let logged = self.logged;
        let wants_database = self.wants_database;
        let seed = Loader::new(&self.config);
        let Some(learner) = self.learner() else { return Ok(()) };
        learner.committed = Zxid::NONE;
        if wants_database && packet.kind != kind::SNAP {
            return Err(format!("packet {}, where only a database is of use", packet.kind));
        }
        match packet.kind {
            kind::DIFF => {
                learner.phase = Phase::Syncing;
                // What is in the log is part of the leader's history.
                learner.committed = logged;
            }
            kind::TRUNC => {
                if packet.zxid > logged {
                    return Err(format!("TRUNC to {}, the log ends at {logged}", packet.zxid));
                }
                learner.phase = Phase::Cutting(packet.zxid);
                self.reloading = true;
                self.abort_snapshot(effects);
                effects.list.push(Effect::Reload { cut: Some(packet.zxid) });
            }
            _ => {
                let receiver = Box::new(Receiver::new(seed));
                learner.phase = Phase::Receiving(receiver, packet.zxid);
            }
        }
        let line =
            format!("ensemble: syncing kind={} zxid={} from={logged}", packet.kind, packet.zxid);
        effects.log(Level::Info, line);
        Ok(())
    }

    fn abort_snapshot(&mut self, effects: &mut Effects) {
        if self.tree.snapshot_runs() {
            self.tree.snapshot_abort();
            effects.list.push(Effect::SnapshotAbandon);
        }
    }

    /// The log was cut, and the state loaded from what is left.
    pub(super) fn on_reloaded(&mut self, now: Now, recovered: Recovered, effects: &mut Effects) {
        self.reloading = false;
        self.install(now, recovered);
        self.durable = self.logged;
        let last = self.logged;
        if let Some(learner) = self.learner()
            && let Phase::Cutting(wanted) = learner.phase
        {
            learner.phase = Phase::Syncing;
            learner.committed = last;
            let peer = learner.peer;
            if last != wanted {
                // There is no older state to go back to. What is there stays until another one is
                // on disk in its place: it may be what was promised to somebody.
                self.wants_database = true;
                let why = format!("the log cannot be cut to {wanted}, it ends at {last}");
                return self.look(now, &why, effects);
            }
            self.take_packets(now, peer, effects);
        }
        self.look_if_flushed(now, effects);
    }

    /// Puts another state in the place of this one.
    fn install(&mut self, now: Now, recovered: Recovered) {
        let last = recovered.tree.last_zxid();
        self.tree = recovered.tree;
        let fits = recovered.history.last() == last;
        self.pending = Default::default();
        self.outstanding = Default::default();
        self.cache = Default::default();
        self.sessions.replace(recovered.sessions);
        self.history.clear();
        self.logged = last;
        self.committed = last;
        let found = recovered.history;
        self.us().history = if fits { found } else { found.emptied(last) };
        self.show_members(now);
    }

    /// Bytes of the database. Says how many belong to it.
    pub(super) fn on_database(
        &mut self,
        now: Now,
        bytes: &[u8],
        effects: &mut Effects,
    ) -> Result<usize, String> {
        let init_ms = self.us().init_ms;
        let Some(learner) = self.learner() else { return Ok(bytes.len()) };
        learner.due_ms = now.mono_ms + init_ms;
        let Phase::Receiving(receiver, zxid) = &mut learner.phase else { return Ok(0) };
        let zxid = *zxid;
        match receiver.take(bytes)? {
            Progress::More => Ok(bytes.len()),
            Progress::Complete(used) => {
                let Phase::Receiving(receiver, _) =
                    std::mem::replace(&mut learner.phase, Phase::Syncing)
                else {
                    unreachable!("matched just now");
                };
                learner.snapshot_due = true;
                learner.received = zxid;
                let mut recovered = receiver.finish();
                recovered.tree.applied(zxid);
                self.abort_snapshot(effects);
                self.install(now, recovered);
                self.wants_database = false;
                self.read_only.whole = false;
                self.durable = zxid;
                if let Some(learner) = self.learner() {
                    learner.committed = zxid;
                }
                self.begin_snapshot_of(true, effects);
                Ok(used)
            }
        }
    }

    /// The database that was received is on disk.
    pub(super) fn on_received_taken(&mut self, now: Now, effects: &mut Effects) {
        if let Some(learner) = self.learner() {
            learner.snapshot_due = false;
        }
        self.log_committed(now, effects);
        self.settle(effects);
    }

    fn on_sync_packet(&mut self, now: Now, packet: &Packet<'_>, effects: &mut Effects) -> Taken {
        let logged = self.logged;
        let Some(learner) = self.learner() else { return Ok(()) };
        match packet.kind {
            kind::PROPOSAL | kind::INFORM | kind::INFORMANDACTIVATE => {
                let (leader, txn) = proposal_of(packet)?;
                let zxid = read_zxid(txn, packet.zxid)?;
                if zxid <= learner.received {
                    // An Apache leader begins to forward before it looks where its database stands.
                    return Ok(());
                }
                let last = if learner.heard == Zxid::NONE { logged } else { learner.heard };
                check_next(last, zxid)?;
                learner.heard = zxid;
                learner.held.push_back(Held { zxid, txn: txn.into() });
                self.heed_reconfig(now, txn, effects)?;
                let Some(learner) = self.learner() else { return Ok(()) };
                if packet.kind == kind::INFORM {
                    self.on_sync_commit(now, zxid, effects)?;
                } else if packet.kind == kind::INFORMANDACTIVATE {
                    self.on_sync_commit(now, zxid, effects)?;
                    self.on_activated(now, zxid, leader, effects)?;
                } else if matches!(learner.phase, Phase::Offered) {
                    self.log_held(now, effects);
                }
                Ok(())
            }
            kind::COMMIT => self.on_sync_commit(now, packet.zxid, effects),
            kind::COMMITANDACTIVATE => {
                let leader = leader_of(packet)?;
                self.on_sync_commit(now, packet.zxid, effects)?;
                self.on_activated(now, packet.zxid, leader, effects)
            }
            kind::NEWLEADER if matches!(learner.phase, Phase::Syncing) => {
                if packet.zxid != base(learner.epoch) {
                    return Err(format!("NEWLEADER of {}, not of {}", packet.zxid, learner.epoch));
                }
                learner.phase = Phase::Settling;
                if bugs::on(Bug::Zk4394) {
                    learner.held.clear();
                }
                self.heed_offer(now, packet.data, effects);
                self.settle(effects);
                Ok(())
            }
            kind::UPTODATE if matches!(learner.phase, Phase::Offered) => {
                if let Some(members) = learner.offered.take() {
                    let changed = self.activate(now, members, None, effects);
                    self.show_members(now);
                    if changed {
                        return Err("its configuration has another place for us".to_owned());
                    }
                }
                self.begin_serving(now, effects);
                Ok(())
            }
            kind::PING => Ok(()),
            kind => Err(format!("packet {kind} of the leader in {}", learner.phase.name())),
        }
    }

    fn on_sync_commit(&mut self, now: Now, zxid: Zxid, effects: &mut Effects) -> Taken {
        let logged = self.logged;
        let Some(learner) = self.learner() else { return Ok(()) };
        if zxid <= learner.received {
            return Ok(());
        }
        if zxid <= logged && !learner.snapshot_due {
            learner.committed = learner.committed.max(zxid);
            self.committed = self.committed.max(zxid);
            self.apply_ready(now, effects);
            return Ok(());
        }
        let next = learner.held.iter().map(|held| held.zxid).find(|z| *z > learner.committed);
        if next != Some(zxid) {
            return Err(format!("COMMIT of {zxid}, the next proposal is {next:?}"));
        }
        learner.committed = zxid;
        self.log_committed(now, effects);
        Ok(())
    }

    /// Logs what is committed of the history, unless a database that was received is not on disk:
    /// what stands in the log before that belongs to another history.
    fn log_committed(&mut self, now: Now, effects: &mut Effects) {
        let Some(learner) = self.learner() else { return };
        let (due, committed) = (learner.snapshot_due, learner.committed);
        let due = due || (bugs::on(Bug::Zk4646) && !learner.serves());
        let due = due || (bugs::on(Bug::Zk4643) && !matches!(learner.phase, Phase::Offered));
        while !due
            && let Some(learner) = self.learner()
            && learner.held.front().is_some_and(|held| held.zxid <= committed)
            && let Some(Held { zxid, txn }) = learner.held.pop_front()
        {
            if bugs::on(Bug::Zk4685)
                && let Some(learner) = self.learner()
            {
                learner.to_ack.push_back(zxid);
            }
            self.log_proposal(now, zxid, &txn, effects);
            self.committed = self.committed.max(zxid);
        }
        self.apply_ready(now, effects);
    }

    /// After NEWLEADER: when everything is on disk, the epoch is entered.
    pub(super) fn settle(&mut self, effects: &mut Effects) {
        let flushed = self.durable == self.logged;
        let epochs = self.us().epochs;
        let Some(learner) = self.learner() else { return };
        let due = learner.snapshot_due && !bugs::on(Bug::Zk2872);
        let flushed = flushed || bugs::on(Bug::Zk3911) || bugs::on(Bug::Zk2872);
        if !matches!(learner.phase, Phase::Settling) || due || !flushed {
            return;
        }
        let early = bugs::on(Bug::Zk3911) || (bugs::on(Bug::Zk2872) && learner.snapshot_due);
        if early {
            let (peer, epoch) = (learner.peer, learner.epoch);
            learner.phase = Phase::Offered;
            return self.send_packet(peer, kind::ACK, base(epoch), None, effects);
        }
        learner.phase = Phase::Entering;
        let current = learner.epoch;
        self.save_epochs(Epochs { current, ..epochs }, effects);
    }

    /// Proposals that came before the epoch was entered go to the log now.
    fn log_held(&mut self, now: Now, effects: &mut Effects) {
        let Some(learner) = self.learner() else { return };
        let held = std::mem::take(&mut learner.held);
        let observer = learner.observer;
        for Held { zxid, txn } in held {
            self.log_proposal(now, zxid, &txn, effects);
            if let Some(learner) = self.learner()
                && !observer
            {
                learner.to_ack.push_back(zxid);
            }
        }
    }

    pub(super) fn log_proposal(&mut self, now: Now, zxid: Zxid, txn: &[u8], effects: &mut Effects) {
        let start = effects.bytes.len();
        effects.bytes.extend_from_slice(txn);
        let range = start..effects.bytes.len();
        let op = TxnHeader::op_of(txn).expect("a proposal is decoded when it comes");
        assert!(zxid > self.logged, "{zxid} is logged behind {}", self.logged);
        self.logged = zxid;
        self.pending.push(zxid, None, 0, op, now.mono_ms, txn);
        self.snapshot.count(txn.len());
        let serves = self.learner().is_none_or(|learner| learner.serves());
        if bugs::on(Bug::Zk4785) && !serves {
            self.durable = zxid;
            return;
        }
        effects.list.push(Effect::Append { zxid, txn: range });
    }

    fn begin_serving(&mut self, now: Now, effects: &mut Effects) {
        let (init_ms, sync_ms) = (self.us().init_ms, self.us().sync_ms);
        let Some(learner) = self.learner() else { return };
        learner.phase = Phase::Serving;
        if bugs::on(Bug::Zk4646) {
            self.log_committed(now, effects);
        }
        let Some(learner) = self.learner() else { return };
        learner.due_ms = now.mono_ms + learner.patience_ms(init_ms, sync_ms);
        let (peer, epoch, leader) = (learner.peer, learner.epoch, learner.leader);
        let history_end = learner.committed;
        self.send_packet(peer, kind::ACK, base(epoch), None, effects);
        let us = self.us();
        us.twin_pause_ms = 0;
        us.election.established(epoch);
        // A quorum has the history, what was in this log before included.
        self.committed = self.committed.max(history_end);
        self.apply_ready(now, effects);
        self.serving = true;
        self.read_only.whole = true;
        self.sessions.restart();
        self.sessions.collect_touches();
        let zxid = self.tree.last_zxid();
        let line = format!("ensemble: following leader={leader} epoch={epoch} zxid={zxid}");
        effects.log(Level::Info, line);
        effects.list.push(Effect::Serve { on: true });
    }
}

impl Phase {
    /// For the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Phase::Dialing => "dialing",
            Phase::Introduced => "discovery",
            Phase::Promising => "promising",
            Phase::Promised => "synchronisation",
            Phase::Receiving(..) => "receiving the database",
            Phase::Cutting(_) => "cutting the log",
            Phase::Syncing => "receiving the history",
            Phase::Settling => "settling",
            Phase::Entering => "entering the epoch",
            Phase::Offered => "waiting to serve",
            Phase::Serving => "broadcast",
        }
    }
}

/// Who leads from now on, by the word of who led.
pub(super) fn leader_of(packet: &Packet<'_>) -> Result<Sid, String> {
    let bytes = packet.data.and_then(|data| data.first_chunk::<8>());
    Ok(Sid::from_be_bytes(*bytes.ok_or("a configuration in force without a leader")?))
}

/// The txn of a proposal, and who leads from then on if it is a reconfig for observers; else -1.
pub(super) fn proposal_of<'a>(packet: &Packet<'a>) -> Result<(Sid, &'a [u8]), String> {
    let data = packet.data.ok_or("a proposal without a txn")?;
    match packet.kind {
        kind::INFORMANDACTIVATE => Ok((leader_of(packet)?, &data[8..])),
        _ => Ok((-1, data)),
    }
}

pub(super) fn read_zxid(txn: &[u8], claimed: Zxid) -> Result<Zxid, String> {
    let header =
        Txn::decode(txn).map_err(|error| format!("a txn that does not decode: {error}"))?;
    if header.header.zxid != claimed {
        return Err(format!("proposal {claimed} holds txn {}", header.header.zxid));
    }
    Ok(claimed)
}

/// Proposals come without gaps inside an epoch.
pub(super) fn check_next(last: Zxid, zxid: Zxid) -> Taken {
    if zxid.epoch() > last.epoch() || zxid.0 == last.0 + 1 {
        return Ok(());
    }
    Err(format!("proposal {zxid} comes behind {last}"))
}
