//! One id for all servers of an ensemble, so that the data of another one is not mistaken for ours.
//!
//! Nobody has one at first. A serving leader that sees every voter, all of them ours, gives one out:
//! one that any of them has, else a new one. It is written down before it counts, told to learners
//! of ours in their next ping, and from then on every server says it where it says that it is one of
//! ours. Two servers with different ids do not follow each other, and say so; without an id, or from
//! Apache's servers, everybody is taken. Votes of a server that was found to be of another ensemble
//! are not heard for a while: it could win every election and lead nobody.

use std::collections::BTreeSet;

use super::Replica;
use super::ensemble::{Role, Taken};
use super::lead::base;
use crate::effect::{Effect, Effects, Level};
use crate::ids::PeerId;
use crate::time::Now;
use crate::zab::kin;
use crate::zab::leader::{Phase, Stage};
use crate::zab::packet::{PROTOCOL, kind};
use crate::zab::{Electorate, Sid};

/// How long the votes of a server of another ensemble are not heard, in ms.
const SHUNNED_MS: i64 = 10_000;

/// Why two servers do not belong together.
fn differ(sid: Sid, theirs: u128, ours: u128) -> String {
    format!(
        "server {sid} has data of ensemble {theirs:032x}, this server of {ours:032x}; give the one \
         that is wrong its own dataDir, or an empty one"
    )
}

impl Replica {
    /// The mark of this server, with the id of its ensemble.
    pub(super) fn put_mark(&self, out: &mut Vec<u8>) {
        kin::put(self.ensemble.as_ref().map_or(0, |us| us.cluster), out);
    }

    /// A learner says what it is; a leader refuses one of another ensemble, and lets it know why.
    ///
    /// # Errors
    /// When it is of another one.
    pub(super) fn check_learner(
        &mut self,
        now: Now,
        peer: PeerId,
        sid: Sid,
        theirs: u128,
        effects: &mut Effects,
    ) -> Taken {
        let ours = self.us().cluster;
        if theirs == 0 || ours == 0 || theirs == ours {
            return Ok(());
        }
        let mut data = PROTOCOL.to_be_bytes().to_vec();
        self.put_mark(&mut data);
        let epoch = self.leader().map_or(0, |leader| leader.epoch);
        self.send_packet(peer, kind::LEADERINFO, base(epoch), Some(&data), effects);
        self.shun(now, sid);
        Err(differ(sid, theirs, ours))
    }

    /// A leader says what it is.
    ///
    /// # Errors
    /// When it is of another ensemble.
    pub(super) fn check_leader(&mut self, now: Now, theirs: u128) -> Taken {
        let ours = self.us().cluster;
        let Some(leader) = self.learner().map(|learner| learner.leader) else { return Ok(()) };
        if theirs == 0 || ours == 0 || theirs == ours {
            return Ok(());
        }
        self.shun(now, leader);
        Err(differ(leader, theirs, ours))
    }

    fn shun(&mut self, now: Now, sid: Sid) {
        self.us().shunned.insert(sid, now.mono_ms + SHUNNED_MS);
    }

    /// Whether votes of a server are not heard.
    pub(super) fn is_shunned(&mut self, now: Now, sid: Sid) -> bool {
        let shunned = &mut self.us().shunned;
        shunned.retain(|_, until_ms| now.mono_ms < *until_ms);
        shunned.contains_key(&sid)
    }

    /// Gives an id out when everybody is there, and tells it to who has none.
    pub(super) fn agree_on_cluster(&mut self, effects: &mut Effects) {
        let us = self.us();
        let (me, ours, fresh) = (us.me, us.cluster, us.fresh_cluster);
        let electorate = us.known.electorate();
        let Role::Leading(leader) = &us.role else { return };
        if leader.phase != Phase::Serving {
            return;
        }
        let serving = leader.learners.iter().filter(|(_, f)| f.stage == Stage::Serving);
        let kin: Vec<_> = serving.filter(|(_, f)| f.cluster.is_some()).collect();
        if ours == 0 {
            let present = kin.iter().map(|(_, f)| f.sid).chain([me]).collect();
            let had = kin.iter().filter_map(|(_, f)| f.cluster).find(|id| *id != 0);
            if !has_all_voters(&electorate, &present) {
                return;
            }
            return self.enter_cluster(had.unwrap_or(fresh), effects);
        }
        let without = kin.iter().filter(|(_, f)| f.cluster == Some(0));
        let without: Vec<PeerId> = without.map(|(peer, _)| **peer).collect();
        for peer in without {
            self.send_ping(peer, &ours.to_be_bytes(), effects);
            if let Some(follower) = self.follower(peer) {
                follower.cluster = Some(ours);
            }
        }
    }

    fn enter_cluster(&mut self, id: u128, effects: &mut Effects) {
        assert!(id != 0, "0 says that there is no id");
        self.us().cluster = id;
        effects.log(Level::Info, format!("ensemble: id={id:032x}"));
        effects.list.push(Effect::SaveCluster { id });
    }

    /// What a leader of ours says in a ping.
    ///
    /// # Errors
    /// When it is the id of another ensemble.
    pub(super) fn on_cluster_told(
        &mut self,
        now: Now,
        data: Option<&[u8]>,
        effects: &mut Effects,
    ) -> Taken {
        let told = data.and_then(|data| data.try_into().ok()).map_or(0, u128::from_be_bytes);
        self.check_leader(now, told)?;
        if told != 0 && self.us().cluster == 0 {
            self.enter_cluster(told, effects);
        }
        Ok(())
    }
}

/// Whether every voter is among these.
fn has_all_voters(electorate: &Electorate<'_>, present: &BTreeSet<Sid>) -> bool {
    electorate.voters().all(|sid| present.contains(&sid))
}
