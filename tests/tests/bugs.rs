//! Known bugs of others, each switched on in the simulator: the seed that finds it, and what it breaks.
//!
//! Runs with `--features bugs` only. `zk-sim --bugs 1 10000` makes the table anew.

use zk_core::bugs::{ALL, named};
use zk_tests::sim::trial;

/// Bug, the first seed that finds it, and the invariant that fires there; `core` is an assertion of
/// the replica itself.
const FOUND: &[(&str, u64, &str)] = &[
    ("3911", 1, "i13_promises_are_on_disk"),
    ("4643", 1, "i13_promises_are_on_disk"),
    ("4646", 1, "i13_promises_are_on_disk"),
    ("4785", 1, "i13_promises_are_on_disk"),
    ("4925", 1, "i23_committed_log_is_the_tail"),
    ("2845", 1, "i14_votes_are_true"),
    ("4837", 1056, "i19_nothing_is_left_above_a_cut"),
    ("4394", 1, "i13_promises_are_on_disk"),
    ("3642", 38, "i14_votes_are_true"),
    ("4685", 1, "i15_newleader_is_acknowledged_first"),
    ("2872", 1, "i13_promises_are_on_disk"),
    ("3104", 129, "i16_commits_follow_proposals"),
    ("3701", 1, "i19_nothing_is_left_above_a_cut"),
    ("1208", 220, "i26_client_promises"),
    ("2355", 1, "i07_equal_trees"),
    ("2846", 1, "i05_log_matching"),
    ("4882", 1, "core"),
    ("2959", 3, "i02_one_leader"),
    ("1549", 1, "i14_votes_are_true"),
    ("1412", 1, "i26_client_promises"),
    ("ack-before-sync", 1, "i13_promises_are_on_disk"),
    ("commit-alone", 1, "i17_a_quorum_commits"),
    ("half-is-quorum", 6, "i02_one_leader"),
    ("promise-in-memory", 1, "i13_promises_are_on_disk"),
    ("epoch-reused", 1, "i27_everything_comes_together"),
    ("serves-early", 1, "i02_one_leader"),
    ("tail-kept", 1, "i05_log_matching"),
    ("sync-local", 1, "i26_client_promises"),
    ("sync-unconfirmed", 85, "i26_client_promises"),
    ("commit-out-of-order", 4, "i16_commits_follow_proposals"),
    ("session-reused", 1, "i25_sessions_own_ephemerals"),
    ("watch-lost", 1, "i26_client_promises"),
    ("event-behind-reply", 2, "i26_client_promises"),
    ("seen-ignored", 174, "i26_client_promises"),
    ("multi-in-part", 1, "i21_restart_equivalence"),
    ("read-overtakes", 3, "i26_client_promises"),
    ("request-dropped", 2, "i24_requests_are_answered_in_order"),
    ("committed-cut-off", 264, "i12_durability"),
    ("ephemerals-of-others", 528, "i26_client_promises"),
    ("empty-disk-votes", 2418, "i02_one_leader"),
    ("ttl-ignored", 2, "i26_client_promises"),
    ("txn-twice", 1, "i16_commits_follow_proposals"),
];

/// Seeds within which each must be found.
const SEEDS_MAX: u64 = 10_000;

/// Goal: the simulator finds what it is there to find.
/// Method: each bug at its seed. The runs of all seeds change with the replica: where a bug hides at
/// its old seed it is looked for at all others, and the row that is out of date is printed.
#[test]
fn each_known_bug_is_found() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut missing = Vec::new();
    for (name, recorded, invariant) in FOUND {
        let bug = named(name).expect("the table names known bugs");
        let found = std::iter::once(*recorded).chain(1..=SEEDS_MAX).find_map(|seed| {
            let failure = trial::run_with(bug, seed, false).result.err()?;
            Some((seed, failure.invariant))
        });
        match found {
            None => missing.push(*name),
            Some((seed, fired)) if seed != *recorded || fired != *invariant => {
                println!("out of date: {name} is found at {seed} by {fired}");
            }
            Some(_) => {}
        }
    }
    drop(std::panic::take_hook());
    assert!(missing.is_empty(), "not found within {SEEDS_MAX} seeds: {missing:?}");
}

/// Goal: no switch is forgotten.
#[test]
fn every_switch_is_in_the_table() {
    let missing: Vec<&str> = ALL
        .iter()
        .map(|(_, name, _)| *name)
        .filter(|name| FOUND.iter().all(|(found, ..)| found != name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(FOUND.len() >= 25 && FOUND.iter().all(|(_, seed, _)| *seed <= SEEDS_MAX));
}
