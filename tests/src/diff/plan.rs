//! What is sent next: requests of every operation, well formed and not, and handshakes.

use zk_wire::multi::{encode_end, encode_header};
use zk_wire::request::{CreateRequest, SetDataRequest};
use zk_wire::{Op, Reader, Writer};

use crate::diff::value::{self, Seen};
use crate::rng::Rng;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its xid.
    pub xid: i32,
    /// Its operation.
    pub op: Op,
    /// Its record, which need not be one.
    pub record: Vec<u8>,
}

/// Which session a handshake names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// None: a new session.
    New,
    /// That of the slot.
    Own,
    /// One that never was.
    Unknown,
}

/// Which password it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// The session's.
    Right,
    /// Sixteen other bytes.
    Wrong,
    /// Null.
    Null,
    /// Too few bytes.
    Short,
}

/// A handshake.
#[derive(Clone, Copy, Debug)]
pub struct Handshake {
    /// Which session.
    pub whom: Whom,
    /// Which password.
    pub password: Password,
    /// Requested timeout in ms.
    pub timeout_ms: i32,
    /// The newest zxid that the client claims to have seen.
    pub last_zxid: i64,
    /// The trailing byte.
    pub read_only: Option<bool>,
    /// The protocol version.
    pub version: i32,
    /// Bytes to leave out at the end of the record.
    pub cut: usize,
}

/// What a run varies from episode to episode.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Hard quotas are enforced. They look at applied state only, so one request at a time.
    pub enforce_quota: bool,
    /// Requests in flight on the busy session at most.
    pub pipeline_max: usize,
}

/// Whether a request must be sent by itself: a server answers it before the queue of requests, so
/// that it overtakes replies, or ends the connection.
pub fn is_alone(op: Op) -> bool {
    matches!(op, Op::AUTH | Op::SASL | Op::CLOSE_SESSION | Op::CHECK)
        || op.name().is_none()
        || matches!(op, Op::NOTIFICATION | Op::ERROR)
}

fn alone(rng: &mut Rng, seen: &Seen) -> (Op, Vec<u8>) {
    let mut record = Vec::new();
    let op = match rng.below(20) {
        0..=11 => {
            value::put_auth(rng, &mut record);
            Op::AUTH
        }
        12..=13 => {
            record.put_buffer(value::data(rng).as_deref());
            Op::SASL
        }
        14 => Op::CLOSE_SESSION,
        15 => {
            record.put_buffer(value::path(rng, seen).as_deref());
            record.put_int(value::version(rng));
            Op::CHECK
        }
        _ => {
            let unknown = [0, -1, 10, 23, 99, 108, 999, -12, i32::MAX, i32::MIN];
            Op(*rng.pick(&unknown))
        }
    };
    (op, record)
}

const OPS: &[(u32, Op)] = &[
    (13, Op::CREATE),
    (7, Op::CREATE2),
    (3, Op::CREATE_CONTAINER),
    (5, Op::CREATE_TTL),
    (12, Op::DELETE),
    (7, Op::EXISTS),
    (8, Op::GET_DATA),
    (9, Op::SET_DATA),
    (3, Op::GET_ACL),
    (4, Op::SET_ACL),
    (4, Op::GET_CHILDREN),
    (4, Op::GET_CHILDREN2),
    (2, Op::SYNC),
    (1, Op::PING),
    (10, Op::MULTI),
    (3, Op::MULTI_READ),
    (1, Op::RECONFIG),
    (3, Op::CHECK_WATCHES),
    (3, Op::REMOVE_WATCHES),
    (4, Op::ADD_WATCH),
    (2, Op::SET_WATCHES),
    (2, Op::SET_WATCHES2),
    (2, Op::GET_EPHEMERALS),
    (2, Op::GET_ALL_CHILDREN_NUMBER),
    (2, Op::WHO_AM_I),
];

/// The next requests of a session.
pub fn batch(rng: &mut Rng, seen: &Seen, mode: Mode, next_xid: &mut i32) -> Vec<Request> {
    let solo = rng.one_in(14);
    let count = if solo { 1 } else { 1 + rng.below(mode.pipeline_max) };
    let mut requests = Vec::with_capacity(count);
    while requests.len() < count {
        let (op, record) = match solo {
            true => alone(rng, seen),
            false => {
                let op = *rng.weighted(OPS);
                let mut record = Vec::new();
                put(rng, seen, op, &mut record);
                garble(rng, op, &mut record);
                (op, record)
            }
        };
        if breaks_java(op, &record) {
            continue;
        }
        let xid = match op {
            Op::AUTH if !rng.one_in(8) => -4,
            Op::SET_WATCHES | Op::SET_WATCHES2 if !rng.one_in(8) => -8,
            Op::PING if rng.one_in(2) => -2,
            _ if rng.one_in(60) => *rng.pick(&[0, -3, 7, i32::MAX, i32::MIN]),
            _ => {
                *next_xid += 1;
                *next_xid
            }
        };
        requests.push(Request { xid, op, record });
        if op == Op::SET_ACL {
            // A genuine server judges what is sent behind a setACL by the old list or by the new
            // one, as it happens to have been applied or not. Ours always sees the new one.
            break;
        }
    }
    requests
}

/// Cuts, lengthens or spoils a record now and then.
fn garble(rng: &mut Rng, op: Op, record: &mut Vec<u8>) {
    if matches!(op, Op::PING | Op::WHO_AM_I) {
        return;
    }
    match rng.below(50) {
        0 => {
            let kept = rng.below(record.len() + 1);
            record.truncate(kept);
        }
        1 => {
            let count = 1 + rng.below(9);
            record.extend(rng.bytes(count));
        }
        2 => {
            let count = rng.below(30);
            *record = rng.bytes(count);
        }
        3 if record.len() >= 4 => {
            let at = rng.below(record.len() - 3);
            let odd: [[u8; 4]; 4] = [[0xff; 4], [0xff, 0xff, 0xff, 0xfe], [0x7f; 4], [0; 4]];
            record[at..at + 4].copy_from_slice(&odd[rng.below(odd.len())]);
        }
        _ => {}
    }
}

fn put(rng: &mut Rng, seen: &Seen, op: Op, out: &mut Vec<u8>) {
    match op {
        Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER | Op::CREATE_TTL => {
            put_create(rng, seen, op, out);
        }
        Op::EXISTS | Op::GET_DATA | Op::GET_CHILDREN | Op::GET_CHILDREN2 => {
            out.put_buffer(value::path(rng, seen).as_deref());
            out.put_boolean(rng.one_in(2));
        }
        Op::DELETE | Op::CHECK => {
            out.put_buffer(value::path(rng, seen).as_deref());
            out.put_int(value::version(rng));
        }
        Op::SET_DATA => put_set_data(rng, seen, out),
        Op::SET_ACL => {
            out.put_buffer(value::path(rng, seen).as_deref());
            value::put_acl(rng, out);
            out.put_int(value::version(rng));
        }
        Op::GET_ACL | Op::SYNC | Op::GET_EPHEMERALS | Op::GET_ALL_CHILDREN_NUMBER => {
            out.put_buffer(value::path(rng, seen).as_deref());
        }
        Op::MULTI | Op::MULTI_READ => put_multi(rng, seen, op, out),
        Op::CHECK_WATCHES | Op::REMOVE_WATCHES | Op::ADD_WATCH => {
            out.put_buffer(value::path(rng, seen).as_deref());
            let good = if op == Op::ADD_WATCH { 2 } else { 6 };
            let odd = *rng.pick(&[-1, 2, 6, 7, i32::MIN]);
            out.put_int(if rng.one_in(12) { odd } else { rng.below(good) as i32 });
        }
        Op::SET_WATCHES | Op::SET_WATCHES2 => {
            let recent = seen.zxid - rng.below(40) as i64;
            out.put_long(*rng.pick(&[0, -1, recent, recent, recent, i64::MAX]));
            for _ in 0..if op == Op::SET_WATCHES { 3 } else { 5 } {
                value::put_paths(rng, out);
            }
        }
        Op::RECONFIG => {
            out.put_ustring(*rng.pick(&[None, Some("server.2=127.0.0.1:1:2;3"), Some("")]));
            out.put_ustring(*rng.pick(&[None, Some("1"), Some("x")]));
            out.put_ustring(*rng.pick(&[None, None, Some("server.1=x")]));
            out.put_long(*rng.pick(&[-1, 0, 5]));
        }
        _ => {}
    }
}

fn quota_limits(path: &Option<Vec<u8>>) -> bool {
    path.as_ref().is_some_and(|path| path.ends_with(b"/zookeeper_limits"))
}

fn put_create(rng: &mut Rng, seen: &Seen, op: Op, out: &mut Vec<u8>) {
    let path = value::path(rng, seen);
    let data = match quota_limits(&path) {
        true => Some(value::quota_text(rng)),
        false => value::data(rng),
    };
    out.put_buffer(path.as_deref());
    out.put_buffer(data.as_deref());
    value::put_acl(rng, out);
    let flags = match op {
        Op::CREATE_TTL => *rng.weighted(&[(10, 5), (6, 6), (1, 0), (1, 3), (1, 4), (1, 7)]),
        Op::CREATE_CONTAINER => *rng.weighted(&[(10, 4), (1, 0), (1, 1), (1, 2), (1, 5), (1, 9)]),
        _ => *rng.weighted(&[
            (20, 0),
            (7, 1),
            (5, 2),
            (3, 3),
            (1, 4),
            (1, 5),
            (1, 6),
            (1, 7),
            (1, -1),
        ]),
    };
    out.put_int(flags);
    if op == Op::CREATE_TTL {
        // Nothing may end by itself during a run: the smallest good TTL is a day.
        out.put_long(*rng.weighted(&[
            (12, 86_400_000),
            (2, (1 << 40) - 1),
            (1, 1 << 40),
            (1, 0),
            (1, -1),
            (1, i64::MIN),
        ]));
    }
}

fn put_set_data(rng: &mut Rng, seen: &Seen, out: &mut Vec<u8>) {
    let path = value::path(rng, seen);
    let data = match quota_limits(&path) {
        true => Some(value::quota_text(rng)),
        false => value::data(rng),
    };
    out.put_buffer(path.as_deref());
    out.put_buffer(data.as_deref());
    out.put_int(value::version(rng));
}

fn put_multi(rng: &mut Rng, seen: &Seen, op: Op, out: &mut Vec<u8>) {
    const WRITES: &[(u32, Op)] = &[
        (6, Op::CREATE),
        (4, Op::CREATE2),
        (2, Op::CREATE_CONTAINER),
        (2, Op::CREATE_TTL),
        (5, Op::DELETE),
        (5, Op::SET_DATA),
        (4, Op::CHECK),
    ];
    const READS: &[(u32, Op)] = &[(3, Op::GET_DATA), (2, Op::GET_CHILDREN)];
    const ODD: &[Op] = &[Op::GET_DATA, Op::EXISTS, Op::SET_ACL, Op(-1), Op(0), Op::MULTI];
    for _ in 0..rng.below(5) {
        let sub = match op {
            _ if rng.one_in(60) => *rng.pick(ODD),
            Op::MULTI => *rng.weighted(WRITES),
            _ => *rng.weighted(READS),
        };
        let code = if rng.one_in(20) { 3 } else { -1 };
        encode_header(out, sub.0, false, code);
        put(rng, seen, sub, out);
    }
    if !rng.one_in(40) {
        encode_end(out);
    }
}

/// Requests that leave a genuine server unusable, or that need a probe of their own (see `known`).
fn breaks_java(op: Op, record: &[u8]) -> bool {
    let mut reader = Reader::new(record);
    match op {
        // A create of the TTL kind without a TTL passes the checks and kills the server's apply.
        Op::CREATE_TTL => CreateRequest::decode_ttl(&mut reader).is_ok_and(|create| {
            create.ttl_ms < 0 || quota_breaks(create.path.as_deref().unwrap_or(""), create.data)
        }),
        Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER => CreateRequest::decode(&mut reader)
            .is_ok_and(|c| quota_breaks(c.path.as_deref().unwrap_or(""), c.data)),
        Op::SET_DATA => SetDataRequest::decode(&mut reader)
            .is_ok_and(|set| quota_breaks(set.path.as_deref().unwrap_or(""), set.data)),
        Op::MULTI => sub_records(record).any(|(op, record)| breaks_java(op, record)),
        _ => false,
    }
}

/// Every place of a multi at which a record may begin, read as leniently as it goes.
fn sub_records(record: &[u8]) -> impl Iterator<Item = (Op, &[u8])> {
    record.windows(9).enumerate().filter_map(|(at, header)| {
        let op = i32::from_be_bytes(header[..4].try_into().expect("four bytes"));
        let op = Op(op);
        let writes = matches!(
            op,
            Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER | Op::CREATE_TTL | Op::SET_DATA
        );
        writes.then_some((op, &record[at + 9..]))
    })
}

/// Texts of quota nodes that Java's parser throws on while it applies a transaction.
fn quota_breaks(path: &str, data: Option<&[u8]>) -> bool {
    if path.ends_with("zookeeper_stats") {
        return true;
    }
    path.ends_with("zookeeper_limits") && !data.is_some_and(|data| data.starts_with(b"count="))
}

/// A handshake for a slot that has a session or has none.
pub fn handshake(rng: &mut Rng, seen: &Seen, has_session: bool) -> Handshake {
    let whom = match has_session {
        true => *rng.weighted(&[(10, Whom::Own), (1, Whom::Unknown)]),
        false => *rng.weighted(&[(20, Whom::New), (1, Whom::Unknown)]),
    };
    let password = match whom {
        Whom::Own => *rng.weighted(&[
            (20, Password::Right),
            (2, Password::Wrong),
            (1, Password::Null),
            (1, Password::Short),
        ]),
        _ => *rng.pick(&[Password::Right, Password::Wrong, Password::Null, Password::Short]),
    };
    let ahead = seen.zxid + 1_000_000;
    Handshake {
        whom,
        password,
        timeout_ms: *rng.pick(&[0, -1, 1, 700_000, 650_000, i32::MAX]),
        last_zxid: *rng.weighted(&[(10, 0), (5, seen.zxid), (1, -1), (1, ahead)]),
        read_only: *rng.weighted(&[(6, Some(false)), (3, None), (1, Some(true))]),
        version: *rng.weighted(&[(9, 0), (1, 7)]),
        cut: if rng.one_in(40) { 1 + rng.below(44) } else { 0 },
    }
}
