//! What comes back from snapshot and log is what was there.

use zk_core::Loader;
use zk_tests::drive::chaos::{self, Chaos};
use zk_tests::drive::{Driver, Portrait, Snapshot, load};

const LIVES: usize = 25;
const STEPS_MAX: usize = 2_500;

fn portrait(driver: &Driver, snapshot: Option<&Snapshot>, seed: u64, through: usize) -> Portrait {
    let loaded = load(&driver.config, snapshot, &driver.log[..through]);
    let loaded = loaded.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert_eq!(loaded.mismatches, None, "seed {seed}: a txn's digest is not the tree's");
    Portrait::of_recovered(&loaded)
}

/// Goal: snapshot plus log, and the log alone, give the state that was running, at whatever point
/// the server ended: data, stats, ACLs, owners, sessions, quotas, digest.
/// Method: random traffic, many lives. At the end of each the newest complete snapshot and the
/// durable part of the log are loaded and compared with the replica; then the rest of the log is
/// made durable and compared too. The next life goes on from what was loaded.
fn lives(seed: u64) {
    let config = chaos::config(seed);
    let mut chaos = Chaos::new(seed);
    let mut driver = Driver::new(config.clone(), chaos::start());
    let mut newest: Option<Snapshot> = None;
    let (mut with_snapshot, mut with_tail) = (0, 0);
    for _ in 0..LIVES {
        for _ in 0..chaos.rng().below(STEPS_MAX) {
            let event = chaos.next(&driver);
            driver.step(&event);
            chaos.look(&mut driver);
            if let Some(done) = driver.snapshot.as_ref().filter(|snapshot| snapshot.complete) {
                newest = Some(done.clone());
            }
        }
        let durable = driver.log.partition_point(|(zxid, _)| *zxid <= driver.durable);
        let running = Portrait::of_replica(&driver.replica);
        assert_eq!(running.zxid, driver.durable, "what is durable is applied");
        let loaded = portrait(&driver, None, seed, durable);
        loaded.assert_same(&running, &format!("seed {seed}, the log alone"));
        if let Some(snapshot) = &newest {
            let loaded = portrait(&driver, Some(snapshot), seed, durable);
            loaded.assert_same(&running, &format!("seed {seed}, snapshot at {}", snapshot.zxid));
            with_snapshot += 1;
        }
        with_tail += usize::from(durable < driver.log.len());
        // A txn that nobody was promised may survive: then it counts.
        let keeps_tail = chaos.rng().one_in(2);
        let kept = if keeps_tail { driver.log.len() } else { durable };
        driver.settle();
        let settled = Portrait::of_replica(&driver.replica);
        let all = portrait(&driver, newest.as_ref(), seed, driver.log.len());
        all.assert_same(&settled, &format!("seed {seed}, with the tail"));
        driver.log.truncate(kept);
        let recovered = load(&config, newest.as_ref(), &driver.log).expect("loaded just now");
        let log = std::mem::take(&mut driver.log);
        driver = Driver::on(config.clone(), driver.now, recovered, log);
        chaos.forget();
    }
    println!("seed {seed}: {} txns, {with_snapshot} snapshots", driver.log.len());
    assert!(
        with_snapshot > LIVES / 2 && with_tail > 2,
        "seed {seed}: {with_snapshot}, {with_tail}"
    );
}

#[test]
fn what_is_loaded_is_what_was_running() {
    (1..=4).for_each(lives);
}

/// Goal: a snapshot that is not whole is refused, wherever it ends.
#[test]
fn half_a_snapshot_is_none() {
    let mut chaos = Chaos::new(9);
    let mut driver = Driver::new(chaos::config(9), chaos::start());
    let mut snapshot = None;
    while snapshot.is_none() || driver.log.len() < 1_000 {
        let event = chaos.next(&driver);
        driver.step(&event);
        chaos.look(&mut driver);
        let whole = driver.snapshot.clone().filter(|s| s.complete && s.pieces.len() > 6);
        snapshot = whole.or(snapshot);
    }
    let snapshot = snapshot.expect("the loop went on until there was one");
    assert!(load(&driver.config, Some(&snapshot), &[]).is_ok());
    for count in 0..snapshot.pieces.len() {
        let pieces = snapshot.pieces[..count].to_vec();
        let half = Snapshot { pieces, ..snapshot.clone() };
        assert!(load(&driver.config, Some(&half), &[]).is_err(), "{count} pieces");
        let mut without = snapshot.clone();
        let piece = without.pieces.remove(count);
        // Nobody misses a piece without znodes; sessions are missed by the checks of the file only.
        if piece.len() > 1 && piece[0] != b'S' {
            assert!(load(&driver.config, Some(&without), &[]).is_err(), "without piece {count}");
        }
    }
    let mut loader = Loader::new(&driver.config);
    assert!(loader.piece(&[]).is_err(), "an empty piece");
}
