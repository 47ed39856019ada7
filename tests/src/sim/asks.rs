//! What simulated clients ask for: chance makes requests, and their bytes and answers are translated
//! between the wire and the records of a history.

use std::collections::BTreeSet;

use zk_wire::header::{ReplyHeader, RequestHeader};
use zk_wire::jute::{Reader, Result};
use zk_wire::multi::{encode_end, encode_header};
use zk_wire::request::{
    ReconfigRequest, encode_create, encode_path, encode_path_int, encode_path_watch,
    encode_set_data,
};
use zk_wire::{Acl, Code, Op, Stat, Writer};

use crate::drive::model::{Answer, Change};
use crate::history::{Reply, Request};
use crate::rng::Rng;

/// Znodes that all clients meet at.
const PATHS: [&str; 6] = ["/a", "/b", "/a/x", "/a/y", "/b/x", "/c"];

/// A request of chance. `call` makes its data unlike all other.
pub fn request(rng: &mut Rng, call: u64, seen: &[(String, i32)]) -> Request {
    match rng.below(24) {
        0..=8 => Request::Change(change(rng, call, seen)),
        9..=10 => {
            let mut changes: Vec<Change> =
                (0..=rng.below(3)).map(|_| change(rng, call, seen)).collect();
            if rng.one_in(2) {
                changes.insert(0, Change::Check(path(rng, seen), -1));
            }
            Request::Multi(changes)
        }
        _ => read(rng, seen),
    }
}

/// A read of chance, or a sync.
pub fn read(rng: &mut Rng, seen: &[(String, i32)]) -> Request {
    let watch = rng.one_in(2);
    match rng.below(13) {
        0..=3 => Request::GetData(path(rng, seen), watch),
        4..=5 => Request::Exists(path(rng, seen), watch),
        6..=7 if rng.one_in(4) => Request::Children("/".to_owned(), watch),
        6..=8 => Request::Children(path(rng, seen), watch),
        _ => Request::Sync,
    }
}

fn path(rng: &mut Rng, seen: &[(String, i32)]) -> String {
    match rng.below(4) {
        0 if !seen.is_empty() => rng.pick(seen).0.clone(),
        _ => (*rng.pick(&PATHS)).to_owned(),
    }
}

fn change(rng: &mut Rng, call: u64, seen: &[(String, i32)]) -> Change {
    let path = path(rng, seen);
    let data = Some(format!("{call}").into_bytes());
    let have = seen.iter().find(|(known, _)| *known == path).map_or(0, |(_, version)| *version);
    let version = *rng.weighted(&[(4, -1), (3, have), (1, have + 1)]);
    match rng.below(19) {
        0..=2 => Change::Create(Op::CREATE, path, data, 0, -1),
        3..=4 => Change::Create(Op::CREATE2, path, data, 1, -1),
        5..=6 => Change::Create(Op::CREATE, format!("{path}/n-"), data, 2, -1),
        7 => Change::Create(Op::CREATE2, format!("{path}/e-"), data, 3, -1),
        8 => Change::Create(Op::CREATE_CONTAINER, path, data, 4, -1),
        18 => {
            let ttl_ms = *rng.pick(&[200, 2_000, 20_000]);
            match rng.one_in(2) {
                true => Change::Create(Op::CREATE_TTL, path, data, 5, ttl_ms),
                false => Change::Create(Op::CREATE_TTL, format!("{path}/t-"), data, 6, ttl_ms),
            }
        }
        9..=12 => Change::Delete(path, version),
        _ => Change::SetData(path, data, version),
    }
}

fn op_of(change: &Change) -> Op {
    match change {
        Change::Create(op, ..) => *op,
        Change::Delete(..) => Op::DELETE,
        Change::SetData(..) => Op::SET_DATA,
        Change::Check(..) => Op::CHECK,
    }
}

fn encode_change(change: &Change, out: &mut Vec<u8>) {
    match change {
        Change::Create(op, path, data, flags, ttl_ms) => {
            let ttl_ms = (*op == Op::CREATE_TTL).then_some(*ttl_ms);
            encode_create(out, path, data.as_deref(), &Acl::open(), *flags, ttl_ms);
        }
        Change::Delete(path, version) | Change::Check(path, version) => {
            encode_path_int(out, path, *version);
        }
        Change::SetData(path, data, version) => {
            encode_set_data(out, path, data.as_deref(), *version);
        }
    }
}

/// The body of a request's frame.
pub fn encode(xid: i32, request: &Request, out: &mut Vec<u8>) {
    let mut header = |op| RequestHeader { xid, op }.encode(out);
    match request {
        Request::Change(change) => {
            header(op_of(change));
            encode_change(change, out);
        }
        Request::Multi(changes) => {
            header(Op::MULTI);
            for change in changes {
                encode_header(out, op_of(change).0, false, -1);
                encode_change(change, out);
            }
            encode_end(out);
        }
        Request::GetData(path, watch) => {
            header(Op::GET_DATA);
            encode_path_watch(out, path, *watch);
        }
        Request::Exists(path, watch) => {
            header(Op::EXISTS);
            encode_path_watch(out, path, *watch);
        }
        Request::Children(path, watch) => {
            header(Op::GET_CHILDREN2);
            encode_path_watch(out, path, *watch);
        }
        Request::Reconfig(joining, leaving) => {
            header(Op::RECONFIG);
            let (joining, leaving) = (Some(joining.into()), Some(leaving.into()));
            ReconfigRequest { joining, leaving, members: None, config_id: -1 }.encode(out);
        }
        Request::Sync => {
            header(Op::SYNC);
            encode_path(out, "/");
        }
        Request::Close => header(Op::CLOSE_SESSION),
    }
}

fn answer(op: Op, reader: &mut Reader<'_>) -> Result<Answer> {
    Ok(match op {
        Op::CREATE => Answer::Created(reader.string("path")?.into_owned(), None),
        Op::CREATE2 | Op::CREATE_CONTAINER | Op::CREATE_TTL => {
            let path = reader.string("path")?.into_owned();
            Answer::Created(path, Some(Stat::decode(reader)?))
        }
        Op::SET_DATA => Answer::Changed(Stat::decode(reader)?),
        _ => Answer::Done,
    })
}

fn multi(reader: &mut Reader<'_>) -> Result<Reply> {
    let (mut answers, mut failed) = (Vec::new(), None);
    for at in 0.. {
        let op = reader.int("MultiHeader.type")?;
        let done = reader.boolean("MultiHeader.done")?;
        reader.int("MultiHeader.err")?;
        if done {
            break;
        }
        if op == -1 {
            let code = Code(reader.int("ErrorResult.err")?);
            // Those before the failed one say OK, those behind it that they were not tried.
            if code != Code::OK && failed.is_none() {
                failed = Some((at, code));
            }
        } else {
            answers.push(answer(Op(op), reader)?);
        }
    }
    Ok(match failed {
        Some((at, code)) => Reply::MultiFailed(at, code),
        None => Reply::Multi(answers),
    })
}

/// Reads the answer to a request; the reader stands behind the header.
pub fn decode(request: &Request, header: &ReplyHeader, reader: &mut Reader<'_>) -> Result<Reply> {
    if header.code != Code::OK && !matches!(request, Request::Multi(_)) {
        return Ok(Reply::Failed(header.code));
    }
    Ok(match request {
        Request::Change(change) => Reply::Changed(answer(op_of(change), reader)?),
        Request::Multi(_) if reader.is_empty() => Reply::Failed(header.code),
        Request::Multi(_) => multi(reader)?,
        Request::GetData(..) | Request::Reconfig(..) => {
            let data = reader.buffer("data")?.map(<[u8]>::to_vec);
            Reply::Data(data, Stat::decode(reader)?)
        }
        Request::Exists(..) => Reply::Stat(Stat::decode(reader)?),
        Request::Children(..) => {
            let names = reader.strings("children")?.unwrap_or_default();
            let names: BTreeSet<String> = names.into_iter().map(|name| name.into_owned()).collect();
            Reply::Children(names, Stat::decode(reader)?)
        }
        Request::Sync | Request::Close => Reply::Done,
    })
}

/// The body of an addWatch.
pub fn encode_add_watch(xid: i32, path: &str, recursive: bool, out: &mut Vec<u8>) {
    RequestHeader { xid, op: Op::ADD_WATCH }.encode(out);
    out.put_string(path);
    out.put_int(i32::from(recursive));
}
