//! Sessions of the client library against a replica, byte by byte, without a socket or a clock.
//!
//! Goal: whatever happens to the connections, each request is told its end once and truly, no watch
//! is lost, and the same seed gives the same run.
//! Method: chance decides which bytes travel in which pieces, when connections are refused, cut and
//! silent, when time passes and when the log is durable; then everything is let through, and what
//! the clients were told is held against what the tree holds.

use std::collections::{BTreeMap, BTreeSet};

use zk_tests::drive::{Driver, Stimulus, chaos};
use zk_tests::rng::Rng;
use zk_wire::frame::{self, Cut};
use zk_wire::request::{encode_create, encode_path_watch, encode_set_data, flags};
use zk_wire::{Acl, Code, Op, Reader, Stat};
use zkclient::State;
use zkclient::session::{Ask, Config, Extra, Outcome, Session, WatchWish};

const CLIENTS: usize = 4;
const STEPS: usize = 4_000;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Create `/q/<token>`.
    Create,
    /// Set the register of this client to a number.
    Set(u64),
    /// Read the register of a client, with a watch.
    Get(usize),
    /// List `/q`.
    List,
}

#[derive(Default)]
struct Book {
    asked: BTreeMap<u64, Asked>,
    ended: BTreeSet<u64>,
    created: BTreeSet<u64>,
    not_created: BTreeSet<u64>,
    /// Newest number that was acknowledged.
    acknowledged: u64,
    /// Watches that stand: register and the version that was read.
    watched: BTreeMap<(u64, usize), i32>,
    listed: Option<Vec<String>>,
    replies: usize,
    losses: usize,
    events: usize,
    expiries: usize,
    closed: bool,
}

struct Client {
    session: Session<u64, u64>,
    conn: Option<u32>,
    up: Vec<u8>,
    down: Vec<u8>,
    book: Book,
    last_set: u64,
}

struct World {
    driver: Driver,
    rng: Rng,
    now_ms: u64,
    clients: Vec<Client>,
    next_conn: u32,
    next_token: u64,
    trace: Vec<(usize, String)>,
    healthy: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let address = ([127, 0, 0, 1], 2181).into();
        let clients = (0..=CLIENTS).map(|number| {
            let config = Config {
                timeout_ms: 4_000,
                recreate: number % 2 == 0,
                fail_unsent: number == 1,
                seed: seed + number as u64,
                ..Config::default()
            };
            let mut session = Session::new(config);
            session.open();
            session.on_addresses(0, vec![address]);
            let book = Book::default();
            Client { session, conn: None, up: vec![], down: vec![], book, last_set: 0 }
        });
        World {
            driver: Driver::new(chaos::config(1), chaos::start()),
            rng: Rng::new(seed),
            now_ms: 0,
            clients: clients.collect(),
            next_conn: 0,
            next_token: 1,
            trace: Vec::new(),
            healthy: false,
        }
    }

    fn ask(&mut self, at: usize, asked: Asked) {
        let token = self.next_token;
        self.next_token += 1;
        let client = &mut self.clients[at];
        let mut extra = Extra::default();
        if self.rng.one_in(10) && asked != Asked::List {
            extra.deadline_ms = self.now_ms + self.rng.below(2_000) as u64;
        }
        let submitted = match asked {
            Asked::Create => {
                let path = format!("/q/{token}");
                let body = |out: &mut Vec<u8>| {
                    encode_create(out, &path, None, &Acl::open(), flags::PERSISTENT, None)
                };
                client.session.submit(self.now_ms, Op::CREATE2, body, extra, token)
            }
            Asked::Set(number) => {
                let (path, data) = (format!("/r{at}"), number.to_string());
                let body =
                    |out: &mut Vec<u8>| encode_set_data(out, &path, Some(data.as_bytes()), -1);
                client.session.submit(self.now_ms, Op::SET_DATA, body, extra, token)
            }
            Asked::Get(of) => {
                let path = format!("/r{of}");
                extra.watch = Some(Box::new((WatchWish::Data, path.clone(), token)));
                let body = |out: &mut Vec<u8>| encode_path_watch(out, &path, true);
                client.session.submit(self.now_ms, Op::GET_DATA, body, extra, token)
            }
            Asked::List => {
                let body = |out: &mut Vec<u8>| encode_path_watch(out, "/q", false);
                client.session.submit(self.now_ms, Op::GET_CHILDREN, body, extra, token)
            }
        };
        if submitted.is_ok() {
            client.book.asked.insert(token, asked);
        }
    }

    /// Moves bytes of a client to the replica, in a piece of any length.
    fn carry_up(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let Some(conn) = client.conn else { return };
        if client.session.state() == State::Connecting {
            return;
        }
        let count = client.session.output().len();
        let count = if self.healthy { count } else { self.rng.below(count + 1) };
        client.up.extend_from_slice(&client.session.output()[..count]);
        client.session.sent(count);
        while let Cut::Frame { length } = frame::cut(&self.clients[at].up, usize::MAX) {
            let frame = self.clients[at].up[4..4 + length].to_vec();
            self.clients[at].up.drain(..4 + length);
            if self.driver.open.contains(&conn) && !self.driver.closing.contains(&conn) {
                self.driver.step(&Stimulus::Frame(conn, frame));
            }
        }
        self.collect();
    }

    /// What the replica has sent is on its way.
    fn collect(&mut self) {
        for (conn, body) in std::mem::take(&mut self.driver.sent) {
            let found = self.clients.iter_mut().find(|client| client.conn == Some(conn.0));
            if let Some(client) = found {
                client.down.extend_from_slice(&(body.len() as u32).to_be_bytes());
                client.down.extend_from_slice(&body);
            }
        }
        for conn in self.driver.closing.clone() {
            let at = self.clients.iter().position(|client| client.conn == Some(conn));
            match at {
                // What was sent before it arrives before the end.
                Some(at) if self.clients[at].down.is_empty() => self.cut(at),
                Some(_) => {}
                None => self.driver.step(&Stimulus::Closed(conn)),
            }
        }
    }

    fn carry_down(&mut self, at: usize) {
        let now_ms = self.now_ms;
        let client = &mut self.clients[at];
        let all = client.down.len();
        let count = if self.healthy { all } else { self.rng.below(all + 1) };
        let taken = client.session.on_bytes(now_ms, &client.down[..count]);
        let bytes: Vec<u8> = client.down.drain(..taken.min(count)).collect();
        self.book(at, &bytes);
        self.settle(at);
        self.collect();
    }

    fn cut(&mut self, at: usize) {
        if let Some(conn) = self.clients[at].conn.take() {
            self.driver.step(&Stimulus::Closed(conn));
            let client = &mut self.clients[at];
            (client.up, client.down) = (vec![], vec![]);
            client.session.on_disconnected(self.now_ms);
            self.book(at, &[]);
            self.settle(at);
        }
    }

    /// Does what a session asks for.
    fn settle(&mut self, at: usize) {
        while let Some(ask) = self.clients[at].session.next_ask() {
            match ask {
                Ask::HangUp => {
                    if let Some(conn) = self.clients[at].conn.take() {
                        self.driver.step(&Stimulus::Closed(conn));
                    }
                    (self.clients[at].up, self.clients[at].down) = (vec![], vec![]);
                }
                Ask::Dial(_) if !self.healthy && self.rng.one_in(4) => {
                    self.clients[at].session.on_disconnected(self.now_ms);
                }
                Ask::Dial(_) => {
                    let conn = self.next_conn % 50;
                    self.next_conn += 1;
                    if self.driver.open.contains(&conn) {
                        // A connection of before is not buried yet.
                        self.clients[at].session.on_disconnected(self.now_ms);
                        self.book(at, &[]);
                        continue;
                    }
                    self.driver.step(&Stimulus::Opened(conn));
                    self.clients[at].conn = Some(conn);
                    self.clients[at].session.on_connected(self.now_ms);
                }
                Ask::Resolve => {
                    let address = ([127, 0, 0, 1], 2181).into();
                    self.clients[at].session.on_addresses(self.now_ms, vec![address]);
                }
                Ask::Probe(_) => unreachable!("no session is read-only here"),
            }
            self.book(at, &[]);
        }
    }

    fn book(&mut self, at: usize, bytes: &[u8]) {
        let client = &mut self.clients[at];
        let mut outcomes = Vec::new();
        client.session.take_outcomes(&mut outcomes);
        for outcome in outcomes {
            self.trace.push((at, format!("{outcome:?}")));
            assert!(!client.book.closed, "an outcome behind the last one: {outcome:?}");
            client.book.take(at, outcome, bytes, client.last_set);
        }
    }

    fn step(&mut self) {
        let at = self.rng.below(CLIENTS);
        match self.rng.below(100) {
            0..15 => self.ask(at, Asked::Create),
            15..25 => {
                self.clients[at].last_set += 1;
                let number = self.clients[at].last_set;
                self.ask(at, Asked::Set(number));
            }
            25..35 => {
                let of = self.rng.below(CLIENTS);
                self.ask(at, Asked::Get(of));
            }
            35..60 => self.carry_up(at),
            60..85 => self.carry_down(at),
            85..87 => self.cut(at),
            87..93 => {
                let ms = self.rng.below(400) as u64;
                self.pass(ms);
            }
            // A silence that ends connections, and one that ends sessions.
            93 if self.rng.one_in(4) => self.pass(3_000),
            94 if self.rng.one_in(8) => self.pass(9_000),
            _ => {
                if self.driver.logged() > self.driver.durable {
                    self.driver.step(&Stimulus::Durable(self.driver.logged()));
                }
                self.collect();
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.driver.step(&Stimulus::Tick(ms as i64, ms as i64));
        self.collect();
        for at in 0..self.clients.len() {
            while self.clients[at].session.deadline_ms() <= self.now_ms {
                self.clients[at].session.on_timer(self.now_ms);
                self.book(at, &[]);
                self.settle(at);
            }
        }
    }

    /// Lets everything through until nobody waits for anything.
    fn heal(&mut self) {
        self.healthy = true;
        for _ in 0..2_000 {
            for at in 0..self.clients.len() {
                self.settle(at);
                self.carry_up(at);
            }
            self.driver.settle_log();
            self.collect();
            (0..self.clients.len()).for_each(|at| self.carry_down(at));
            self.pass(50);
            let idle = |client: &Client| client.session.outstanding() == 0;
            let there = |client: &Client| {
                client.session.state() == State::Connected || client.session.state().is_final()
            };
            let still = |client: &Client| client.up.is_empty() && client.down.is_empty();
            if self.clients.iter().all(|c| idle(c) && there(c) && still(c)) {
                return;
            }
        }
        panic!("the clients do not come to rest");
    }
}

/// A log that keeps up, without burying connections.
trait SettleLog {
    fn settle_log(&mut self);
}

impl SettleLog for Driver {
    fn settle_log(&mut self) {
        while self.logged() > self.durable {
            self.step(&Stimulus::Durable(self.logged()));
        }
    }
}

impl Book {
    fn take(&mut self, at: usize, outcome: Outcome<u64, u64>, bytes: &[u8], last_set: u64) {
        match outcome {
            Outcome::Reply { done, code, body, .. } => {
                self.end(done);
                self.replies += 1;
                let mut reader = Reader::new(&bytes[body]);
                match (self.asked[&done], code) {
                    (Asked::Create, Code::OK) => drop(self.created.insert(done)),
                    (Asked::Set(number), Code::OK) => {
                        assert!(self.acknowledged < number, "sets are answered in their order");
                        self.acknowledged = number;
                    }
                    (Asked::Get(of), Code::OK) => {
                        let data = reader.buffer("data").unwrap().unwrap_or_default();
                        let number = std::str::from_utf8(data).unwrap().parse().unwrap_or(0);
                        if of == at {
                            let known = self.acknowledged..=last_set;
                            assert!(known.contains(&number), "{number} is not in {known:?}");
                        }
                        let stat = Stat::decode(&mut reader).unwrap();
                        self.watched.insert((done, of), stat.version);
                    }
                    (Asked::List, Code::OK) => {
                        let names = reader.strings("children").unwrap().unwrap_or_default();
                        self.listed = Some(names.into_iter().map(|n| n.into_owned()).collect());
                    }
                    (asked, code) => {
                        assert!(
                            matches!(code, Code::SESSION_EXPIRED),
                            "{asked:?} was answered {code:?}"
                        );
                    }
                }
            }
            Outcome::Failed { done, error } => {
                self.end(done);
                self.losses += 1;
                if !error.maybe_executed() && self.asked[&done] == Asked::Create {
                    self.not_created.insert(done);
                }
            }
            Outcome::Event { watchers, path, .. } => {
                self.events += 1;
                let of: usize = path.trim_start_matches("/r").parse().expect("a register");
                for watcher in watchers {
                    assert!(self.watched.remove(&(watcher, of)).is_some(), "told twice: {watcher}");
                }
            }
            Outcome::State { state, .. } => self.expiries += usize::from(state == State::Expired),
            Outcome::Closed { .. } => self.closed = true,
        }
    }

    fn end(&mut self, token: u64) {
        assert!(self.asked.contains_key(&token), "nobody asked for {token}");
        assert!(self.ended.insert(token), "{token} has ended twice");
    }
}

/// A run: what was told, and how often what happened.
fn run(seed: u64) -> (Vec<(usize, String)>, [usize; 4]) {
    let mut world = World::new(seed);
    world.driver.connect(90, 0);
    let mut make = vec!["/q".to_owned()];
    make.extend((0..CLIENTS).map(|at| format!("/r{at}")));
    for (xid, path) in make.iter().enumerate() {
        let mut body = Vec::new();
        zk_wire::header::RequestHeader { xid: 1 + xid as i32, op: Op::CREATE }.encode(&mut body);
        encode_create(&mut body, path, None, &Acl::open(), flags::PERSISTENT, None);
        world.driver.settle_log();
        world.driver.step(&Stimulus::Frame(90, body));
    }
    world.driver.settle_log();
    world.driver.sent.clear();
    (0..=CLIENTS).for_each(|at| world.settle(at));
    (0..STEPS).for_each(|_| world.step());
    world.heal();
    // The last client was never disturbed on purpose: it reads what became of it all.
    world.ask(CLIENTS, Asked::List);
    (0..CLIENTS).for_each(|of| world.ask(CLIENTS, Asked::Get(of)));
    world.heal();
    let reader = &world.clients[CLIENTS].book;
    let listed: BTreeSet<u64> =
        reader.listed.iter().flatten().map(|n| n.parse().unwrap()).collect();
    let versions: BTreeMap<usize, i32> =
        reader.watched.iter().map(|((_, of), version)| (*of, *version)).collect();
    assert_eq!(versions.len(), CLIENTS, "seed {seed}: every register was read");
    let mut sums = [0; 4];
    for (at, client) in world.clients.iter().enumerate() {
        let book = &client.book;
        let asked: BTreeSet<u64> = book.asked.keys().copied().collect();
        assert_eq!(asked, book.ended, "seed {seed}, client {at}: each request has an end");
        for token in &book.created {
            assert!(listed.contains(token), "seed {seed}: {token} was acknowledged and is lost");
        }
        for token in &book.not_created {
            assert!(!listed.contains(token), "seed {seed}: {token} was not sent, and is there");
        }
        let lives = client.session.state() == State::Connected;
        for ((token, of), version) in book.watched.iter().filter(|_| lives) {
            assert_eq!(*version, versions[of], "seed {seed}: watch {token} of client {at} is lost");
        }
        for (sum, value) in
            sums.iter_mut().zip([book.replies, book.losses, book.events, book.expiries])
        {
            *sum += value;
        }
    }
    for at in 0..world.clients.len() {
        // An error says that the session is over already.
        let _ = world.clients[at].session.close(world.now_ms, 1_000, Some(0));
        world.book(at, &[]);
    }
    world.heal();
    for client in &world.clients {
        let state = client.session.state();
        assert!(state.is_final(), "seed {seed}: {state}");
    }
    (world.trace, sums)
}

#[test]
fn every_request_has_one_true_end_and_no_watch_is_lost() {
    let mut sums = [0; 4];
    for seed in 1..=500 {
        for (sum, value) in sums.iter_mut().zip(run(seed).1) {
            *sum += value;
        }
    }
    let [replies, losses, events, expiries] = sums;
    println!("{replies} replies, {losses} losses, {events} events, {expiries} expiries");
    assert!(replies > 100_000 && losses > 10_000 && events > 10_000 && expiries > 200, "{sums:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(7).0, run(7).0);
    assert_ne!(run(7).0, run(8).0);
}
