//! The core gives the same effects for the same events, whatever else is different.

use zk_tests::drive::chaos::{self, Chaos};
use zk_tests::drive::{Driver, Portrait};

const STEPS: usize = 40_000;

/// Goal: same state and same event give the same effects, to the byte.
/// Method: two replicas get the same random events and must agree after each one. They live at
/// other addresses, and one of them is given a fresh list of effects each time.
fn twins(seed: u64) {
    let config = chaos::config(seed);
    let mut first = Driver::new(config.clone(), chaos::start());
    let _elsewhere: Vec<Vec<u8>> = (0..500).map(|n| vec![0; n * 7]).collect();
    let mut second = Driver::new(config, chaos::start());
    let mut chaos = Chaos::new(seed);
    let (mut effects, mut appended) = (0, 0);
    for at in 0..STEPS {
        let event = chaos.next(&first);
        first.step(&event);
        second.effects = Default::default();
        second.step(&event);
        let (a, b) = (&first.effects, &second.effects);
        assert_eq!(a.list, b.list, "seed {seed}, step {at}: {event:?}");
        assert_eq!(a.bytes, b.bytes, "seed {seed}, step {at}: {event:?}");
        assert_eq!(
            first.replica.deadline(first.now),
            second.replica.deadline(second.now),
            "seed {seed}, step {at}"
        );
        effects += a.list.len();
        appended = first.log.len();
        chaos.look(&mut first);
        second.sent.clear();
    }
    println!("seed {seed}: {effects} effects, {appended} txns");
    assert!(appended > STEPS / 10, "seed {seed}: {appended} txns are too few to show anything");
    assert_eq!(Portrait::of_replica(&first.replica), Portrait::of_replica(&second.replica));
}

#[test]
fn same_events_give_same_effects() {
    (1..=4).for_each(twins);
}

/// Goal: the events decide; another seed gives another run, so that the test above compares
/// something.
#[test]
fn other_events_give_other_effects() {
    let digest = |seed| {
        let mut driver = Driver::new(chaos::config(seed), chaos::start());
        let mut chaos = Chaos::new(seed);
        for _ in 0..3_000 {
            let event = chaos.next(&driver);
            driver.step(&event);
            chaos.look(&mut driver);
        }
        driver.settle();
        driver.replica.tree().digest()
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}
