//! A replica driven by hand: every event is written here, every effect is looked at.

use std::net::{IpAddr, Ipv4Addr};

use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::header::{ReplyHeader, RequestHeader, xid};
use zk_wire::jute::Reader;
use zk_wire::request::{encode_create, encode_path_watch};
use zk_wire::{Acl, Code, Op, Writer, Zxid, frame};

use crate::config::Config;
use crate::effect::{Effect, Effects};
use crate::event::Event;
use crate::ids::ConnId;
use crate::load::Loader;
use crate::replica::Replica;
use crate::time::Now;

/// A replica whose disk is always quick, with everything that was sent and logged.
pub(super) struct Driver {
    pub(super) replica: Replica,
    pub(super) now: Now,
    pub(super) sent: Vec<(ConnId, Vec<u8>)>,
    pub(super) closed: Vec<ConnId>,
    pub(super) log: Vec<(Zxid, Vec<u8>)>,
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) snapshot: Option<Zxid>,
    pub(super) hold: bool,
}

impl Driver {
    pub(super) fn new(config: Config) -> Driver {
        let now = Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let recovered = Loader::new(&config).finish();
        Driver {
            replica: Replica::new(config, recovered, now),
            now,
            sent: Vec::new(),
            closed: Vec::new(),
            log: Vec::new(),
            pieces: Vec::new(),
            snapshot: None,
            hold: false,
        }
    }

    pub(super) fn step(&mut self, event: Event<'_>) {
        let mut effects = Effects::new();
        self.replica.step(self.now, event, &mut effects);
        let mut durable = None;
        for effect in &effects.list {
            match effect {
                Effect::Append { zxid, txn } => {
                    self.log.push((*zxid, effects.bytes[txn.clone()].to_vec()));
                    durable = Some(*zxid);
                }
                Effect::Send { conn, frames } => {
                    let mut rest = &effects.bytes[frames.clone()];
                    while let frame::Cut::Frame { length } = frame::cut(rest, usize::MAX) {
                        self.sent.push((*conn, rest[4..4 + length].to_vec()));
                        rest = &rest[4 + length..];
                    }
                    assert!(rest.is_empty());
                }
                Effect::Close { conn } => self.closed.push(*conn),
                Effect::SnapshotBegin { zxid, .. } => self.snapshot = Some(*zxid),
                Effect::SnapshotBytes { piece, .. } => {
                    self.pieces.push(effects.bytes[piece.clone()].to_vec());
                }
                Effect::Pause { .. }
                | Effect::Resume { .. }
                | Effect::Log { .. }
                | Effect::Audit(_) => {}
                other => panic!("a server that is alone wants {other:?}"),
            }
        }
        if let Some(zxid) = durable.filter(|_| !self.hold) {
            self.step(Event::Durable { zxid });
        }
    }

    pub(super) fn connect(&mut self, conn: u32) -> i64 {
        let id = ConnId(conn);
        self.step(Event::ClientOpened { conn: id, peer: IpAddr::V4(Ipv4Addr::LOCALHOST) });
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 10_000,
            session_id: 0,
            password: None,
            read_only: Some(false),
        };
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.step(Event::ClientRequest { conn: id, frame: &bytes });
        let (_, reply) = self.sent.pop().expect("an answer to the handshake");
        ConnectResponse::decode(&mut Reader::new(&reply)).unwrap().session_id
    }

    pub(super) fn request(&mut self, conn: u32, xid: i32, op: Op, body: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        RequestHeader { xid, op }.encode(&mut bytes);
        body(&mut bytes);
        self.step(Event::ClientRequest { conn: ConnId(conn), frame: &bytes });
    }

    pub(super) fn create(&mut self, conn: u32, xid: i32, path: &str, flags: i32) {
        self.request(conn, xid, Op::CREATE, |out| {
            encode_create(out, path, Some(b"x"), &Acl::open(), flags, None);
        });
    }

    pub(super) fn headers(&mut self) -> Vec<(u32, i32, i64, Code)> {
        let sent = std::mem::take(&mut self.sent);
        let header = |bytes: &[u8]| ReplyHeader::decode(&mut Reader::new(bytes)).unwrap();
        sent.iter().map(|(c, b)| (c.0, header(b).xid, header(b).zxid.0, header(b).code)).collect()
    }
}

#[test]
fn a_write_is_answered_when_it_is_durable_and_reads_keep_their_place() {
    let mut driver = Driver::new(Config::default());
    driver.connect(0);
    driver.hold = true;
    driver.create(0, 1, "/a", 0);
    driver.request(0, 2, Op::GET_DATA, |out| {
        out.put_string("/a");
        out.put_boolean(false);
    });
    driver.create(0, 3, "/a/b", 0);
    driver.create(0, 4, "/a", 0);
    driver.request(0, 5, Op::PING, |_| {});
    assert!(driver.sent.is_empty(), "nothing is durable yet");
    driver.step(Event::Durable { zxid: Zxid(2) });
    assert_eq!(driver.headers(), [(0, 1, 2, Code::OK), (0, 2, 2, Code::OK)]);
    driver.step(Event::Durable { zxid: Zxid(4) });
    let exists = (0, 4, 4, Code::NODE_EXISTS);
    assert_eq!(driver.headers(), [(0, 3, 3, Code::OK), exists, (0, -2, 4, Code::OK)]);
}

#[test]
fn an_event_comes_before_the_reply_that_shows_the_change() {
    let mut driver = Driver::new(Config::default());
    driver.connect(0);
    driver.connect(1);
    driver.request(1, 1, Op::EXISTS, |out| {
        out.put_string("/a");
        out.put_boolean(true);
    });
    driver.request(0, 1, Op::GET_CHILDREN, |out| {
        out.put_string("/");
        out.put_boolean(true);
    });
    driver.sent.clear();
    driver.create(0, 2, "/a", 0);
    let ok = Code::OK;
    assert_eq!(driver.headers(), [(1, -1, 3, ok), (0, -1, 3, ok), (0, 2, 3, ok)]);
    driver.create(0, 3, "/b", 0);
    assert_eq!(driver.headers(), [(0, 3, 4, ok)], "one-shot watches fire once");
}

#[test]
fn a_session_that_is_silent_expires_with_its_ephemerals() {
    let mut driver = Driver::new(Config::default());
    driver.connect(0);
    driver.create(0, 1, "/e", 1);
    for _ in 0..20 {
        driver.now.mono_ms += 1_000;
        driver.step(Event::Tick);
    }
    assert_eq!(driver.closed, [ConnId(0)]);
    assert_eq!(driver.replica.status().sessions, 0);
    assert!(driver.replica.tree().find("/e").is_none());
}

/// Goal: a session ends in time though nothing else happens. Method: time passes from deadline to
/// deadline.
#[test]
fn a_silent_session_expires_on_an_idle_server() {
    let config = Config::default();
    let tick_ms = i64::from(config.tick_ms);
    let mut driver = Driver::new(config);
    driver.connect(0);
    let begun_ms = driver.now.mono_ms;
    while driver.closed.is_empty() {
        driver.now.mono_ms = driver.replica.deadline(driver.now).max(driver.now.mono_ms + 1);
        driver.step(Event::Tick);
    }
    let took_ms = driver.now.mono_ms - begun_ms;
    assert!((10_000..=10_000 + tick_ms).contains(&took_ms), "{took_ms} ms");
}

/// Goal: who was answered may count on its session for its timeout from then on. Method: a session
/// expires, and asks again before its end is on disk.
#[test]
fn a_session_that_expires_is_not_answered_any_more() {
    let mut driver = Driver::new(Config::default());
    driver.connect(1);
    driver.now.mono_ms += 1_000;
    driver.step(Event::Tick);
    driver.hold = true;
    while driver.log.len() < 2 {
        driver.now.mono_ms += 1_000;
        driver.step(Event::Tick);
    }
    driver.sent.clear();
    driver.request(1, 1, Op::EXISTS, |out| encode_path_watch(out, "/", false));
    driver.request(1, xid::PING, Op::PING, |_| {});
    assert_eq!((driver.sent.len(), driver.closed.len()), (0, 0));
    let last = driver.log.last().expect("its end is on its way").0;
    driver.step(Event::Durable { zxid: last });
    assert_eq!(driver.closed, [ConnId(1)]);
}

/// Goal: a session takes with it what is its own when it ends, and nothing that took its place.
#[test]
fn a_session_takes_nothing_with_it_that_is_not_its_own() {
    let mut driver = Driver::new(Config::default());
    driver.connect(0);
    driver.connect(1);
    let delete = |driver: &mut Driver, path: &str| {
        driver.request(0, 9, Op::DELETE, |out| {
            out.put_string(path);
            out.put_int(-1);
        });
    };
    for path in ["/kept", "/others", "/own"] {
        driver.create(0, 1, path, 1);
    }
    driver.hold = true;
    delete(&mut driver, "/kept");
    driver.create(0, 2, "/kept", 0);
    delete(&mut driver, "/others");
    driver.create(1, 3, "/others", 1);
    driver.request(0, 4, Op::CLOSE_SESSION, |_| {});
    let zxid = driver.log.last().unwrap().0;
    driver.step(Event::Durable { zxid });
    let tree = driver.replica.tree();
    let found = ["/kept", "/others", "/own"].map(|path| tree.find(path).is_some());
    assert_eq!(found, [true, true, false]);
}

/// Goal: a snapshot holds the state at its zxid, whatever changes while it is written, and with the
/// log above it gives the state of now.
#[test]
fn a_snapshot_stands_at_one_zxid_while_writes_go_on() {
    let config = Config::default();
    let mut driver = Driver::new(config.clone());
    driver.connect(0);
    for n in 0..300 {
        driver.create(0, n, &format!("/n{n}"), n % 2);
    }
    let digest = driver.replica.tree().digest();
    driver.step(Event::SnapshotWanted);
    let at = driver.snapshot.expect("a snapshot has begun");
    for n in 0..300 {
        driver.step(Event::SnapshotSlice { bytes_max: 200 });
        let path = format!("/n{}", (n * 7) % 300);
        let op = if n % 3 == 0 { Op::DELETE } else { Op::SET_DATA };
        driver.request(0, 1000 + n, op, |out| {
            out.put_string(&path);
            if op == Op::SET_DATA {
                out.put_buffer(Some(format!("other {n}").as_bytes()));
            }
            out.put_int(-1);
        });
        driver.create(0, 2000 + n, &format!("/new{n}"), 0);
    }
    while driver.replica.snapshot_runs() {
        driver.step(Event::SnapshotSlice { bytes_max: 200 });
    }
    let mut loader = Loader::new(&config);
    for piece in &driver.pieces {
        loader.piece(piece).expect("our own snapshot loads");
    }
    loader.snapshot_end(at).unwrap();
    for (zxid, txn) in driver.log.iter().filter(|(zxid, _)| *zxid > at) {
        loader.txn(*zxid, txn).unwrap();
    }
    let recovered = loader.finish();
    assert_ne!(recovered.tree.digest(), digest);
    assert_eq!(recovered.tree.digest(), driver.replica.tree().digest());
    assert_eq!(recovered.mismatches, None);
    assert_eq!(recovered.tree.len(), driver.replica.tree().len());
    assert_eq!(recovered.tree.content_bytes(), driver.replica.tree().content_bytes());
    assert_eq!(recovered.sessions.len(), 1);
}

#[test]
fn the_log_alone_gives_the_tree_and_a_failed_multi_changes_nothing() {
    let config = Config::default();
    let mut driver = Driver::new(config.clone());
    driver.connect(0);
    driver.create(0, 1, "/q-", 2);
    driver.request(0, 2, Op::MULTI, |out| {
        zk_wire::multi::encode_header(out, Op::CREATE.0, false, -1);
        encode_create(out, "/q-", None, &Acl::open(), 2, None);
        zk_wire::multi::encode_header(out, Op::DELETE.0, false, -1);
        out.put_string("/missing");
        out.put_int(-1);
        zk_wire::multi::encode_end(out);
    });
    driver.create(0, 3, "/q-", 2);
    assert!(driver.replica.tree().find("/q-0000000001").is_some());
    assert!(driver.replica.tree().find("/q-0000000002").is_none());
    let mut loader = Loader::new(&config);
    for (zxid, txn) in &driver.log {
        loader.txn(*zxid, txn).unwrap();
    }
    let recovered = loader.finish();
    assert_eq!(recovered.mismatches, None);
    assert_eq!(recovered.tree.digest(), driver.replica.tree().digest());
}

/// The bytes of zab.md's golden log: createSession, create of an ephemeral, closeSession.
#[test]
fn txns_are_apaches_to_the_byte() {
    let mut loader = Loader::new(&Config::default());
    let hex = |text: &str| -> Vec<u8> {
        let text: String = text.split_whitespace().collect();
        let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digits).collect()
    };
    let session = "0100000000000001 00000000 0000000100000001 0000018bcfe56800 fffffff6 00007530
        00000002 0000000051c6d660";
    let create = "0100000000000001 00000001 0000000100000002 0000018bcfe56801 00000001
        00000002 2f61 00000001 78 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 01
        00000001 00000002 000000019c98d1c4";
    let close = "0100000000000001 00000000 0000000100000003 0000018bcfe56802 fffffff5
        00000001 00000002 2f61  00000002 00000000b9a74ca4";
    for (counter, text) in [(1, session), (2, create), (3, close)] {
        loader.txn(Zxid::new(1, counter), &hex(text)).unwrap();
    }
    let recovered = loader.finish();
    assert_eq!(recovered.mismatches, None, "the digests are those of Apache's server");
    assert_eq!(recovered.tree.digest(), 0xb9a7_4ca4);
}
