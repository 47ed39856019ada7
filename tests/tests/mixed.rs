//! Our servers and Apache's in one ensemble, in every combination of who leads and who learns.
//!
//! Goal: whoever leads, every member may be killed and come back at any moment, is brought up by
//! DIFF, SNAP and TRUNC, and no client is told anything that did not happen or misses what did.
//! Method: clients write and read all the time and note what they are told. At the end all members
//! show the same tree at the same zxid with the same digests, their logs are the same bytes, and the
//! notes fit the logs.

use std::time::Duration;

use zk_tests::ensemble::certificate::Left;
use zk_tests::ensemble::load::{Load, Plan, Use};
use zk_tests::ensemble::{Ensemble, compare};
use zk_tests::history::Promises;
use zk_tests::rng::Rng;
use zk_tests::server::Kind;
use zk_tests::tools::{self, Release};

const OURS: Kind = Kind::Ours;
const A38: Kind = Kind::Apache(Release::Debian38);
const A39: Kind = Kind::Apache(Release::Apache39);

/// A learner is touched when the leader pings, every half of a tick; two ticks for a busy machine.
const PROMISES: Promises = Promises { linearizable_sync: false, expiry_slack_ms: Some(4_000) };

/// How a learner says that it was brought up, ours and Apache's.
const DIFF: [&str; 2] = ["syncing kind=13 ", "Getting a diff from the leader"];
const TRUNC: [&str; 2] = ["syncing kind=14 ", "Truncating log to get in sync with the leader"];
const SNAP: [&str; 2] = ["syncing kind=15 ", "Getting a snapshot from leader"];

struct Mixed {
    ensemble: Ensemble,
    load: Load,
    rng: Rng,
    kinds: Vec<Kind>,
    voters: usize,
}

impl Mixed {
    /// Starts `voters` and `observers` and clients on all of them.
    fn start(name: &str, voters: &[Kind], observers: &[Kind]) -> Option<Mixed> {
        let voter = voters.iter().map(|kind| (*kind, "participant"));
        let observer = observers.iter().map(|kind| (*kind, "observer"));
        let all: Vec<(Kind, &str)> = voter.chain(observer).collect();
        // Who was away for long is brought up from memory all the same.
        let lines = ["tickTime=1000", "initLimit=20", "syncLimit=8", "commitLogCount=100000"];
        let mut ensemble = tools::need(Ensemble::start(&all, &lines))?;
        ensemble.wait_serving(all.len());
        let seed = u64::from(name.bytes().fold(7u32, |sum, b| sum.wrapping_mul(31) + u32::from(b)));
        let places = all.iter().enumerate().map(|(at, (kind, _))| {
            let usage = if kind.is_apache() { Use::Writes } else { Use::All };
            (ensemble.address(at), usage)
        });
        let create2_in_multi = all.iter().all(|(kind, _)| *kind != A38);
        let plan = Plan { readers: 3, writers: 3, timeout_ms: 20_000, seed, create2_in_multi };
        let load = Load::start(places.collect(), plan);
        println!("{name}: seed {seed}");
        let kinds = all.iter().map(|(kind, _)| *kind).collect();
        let rng = Rng::new(seed);
        Some(Mixed { ensemble, load, rng, kinds, voters: voters.len() })
    }

    fn count(&self) -> usize {
        self.kinds.len()
    }

    fn progress(&self, count: u64) {
        if !self.load.progresses(count, || {}) {
            let output = self.ensemble.servers.iter().map(|server| server.output());
            panic!("no progress:\n{}", output.collect::<Vec<_>>().join("\n----\n"));
        }
    }

    /// Starts a server that was killed, and waits until it serves; whether it said one of these.
    fn back(&mut self, at: usize, said: [&str; 2]) -> bool {
        let from = self.ensemble.servers[at].output().len();
        self.ensemble.respawn(at);
        self.ensemble.wait_until("serving again", |ensemble| ensemble.mode(at).is_some());
        let printed = self.ensemble.printed(at, from);
        said.iter().any(|line| printed.contains(line))
    }

    /// Has one of the voters lead, not the first. Nobody writes meanwhile, so that all are equal and
    /// the highest id wins.
    fn lead(&mut self, target: usize) {
        self.load.pause();
        for _ in 0..5 {
            let leader = self.ensemble.wait_serving(self.count());
            if leader == target {
                return self.load.resume();
            }
            let places: Vec<_> = (0..self.count()).map(|at| self.ensemble.address(at)).collect();
            compare::assert_equal_trees(&places);
            let away: Vec<usize> = (0..self.voters).filter(|at| *at > target).collect();
            away.iter().for_each(|at| self.ensemble.servers[*at].kill());
            if !away.contains(&leader) {
                self.ensemble.respawn(leader);
            }
            self.ensemble.wait_serving(self.count() - away.len());
            away.iter().for_each(|at| self.ensemble.respawn(*at));
        }
        panic!("server {} doesn't come to lead", target + 1);
    }

    /// Every learner is killed under load, comes back, is killed while it is brought up, and comes
    /// back.
    fn kill_learners(&mut self, leader: usize) -> usize {
        let mut diffs = 0;
        for at in (0..self.count()).filter(|at| *at != leader) {
            self.ensemble.servers[at].kill();
            self.progress(50);
            self.ensemble.respawn(at);
            let soon_ms = if self.kinds[at].is_apache() { 1500 } else { 60 };
            std::thread::sleep(Duration::from_millis(self.rng.below(soon_ms) as u64));
            self.ensemble.servers[at].kill();
            self.progress(50);
            diffs += usize::from(self.back(at, DIFF));
            self.progress(20);
        }
        diffs
    }

    /// Every learner loses its disk. It is sent the database, or everything from the beginning when
    /// the leader has that in memory.
    fn replace_learners(&mut self, leader: usize) -> usize {
        let mut snaps = 0;
        for at in (0..self.count()).filter(|at| *at != leader) {
            self.ensemble.servers[at].kill();
            self.progress(20);
            self.ensemble.wipe(at);
            snaps += usize::from(self.back(at, SNAP));
            self.progress(20);
        }
        snaps
    }

    /// The leader has txns on its disk that nobody else has, and finds another leader when it is
    /// back; with `moved_on`, one that has written since.
    fn leader_with_a_tail(&mut self, leader: usize, moved_on: bool) -> bool {
        let others: Vec<usize> = (0..self.voters).filter(|at| *at != leader).collect();
        for at in (0..self.count()).filter(|at| *at != leader) {
            self.load.set_use(at, Use::Not);
        }
        // Readers stay away from Apache's servers.
        self.progress(20);
        for at in &others {
            self.ensemble.servers[*at].signal("STOP");
        }
        std::thread::sleep(Duration::from_millis(300));
        others.iter().for_each(|at| self.ensemble.servers[*at].kill());
        self.ensemble.servers[leader].kill();
        self.load.pause();
        let last = |at: &usize| Left::of(&self.ensemble.data_dir(*at)).last();
        let newest = others.iter().map(last).max().expect("there are others");
        let tail = last(&leader) > newest;
        // All others together elect the one that has most.
        self.ensemble.set_end(newest);
        others.iter().for_each(|at| self.ensemble.respawn(*at));
        self.ensemble.wait_serving(self.count() - 1);
        for at in 0..self.count() {
            let usage = if self.kinds[at].is_apache() { Use::Writes } else { Use::All };
            self.load.set_use(at, usage);
        }
        if moved_on {
            self.load.resume();
            self.progress(50);
        }
        if self.kinds[leader] == A38 {
            // Under load an Apache leader sends more than a 3.8.0 understands while it catches up
            // (ZOOKEEPER-4394): it begins again and again, and writes its log twice.
            self.load.pause();
        }
        let cut = self.back(leader, if moved_on { SNAP } else { TRUNC });
        assert!(cut || !tail, "server {} kept what only it had", leader + 1);
        self.load.resume();
        self.progress(50);
        tail
    }

    fn finish(self) {
        let Mixed { ensemble, load, .. } = self;
        let places: Vec<_> = (0..ensemble.servers.len()).map(|at| ensemble.address(at)).collect();
        load.settle(&places);
        let summary = ensemble.judge(load.finish(), &PROMISES);
        println!("{summary:?}");
        assert!(summary.txns > 1000 && summary.reads > 100, "{summary:?}");
    }
}

/// The whole programme under each of these leaders.
fn programme(name: &str, voters: &[Kind], observers: &[Kind], leaders: &[usize]) {
    let Some(mut mixed) = Mixed::start(name, voters, observers) else { return };
    mixed.progress(100);
    for leader in leaders {
        mixed.lead(*leader);
        let diffs = mixed.kill_learners(*leader);
        assert!(diffs > 0, "nobody was brought up by DIFF");
        let snaps = mixed.replace_learners(*leader);
        assert!(snaps > 0, "nobody was brought up by SNAP");
        for moved_on in [false, true] {
            mixed.lead(*leader);
            let tail = (0..5).any(|_| {
                mixed.lead(*leader);
                mixed.leader_with_a_tail(*leader, moved_on)
            });
            assert!(tail, "the leader never had more than the others");
        }
    }
    mixed.finish();
}

#[test]
fn an_apache_39_member_leads_and_follows() {
    programme("two of ours, one 3.9", &[OURS, OURS, A39], &[OURS, A39], &[2, 1]);
}

#[test]
fn one_of_ours_leads_and_follows_two_apache_39_members() {
    programme("two 3.9, one of ours", &[A39, A39, OURS], &[], &[1, 2]);
}

#[test]
fn an_apache_38_member_leads_and_follows() {
    programme("two of ours, one 3.8", &[OURS, OURS, A38], &[OURS, A38], &[2, 1]);
}

#[test]
fn one_of_ours_leads_and_follows_a_38_and_a_39_member() {
    programme("3.9, 3.8, and one of ours", &[A39, A38, OURS], &[], &[1, 2]);
}
