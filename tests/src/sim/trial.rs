//! A seed as a trial: the run, and what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Plan, Tally, World};
use crate::history::Summary;

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the invariant; `core` for an assertion of the replica itself.
    pub invariant: String,
    /// The whole message.
    pub text: String,
    /// The last lines of what happened.
    pub trace: Vec<String>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Simulated time, in ms.
    pub simulated_ms: i64,
    /// Steps of replicas.
    pub steps: u64,
    /// Faults that came.
    pub tally: Tally,
    /// Changes with everything that happened.
    pub fingerprint: u64,
    /// What was checked, or what failed.
    pub result: Result<Summary, Failure>,
}

/// Runs a seed.
pub fn run(seed: u64, verbose: bool) -> Outcome {
    run_plan(Plan::of(seed), seed, verbose)
}

/// Runs a seed with a known bug switched on.
#[cfg(feature = "bugs")]
pub fn run_with(bug: zk_core::bugs::Bug, seed: u64, verbose: bool) -> Outcome {
    zk_core::bugs::switch(Some(bug));
    let outcome = run(seed, verbose);
    zk_core::bugs::switch(None);
    outcome
}

/// Runs a seed with a plan of its own.
pub fn run_plan(plan: Plan, seed: u64, verbose: bool) -> Outcome {
    let mut world = World::new(plan, seed);
    world.verbose = verbose;
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let result = result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = text.unwrap_or_default();
        let trace = world.trace.iter().cloned().collect();
        Failure { invariant: invariant_of(&text), text, trace }
    });
    Outcome {
        simulated_ms: world.now_ms(),
        steps: world.steps(),
        tally: world.tally,
        fingerprint: world.fingerprint,
        result,
    }
}

/// The name at the beginning of a message of the simulator.
fn invariant_of(text: &str) -> String {
    let name = text.split(": seed ").next().unwrap_or_default();
    let named = name.len() < text.len() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if named { name.to_owned() } else { "core".to_owned() }
}
