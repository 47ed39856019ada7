//! Simulated ensembles under faults, some hundred seeds of them.
//!
//! `cargo run -p zk-tests --bin zk-sim -- SEED 1 -v` shows one run in full.

use zk_tests::sim::{Plan, World};

/// Goal: what was acknowledged is never lost, servers never disagree, and an ensemble that is healthy
/// again comes together, whatever happened.
/// Method: ensembles of 1 to 5 voters and up to 2 observers with clients; crashes, power cuts of all
/// at once, partitions of one or both directions, pauses, resets. Invariants are asserted after every
/// step, the promises to clients at the end.
#[test]
fn two_hundred_ensembles_keep_their_promises() {
    let mut faults = std::collections::BTreeMap::new();
    for seed in 1..=200 {
        let mut world = World::new(Plan::of(seed), seed);
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
        if run.is_err() {
            let lines: Vec<String> = world.trace.iter().cloned().collect();
            panic!("seed {seed} fails at {} ms\n{}", world.now_ms(), lines.join("\n"));
        }
        for (kind, count) in &world.tally.0 {
            *faults.entry(*kind).or_insert(0) += count;
        }
    }
    println!("{faults:?}");
    for kind in ["crash", "cut", "mend", "pause", "power", "reset"] {
        assert!(
            faults.get(kind).is_some_and(|count| *count > 50),
            "{kind} hardly came: {faults:?}"
        );
    }
}

/// Goal: the same seed gives the same run, to the byte.
#[test]
fn a_seed_is_a_run() {
    for seed in [7, 51, 2332] {
        let run = || {
            let mut world = World::new(Plan::of(seed), seed);
            world.run();
            (world.steps(), world.now_ms(), world.trace.iter().cloned().collect::<Vec<_>>())
        };
        assert_eq!(run(), run(), "seed {seed}");
    }
}
