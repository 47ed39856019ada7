//! A simulated ensemble: replicas, disks, a network and clients in one thread, from one seed.
//!
//! The same `Replica` as in the server, with the bytes that servers exchange. Faults come at random;
//! what must hold ([`invariants`]) is looked at after every step, and what clients were told is held
//! against the committed log at the end ([`mod@certificate`]). Same seed, same run. No clock, thread
//! or file of this machine.

pub mod plan;
mod asks;
mod mirror;
pub mod client;
pub mod disk;
mod net;
pub mod invariants;
mod host;
mod people;
mod faults;
pub mod certificate;
mod reaped;
mod run;
pub mod script;
pub mod stage;
pub mod trial;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zk_core::config::EmptyDisk;
use zk_core::{Config, Effects, EnsembleConfig, LocalSessions, Member, Members, Now, Replica};

use crate::rng::Rng;
use client::{Client, Habit, Recorder};
use disk::Disk;
use invariants::{Broken, Monitor};
use net::{End, Net, Packet};
pub use plan::{Fault, Plan};

/// Lines of the trace that are kept.
const TRACE_LINES: usize = 400;

/// Faults that came, by kind.
#[derive(Clone, Debug, Default)]
pub struct Tally(pub BTreeMap<&'static str, u64>);

impl Tally {
    fn count(&mut self, kind: &'static str) {
        self.count_more(kind, 1);
    }

    fn count_more(&mut self, kind: &'static str, by: u64) {
        *self.0.entry(kind).or_default() += by;
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Tally) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }
}

struct Server {
    config: Config,
    replica: Option<Replica>,
    disk: Disk,
    serving: bool,
    conns: BTreeMap<u32, usize>,
    next_conn: u32,
    /// It hears nothing and does nothing until then.
    paused_until_ms: i64,
    /// What came meanwhile.
    held: VecDeque<(End, Packet)>,
    restart_at_ms: Option<i64>,
    boots: u64,
    /// How far its wall clock is from the others'.
    wall_ms: i64,
    /// When the replica wants a tick.
    due_ms: i64,
    /// Its process ends behind so many more effects.
    dies_behind: Option<usize>,
    disk_full_until_ms: i64,
    disk_slow_until_ms: i64,
}

/// Everything.
pub struct World {
    plan: Plan,
    seed: u64,
    now_ms: i64,
    rng: Rng,
    servers: Vec<Server>,
    clients: Vec<Client>,
    net: Net,
    /// Clients and servers that do not hear each other.
    apart: BTreeSet<(usize, usize)>,
    effects: Effects,
    /// What must hold.
    pub monitor: Monitor,
    /// What clients did and saw.
    pub record: Recorder,
    next_fault_ms: i64,
    faults_end_ms: i64,
    /// Servers that a rolling restart has still to take.
    rolling: VecDeque<usize>,
    /// When its next one is taken, whether all serve or not.
    rolls_at_ms: i64,
    /// What happened, newest last.
    pub trace: VecDeque<String>,
    /// Faults.
    pub tally: Tally,
    /// Print everything.
    pub verbose: bool,
    /// Entries of the record that are printed.
    printed: usize,
    /// Changes with everything that happens: the same for the same run.
    pub fingerprint: u64,
    steps: u64,
}

/// The line of a server, as configurations have it.
pub fn line(server: usize, observer: bool) -> String {
    let (number, role) = (server + 1, if observer { "observer" } else { "participant" });
    format!("server.{number}=host{number}:2888:3888:{role};0.0.0.0:2181")
}

/// The members of a plan: those with which it begins.
pub fn members(plan: &Plan) -> Members {
    if plan.reconfigs {
        let lines = (0..plan.voters + plan.observers).map(|n| line(n, n >= plan.voters));
        let lines: Vec<String> = lines.collect();
        return Members::parse(&lines.join("\n")).expect("the lines are right");
    }
    let member = |number: usize| Member {
        quorum: vec![(format!("host{number}"), 2888)],
        election: vec![(format!("host{number}"), 3888)],
        observer: number > plan.voters,
    };
    let count = plan.voters + plan.observers;
    let servers = (1..=count).map(|number| (number as i64, member(number))).collect();
    let mut members = Members { servers, text: "version=0".to_owned(), ..Members::default() };
    if plan.groups {
        let voters = 1..=plan.voters as i64;
        members.groups = voters.map(|sid| (sid, (sid - 1) / 2)).collect();
    }
    members
}

/// What a server that is in no configuration starts with: the members, and itself. Every other one
/// takes itself for a voter until it hears what is so.
fn list_of_joiner(members: &Members, server: usize) -> Members {
    let text = members.with_version(0).text;
    let lines = text.lines().filter(|line| !line.starts_with("version="));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.push(line(server, server.is_multiple_of(2)));
    Members::parse(&lines.join("\n")).expect("the lines are right")
}

fn config(plan: &Plan, server: usize, seed: u64) -> Config {
    let mut members = members(plan);
    if server >= plan.voters + plan.observers {
        members = list_of_joiner(&members, server);
    }
    Config {
        history_txns_min: if plan.from_log { 4 } else { 500 },
        history_bytes_max: if plan.from_log { 0 } else { 32 << 20 },
        history_pinned_bytes_max: if plan.from_log { 300 } else { 128 << 20 },
        epoch_txns_max: plan.epoch_txns_max,
        // Half of them send the database instead, behind which more is written than is kept.
        log_sync_permille: (plan.from_log && seed.is_multiple_of(2)).then_some(0),
        session_tag: (server + 1) as u8,
        seed: seed ^ server as u64,
        tick_ms: 1000,
        session_timeout_min_ms: 2_000,
        session_timeout_max_ms: 20_000,
        snapshot_txns: plan.snapshot_txns,
        container_check_ms: 7_000,
        container_never_used_ms: 9_000,
        local_sessions: plan.local_sessions,
        read_only_after_ms: plan.read_only.then_some(2_000),
        reconfig_enabled: plan.reconfigs,
        // Nobody but an administrator may change a configuration otherwise.
        skip_acl: plan.reconfigs,
        ensemble: Some(EnsembleConfig {
            me: server as i64 + 1,
            members,
            proposed: None,
            init_ticks: 10,
            sync_ticks: 5,
            settle_ms: 25,
            cluster: Default::default(),
            fresh_cluster: 1 + server as u128,
            empty_disk: if plan.wipes { EmptyDisk::Asks } else { EmptyDisk::Votes },
        }),
        ..Config::default()
    }
}

impl World {
    /// Servers that are about to start, on empty disks.
    pub fn new(plan: Plan, seed: u64) -> World {
        let last = plan.clients - 1;
        let clients = (0..plan.clients).map(|number| {
            let habit = match number {
                _ if plan.mirrors && number == last && last > 0 => Habit::Mirrors,
                // There is always one that writes.
                _ if number > 0 && number <= plan.readers => Habit::Reads,
                _ => Habit::All,
            };
            let mut client = Client::new(number, plan.timeout_ms, habit);
            client.reads_only = plan.read_only && number % 2 == 1;
            client.locally = plan.local_sessions != LocalSessions::Off;
            client
        });
        let server = |number| Server {
            config: config(&plan, number, seed),
            replica: None,
            disk: Disk::new(seed ^ (number as u64) << 32),
            serving: false,
            conns: BTreeMap::new(),
            next_conn: 0,
            paused_until_ms: 0,
            held: VecDeque::new(),
            // Who comes later without a reconfig is started by hand.
            restart_at_ms: (plan.reconfigs || number < plan.servers() - plan.spares).then_some(1),
            boots: 0,
            wall_ms: 1_700_000_000_000,
            due_ms: i64::MAX,
            dies_behind: None,
            disk_full_until_ms: 0,
            disk_slow_until_ms: 0,
        };
        let count = plan.servers();
        World {
            seed,
            now_ms: 1,
            rng: Rng::new(seed),
            clients: clients.collect(),
            servers: (0..count).map(server).collect(),
            net: Net::new(plan.late_one_in),
            apart: BTreeSet::new(),
            effects: Effects::new(),
            monitor: Monitor::new(members(&plan), count),
            record: Recorder::default(),
            next_fault_ms: i64::MAX,
            faults_end_ms: 0,
            rolling: VecDeque::new(),
            rolls_at_ms: 0,
            trace: VecDeque::new(),
            tally: Tally::default(),
            verbose: false,
            printed: 0,
            fingerprint: seed,
            steps: 0,
            plan,
        }
    }

    /// Simulated time, in ms.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Steps of replicas.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn now_of(&self, server: usize) -> Now {
        Now { mono_ms: self.now_ms, wall_ms: self.servers[server].wall_ms + self.now_ms }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let line = format!("{:>8} {}", self.now_ms, line());
        if self.verbose {
            println!("{line}");
        }
        if self.trace.len() >= TRACE_LINES {
            self.trace.pop_front();
        }
        self.trace.push_back(line);
    }

    fn mix(&mut self, word: u64) {
        self.fingerprint =
            (self.fingerprint ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }

    /// Ends the run when something does not hold.
    fn hold<T>(&self, held: Result<T, Broken>) -> T {
        match held {
            Ok(value) => value,
            Err(broken) => self.fail(broken),
        }
    }

    fn fail(&self, broken: Broken) -> ! {
        let Broken { name, text } = broken;
        let (seed, step, now_ms) = (self.seed, self.steps, self.now_ms);
        panic!("{name}: seed {seed}, step {step}, at {now_ms} ms: {text}");
    }

    /// The next ms at which something happens.
    fn next_ms(&self) -> i64 {
        let mut at = self.net.next_ms().min(self.next_fault_ms);
        for server in &self.servers {
            let own = match &server.replica {
                None => server.restart_at_ms.unwrap_or(i64::MAX),
                Some(_) => {
                    let disk_ms = server.disk.next_ms().max(server.disk_full_until_ms);
                    let full_ms = match server.disk_full_until_ms {
                        0 => i64::MAX,
                        until_ms => until_ms,
                    };
                    let held_ms = if server.held.is_empty() { i64::MAX } else { 0 };
                    let due_ms = disk_ms.min(server.due_ms).min(full_ms).min(held_ms);
                    due_ms.max(server.paused_until_ms)
                }
            };
            at = at.min(own);
        }
        for client in &self.clients {
            at = at.min(client.next_ms);
            if client.waits() > 0 {
                at = at.min(client.patience_ms + 1);
            }
        }
        at.max(self.now_ms + 1)
    }

    /// Goes to the next thing that happens, but not beyond `until_ms`.
    pub fn advance(&mut self, until_ms: i64) {
        self.now_ms = self.next_ms().min(until_ms);
        self.record.now_ms = self.now_ms;
        for server in 0..self.servers.len() {
            if self.servers[server].paused_until_ms <= self.now_ms {
                for (to, packet) in std::mem::take(&mut self.servers[server].held) {
                    self.deliver(to, packet);
                }
            }
        }
        while let Some((to, packet)) = self.net.pop(self.now_ms) {
            self.deliver(to, packet);
        }
        for server in 0..self.servers.len() {
            self.tick_server(server);
        }
        for client in 0..self.clients.len() {
            self.drive_client(client);
        }
        if self.verbose {
            self.print_record();
        }
    }

    /// What clients asked for and were told since the last time.
    fn print_record(&mut self) {
        // An expiry may have been taken back.
        self.printed = self.printed.min(self.record.entries.len());
        for entry in &self.record.entries[self.printed..] {
            println!("{:>8}   {:x?}", entry.at_ms, entry.event);
        }
        self.printed = self.record.entries.len();
    }

    /// Lets so much time pass, without faults.
    pub fn pass(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while self.now_ms < until_ms {
            self.advance(until_ms);
        }
    }

    /// Lets time pass until something is so. False when it is not within `ms`.
    pub fn pass_until(&mut self, ms: i64, mut so: impl FnMut(&World) -> bool) -> bool {
        let until_ms = self.now_ms + ms;
        while !so(self) {
            if self.now_ms >= until_ms {
                return false;
            }
            self.advance(until_ms);
        }
        true
    }
}
