//! What servers serve: one leader, one order, one state, and on the disks of a quorum.

use zk_core::Replica;
use zk_core::txn::{Body, Txn};
use zk_wire::Zxid;

use super::{Held, Monitor, broken, name};
use crate::sim::disk::Disk;

impl Monitor {
    /// 2: an epoch has one established leader.
    pub(super) fn i02_one_leader(&mut self, server: usize, leads: Option<i64>) -> Held {
        let Some(epoch) = leads else { return Ok(()) };
        let first = *self.leaders.entry(epoch).or_insert(server);
        if first != server {
            let text = format!("{} and {} lead epoch {epoch}", name(first), name(server));
            return Err(broken("i02_one_leader", text));
        }
        Ok(())
    }

    /// 7: trees that are served at the same zxid are equal.
    pub(super) fn i07_equal_trees(&mut self, server: usize, replica: &Replica) -> Held {
        let (zxid, digest) = (replica.tree().last_zxid(), replica.tree().digest());
        let known = *self.digests.entry(zxid).or_insert(digest);
        if known != digest {
            let text = format!("{}: another tree at {zxid}", name(server));
            return Err(broken("i07_equal_trees", text));
        }
        Ok(())
    }

    /// 9: all servers serve the same txns in the same order. True when there are new ones.
    pub(super) fn i09_total_order(&mut self, server: usize, replica: &Replica) -> Held<bool> {
        let bad =
            |text: String| Err(broken("i09_total_order", format!("{}: {text}", name(server))));
        let last = self.chain.last().copied().unwrap_or(Zxid::ZERO);
        let applied = replica.applied_txn();
        if applied.counter() == 0 {
            // A database that was sent before the first txn of its epoch, or nothing at all.
            return Ok(false);
        }
        if applied <= last {
            return match self.chain.binary_search(&applied) {
                Ok(_) => Ok(false),
                Err(_) => bad(format!("{applied} is served, and is none of what is, up to {last}")),
            };
        }
        // What was not served before may stand in a database that was received: only the proposals
        // know it all.
        let mut fresh = Vec::new();
        let mut at = applied;
        while at > last {
            let Some(known) = self.proposed.get(&at) else {
                return bad(format!("{at} is served and was never proposed"));
            };
            fresh.push(at);
            at = known.pred;
        }
        if at != last {
            return bad(format!("{applied} is served behind {at}, not behind {last}"));
        }
        for zxid in fresh.into_iter().rev() {
            self.chain.push(zxid);
            let txn = Txn::decode(&self.proposed[&zxid].txn);
            if let Ok(Txn { header, body: Body::CloseSession(_), .. }) = txn {
                self.ended.insert(header.session, zxid);
            }
        }
        self.i10_no_holes()?;
        Ok(true)
    }

    /// 10: a server never goes back, epochs follow each other.
    pub(super) fn i10_primary_order(&self, server: usize, before: Option<Zxid>, at: Zxid) -> Held {
        match before {
            Some(before) if at < before => {
                let text = format!("{}: from {before} back to {at}", name(server));
                Err(broken("i10_primary_order", text))
            }
            _ => Ok(()),
        }
    }

    /// 10 as well: of each leader's txns a beginning without holes is served.
    fn i10_no_holes(&self) -> Held {
        let fresh = self.chain.len().saturating_sub(64);
        for pair in self.chain[fresh..].windows(2) {
            let next = match pair[1].epoch() == pair[0].epoch() {
                true => pair[1].counter() == pair[0].counter() + 1,
                false => pair[1] > pair[0] && pair[1].counter() == 1,
            };
            if !next {
                let text = format!("{} is served behind {}", pair[1], pair[0]);
                return Err(broken("i10_primary_order", text));
            }
        }
        Ok(())
    }

    /// 11: before a leader proposes, it has everything that anybody ever served.
    pub(super) fn i11_primary_integrity(
        &self,
        server: usize,
        replica: &Replica,
        begins: bool,
    ) -> Held {
        let Some(epoch) = replica.leads().filter(|_| begins) else { return Ok(()) };
        let below = self.chain.partition_point(|zxid| zxid.epoch() < epoch);
        let last = below.checked_sub(1).map_or(Zxid::ZERO, |at| self.chain[at]);
        let have = replica.tree().last_zxid();
        if have < last || replica.applied_txn() < last {
            let text =
                format!("{}: leads {epoch} with {have}, and {last} was served", name(server));
            return Err(broken("i11_primary_integrity", text));
        }
        Ok(())
    }

    /// 12: what was ever served is durable on a quorum, at every later time.
    pub(super) fn i12_durability<'d>(&self, disks: impl Iterator<Item = &'d Disk>) -> Held {
        let Some(last) = self.chain.last().copied() else { return Ok(()) };
        let have = disks
            .enumerate()
            .filter(|(server, disk)| disk.has(last) || self.servers[*server].excused >= last);
        let have: Vec<usize> = have.map(|(server, _)| server).collect();
        // Who is in no configuration any more may lose what it has.
        if !self.is_quorum(self.in_force, have.iter().copied()) {
            let have: Vec<String> = have.into_iter().map(name).collect();
            let text = format!("{last} is served, and is durable on {have:?} only");
            return Err(broken("i12_durability", text));
        }
        Ok(())
    }

    /// 18: configurations have one text for each version, and a server never goes back.
    pub(super) fn i18_configurations_go_forward(
        &mut self,
        server: usize,
        members: &zk_core::Members,
    ) -> Held {
        let version = members.version;
        let before = std::mem::replace(&mut self.servers[server].version, version);
        let known = self.configs.entry(version).or_insert_with(|| members.clone());
        let same = known.text == members.text;
        self.in_force = self.in_force.max(version);
        if version < before || !same {
            let text = format!("{}: {version:#x} behind {before:#x}", name(server));
            return Err(broken("i18_configurations_go_forward", text));
        }
        Ok(())
    }

    /// 23: what a leader would send to those who lack it is the tail of what is served, without
    /// gaps.
    pub(super) fn i23_committed_log_is_the_tail(&self, server: usize, replica: &Replica) -> Held {
        let bad = |text: String| {
            Err(broken("i23_committed_log_is_the_tail", format!("{}: {text}", name(server))))
        };
        let mut kept = replica.committed_log().rev();
        let Some(newest) = kept.next() else { return Ok(()) };
        let at = replica.tree().last_zxid();
        if newest != at && at.counter() != 0 {
            return bad(format!(
                "the log of what is committed ends at {newest}, the tree is at {at}"
            ));
        }
        let Ok(mut place) = self.chain.binary_search(&newest) else {
            return bad(format!("{newest} is kept and was never served"));
        };
        // What is older was looked at when it was new.
        for zxid in kept.take(8) {
            if place == 0 || self.chain[place - 1] != zxid {
                return bad(format!("{zxid} is kept where {:?} is due", self.chain.get(place)));
            }
            place -= 1;
        }
        Ok(())
    }

    /// 25: an ephemeral znode has a session, and goes with it.
    pub(super) fn i25_sessions_own_ephemerals(&self, server: usize, replica: &Replica) -> Held {
        let tree = replica.tree();
        let at = tree.last_zxid();
        for (session, mut list) in tree.owners() {
            let Some(number) = list.next() else { continue };
            let ended = self.ended.get(&session).filter(|zxid| **zxid <= at);
            let known = replica.knows_session(session);
            if ended.is_some() || !known {
                let path = tree.path(number);
                let text = format!(
                    "{}: {path} at {at} belongs to {session:#x}, ended at {ended:?}, known: {known}",
                    name(server)
                );
                return Err(broken("i25_sessions_own_ephemerals", text));
            }
        }
        Ok(())
    }
}
