//! One run: clients work all the time, something goes wrong, it is repaired, and writes must go on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::net::Cut;
use super::recipes::Recipes;
use crate::ensemble::certificate;
use crate::ensemble::load::{self, Load, Plan, Use};
use crate::history::{Promises, Summary};
use crate::rng::Rng;
use crate::scratch::Scratch;

/// A session may end this many ms before its timeout: clients are heard of when their server tells
/// the leader, twice a tick, and it may be the server that goes.
const EXPIRY_SLACK_MS: i64 = 3_000;

/// What can go wrong. Those that take a disk away come one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillLeader,
    KillSome,
    KillAll,
    Pause,
    PauseLeader,
    Isolate,
    IsolateLeader,
    Split,
    OneWay,
    Bridge,
    Links,
    Reset,
    Clients,
    Delay,
    Truncate,
    Garbage,
    FullDisk,
    PowerCut,
    PowerCutAll,
    Wipe,
}

const FAULTS: [(u32, Fault); 20] = [
    (3, Fault::KillLeader),
    (3, Fault::KillSome),
    (1, Fault::KillAll),
    (2, Fault::Pause),
    (2, Fault::PauseLeader),
    (2, Fault::Isolate),
    (3, Fault::IsolateLeader),
    (2, Fault::Split),
    (3, Fault::OneWay),
    (2, Fault::Bridge),
    (2, Fault::Links),
    (2, Fault::Reset),
    (1, Fault::Clients),
    (2, Fault::Delay),
    (3, Fault::Truncate),
    (3, Fault::Garbage),
    (2, Fault::FullDisk),
    (3, Fault::PowerCut),
    (1, Fault::PowerCutAll),
    (1, Fault::Wipe),
];

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its chance: which faults, where, how long.
    pub seed: u64,
    /// How long things go wrong.
    pub duration: Duration,
    /// Servers.
    pub servers: usize,
    /// The program.
    pub binary: PathBuf,
    /// A Python that has kazoo; without it, the clients of this program are the only ones.
    pub python: Option<PathBuf>,
}

struct Run {
    cluster: Cluster,
    load: Load,
    recipes: Option<Recipes>,
    rng: Rng,
    counts: BTreeMap<Fault, u32>,
    slowest: (Duration, Vec<Fault>),
}

/// Makes a run; says what was seen.
///
/// # Panics
/// With the seed, when anything is wrong.
pub fn run(options: &Options) -> Summary {
    println!("chaos: seed {} with {} servers", options.seed, options.servers);
    let home = Scratch::new("chaos");
    let (seed, count) = (options.seed, options.servers);
    let mut cluster = Cluster::start(home.path(), count, seed, options.binary.clone());
    cluster.wait_serving();
    let places: Vec<_> = cluster.numbers().map(|n| cluster.node(n).address()).collect();
    let recipes = options.python.as_deref();
    let recipes = recipes.map(|python| Recipes::start(python, home.path(), &places, seed));
    let places = places.into_iter().map(|place| (place, Use::All)).collect();
    let create2_in_multi = true;
    let plan = Plan { readers: 5, writers: 2, timeout_ms: 8_000, seed, create2_in_multi };
    let load = Load::start(places, plan);
    let (rng, counts) = (Rng::new(seed), BTreeMap::new());
    let slowest = (Duration::ZERO, Vec::new());
    let mut run = Run { cluster, load, recipes, rng, counts, slowest };
    let end = Instant::now() + options.duration;
    while Instant::now() < end {
        run.turn();
    }
    run.finish()
}

impl Run {
    /// Some faults, and their end.
    fn turn(&mut self) {
        let mut faults: Vec<Fault> = Vec::new();
        for _ in 0..*self.rng.weighted(&[(5, 1), (2, 2), (1, 3)]) {
            let fault = *self.rng.weighted(&FAULTS);
            // A disk that is lost must be the only one, and a server that has no quorum cannot get
            // its data from the others.
            if fault == Fault::Wipe && !faults.is_empty() || faults.contains(&Fault::Wipe) {
                continue;
            }
            faults.push(fault);
            *self.counts.entry(fault).or_default() += 1;
            self.begin(fault);
            self.wait_ms(600);
        }
        self.wait_ms(3_000);
        self.cluster.assert_alive();
        self.recipes.iter_mut().for_each(Recipes::assert_alive);
        self.cluster.heal();
        let healed = Instant::now();
        if !self.load.progresses(10, || self.cluster.watch()) {
            panic!("no progress after {faults:?}\n{}", self.cluster.output());
        }
        if healed.elapsed() > self.slowest.0 {
            self.slowest = (healed.elapsed(), faults);
        }
        if self.rng.one_in(4) {
            self.cluster.wait_serving();
        }
    }

    fn wait_ms(&mut self, most: usize) {
        let end = Instant::now() + Duration::from_millis(self.rng.below(most) as u64);
        loop {
            self.cluster.watch();
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    fn any(&mut self) -> usize {
        1 + self.rng.below(self.cluster.count())
    }

    fn leader(&mut self) -> usize {
        let any = self.any();
        self.cluster.leader().unwrap_or(any)
    }

    /// Some of the servers, at least one.
    fn some(&mut self) -> Vec<usize> {
        let mut some: Vec<usize> = self.cluster.numbers().collect();
        some.retain(|_| self.rng.one_in(2));
        if some.is_empty() { vec![self.any()] } else { some }
    }

    fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::KillLeader => self.kill_leader(),
            Fault::KillSome => self.some().into_iter().for_each(|n| self.cluster.node(n).kill()),
            Fault::KillAll => {
                self.cluster.numbers().for_each(|number| self.cluster.node(number).kill());
            }
            Fault::Pause => {
                let number = self.any();
                self.cluster.node(number).signal("STOP");
            }
            Fault::PauseLeader => {
                let leader = self.leader();
                self.cluster.node(leader).signal("STOP");
            }
            Fault::Delay | Fault::Truncate | Fault::Garbage => self.damage(fault),
            Fault::FullDisk => {
                let number = self.any();
                self.cluster.node(number).disk.fill();
            }
            Fault::PowerCut => {
                let number = self.any();
                self.cut_power(&[number]);
            }
            Fault::PowerCutAll => {
                let all: Vec<usize> = self.cluster.numbers().collect();
                self.cut_power(&all);
            }
            Fault::Wipe => self.wipe(),
            _ => self.part(fault),
        }
    }

    fn kill_leader(&mut self) {
        let leader = self.leader();
        self.cluster.node(leader).kill();
    }

    /// The power goes at the same moment as the process, or a little earlier.
    fn cut_power(&mut self, numbers: &[usize]) {
        numbers.iter().for_each(|number| self.cluster.node(*number).disk.cut_power());
        self.wait_ms(50);
        for number in numbers {
            self.cluster.node(*number).kill();
            self.cluster.node(*number).disk.power_on();
        }
    }

    /// One server loses its disk while all others are well and have what it had.
    fn wipe(&mut self) {
        self.cluster.heal();
        self.cluster.wait_serving();
        let number = self.any();
        self.cluster.node(number).kill();
        self.cluster.keep(number);
        self.cluster.node(number).wipe();
        self.cluster.revive(number);
    }

    fn damage(&mut self, fault: Fault) {
        for (from, to) in self.cluster.net.pairs() {
            if self.rng.one_in(2) {
                continue;
            }
            let faults = self.cluster.net.faults(from, to);
            match fault {
                Fault::Delay => {
                    let most = *self.rng.weighted(&[(2, 5), (2, 50), (1, 400)]);
                    faults.delay_ms.store(most, Ordering::Relaxed);
                }
                Fault::Truncate => {
                    let bytes = 1 + self.rng.below(20_000) as i64;
                    faults.cut_after.store(bytes, Ordering::Relaxed);
                }
                _ => faults.garbage.store(true, Ordering::Relaxed),
            }
        }
    }

    fn part(&mut self, fault: Fault) {
        let how = if fault == Fault::Reset { Cut::Reset } else { Cut::Drop };
        let leader = self.leader();
        let any = self.any();
        let sides = self.some();
        for (a, b) in self.cluster.net.pairs().into_iter().filter(|(a, b)| a < b) {
            let apart = sides.contains(&a) != sides.contains(&b);
            let net = &self.cluster.net;
            match fault {
                Fault::Isolate if a == any || b == any => net.part(a, b, how),
                Fault::IsolateLeader if a == leader || b == leader => net.part(a, b, how),
                Fault::Split | Fault::Reset if apart => net.part(a, b, how),
                // Both sides see this one.
                Fault::Bridge if apart && a != any && b != any => net.part(a, b, how),
                Fault::OneWay if apart && sides.contains(&a) => net.cut(a, b, how),
                Fault::OneWay if apart => net.cut(b, a, how),
                Fault::Links if self.rng.one_in(3) => net.part(a, b, how),
                _ => {}
            }
        }
        if fault == Fault::Clients {
            let how = if self.rng.one_in(2) { Cut::Drop } else { Cut::Reset };
            sides.iter().for_each(|number| self.cluster.net.cut_clients(*number, how));
        }
    }

    fn finish(mut self) -> Summary {
        self.cluster.heal();
        self.cluster.wait_serving();
        let places: Vec<_> =
            self.cluster.numbers().map(|n| self.cluster.node(n).address()).collect();
        let others = self.recipes.take().map_or_else(BTreeSet::new, Recipes::finish);
        self.load.settle(&places);
        let pairs = self.cluster.net.pairs();
        let damaged = |(from, to): &(usize, usize)| {
            self.cluster.net.faults(*from, *to).done.load(Ordering::Relaxed)
        };
        let damaged: u64 = pairs.iter().map(damaged).sum();
        println!("chaos: {:?}, {damaged} connections cut or fed by the proxy", self.counts);
        println!("chaos: slowest to go on: {:?}", self.slowest);
        let entries = self.load.finish();
        let promises = Promises { linearizable_sync: true, expiry_slack_ms: Some(EXPIRY_SLACK_MS) };
        let mut log = self.cluster.finish();
        // Those that kazoo's clients have written are in a part of the tree where nobody else is.
        log.retain(|_, txn| !others.contains(&certificate::session(txn)));
        load::judge(entries, &log, &promises)
    }
}
