//! The checker of histories, checked: correct histories pass, and each planted anomaly is found.

use std::collections::BTreeMap;

use zk_tests::drive::model::Change;
use zk_tests::history::generate::{Size, generate};
use zk_tests::history::mutate::{PLANTS, plant};
use zk_tests::history::search::{Searched, search};
use zk_tests::history::{Event, History, Promises, Reply, Request, Summary, check};
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
            Ok(summary) => all += summary,
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

/// Steps of the search for a znode.
const STEPS_MAX: usize = 50_000;

/// Goal: the search, too, raises no false alarm, and decides nearly always.
#[test]
fn correct_histories_have_an_order() {
    let mut all = Searched::default();
    for seed in 0..300 {
        let found = search(&history(seed).entries, STEPS_MAX);
        let found = found.unwrap_or_else(|text| panic!("seed {seed}: {text}"));
        all.znodes += found.znodes;
        all.operations += found.operations;
        all.undecided += found.undecided;
    }
    println!("{all:?}");
    assert!(all.operations > 20_000 && all.undecided * 50 < all.znodes, "{all:?}");
}

/// Plants a read that is too old: behind a sync, it shows what was there before a write that was
/// answered before that sync was called. False when there is no place for one.
fn plant_an_old_read(history: &mut History, rng: &mut Rng) -> bool {
    let mut requests: BTreeMap<u64, (usize, Request, usize)> = BTreeMap::new();
    // By path: what was read last and where, and where a write was answered that was called since.
    let mut shown: BTreeMap<String, (Reply, usize, Option<usize>)> = BTreeMap::new();
    let mut synced: BTreeMap<i64, usize> = BTreeMap::new();
    let mut places = Vec::new();
    for (at, entry) in history.entries.iter().enumerate() {
        match &entry.event {
            Event::Invoke { call, session, request, .. } => {
                let from = synced.remove(session).unwrap_or(0);
                if matches!(request, Request::Sync) {
                    synced.insert(*session, at);
                }
                requests.insert(*call, (at, request.clone(), from));
            }
            Event::Detached { session } => {
                synced.remove(session);
            }
            Event::Return { call, reply, .. } => {
                let (called, request, from) = &requests[call];
                match (request, reply) {
                    (
                        Request::Change(Change::SetData(path, ..) | Change::Delete(path, _)),
                        Reply::Changed(_),
                    ) => match shown.get_mut(path) {
                        Some((_, read, written @ None)) if *read < *called => *written = Some(at),
                        _ => {}
                    },
                    // Only what stands behind a sync has a place in the order.
                    (Request::GetData(path, _), Reply::Data(..)) if *from > 0 => {
                        match shown.get(path) {
                            // Names that the server gave are not searched.
                            Some((old, _, Some(written)))
                                if written < from && !path.contains("-") =>
                            {
                                places.push((at, old.clone()));
                            }
                            _ => {}
                        }
                        shown.insert(path.clone(), (reply.clone(), at, None));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    if places.is_empty() {
        return false;
    }
    let (at, old) = rng.pick(&places).clone();
    let Event::Return { reply, .. } = &mut history.entries[at].event else { return false };
    *reply = old;
    true
}

/// Goal: the search finds reads that are too old, without a look at any zxid, or gives up; it never
/// finds an order.
#[test]
fn old_reads_have_no_order() {
    let (mut planted, mut found) = (0, 0);
    for seed in 0..300 {
        let (servers, clients) = (1 + seed as usize % 5, 2 + seed as usize % 3);
        let mut bad = generate(seed, Size { servers, clients, steps: 8000 });
        if !plant_an_old_read(&mut bad, &mut Rng::new(seed)) {
            continue;
        }
        planted += 1;
        match search(&bad.entries, STEPS_MAX) {
            Err(_) => found += 1,
            Ok(searched) => assert!(searched.undecided > 0, "seed {seed}: {searched:?}"),
        }
    }
    println!("{found} of {planted}");
    assert!(planted >= 200 && found * 100 >= planted * 90, "{found} of {planted}");
}
