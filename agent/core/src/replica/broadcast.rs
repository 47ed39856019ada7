//! Broadcast: what a leader proposes, hears and commits once it is established.

use std::ops::Range;

use zk_wire::header::RequestHeader;
use zk_wire::jute::Reader;
use zk_wire::{Op, Writer, Zxid};

use super::Replica;
use super::ensemble::{Role, Taken};
use crate::bugs::{self, Bug};
use crate::effect::{Effect, Effects};
use crate::ids::PeerId;
use crate::time::Now;
use crate::zab::Sid;
use crate::zab::kin;
use crate::zab::leader::{Follower, Phase, Stage, Sync, SyncFrom};
use crate::zab::packet::{self, Packet, kind};

impl Replica {
    /// Sends a txn that was just made to the followers.
    pub(super) fn propose(&mut self, now: Now, zxid: Zxid, txn: Range<usize>, out: &mut Effects) {
        let Some(us) = &mut self.ensemble else { return };
        let Role::Leading(leader) = &mut us.role else { return };
        let start = out.bytes.len();
        packet::put_within(kind::PROPOSAL, zxid, txn, &mut out.bytes);
        let range = start..out.bytes.len();
        for (peer, follower) in &mut leader.learners {
            if follower.stage == Stage::Serving && !follower.observer {
                follower.lag.get_or_insert((zxid, now.mono_ms));
                out.list.push(Effect::SendPeer { peer: *peer, bytes: range.clone() });
            }
        }
    }

    pub(super) fn on_ack(&mut self, peer: PeerId, zxid: Zxid) {
        let Some(follower) = self.follower(peer) else { return };
        if zxid.counter() == 0 || zxid <= follower.acked {
            return;
        }
        follower.acked = zxid;
        if follower.lag.is_some_and(|(oldest, _)| oldest <= zxid) {
            follower.lag = None;
        }
        // Many come at once: what they commit is looked at when all are taken.
        self.acks_came = true;
    }

    /// Commits what the acknowledgements that came allow.
    pub(super) fn commit_acknowledged(&mut self, now: Now, effects: &mut Effects) {
        if std::mem::take(&mut self.acks_came) {
            self.commit(now, effects);
            self.turn_on(now, effects);
        }
    }

    /// Commits what a quorum has.
    pub(super) fn commit(&mut self, now: Now, effects: &mut Effects) {
        let (durable, logged) = (self.durable, self.logged);
        loop {
            let before = self.committed;
            let Some(us) = &mut self.ensemble else { return };
            let Role::Leading(leader) = &mut us.role else { return };
            if leader.phase != Phase::Serving {
                return self.advance(now, effects);
            }
            // What was proposed before a reconfig is committed by the servers of then, the reconfig
            // by itself when both configurations have a quorum, the rest by the new one.
            let known = &us.known;
            let reconfig = known.proposed.as_ref().map(|next| Zxid(next.version));
            let alone = known.committed.electorate();
            let reached = match reconfig {
                None => leader.committable(&alone, durable, before),
                Some(at) if before.0 + 1 < at.0 => {
                    leader.committable(&alone, durable, before).map(|zxid| zxid.min(Zxid(at.0 - 1)))
                }
                Some(at) => leader
                    .committable(&known.electorate(), durable, before)
                    .filter(|_| durable >= at)
                    .map(|_| at),
            };
            let Some(zxid) = reached else { break };
            assert!(zxid <= logged, "{zxid} is acknowledged and was not proposed");
            self.committed = zxid;
            let told = self.tell_synced(before, zxid, effects);
            if reconfig != Some(zxid) {
                self.tell_committed(told, zxid, -1, effects);
                if reconfig.is_none() {
                    break;
                }
                continue;
            }
            let leader = self.next_leader();
            self.tell_committed(told, zxid, leader, effects);
            self.apply_ready(now, effects);
            if !self.commit_members(now, leader, effects) {
                return;
            }
        }
        self.apply_ready(now, effects);
    }

    /// Syncs of learners that came before the newest of these txns was proposed: the quorum that took
    /// it confirms them. Apache's learners pair what comes with what they asked for in order, all
    /// clients together, so a SYNC must stand between what was proposed before and behind it.
    /// Returns the zxid up to which the learners were told.
    fn tell_synced(&mut self, before: Zxid, zxid: Zxid, effects: &mut Effects) -> Zxid {
        let mut told = before;
        let Some(leader) = self.leader().filter(|leader| !leader.syncs.is_empty()) else {
            return told;
        };
        let mut due = Vec::new();
        leader.syncs.retain(|sync| match sync.from {
            SyncFrom::Learner(peer) if sync.after < zxid => {
                due.push((sync.after, peer));
                false
            }
            _ => true,
        });
        for (after, peer) in due {
            if after > told {
                self.tell_committed(told, after, -1, effects);
                told = after;
            }
            self.send_packet(peer, kind::SYNC, Zxid::ZERO, None, effects);
        }
        told
    }

    /// `leader`: who leads from then on, when it is a reconfig.
    fn tell_committed(&mut self, before: Zxid, zxid: Zxid, leader: Sid, effects: &mut Effects) {
        let us = self.ensemble.as_ref().expect("there is an ensemble");
        let Role::Leading(leading) = &us.role else { return };
        let serving = leading.learners.iter().filter(|(_, f)| f.stage == Stage::Serving);
        let (observers, followers): (Vec<_>, Vec<_>) = serving.partition(|(_, f)| f.observer);
        let fresh = self.pending.txns().filter(|(z, _)| *z > before && *z <= zxid);
        let out = &mut effects.bytes;
        let start = out.len();
        for (z, txn) in fresh.clone() {
            packet::put_commit(z, txn, leader, out);
        }
        if bugs::on(Bug::CommitOutOfOrder) {
            out.truncate(start);
            let list: Vec<_> = fresh.clone().collect();
            list.iter().rev().for_each(|(z, txn)| packet::put_commit(*z, txn, leader, out));
        }
        let commits = start..out.len();
        if !observers.is_empty() {
            for (z, txn) in fresh {
                packet::put_inform(z, txn, leader, out);
            }
        }
        let informs = commits.end..out.len();
        for (peer, _) in followers {
            effects.list.push(Effect::SendPeer { peer: *peer, bytes: commits.clone() });
        }
        for (peer, _) in observers {
            effects.list.push(Effect::SendPeer { peer: *peer, bytes: informs.clone() });
        }
    }

    pub(super) fn on_ping_reply(
        &mut self,
        now: Now,
        peer: PeerId,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> Taken {
        let mut reader = Reader::new(packet.data.ok_or("a ping without a list of sessions")?);
        while !reader.is_empty() {
            let session = reader.long("PING.session").map_err(|error| error.to_string())?;
            let timeout_ms = reader.int("PING.timeout").map_err(|error| error.to_string())?;
            if let Some(slot) = self.sessions.slot(session) {
                self.sessions.touch(slot, session, timeout_ms);
            }
        }
        if let Some(follower) = self.follower(peer)
            && let Some(round) = follower.pings.pop_front()
        {
            follower.round = round;
            follower.telling = match follower.telling {
                Some((told, left)) if left <= 1 => {
                    follower.cluster = Some(told);
                    None
                }
                telling => telling.map(|(told, left)| (told, left - 1)),
            };
        }
        self.confirm_syncs(now, effects);
        Ok(())
    }

    /// A write or a sync of a learner's client. Every write leads to exactly one txn.
    pub(super) fn on_forwarded(
        &mut self,
        now: Now,
        peer: PeerId,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> Taken {
        if self.us().stops {
            // Whoever leads next is asked.
            return Ok(());
        }
        let bad = |error: zk_wire::DecodeError| error.to_string();
        let mut reader = Reader::new(packet.data.ok_or("a request without a body")?);
        let session = reader.long("REQUEST.session").map_err(bad)?;
        let xid = reader.int("REQUEST.cxid").map_err(bad)?;
        let op = Op(reader.int("REQUEST.type").map_err(bad)?);
        if op == Op::SYNC {
            self.want_sync(now, SyncFrom::Learner(peer), effects);
            return Ok(());
        }
        if bugs::on(Bug::RequestDropped) && xid % 16 == 7 {
            return Ok(());
        }
        let header = RequestHeader { xid, op };
        self.write_forwarded(now, peer, session, header, reader, &packet.auth, effects)
    }

    pub(super) fn on_revalidate(
        &mut self,
        peer: PeerId,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> Taken {
        let bad = |error: zk_wire::DecodeError| error.to_string();
        let mut reader = Reader::new(packet.data.ok_or("a revalidation without a session")?);
        let session = reader.long("REVALIDATE.session").map_err(bad)?;
        let timeout_ms = reader.int("REVALIDATE.timeout").map_err(bad)?;
        let alive = match self.sessions.find_mut(session) {
            Some(session) if session.closing => {
                session.asked.push(peer);
                return Ok(());
            }
            Some(_) => true,
            None => self.pending.opens_session(session),
        };
        if alive {
            let slot = self.sessions.renew(session, timeout_ms);
            self.sessions.touch(slot, session, timeout_ms);
            let found = self.sessions.find_mut(session).expect("it is alive");
            found.learner = Some(peer);
            if let Some(conn) = found.owner.take() {
                self.close(conn, effects);
            }
        }
        self.tell_alive(peer, session, alive, effects);
        Ok(())
    }

    /// Tells a learner whether a session is alive.
    pub(super) fn tell_alive(
        &mut self,
        peer: PeerId,
        session: i64,
        alive: bool,
        effects: &mut Effects,
    ) {
        let mut answer = Vec::new();
        answer.put_long(session);
        answer.put_boolean(alive);
        self.send_packet(peer, kind::REVALIDATE, Zxid::NONE, Some(&answer), effects);
    }

    /// A sync is answered once a quorum has confirmed, after it came, that this server leads.
    pub(super) fn want_sync(&mut self, now: Now, from: SyncFrom, effects: &mut Effects) {
        let after = self.logged;
        let Some(leader) = self.leader() else { return };
        let round = leader.round + 1;
        leader.syncs.push_back(Sync { from, after, round });
        // While a round is under way, the next one begins when it is over.
        if leader.syncs.front().is_some_and(|first| first.round == round) {
            self.ping(effects);
        }
        self.confirm_syncs(now, effects);
    }

    fn confirm_syncs(&mut self, now: Now, effects: &mut Effects) {
        let applied = self.tree.last_zxid();
        loop {
            let us = self.us();
            let electorate = us.known.electorate();
            let Role::Leading(leader) = &mut us.role else { return };
            let confirmed = match bugs::on(Bug::SyncUnconfirmed) {
                true => leader.round + 1,
                false => leader.confirmed_round(&electorate),
            };
            let Some(first) = leader.syncs.front().copied() else { return };
            if first.round > leader.round && first.round > confirmed {
                return self.ping(effects);
            }
            if first.round > confirmed || first.after > applied {
                return;
            }
            leader.syncs.pop_front();
            match first.from {
                SyncFrom::Learner(peer) => {
                    self.send_packet(peer, kind::SYNC, Zxid::ZERO, None, effects);
                }
                SyncFrom::Client(conn, serial) => self.synced(now, conn, serial, effects),
            }
        }
    }

    /// Syncs whose proposals are applied now, and learners who wait for the database.
    pub(super) fn on_applied(&mut self, now: Now, effects: &mut Effects) {
        if matches!(&self.ensemble, Some(us) if matches!(us.role, Role::Leading(_))) {
            self.confirm_syncs(now, effects);
        }
        if self.decides() {
            self.feed_waiting(now, effects);
            self.turn_on(now, effects);
        }
    }

    /// Asks every learner whether it is there; a new round.
    pub(super) fn ping(&mut self, effects: &mut Effects) {
        let Some(leader) = self.leader() else { return };
        leader.round += 1;
        self.ping_those(|_| true, effects);
    }

    fn ping_those(&mut self, wanted: impl Fn(&Follower) -> bool, effects: &mut Effects) {
        let zxid = self.logged;
        let Some(leader) = self.leader() else { return };
        let round = leader.round;
        let start = effects.bytes.len();
        packet::put(kind::PING, zxid, None, &mut effects.bytes);
        let range = start..effects.bytes.len();
        for (peer, follower) in &mut leader.learners {
            if follower.stage == Stage::Serving && wanted(follower) {
                follower.pings.push_back(round);
                effects.list.push(Effect::SendPeer { peer: *peer, bytes: range.clone() });
            }
        }
    }

    /// Pings one learner, which is told something by it.
    pub(super) fn send_ping(&mut self, peer: PeerId, data: &[u8], effects: &mut Effects) {
        let zxid = self.logged;
        let Some(leader) = self.leader() else { return };
        let round = leader.round;
        if let Some(follower) = leader.learners.get_mut(&peer) {
            follower.pings.push_back(round);
            self.send_packet(peer, kind::PING, zxid, Some(data), effects);
        }
    }

    /// Shows learners of ours that this leader does not hang, and looks whether its disk does.
    fn look_around(&mut self, now: Now, effects: &mut Effects) {
        let durable = self.durable;
        let us = self.us();
        let limit_ms = us.sync_ms.min(kin::HUNG_MS);
        let electorate = us.known.electorate();
        let Role::Leading(leader) = &mut us.role else { return };
        leader.next_look_ms = now.mono_ms + kin::PING_MS;
        if leader.phase != Phase::Serving {
            return;
        }
        if leader.holds_up(&electorate, durable, now.mono_ms, limit_ms) {
            return self.look(now, "a quorum waits for the disk of this server", effects);
        }
        self.ping_those(|follower| follower.kin, effects);
        self.agree_on_cluster(effects);
    }

    /// Time passes for a leader.
    pub(super) fn on_leader_tick(&mut self, now: Now, effects: &mut Effects) {
        if self.leader().is_some_and(|leader| now.mono_ms >= leader.next_look_ms) {
            self.look_around(now, effects);
            // A snapshot of our own may have been in the way.
            self.feed_waiting(now, effects);
            if self.look_at_counter(now, effects) {
                return;
            }
        }
        if self.on_turn_tick(now, effects) {
            return;
        }
        let us = self.us();
        let (tick_ms, sync_ms) = (us.tick_ms, us.sync_ms);
        let electorate = us.known.electorate();
        let Role::Leading(leader) = &mut us.role else { return };
        if now.mono_ms >= leader.phase_due_ms {
            let why = format!("no quorum came in {:?}", leader.phase);
            return self.look(now, &why, effects);
        }
        if now.mono_ms < leader.next_half_tick_ms {
            return;
        }
        leader.next_half_tick_ms = now.mono_ms + (tick_ms / 2).max(1);
        leader.half_ticks += 1;
        if leader.phase != Phase::Serving {
            return;
        }
        if leader.half_ticks % 2 == 0 && !leader.is_heard(&electorate) {
            return self.look(now, "no quorum was heard of", effects);
        }
        let tick = leader.half_ticks / 2;
        let late = |f: &Follower| {
            f.tick_due < tick || f.lag.is_some_and(|(_, since)| now.mono_ms - since > sync_ms)
        };
        let late = leader.learners.iter().filter(|(_, f)| late(f)).map(|(peer, _)| *peer);
        for peer in late.collect::<Vec<_>>() {
            self.drop_peer(now, peer, "it lags behind or is silent", effects);
        }
        self.ping(effects);
        self.confirm_syncs(now, effects);
    }

    /// Servers that follow, for operators: id, observer.
    pub fn learners(&self) -> Vec<(Sid, bool)> {
        match self.ensemble.as_ref().map(|us| &us.role) {
            Some(Role::Leading(leader)) => {
                let serving = leader.learners.values().filter(|f| f.stage == Stage::Serving);
                serving.map(|f| (f.sid, f.observer)).collect()
            }
            _ => Vec::new(),
        }
    }
}
