//! Simulated ensembles under faults, some hundred seeds of them.
//!
//! `cargo run -p zk-tests --bin zk-sim -- SEED 1 -v` shows one run in full.

use zk_tests::sim::plan::{Fault, Plan};
use zk_tests::sim::{Tally, World, trial};

/// Goal: what was acknowledged is never lost, servers never disagree, clients are told the truth, and
/// an ensemble that is healthy again comes together, whatever happened.
/// Method: ensembles of 1 to 7 voters and up to 2 observers, with clients that move, sleep and watch;
/// each seed has its own subset of the faults. Invariants are looked at after every step, the
/// history of the clients is held against the committed txns at the end.
#[test]
fn two_hundred_ensembles_keep_their_promises() {
    let (mut tally, mut reads, mut watches, mut unknown) = (Tally::default(), 0, 0, 0);
    for seed in 1..=200 {
        let outcome = trial::run(seed, false);
        match outcome.result {
            Ok(summary) => {
                reads += summary.reads;
                watches += summary.watches;
                unknown += summary.unknown;
            }
            Err(failure) => panic!("{}\n{}", failure.text, failure.trace.join("\n")),
        }
        tally.add(&outcome.tally);
    }
    println!("{reads} reads, {watches} watch events, {unknown} unknown calls, {:?}", tally.0);
    for fault in Fault::ALL {
        let came = tally.0.get(fault.name()).copied().unwrap_or(0);
        assert!(came > 10, "{} hardly came: {:?}", fault.name(), tally.0);
    }
    assert!(reads > 10_000 && watches > 1_000 && unknown > 100);
}

/// Goal: the same seed gives the same run, to the byte.
#[test]
fn a_seed_is_a_run() {
    for seed in [7, 51, 2332] {
        let run = || {
            let mut world = World::new(Plan::of(seed), seed);
            world.run();
            let trace: Vec<String> = world.trace.iter().cloned().collect();
            (world.fingerprint, world.steps(), world.now_ms(), trace)
        };
        assert_eq!(run(), run(), "seed {seed}");
    }
    let other = |seed| trial::run(seed, false).fingerprint;
    assert_ne!(other(7), other(8), "what differs must be seen to differ");
}

/// Goal: a server with nothing to do does nothing: its loop may sleep until something happens.
#[test]
fn who_has_nothing_to_do_sleeps() {
    let mut plan = Plan::quiet(3, 1);
    plan.think_ms = 1_000_000;
    let mut world = World::new(plan, 1);
    world.pass(5_000);
    let before = world.steps();
    world.pass(10_000);
    let steps = world.steps() - before;
    // Some pings a second, there and back, for three learners; ticks.
    assert!(steps < 10 * 120, "{steps} steps in ten seconds of idleness");
}
