//! What operators are told of the ensemble.

use std::fmt::Write;

use zk_core::replica::Standing;
use zk_core::{Config, Members};
use zk_wire::Zxid;

use crate::settings::PeerSettings;

/// The answer to words that need a server that serves.
pub const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// What stands before the members in `conf`.
const MEMBERSHIP: &str = "membership: \n";

/// Host and port.
pub type Place = (String, u16);

/// What the core doesn't tell of this server's place in its ensemble.
#[derive(Clone, Debug)]
pub struct EnsembleFacts {
    /// The server's id.
    pub me: i64,
    /// Voters of the ensemble.
    pub voters: usize,
    /// The other voters, and where they listen for votes.
    pub other_voters: Vec<(i64, Vec<Place>)>,
    /// The lines of `conf` behind those that every server has, up to those about the members.
    limits: String,
    conf: String,
    /// Sizes of proposals since it serves.
    pub proposals: Proposals,
    /// Since when it serves or doesn't, `Now::mono_ms`.
    pub since_ms: i64,
}

/// Sizes of proposals in bytes; -1 before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposals {
    /// The newest one's.
    pub last: i64,
    /// The smallest one's.
    pub min: i64,
    /// The largest one's.
    pub max: i64,
}

impl Default for Proposals {
    fn default() -> Proposals {
        Proposals { last: -1, min: -1, max: -1 }
    }
}

impl Proposals {
    /// Counts one.
    pub fn add(&mut self, bytes: usize) {
        let bytes = bytes as i64;
        self.last = bytes;
        self.min = if self.min < 0 { bytes } else { self.min.min(bytes) };
        self.max = self.max.max(bytes);
    }
}

impl EnsembleFacts {
    /// From the settings; `None` for a server that is alone.
    pub fn new(core: &Config, peers: Option<&PeerSettings>, now_ms: i64) -> Option<EnsembleFacts> {
        let (ensemble, peers) = (core.ensemble.as_ref()?, peers?);
        let mut limits = String::new();
        let _ = writeln!(limits, "initLimit={}", ensemble.init_ticks);
        let _ = writeln!(limits, "syncLimit={}", ensemble.sync_ticks);
        limits.push_str("electionAlg=3\n");
        let mut facts = EnsembleFacts {
            me: ensemble.me,
            voters: 0,
            other_voters: Vec::new(),
            limits,
            conf: String::new(),
            proposals: Proposals::default(),
            since_ms: now_ms,
        };
        facts.tell(&ensemble.members, &peers.election, &peers.quorum);
        Some(facts)
    }

    /// Another configuration is in force.
    pub fn set_members(&mut self, members: &Members) {
        match members.servers.get(&self.me) {
            Some(own) => self.tell(members, &own.election, &own.quorum),
            None => self.tell(members, &[], &[]),
        }
    }

    fn tell(&mut self, members: &Members, election: &[Place], quorum: &[Place]) {
        let ports = |places: &[Place]| {
            let ports: Vec<String> = places.iter().map(|(_, port)| port.to_string()).collect();
            ports.join("|")
        };
        self.voters = members.voters().count();
        let others = members.servers.iter().filter(|(id, _)| **id != self.me);
        let others = others.filter(|(id, _)| members.is_voter(**id));
        self.other_voters = others.map(|(id, server)| (*id, server.election.clone())).collect();
        let conf = &mut self.conf;
        conf.clone_from(&self.limits);
        let _ = writeln!(conf, "electionPort={}", ports(election));
        let _ = writeln!(conf, "quorumPort={}", ports(quorum));
        let observes = !members.is_voter(self.me);
        let _ = writeln!(conf, "peerType={}", i32::from(observes));
        conf.push_str(MEMBERSHIP);
        conf.push_str(&members.text);
    }

    /// The lines of `conf`, without a newline behind the last one.
    pub fn conf(&self) -> &str {
        &self.conf
    }

    /// The lines of `conf` of a server that serves read-only: without the members.
    pub fn conf_read_only(&self) -> &str {
        self.conf.split_once(MEMBERSHIP).map_or(&self.conf, |(before, _)| before)
    }
}

/// The mode as `srvr` calls it.
pub fn mode(standing: &Standing) -> &'static str {
    match standing {
        Standing::Alone => "standalone",
        Standing::Apart => "looking",
        Standing::ReadOnly => "read-only",
        Standing::Leading(_) => "leader",
        Standing::Following => "follower",
        Standing::Observing => "observer",
    }
}

/// The lines of `mntr` about the ensemble, as names and numbers.
pub fn figures(
    standing: &Standing,
    facts: &EnsembleFacts,
    now_ms: i64,
) -> Vec<(&'static str, i64)> {
    let mut out = vec![("quorum_size", facts.voters as i64)];
    if let Standing::Leading(leading) = standing {
        out.extend([
            ("learners", leading.learners as i64),
            ("synced_followers", leading.synced_followers as i64),
            ("synced_non_voting_followers", leading.synced_non_voting as i64),
            ("synced_observers", leading.synced_observers as i64),
            ("pending_syncs", leading.pending_syncs as i64),
            ("leader_uptime", now_ms - facts.since_ms),
            ("last_proposal_size", facts.proposals.last),
            ("max_proposal_size", facts.proposals.max),
            ("min_proposal_size", facts.proposals.min),
        ]);
    }
    out
}

/// `zk_peer_state` of `mntr`; none for a server that is alone, or that serves read-only.
pub fn peer_state(standing: &Standing) -> Option<&'static str> {
    match standing {
        Standing::Alone | Standing::ReadOnly => None,
        Standing::Apart => Some("looking"),
        Standing::Leading(_) => Some("leading - broadcast"),
        Standing::Following => Some("following - broadcast"),
        Standing::Observing => Some("observing - broadcast"),
    }
}

/// What the service manager is told of the role.
pub fn role_line(standing: &Standing, facts: &EnsembleFacts, zxid: Zxid, now_ms: i64) -> String {
    let apart_s = (now_ms - facts.since_ms) / 1000;
    match standing {
        Standing::Alone => "standalone".to_owned(),
        Standing::Apart => format!("NO QUORUM for {apart_s} s"),
        Standing::ReadOnly => format!("NO QUORUM for {apart_s} s, serving readers"),
        Standing::Leading(leading) => format!(
            "leading epoch {}, {}/{} followers synced",
            leading.epoch,
            leading.synced_followers,
            facts.voters.saturating_sub(1)
        ),
        Standing::Following => format!("following, epoch {}", zxid.epoch()),
        Standing::Observing => format!("observing, epoch {}", zxid.epoch()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zk_core::replica::LeadingStatus;

    #[test]
    fn proposals_are_measured_from_the_first_one_on() {
        let mut proposals = Proposals::default();
        assert_eq!((proposals.last, proposals.min, proposals.max), (-1, -1, -1));
        for bytes in [50, 20, 70, 30] {
            proposals.add(bytes);
        }
        assert_eq!((proposals.last, proposals.min, proposals.max), (30, 20, 70));
    }

    #[test]
    fn a_leader_tells_more_than_a_follower() {
        let facts = EnsembleFacts {
            me: 2,
            voters: 3,
            other_voters: Vec::new(),
            limits: String::new(),
            conf: String::new(),
            proposals: Proposals::default(),
            since_ms: 1000,
        };
        let leading = LeadingStatus { epoch: 7, synced_followers: 2, ..LeadingStatus::default() };
        let leading = Standing::Leading(leading);
        assert_eq!(figures(&Standing::Following, &facts, 2000), [("quorum_size", 3)]);
        let all = figures(&leading, &facts, 2500);
        assert!(all.contains(&("synced_followers", 2)) && all.contains(&("leader_uptime", 1500)));
        let line = |standing, now_ms| role_line(standing, &facts, Zxid(0x7_0000_0001), now_ms);
        assert_eq!(line(&leading, 0), "leading epoch 7, 2/2 followers synced");
        assert_eq!(line(&Standing::Apart, 5200), "NO QUORUM for 4 s");
        assert_eq!(line(&Standing::Following, 0), "following, epoch 7");
    }
}
