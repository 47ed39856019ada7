//! Following in broadcast: proposals, commits, and what clients of a learner ask of the leader.

use std::collections::VecDeque;

use zk_wire::header::RequestHeader;
use zk_wire::jute::Reader;
use zk_wire::{Op, Writer, Zxid};

use super::Replica;
use super::ensemble::Taken;
use super::learn::{check_next, leader_of, proposal_of, read_zxid};
use crate::bugs::{self, Bug};
use crate::conn::Waiting;
use crate::effect::Effects;
use crate::ids::ConnId;
use crate::pending::Pending;
use crate::time::Now;
use crate::txn::Txn;
use crate::zab::learner::Forwarded;
use crate::zab::packet::{self, Packet, kind};

/// Syncs that are released once a zxid is applied.
pub(super) type Released = VecDeque<(Zxid, ConnId, u64)>;

impl Replica {
    pub(super) fn on_serving_packet(
        &mut self,
        now: Now,
        packet: &Packet<'_>,
        effects: &mut Effects,
    ) -> Taken {
        let logged = self.logged;
        let Some(learner) = self.learner() else { return Ok(()) };
        let (peer, observer) = (learner.peer, learner.observer);
        match packet.kind {
            kind::PROPOSAL | kind::INFORM | kind::INFORMANDACTIVATE => {
                if (packet.kind != kind::PROPOSAL) != observer {
                    // The catch-up of an observer may end in proposals.
                    return Ok(());
                }
                let (leader, txn) = proposal_of(packet)?;
                let zxid = read_zxid(txn, packet.zxid)?;
                if zxid <= logged {
                    return Err(format!("{zxid} is proposed again"));
                }
                check_next(logged, zxid)?;
                self.heed_reconfig(now, txn, effects)?;
                self.log_proposal(now, zxid, txn, effects);
                if observer {
                    self.committed = zxid;
                } else if let Some(learner) = self.learner() {
                    learner.to_ack.push_back(zxid);
                }
                self.apply_ready(now, effects);
                match packet.kind {
                    kind::INFORMANDACTIVATE => self.on_activated(now, zxid, leader, effects),
                    _ => Ok(()),
                }
            }
            kind::COMMIT => self.on_commit(now, packet.zxid, effects),
            kind::COMMITANDACTIVATE => {
                let leader = leader_of(packet)?;
                self.on_commit(now, packet.zxid, effects)?;
                self.on_activated(now, packet.zxid, leader, effects)
            }
            kind::PING => {
                self.on_cluster_told(now, packet.data, effects)?;
                let mut touched = Vec::new();
                for (session, timeout_ms) in self.sessions.take_touches() {
                    touched.put_long(session);
                    touched.put_int(timeout_ms);
                }
                self.send_packet(peer, kind::PING, packet.zxid, Some(&touched), effects);
                Ok(())
            }
            kind::REVALIDATE => self.on_revalidated(now, packet, effects),
            kind::SYNC => {
                self.on_leader_synced(now, effects);
                Ok(())
            }
            kind::UPTODATE => Ok(()),
            kind::LEADERINFO | kind::NEWLEADER => self.on_next_epoch(packet, effects),
            kind => Err(format!("packet {kind} of the leader while serving")),
        }
    }

    fn on_commit(&mut self, now: Now, zxid: Zxid, effects: &mut Effects) -> Taken {
        if zxid <= self.committed {
            return Ok(());
        }
        let expected = self.pending.zxids().find(|zxid| *zxid > self.committed);
        if expected != Some(zxid) {
            return Err(format!("COMMIT of {zxid}, expected {expected:?}"));
        }
        self.committed = zxid;
        self.apply_ready(now, effects);
        Ok(())
    }

    /// Everything up to here is on disk: tells the leader, one by one.
    pub(super) fn acknowledge(&mut self, now: Now, effects: &mut Effects) {
        let durable = if bugs::on(Bug::AckBeforeSync) { self.logged } else { self.durable };
        let Some(learner) = self.learner() else { return };
        let peer = learner.peer;
        let start = effects.bytes.len();
        while let Some(zxid) = learner.to_ack.front().copied().filter(|zxid| *zxid <= durable) {
            learner.to_ack.pop_front();
            packet::put(kind::ACK, zxid, None, &mut effects.bytes);
        }
        if effects.bytes.len() > start {
            effects.send_peer(peer, start);
        }
        self.settle(effects);
        self.settle_turn(effects);
        self.apply_ready(now, effects);
    }

    /// Hands a write of a client to the leader.
    pub(super) fn forward(
        &mut self,
        now: Now,
        client: (ConnId, u64),
        session: i64,
        header: RequestHeader,
        body: &[u8],
        effects: &mut Effects,
    ) {
        let ids = self.conn(client.0).map(|conn| conn.ids.clone()).unwrap_or_default();
        let Some(learner) = self.learner() else { return };
        let RequestHeader { xid, op } = header;
        let mut data = Vec::with_capacity(16 + body.len());
        data.put_long(session);
        data.put_int(xid);
        data.put_int(op.0);
        data.extend_from_slice(body);
        if op == Op::SYNC {
            learner.syncs.push_back(client);
        } else {
            let arrived_ms = now.mono_ms;
            let (refused, asked) = (None, None);
            let forwarded = Forwarded { client, session, xid, op, arrived_ms, refused, asked };
            learner.forwarded.push_back(forwarded);
        }
        let peer = learner.peer;
        let start = effects.bytes.len();
        packet::put_for(kind::REQUEST, Zxid::NONE, &data, &ids, &mut effects.bytes);
        effects.send_peer(peer, start);
    }

    /// A txn that is applied may be the write of one of our clients: then it is the first of those
    /// that the leader has.
    pub(super) fn claim(&mut self, entry: &mut Pending, txn: &Txn<'_>) {
        let Some(learner) = self.learner() else { return };
        let Some(first) = learner.forwarded.front() else { return };
        if (first.session, first.xid) == (txn.header.session, txn.header.cxid)
            && let Some(first) = learner.forwarded.pop_front()
        {
            entry.client = Some(first.client);
            entry.xid = first.xid;
            entry.op = first.op;
            entry.arrived_ms = first.arrived_ms;
            entry.refused = first.refused;
            entry.asked = first.asked;
        }
    }

    /// Asks the leader whether a session is alive to which a client comes back.
    pub(super) fn revalidate(
        &mut self,
        id: ConnId,
        session: i64,
        timeout_ms: i32,
        effects: &mut Effects,
    ) {
        let Some(serial) = self.conn(id).map(|conn| conn.serial) else { return };
        let Some(learner) = self.learner() else { return };
        learner.renewals.push_back((session, id, serial));
        let peer = learner.peer;
        let mut data = Vec::new();
        data.put_long(session);
        data.put_int(timeout_ms);
        self.send_packet(peer, kind::REVALIDATE, Zxid::NONE, Some(&data), effects);
    }

    fn on_revalidated(&mut self, now: Now, packet: &Packet<'_>, effects: &mut Effects) -> Taken {
        let mut reader = Reader::new(packet.data.ok_or("a revalidation without an answer")?);
        let session = reader.long("REVALIDATE.session").map_err(|error| error.to_string())?;
        let alive = reader.boolean("REVALIDATE.valid").map_err(|error| error.to_string())?;
        let Some(learner) = self.learner() else { return Ok(()) };
        let at = learner.renewals.iter().position(|(asked, ..)| *asked == session);
        let Some((_, id, serial)) = at.and_then(|at| learner.renewals.remove(at)) else {
            return Ok(());
        };
        if self.asker(Some((id, serial))).is_some() {
            self.renewed(now, id, session, alive, effects);
        }
        Ok(())
    }

    fn on_leader_synced(&mut self, now: Now, effects: &mut Effects) {
        let committed = self.committed;
        let Some(learner) = self.learner() else { return };
        let Some((conn, serial)) = learner.syncs.pop_front() else { return };
        // What the leader committed before is applied before the client hears of it.
        self.released.push_back((committed, conn, serial));
        self.release_syncs(now, effects);
    }

    /// Lets syncs go whose txns are applied.
    pub(super) fn release_syncs(&mut self, now: Now, effects: &mut Effects) {
        let applied = self.tree.last_zxid();
        while let Some((zxid, conn, serial)) = self.released.front().copied() {
            if zxid > applied {
                break;
            }
            self.released.pop_front();
            self.synced(now, conn, serial, effects);
        }
    }

    /// A sync of a client is done: it is answered in its turn.
    pub(super) fn synced(&mut self, now: Now, id: ConnId, serial: u64, effects: &mut Effects) {
        let Some((id, conn)) = self.asker(Some((id, serial))) else { return };
        if conn.syncs_passed > 0 {
            conn.syncs_passed -= 1;
            return;
        }
        for waiting in &mut conn.waiting {
            if let Waiting::Sync(frame) = waiting {
                let frame = std::mem::take(frame);
                *waiting = Waiting::Frame(frame);
                break;
            }
        }
        self.drain(now, id, effects);
    }

    /// A write is about to be applied, perhaps before the syncs in front of it are confirmed. A
    /// quorum took its proposal after they came, which confirms them as well: they are answered, and
    /// the reads between, while nothing of the write shows.
    pub(super) fn pass_syncs(
        &mut self,
        now: Now,
        client: Option<(ConnId, u64)>,
        effects: &mut Effects,
    ) {
        let Some((id, conn)) = self.asker(client) else { return };
        let before = conn.syncs_passed;
        for waiting in &mut conn.waiting {
            match waiting {
                Waiting::Write => break,
                Waiting::Sync(frame) => {
                    let frame = std::mem::take(frame);
                    *waiting = Waiting::Frame(frame);
                    conn.syncs_passed += 1;
                }
                Waiting::Frame(_) | Waiting::Refused(..) => {}
            }
        }
        if conn.syncs_passed > before {
            self.drain(now, id, effects);
        }
    }
}
