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
    let mut requests: BTreeMap<u64, (i64, Request, usize)> = BTreeMap::new();
    // By path: what was read last, and whether a write was answered since, and where.
    let mut shown: BTreeMap<String, (Reply, Option<usize>)> = BTreeMap::new();
    let mut synced: BTreeMap<i64, usize> = BTreeMap::new();
    let mut places = Vec::new();
    for (at, entry) in history.entries.iter().enumerate() {
        match &entry.event {
            Event::Invoke { call, session, request, .. } => {
                let from = synced.remove(session).unwrap_or(0);
                if matches!(request, Request::Sync) {
                    synced.insert(*session, at);
                }
                requests.insert(*call, (*session, request.clone(), from));
            }
            Event::Return { call, reply, .. } => {
                let (_, request, from) = &requests[call];
                match (request, reply) {
                    (
                        Request::Change(Change::SetData(path, ..) | Change::Delete(path, _)),
                        Reply::Changed(_),
                    ) => {
                        if let Some((_, written @ None)) = shown.get_mut(path) {
                            *written = Some(at);
                        }
                    }
                    (Request::GetData(path, _), Reply::Data(..)) => {
                        match shown.get(path) {
                            Some((old, Some(written))) if written < from => {
                                places.push((at, old.clone()));
                            }
                            _ => {}
                        }
                        shown.insert(path.clone(), (reply.clone(), None));
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

/// Goal: the search finds reads that are too old, without a look at any zxid.
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
        found += usize::from(search(&bad.entries, STEPS_MAX).is_err());
    }
    println!("{found} of {planted}");
    assert!(planted >= 100 && found * 100 >= planted * 95, "{found} of {planted}");
}
