//! The tree of the core against a map that anyone can check.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zk_core::{Config, ConnId};
use zk_tests::drive::model::{Answer, Change, Model};
use zk_tests::drive::{Driver, Portrait, Stimulus, chaos, load};
use zk_tests::raw::{Reply, request};
use zk_tests::record;
use zk_tests::rng::Rng;
use zk_wire::multi::{encode_end, encode_error, encode_header};
use zk_wire::{Acl, Code, Op, Reader, Writer, Zxid};

const CONNS: usize = 4;
const REQUESTS: usize = 100_000;

/// What must come back: header and record.
type Expected = (i32, Zxid, Code, Vec<u8>);

struct Test {
    driver: Driver,
    model: Model,
    rng: Rng,
    sessions: [i64; CONNS],
    expected: [VecDeque<Expected>; CONNS],
    xid: i32,
    changes: usize,
    reads: usize,
    seen: BTreeMap<String, usize>,
}

fn record_of(change: &Change) -> (Op, Vec<u8>) {
    match change {
        Change::Create(op, path, data, flags, ttl_ms) => {
            let mut out = Vec::new();
            let ttl_ms = (*op == Op::CREATE_TTL).then_some(*ttl_ms);
            let data = data.as_deref();
            zk_wire::request::encode_create(&mut out, path, data, &Acl::open(), *flags, ttl_ms);
            (*op, out)
        }
        Change::Delete(path, version) => (Op::DELETE, record::path_int(path, *version)),
        Change::SetData(path, data, version) => {
            (Op::SET_DATA, record::set_data(path, data.as_deref(), *version))
        }
        Change::Check(path, version) => (Op::CHECK, record::path_int(path, *version)),
    }
}

fn put_answer(answer: &Answer, out: &mut Vec<u8>) {
    match answer {
        Answer::Created(path, stat) => {
            out.put_string(path);
            if let Some(stat) = stat {
                stat.encode(out);
            }
        }
        Answer::Done => {}
        Answer::Changed(stat) => stat.encode(out),
    }
}

impl Test {
    fn new(seed: u64) -> Test {
        let config = Config { seed, session_timeout_max_ms: i32::MAX, ..Config::default() };
        let mut test = Test {
            driver: Driver::new(config, chaos::start()),
            model: Model::fresh(),
            rng: Rng::new(seed),
            sessions: [0; CONNS],
            expected: Default::default(),
            xid: 0,
            changes: 0,
            reads: 0,
            seen: BTreeMap::new(),
        };
        for conn in 0..CONNS {
            test.open(conn);
        }
        test
    }

    /// Opens a connection that is closed, when nothing is under way.
    fn open(&mut self, conn: usize) {
        assert!(self.driver.sent.is_empty());
        self.driver.connect(conn as u32, 0);
        self.driver.settle();
        let (_, body) = self.driver.sent.pop().expect("an answer to the handshake");
        let response = zk_wire::connect::ConnectResponse::decode(&mut Reader::new(&body));
        self.sessions[conn] = response.expect("a ConnectResponse").session_id;
    }

    fn send(&mut self, conn: usize, op: Op, record: &[u8]) -> i32 {
        self.xid += 1;
        self.driver.step(&Stimulus::Frame(conn as u32, request(self.xid, op, record)));
        self.xid
    }

    /// A path that is there, or one of few that may be.
    fn path(&mut self) -> String {
        if self.rng.one_in(2) {
            let at = self.rng.below(self.model.nodes.len());
            let path = self.model.nodes.keys().nth(at).expect("below the length");
            if !path.is_empty() && !path.starts_with("/zookeeper") {
                let below = self.rng.one_in(4);
                return if below { format!("{path}/e") } else { path.clone() };
            }
        }
        let depth = 1 + self.rng.below(3);
        (0..depth).map(|_| format!("/{}", self.rng.pick(&["a", "b", "c", "d"]))).collect()
    }

    fn data(&mut self) -> Option<Vec<u8>> {
        let count = *self.rng.weighted(&[(5, 8), (3, 120), (1, 0), (1, 3_000)]);
        let count = self.rng.below(count + 1);
        (!self.rng.one_in(12)).then(|| self.rng.bytes(count))
    }

    fn version(&mut self, path: &str) -> i32 {
        let have = self.model.nodes.get(path).map_or(0, |node| node.stat.version);
        *self.rng.weighted(&[(3, -1), (3, have), (1, have + 1), (1, 0)])
    }

    fn change(&mut self) -> Change {
        let path = self.path();
        // A tree that grows too large meets itself too seldom.
        let full = self.model.nodes.len() > 400;
        match self.rng.below(10) {
            0..=3 if !full => {
                let (op, flags) = *self.rng.weighted(&[
                    (5, (Op::CREATE, 0)),
                    (2, (Op::CREATE, 1)),
                    (1, (Op::CREATE, 2)),
                    (1, (Op::CREATE, 3)),
                    (3, (Op::CREATE2, 0)),
                    (1, (Op::CREATE2, 3)),
                    (1, (Op::CREATE_CONTAINER, 4)),
                    (1, (Op::CREATE_TTL, 5)),
                    (1, (Op::CREATE_TTL, 6)),
                ]);
                let ttl_ms = 1 + self.rng.below(1 << 40) as i64 / 2;
                Change::Create(op, path, self.data(), flags, ttl_ms)
            }
            0..=6 => {
                let version = self.version(&path);
                Change::Delete(path, version)
            }
            _ => {
                let version = self.version(&path);
                Change::SetData(path, self.data(), version)
            }
        }
    }

    fn count(&mut self, op: Op, code: Code) {
        *self.seen.entry(format!("{op:?} {code:?}")).or_default() += 1;
    }

    fn write(&mut self, conn: usize) {
        let change = self.change();
        let (op, record) = record_of(&change);
        let zxid = self.driver.logged().next().expect("far from the end");
        let (session, time_ms) = (self.sessions[conn], self.driver.now.wall_ms);
        let xid = self.send(conn, op, &record);
        let mut body = Vec::new();
        let code = match self.model.change(&change, session, zxid.0, time_ms) {
            Ok(answer) => {
                put_answer(&answer, &mut body);
                Code::OK
            }
            Err(code) => code,
        };
        self.count(op, code);
        self.expected[conn].push_back((xid, zxid, code, body));
        self.changes += 1;
    }

    fn multi(&mut self, conn: usize) {
        let count = 1 + self.rng.below(5);
        let mut changes: Vec<Change> = (0..count).map(|_| self.change()).collect();
        if self.rng.one_in(3) {
            let path = self.path();
            let version = self.version(&path);
            changes.insert(self.rng.below(count), Change::Check(path, version));
        }
        let records: Vec<(Op, Vec<u8>)> = changes.iter().map(record_of).collect();
        let zxid = self.driver.logged().next().expect("far from the end");
        let (session, time_ms) = (self.sessions[conn], self.driver.now.wall_ms);
        let xid = self.send(conn, Op::MULTI, &record::multi(&records));
        let mut body = Vec::new();
        match self.model.multi(&changes, session, zxid.0, time_ms) {
            Ok(answers) => {
                for ((op, _), answer) in records.iter().zip(&answers) {
                    let creates = matches!(*op, Op::CREATE_CONTAINER | Op::CREATE_TTL);
                    let shown = if creates { Op::CREATE2 } else { *op };
                    encode_header(&mut body, shown.0, false, 0);
                    put_answer(answer, &mut body);
                }
                self.count(Op::MULTI, Code::OK);
            }
            Err((failed, code)) => {
                for at in 0..changes.len() {
                    let code = match at.cmp(&failed) {
                        std::cmp::Ordering::Less => Code::OK,
                        std::cmp::Ordering::Equal => code,
                        std::cmp::Ordering::Greater => Code::RUNTIME_INCONSISTENCY,
                    };
                    encode_error(&mut body, code);
                }
                self.count(Op::MULTI, code);
            }
        }
        encode_end(&mut body);
        self.expected[conn].push_back((xid, zxid, Code::OK, body));
        self.changes += 1;
    }

    /// Takes what was sent and holds it to what was expected.
    fn compare(&mut self) {
        for (ConnId(conn), body) in std::mem::take(&mut self.driver.sent) {
            let reply = Reply::parse(&body);
            let header = (reply.header.xid, reply.header.zxid, reply.header.code);
            let expected = self.expected[conn as usize].pop_front();
            let (xid, zxid, code, record) = expected.expect("nothing is sent unasked");
            assert_eq!(header, (xid, zxid, code), "request {xid} of connection {conn}");
            assert_eq!(reply.record, record, "request {xid} of connection {conn}");
        }
    }

    fn settle(&mut self) {
        self.driver.settle();
        self.compare();
        assert!(self.expected.iter().all(VecDeque::is_empty), "an answer is missing");
    }

    /// Reads a path in three ways and compares with the model, when nothing is under way.
    fn read(&mut self) {
        let (conn, path) = (self.rng.below(CONNS), self.path());
        let zxid = self.driver.logged();
        let mut replies = Vec::new();
        for op in [Op::EXISTS, Op::GET_DATA, Op::GET_CHILDREN2] {
            self.send(conn, op, &record::path_watch(&path, false));
            let (_, body) = self.driver.sent.pop().expect("a read is answered at once");
            let reply = Reply::parse(&body);
            assert_eq!(reply.header.zxid, zxid);
            replies.push(reply);
        }
        self.reads += replies.len();
        let Some(stat) = self.model.stat(&path) else {
            assert!(replies.iter().all(|r| r.header.code == Code::NO_NODE), "{path} is not there");
            return;
        };
        assert!(replies.iter().all(|reply| reply.header.code == Code::OK), "{path} is there");
        let mut wanted = Vec::new();
        stat.encode(&mut wanted);
        assert_eq!(replies[0].record, wanted, "exists {path}");
        let data = self.model.nodes[&path].data.as_deref();
        let mut wanted = Vec::new();
        wanted.put_buffer(data);
        stat.encode(&mut wanted);
        assert_eq!(replies[1].record, wanted, "getData {path}");
        let mut reader = Reader::new(&replies[2].record);
        let names = reader.strings("children").expect("names").expect("no null list");
        assert_eq!(names.len() as i32, stat.num_children, "getChildren2 {path}");
        let names: BTreeSet<String> = names.into_iter().map(|name| name.into_owned()).collect();
        assert_eq!(names, self.model.children(&path), "getChildren2 {path}");
        assert_eq!(zk_wire::Stat::decode(&mut reader), Ok(stat), "getChildren2 {path}");
    }

    /// One client closes its session and comes back with another.
    fn close(&mut self) {
        let conn = self.rng.below(CONNS);
        let zxid = self.driver.logged().next().expect("far from the end");
        let xid = self.send(conn, Op::CLOSE_SESSION, &[]);
        self.model.close_session(self.sessions[conn], zxid.0);
        self.expected[conn].push_back((xid, zxid, Code::OK, Vec::new()));
        self.settle();
        assert!(!self.driver.open.contains(&(conn as u32)), "a closed session has no connection");
        self.open(conn);
    }

    /// The whole tree against the whole model.
    fn compare_all(&self) {
        let portrait = Portrait::of_replica(&self.driver.replica);
        let paths: Vec<&String> = portrait.znodes.keys().collect();
        assert_eq!(paths, self.model.nodes.keys().collect::<Vec<_>>());
        for (path, facts) in &portrait.znodes {
            assert_eq!(Some(facts.stat), self.model.stat(path), "{path:?}");
            assert_eq!(facts.data, self.model.nodes[path].data, "{path:?}");
            assert_eq!(facts.owner, self.model.nodes[path].stat.ephemeral_owner, "{path:?}");
        }
        assert_eq!(portrait.digest, self.model.digest(), "the digest kept and the digest summed");
    }
}

/// Goal: replies, stats, children, data, error codes and zxids are those of the model, for single
/// writes and multis, pipelined by several sessions; snapshot and log give the same tree again.
/// Method: random requests; each burst is answered when a late disk has it, and then the tree is
/// read. A snapshot runs all the time.
#[test]
fn the_tree_is_what_a_simple_map_says() {
    let mut test = Test::new(2026);
    let mut newest = None;
    while test.changes < REQUESTS {
        for _ in 0..1 + test.rng.below(12) {
            let conn = test.rng.below(CONNS);
            if test.rng.one_in(6) {
                test.multi(conn)
            } else {
                test.write(conn)
            }
            if test.rng.one_in(5) {
                let (from, to) = (test.driver.durable.0, test.driver.logged().0);
                let part = test.rng.below((to - from) as usize + 1) as i64;
                test.driver.step(&Stimulus::Durable(Zxid(from + part)));
                test.compare();
            }
            let slice = Stimulus::SnapshotSlice(1 + test.rng.below(900));
            test.driver.step(&slice);
            test.driver.now.wall_ms += test.rng.below(3) as i64 - 1;
        }
        test.settle();
        test.read();
        if test.rng.one_in(200) {
            test.close();
        }
        if !test.driver.replica.snapshot_runs() {
            newest = test.driver.snapshot.take().or(newest);
            test.driver.step(&Stimulus::SnapshotWanted);
        }
        if test.rng.one_in(500) {
            test.compare_all();
            let driver = &test.driver;
            let loaded = load(&driver.config, newest.as_ref(), &driver.log).expect("it loads");
            assert_eq!(loaded.mismatches, None);
            let running = Portrait::of_replica(&driver.replica);
            Portrait::of_recovered(&loaded).assert_same(&running, "loaded");
        }
    }
    println!("{} writes, {} reads: {:#?}", test.changes, test.reads, test.seen);
    assert!(newest.is_some_and(|snapshot| snapshot.complete), "no snapshot came to its end");
    for case in [
        "create(1) NOCHILDRENFOREPHEMERALS(-108)",
        "create(1) NODEEXISTS(-110)",
        "delete(2) NOTEMPTY(-111)",
        "delete(2) BADVERSION(-103)",
        "setData(5) NONODE(-101)",
        "multi(14) OK(0)",
        "createTTL(21) OK(0)",
    ] {
        assert!(test.seen.get(case).is_some_and(|count| *count > 20), "{case} hardly occurs");
    }
}
