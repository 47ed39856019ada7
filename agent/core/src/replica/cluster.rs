//! One id for all servers of an ensemble, so that the data of another one is not mistaken for ours.
//!
//! Nobody has one at first. A serving leader that sees every voter, all of them ours, gives one out:
//! one that any of them has, else a new one. Everybody writes it down and answers; when every voter
//! has it, it is agreed, and everybody writes that down. So if one server has an agreed id, all that
//! may ever give out another one have it too. Every server says its id where it says that it is one
//! of ours. Two servers with different agreed ids do not follow each other, and say so; without one,
//! or from Apache's servers, everybody is taken. Votes of a server that was found to be of another ensemble
//! are not heard for a while: it could win every election and lead nobody.

use super::Replica;
use super::ensemble::{Role, Taken};
use super::lead::base;
use crate::effect::{Effect, Effects, Level};
use crate::ids::{Cluster, PeerId};
use crate::time::Now;
use crate::zab::kin;
use crate::zab::leader::{Follower, Leader, Phase, Stage};
use crate::zab::packet::{PROTOCOL, kind};
use crate::zab::{Electorate, Sid};

/// How long the votes of a server of another ensemble are not heard, in ms.
const SHUNNED_MS: i64 = 10_000;

/// Why two servers do not belong together.
fn differ(sid: Sid, theirs: Cluster, ours: Cluster) -> String {
    format!(
        "server {sid} has data of ensemble {:032x}, this server of {:032x}; give the one that is \
         wrong its own dataDir, or an empty one",
        theirs.id, ours.id
    )
}

impl Replica {
    /// The mark of this server, with the id of its ensemble.
    pub(super) fn put_mark(&self, out: &mut Vec<u8>) {
        kin::put(self.ensemble.as_ref().map_or(Cluster::default(), |us| us.cluster), out);
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
        theirs: Cluster,
        effects: &mut Effects,
    ) -> Taken {
        let ours = self.us().cluster;
        if !ours.clashes(theirs) {
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
    pub(super) fn check_leader(&mut self, now: Now, theirs: Cluster) -> Taken {
        let ours = self.us().cluster;
        let Some(leader) = self.learner().map(|learner| learner.leader) else { return Ok(()) };
        if !ours.clashes(theirs) {
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

    /// Gives an id out when everybody is there, agrees on it when everybody has it, and tells it to
    /// who has not.
    pub(super) fn agree_on_cluster(&mut self, effects: &mut Effects) {
        let us = self.us();
        let ours = us.cluster;
        let electorate = us.known.electorate();
        let Role::Leading(leader) = &us.role else { return };
        if leader.phase != Phase::Serving {
            return;
        }
        if !ours.agreed {
            let next = next_cluster(us.me, ours, us.fresh_cluster, leader, &electorate);
            if let Some(next) = next {
                self.enter_cluster(next, effects);
            }
        }
        let ours = self.us().cluster;
        let Some(leader) = self.leader().filter(|_| ours.id != 0) else { return };
        let lacks = |f: &Follower| {
            let other = f.cluster.is_some_and(|theirs| theirs != ours && !theirs.agreed);
            f.stage == Stage::Serving && other && f.telling.is_none()
        };
        let lacking = leader.learners.iter().filter(|(_, f)| lacks(f));
        for peer in lacking.map(|(peer, _)| *peer).collect::<Vec<PeerId>>() {
            let mut data = Vec::new();
            kin::put_cluster(ours, &mut data);
            self.send_ping(peer, &data, effects);
            if let Some(follower) = self.follower(peer) {
                follower.telling = Some((ours, follower.pings.len()));
            }
        }
    }

    fn enter_cluster(&mut self, cluster: Cluster, effects: &mut Effects) {
        assert!(cluster.id != 0, "0 says that there is no id");
        self.us().cluster = cluster;
        if cluster.agreed {
            effects.log(Level::Info, format!("ensemble: id={:032x}", cluster.id));
        }
        effects.list.push(Effect::SaveCluster { cluster });
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
        let told = data.and_then(kin::read_cluster).filter(|told| told.id != 0);
        let Some(told) = told else { return Ok(()) };
        self.check_leader(now, told)?;
        let ours = self.us().cluster;
        if told != ours && !ours.agreed {
            self.enter_cluster(told, effects);
        }
        Ok(())
    }
}

/// What a leader without an agreed id enters next, if anything.
fn next_cluster(
    me: Sid,
    ours: Cluster,
    fresh: u128,
    leader: &Leader,
    electorate: &Electorate<'_>,
) -> Option<Cluster> {
    let serving = leader.learners.values().filter(|f| f.stage == Stage::Serving);
    let kin: Vec<(Sid, Cluster)> = serving.filter_map(|f| Some((f.sid, f.cluster?))).collect();
    if let Some((_, agreed)) = kin.iter().find(|(_, theirs)| theirs.agreed) {
        return Some(*agreed);
    }
    let of = |sid: Sid| kin.iter().find(|(other, _)| *other == sid).map(|(_, theirs)| *theirs);
    if !electorate.voters().all(|sid| sid == me || of(sid).is_some()) {
        return None;
    }
    if ours.id == 0 {
        let had = kin.iter().map(|(_, theirs)| theirs.id).find(|id| *id != 0);
        return Some(Cluster { id: had.unwrap_or(fresh), agreed: false });
    }
    let all = electorate.voters().all(|sid| sid == me || of(sid) == Some(ours));
    all.then_some(Cluster { agreed: true, ..ours })
}
