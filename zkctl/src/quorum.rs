//! Which servers make a quorum, by the configuration of an ensemble. Pure.
//!
//! More than half of the voters; where servers have groups and weights, more than half of the weight
//! in more than half of the groups that have any weight.

use std::collections::{BTreeMap, BTreeSet};

use zk_wire::ensemble::Ensemble;

/// Whether these servers are a quorum of the ensemble. Observers and strangers don't count.
pub fn is_quorum(ensemble: &Ensemble, servers: &BTreeSet<i64>) -> bool {
    let voters: Vec<i64> = ensemble.voters().collect();
    let here = |id: &i64| servers.contains(id);
    if !ensemble.hierarchical {
        return voters.iter().filter(|id| here(id)).count() > voters.len() / 2;
    }
    // Of each group: the weight that is there, and all of it.
    let mut groups: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for id in &voters {
        let Some(group) = ensemble.groups.get(id) else { continue };
        let weight = ensemble.weights.get(id).copied().unwrap_or(1);
        let (there, all) = groups.entry(*group).or_default();
        *all += weight;
        if here(id) {
            *there += weight;
        }
    }
    groups.retain(|_, (_, all)| *all > 0);
    let won = groups.values().filter(|(there, all)| there * 2 > *all).count();
    won > groups.len() / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use zk_wire::ensemble::Rules;

    fn ensemble(lines: &str) -> Ensemble {
        let rules = Rules { standalone: true, several_addresses: true, secure_clients: true };
        Ensemble::parse(lines, &rules).unwrap()
    }

    fn holds(ensemble: &Ensemble, servers: &[i64]) -> bool {
        is_quorum(ensemble, &servers.iter().copied().collect())
    }

    #[test]
    fn more_than_half_of_the_voters() {
        let five: String = (1..=5).map(|id| format!("server.{id}=h{id}:1:2\n")).collect();
        let five = ensemble(&format!("{five}server.9=h9:1:2:observer"));
        assert!(holds(&five, &[1, 3, 5]));
        assert!(!holds(&five, &[1, 3]));
        assert!(!holds(&five, &[1, 3, 9]), "an observer has no vote");
        let two = ensemble("server.1=a:1:2\nserver.2=b:1:2");
        assert!(!holds(&two, &[1]) && holds(&two, &[1, 2]));
    }

    #[test]
    fn more_than_half_of_the_weight_of_more_than_half_of_the_groups() {
        let nine: String = (1..=9).map(|id| format!("server.{id}=h{id}:1:2\n")).collect();
        let nine = ensemble(&format!("{nine}group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9"));
        assert!(holds(&nine, &[1, 2, 4, 5]));
        assert!(!holds(&nine, &[1, 2, 3, 4, 7]), "two groups without a majority");
        let heavy = ensemble(
            "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\ngroup.1=1:2:3\nweight.1=3\nweight.3=0",
        );
        assert!(holds(&heavy, &[1]) && !holds(&heavy, &[2, 3]));
    }
}
