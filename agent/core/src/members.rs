//! Who belongs to the ensemble, and which sets of servers are a quorum.

use std::collections::{BTreeMap, BTreeSet};

use crate::bugs::{self, Bug};
use zk_wire::ensemble::{ConfigError, Ensemble, HostPort, Rules};

/// A server's id (`myid`).
pub type Sid = i64;

/// One server of the ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Hosts and ports for proposals.
    pub quorum: Vec<(String, u16)>,
    /// Hosts and ports for votes.
    pub election: Vec<(String, u16)>,
    /// It observes: it hears what is committed and has no vote.
    pub observer: bool,
}

/// A configuration of the ensemble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Zxid of the txn that made it; 0 for what stands in the configuration file.
    pub version: i64,
    /// All servers.
    pub servers: BTreeMap<Sid, Member>,
    /// Hierarchical quorums: each voter's group; empty for plain majorities.
    pub groups: BTreeMap<Sid, i64>,
    /// Weights of voters that do not weigh 1.
    pub weights: BTreeMap<Sid, i64>,
    /// Where the clients of a server connect, as far as its line says so.
    pub clients: BTreeMap<Sid, HostPort>,
    /// The text that other servers are shown, as Apache's servers write it.
    pub text: String,
}

/// What is read from other servers, whose settings may allow more than ours.
pub const LENIENT: Rules =
    Rules { standalone: false, several_addresses: true, secure_clients: true };

impl Members {
    /// From a list.
    pub fn of(list: &Ensemble) -> Members {
        let mut members =
            Members { version: list.version, text: list.to_string(), ..Members::default() };
        for (sid, server) in &list.servers {
            let places = server.addresses.iter();
            let member = Member {
                quorum: places.clone().map(|a| (a.host.clone(), a.quorum_port)).collect(),
                election: places.map(|a| (a.host.clone(), a.election_port)).collect(),
                observer: server.observer,
            };
            members.servers.insert(*sid, member);
            members.clients.extend(server.client.clone().map(|client| (*sid, client)));
        }
        members.groups = list.groups.clone();
        members.weights = list.weights.clone();
        members
    }

    /// Reads the text of another server.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Members, ConfigError> {
        Ensemble::parse(text, &LENIENT).map(|list| Members::of(&list))
    }

    /// The same servers under another version.
    pub fn with_version(&self, version: i64) -> Members {
        let lines = self.text.rfind("version=").map_or("", |at| &self.text[..at]);
        let text = format!("{lines}version={version:x}");
        Members { version, text, ..self.clone() }
    }

    /// Whether the servers, their places, roles and weights are the same, whatever the version.
    pub fn same_servers(&self, other: &Members) -> bool {
        self.servers == other.servers
            && self.clients == other.clients
            && self.groups == other.groups
            && self.weights == other.weights
    }

    /// Where proposals of a server come from, if it has a vote.
    pub fn voter_place(&self, sid: Sid) -> Option<&[(String, u16)]> {
        self.servers.get(&sid).filter(|member| !member.observer).map(|member| &member.quorum[..])
    }

    /// Whether a server has a vote.
    pub fn is_voter(&self, sid: Sid) -> bool {
        self.servers.get(&sid).is_some_and(|member| !member.observer)
    }

    /// The voters.
    pub fn voters(&self) -> impl Iterator<Item = Sid> + '_ {
        self.servers.iter().filter(|(_, member)| !member.observer).map(|(sid, _)| *sid)
    }

    /// Who decides while no other configuration is on its way.
    pub fn electorate(&self) -> Electorate<'_> {
        Electorate { committed: self, proposed: None }
    }

    fn weight(&self, sid: Sid) -> i64 {
        self.weights.get(&sid).copied().unwrap_or(1)
    }

    /// Whether these servers, as far as they have a vote, are a quorum.
    pub fn is_quorum(&self, sids: &BTreeSet<Sid>) -> bool {
        if self.groups.is_empty() {
            let counts = |sid: &Sid| self.is_voter(*sid) || bugs::on(Bug::Zk2959);
            let count = sids.iter().filter(|sid| counts(sid)).count();
            let half = bugs::on(Bug::HalfIsQuorum);
            return count * 2 + usize::from(half) > self.voters().count();
        }
        let mut weights: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for (sid, group) in self.groups.iter().filter(|(sid, _)| self.is_voter(**sid)) {
            let (have, all) = weights.entry(*group).or_default();
            *all += self.weight(*sid);
            *have += if sids.contains(sid) { self.weight(*sid) } else { 0 };
        }
        let counted = weights.values().filter(|(_, all)| *all > 0);
        let won = counted.clone().filter(|(have, all)| *have > *all / 2).count();
        won > counted.count() / 2
    }
}

/// What a server knows of configurations.
#[derive(Clone, Debug)]
pub struct Known {
    /// The one in force.
    pub committed: Members,
    /// One that was proposed and is newer.
    pub proposed: Option<Members>,
}

impl Known {
    /// Who decides.
    pub fn electorate(&self) -> Electorate<'_> {
        Electorate { committed: &self.committed, proposed: self.proposed.as_ref() }
    }

    /// The newest one.
    pub fn newest(&self) -> &Members {
        self.proposed.as_ref().unwrap_or(&self.committed)
    }

    /// Everyone with a vote in either.
    pub fn voters(&self) -> BTreeSet<Sid> {
        self.committed.voters().chain(self.proposed.iter().flat_map(|next| next.voters())).collect()
    }

    /// Where a server takes votes: the place in the one, then in the other when that differs.
    pub fn election_places(&self, sid: Sid) -> Vec<(String, u16)> {
        let mut places = Vec::new();
        for members in [Some(&self.committed), self.proposed.as_ref()].into_iter().flatten() {
            for place in members.servers.get(&sid).map_or(&[][..], |member| &member.election) {
                if !places.contains(place) {
                    places.push(place.clone());
                }
            }
        }
        places
    }
}

/// Who decides: the configuration in force, and the next one while it is on its way.
#[derive(Clone, Copy, Debug)]
pub struct Electorate<'a> {
    /// The committed configuration.
    pub committed: &'a Members,
    /// One that was proposed and is not committed.
    pub proposed: Option<&'a Members>,
}

impl Electorate<'_> {
    /// Whether a server has a vote in either configuration.
    pub fn is_voter(&self, sid: Sid) -> bool {
        self.committed.is_voter(sid) || self.proposed.is_some_and(|next| next.is_voter(sid))
    }

    /// Everyone who has a vote in either configuration.
    pub fn voters(&self) -> impl Iterator<Item = Sid> + '_ {
        let next = self.proposed.into_iter().flat_map(Members::voters);
        let fresh = next.filter(|sid| !self.committed.is_voter(*sid));
        self.committed.voters().chain(fresh)
    }

    /// The weight of a server's candidacy: who weighs nothing cannot lead.
    pub fn weight(&self, sid: Sid) -> i64 {
        self.committed.weight(sid)
    }

    /// Whether these servers are a quorum of each configuration.
    pub fn is_quorum(&self, sids: &BTreeSet<Sid>) -> bool {
        self.committed.is_quorum(sids) && self.proposed.is_none_or(|next| next.is_quorum(sids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(sids: &[Sid]) -> Members {
        let member = Member { quorum: Vec::new(), election: Vec::new(), observer: false };
        let servers = sids.iter().map(|sid| (*sid, member.clone())).collect();
        Members { servers, ..Members::default() }
    }

    fn set(sids: &[Sid]) -> BTreeSet<Sid> {
        sids.iter().copied().collect()
    }

    #[test]
    fn a_majority_counts_voters_only() {
        let mut five = members(&[1, 2, 3, 4, 5]);
        assert!(five.is_quorum(&set(&[1, 2, 3])));
        assert!(!five.is_quorum(&set(&[1, 2, 9])));
        five.servers.get_mut(&3).unwrap().observer = true;
        assert!(!five.is_quorum(&set(&[1, 3])));
        assert!(!five.is_quorum(&set(&[1, 3, 2])) || five.voters().count() < 4);
        assert!(five.is_quorum(&set(&[1, 2, 4])));
    }

    #[test]
    fn groups_are_won_by_weight_and_zero_weight_groups_do_not_count() {
        let mut nine = members(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        nine.groups = (1..=9).map(|sid| (sid, (sid - 1) / 3)).collect();
        assert!(nine.is_quorum(&set(&[1, 2, 4, 5])));
        assert!(!nine.is_quorum(&set(&[1, 4, 7, 2, 3])));
        nine.weights = (7..=9).map(|sid| (sid, 0)).collect();
        assert!(!nine.is_quorum(&set(&[1, 2])));
        assert!(nine.is_quorum(&set(&[1, 2, 5, 6])));
        assert!(!nine.is_quorum(&set(&[7, 8, 9, 1, 2])));
    }

    /// Goal: while a configuration is on its way, both decide, and each one counts its own voters.
    #[test]
    fn two_configurations_want_two_quorums() {
        let known = Known { committed: members(&[1, 2, 3]), proposed: Some(members(&[3, 4, 5])) };
        let electorate = known.electorate();
        assert!(!electorate.is_quorum(&set(&[1, 2, 3])));
        assert!(!electorate.is_quorum(&set(&[3, 4, 5])));
        assert!(electorate.is_quorum(&set(&[2, 3, 4])));
        assert_eq!(known.voters(), set(&[1, 2, 3, 4, 5]));
        assert!(electorate.is_voter(5) && !electorate.is_voter(6));
    }

    #[test]
    fn a_text_is_read_and_gets_another_version() {
        let text = "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:observer\nversion=0";
        let members = Members::parse(text).unwrap();
        assert_eq!((members.text.as_str(), members.version), (text, 0));
        assert_eq!(members.voter_place(1), Some(&[("a".to_owned(), 1)][..]));
        assert_eq!(members.voter_place(2), None);
        assert_eq!(members.clients[&1].port, 3);
        let stamped = members.with_version(0x1_0000_0000);
        assert_eq!(stamped, Members::parse(&stamped.text).unwrap());
        assert!(stamped.same_servers(&members) && stamped.text.ends_with("\nversion=100000000"));
    }

    #[test]
    fn an_empty_set_is_no_quorum() {
        assert!(!members(&[1]).is_quorum(&BTreeSet::new()));
    }
}
