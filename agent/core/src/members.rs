//! Who belongs to the ensemble, and which sets of servers are a quorum.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The text that other servers are shown, as Apache's servers write it.
    pub text: String,
}

impl Members {
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
            let count = sids.iter().filter(|sid| self.is_voter(**sid)).count();
            return count > self.voters().count() / 2;
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

    #[test]
    fn an_empty_set_is_no_quorum() {
        assert!(!members(&[1]).is_quorum(&BTreeSet::new()));
    }
}
