//! The checker of histories, checked: correct histories pass, and each planted anomaly is found.

use std::collections::BTreeMap;

use zk_tests::history::generate::{Size, generate};
use zk_tests::history::mutate::{PLANTS, plant};
use zk_tests::history::{History, Promises, Summary, check};
use zk_tests::rng::Rng;

const STRICT: Promises = Promises { linearizable_sync: true, expiry_slack_ms: Some(0) };

fn history(seed: u64) -> History {
    let (servers, clients) = (1 + seed as usize % 5, 1 + seed as usize % 7);
    generate(seed, Size { servers, clients, steps: 1500 })
}

/// Goal: no false alarm. Method: histories of an ensemble of maps that cannot be wrong.
#[test]
fn correct_histories_pass() {
    let mut all = Summary::default();
    for seed in 0..1000 {
        match check(&history(seed), &STRICT) {
            Ok(summary) => {
                all.calls += summary.calls;
                all.unknown += summary.unknown;
                all.reads += summary.reads;
                all.txns += summary.txns;
                all.watches += summary.watches;
            }
            Err(found) => panic!("seed {seed}: {} anomalies, first {}", found.len(), found[0]),
        }
    }
    println!("{all:?}");
    assert!(all.reads > 50_000 && all.watches > 5_000 && all.unknown > 5_000, "{all:?}");
}

/// Goal: whatever is wrong is found, and by the rule that is for it.
/// Method: one anomaly is planted in a correct history, 10,000 times, every kind many times.
#[test]
fn planted_anomalies_are_found() {
    let mut planted: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..500 {
        let good = history(seed);
        let mut rng = Rng::new(seed);
        for (kind, rule) in PLANTS {
            let Some(bad) = plant(&good, *kind, &mut rng) else { continue };
            let Err(found) = check(&bad, &STRICT) else { panic!("seed {seed}: {kind:?} passes") };
            let hit = found.iter().any(|anomaly| anomaly.rule == *rule);
            assert!(hit, "seed {seed}: {kind:?} is not found by {rule:?} but by {}", found[0]);
            *planted.entry(format!("{kind:?}")).or_default() += 1;
        }
    }
    let total: usize = planted.values().sum();
    println!("{total}: {planted:#?}");
    assert!(total >= 10_000, "{total} planted only");
    for (kind, _) in PLANTS {
        let count = planted.get(&format!("{kind:?}")).copied().unwrap_or(0);
        assert!(count >= 30, "{kind:?} was planted {count} times only");
    }
}
