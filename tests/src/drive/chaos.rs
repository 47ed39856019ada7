//! Events at random: several clients that send requests of every kind, good and bad, a disk that is
//! late, time that jumps, snapshots that come and go.

use std::collections::VecDeque;

use zk_core::{Config, Now};
use zk_wire::connect::session_password;
use zk_wire::{Code, Op, Reader, Zxid};

use super::{Driver, Stimulus};
use crate::diff::plan::{self, Mode};
use crate::diff::value::Seen;
use crate::raw::{Reply, new_session, request};
use crate::rng::Rng;

const CONNS: u32 = 6;
const SESSIONS_KNOWN_MAX: usize = 8;

/// What comes next, from a seed.
#[derive(Debug)]
pub struct Chaos {
    rng: Rng,
    seen: Seen,
    next_xid: i32,
    queue: VecDeque<Stimulus>,
    greeted: [bool; CONNS as usize],
    sessions: Vec<i64>,
    has_room: bool,
    snapshot_told: Zxid,
}

fn digest_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Settings under which everything happens sooner than it would.
pub fn config(seed: u64) -> Config {
    Config {
        seed,
        tick_ms: 500,
        session_timeout_min_ms: 1_000,
        session_timeout_max_ms: 8_000,
        outstanding_max: 40,
        password_digest: Some(digest_of),
        super_digest: Some(format!("super:{}", digest_of(b"super:secret"))),
        enforce_quota: seed.is_multiple_of(2),
        container_check_ms: 2_000,
        container_never_used_ms: 5_000,
        snapshot_txns: 400,
        ..Config::default()
    }
}

/// Where the clocks of a test begin.
pub fn start() -> Now {
    Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 }
}

impl Chaos {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Chaos {
        Chaos {
            rng: Rng::new(seed),
            seen: Seen::default(),
            next_xid: 0,
            queue: VecDeque::new(),
            greeted: [false; CONNS as usize],
            sessions: Vec::new(),
            has_room: true,
            snapshot_told: Zxid::ZERO,
        }
    }

    /// The chance of this run, for what a test decides by itself.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Forgets the connections, after a restart.
    pub fn forget(&mut self) {
        self.queue.clear();
        self.greeted = [false; CONNS as usize];
        self.has_room = true;
        self.snapshot_told = Zxid::ZERO;
    }

    /// Takes what was sent: paths and sessions to come back to.
    pub fn look(&mut self, driver: &mut Driver) {
        for (_, body) in driver.sent.drain(..) {
            if body.len() == 36 || body.len() == 37 {
                let session = Reader::new(&body[8..16]).long("session").expect("eight bytes");
                if session != 0 && self.sessions.len() < SESSIONS_KNOWN_MAX {
                    self.sessions.push(session);
                }
            }
            if body.len() < 20 {
                continue;
            }
            let reply = Reply::parse(&body);
            self.seen.zxid = self.seen.zxid.max(reply.header.zxid.0);
            if reply.header.code == Code::OK && reply.record.get(4) == Some(&b'/') {
                let path = Reader::new(&reply.record).buffer("path");
                if let Ok(Some(path)) = path {
                    self.seen.path(path);
                }
            }
        }
    }

    /// The next event for this driver.
    pub fn next(&mut self, driver: &Driver) -> Stimulus {
        if let Some(conn) = driver.closing.first() {
            self.queue.retain(|s| !matches!(s, Stimulus::Frame(c, _) if c == conn));
            return self.close(*conn);
        }
        if let Some(next) = self.queue.pop_front() {
            return next;
        }
        let late = driver.logged() > driver.durable;
        match self.rng.below(100) {
            0..=59 => self.client(driver),
            60..=84 if late => {
                let behind = (driver.logged().0 - driver.durable.0) as usize;
                let part = 1 + self.rng.below(behind) as i64;
                let all = self.rng.one_in(2);
                let zxid = if all { driver.logged() } else { Zxid(driver.durable.0 + part) };
                Stimulus::Durable(zxid)
            }
            85..=87 => {
                let jump = *self.rng.pick(&[0, 1, 40, 700, 1_400, 4_000]);
                let wall = *self.rng.pick(&[0, 1, 40, 700, -900, 86_500_000]);
                Stimulus::Tick(jump, wall)
            }
            88 => {
                self.has_room = !self.has_room;
                Stimulus::Room(self.has_room)
            }
            89 => Stimulus::Room(true),
            90..=97 => self.snapshot(driver),
            _ => Stimulus::Tick(self.rng.below(30) as i64, 5),
        }
    }

    fn close(&mut self, conn: u32) -> Stimulus {
        self.greeted[conn as usize] = false;
        Stimulus::Closed(conn)
    }

    fn snapshot(&mut self, driver: &Driver) -> Stimulus {
        if driver.replica.snapshot_runs() {
            return match self.rng.one_in(60) {
                true => Stimulus::SnapshotFailed,
                false => Stimulus::SnapshotSlice(1 + self.rng.below(4_000)),
            };
        }
        match &driver.snapshot {
            Some(snapshot) if snapshot.complete && snapshot.zxid > self.snapshot_told => {
                self.snapshot_told = snapshot.zxid;
                Stimulus::SnapshotTaken(snapshot.zxid)
            }
            _ => Stimulus::SnapshotWanted,
        }
    }

    fn client(&mut self, driver: &Driver) -> Stimulus {
        let conn = self.rng.below(CONNS as usize) as u32;
        if !driver.open.contains(&conn) {
            return Stimulus::Opened(conn);
        }
        if driver.paused.contains(&conn) {
            return Stimulus::Tick(1, 1);
        }
        if !self.greeted[conn as usize] {
            self.greeted[conn as usize] = true;
            return Stimulus::Frame(conn, self.greeting());
        }
        match self.rng.below(120) {
            0 => return self.close(conn),
            1 => {
                let op = *self.rng.pick(&[Op::SET_DATA, Op::CREATE, Op(999)]);
                return Stimulus::Oversized(conn, request(7, op, &[0; 4]));
            }
            2 => {
                let count = self.rng.below(12);
                return Stimulus::Frame(conn, self.rng.bytes(count));
            }
            _ => {}
        }
        let mode = Mode { enforce_quota: false, pipeline_max: 8 };
        let batch = plan::batch(&mut self.rng, &self.seen, mode, &mut self.next_xid);
        let frames = batch.iter().map(|ask| request(ask.xid, ask.op, &ask.record));
        self.queue.extend(frames.map(|frame| Stimulus::Frame(conn, frame)));
        self.queue.pop_front().expect("a batch holds a request")
    }

    fn greeting(&mut self) -> Vec<u8> {
        let mut ask = new_session(*self.rng.pick(&[0, 3_000, 8_000, i32::MAX]));
        let back = !self.sessions.is_empty() && self.rng.one_in(3);
        let mut password = [0; 16];
        if back {
            ask.session_id = *self.rng.pick(&self.sessions);
            password = session_password(ask.session_id);
            if self.rng.one_in(4) {
                let at = self.rng.below(self.sessions.len());
                self.sessions.swap_remove(at);
            }
        }
        ask.password = Some(&password);
        let mut body = Vec::new();
        ask.encode(&mut body);
        body
    }
}
