//! The requests and replies of a history as bytes on a connection.

use std::collections::BTreeSet;

use zk_wire::{Code, Op, Reader, Stat};

use crate::drive::model::{Answer, Change};
use crate::history::{Reply, Request};
use crate::{raw, record};

/// The result of what was not tried because another part of the multi failed.
const NOT_TRIED: [Code; 2] = [Code::OK, Code::RUNTIME_INCONSISTENCY];

/// The operation and the record of a request.
pub fn encode(request: &Request) -> (Op, Vec<u8>) {
    match request {
        Request::Change(change) => encode_change(change),
        Request::Multi(changes) => {
            let parts: Vec<(Op, Vec<u8>)> = changes.iter().map(encode_change).collect();
            (Op::MULTI, record::multi(&parts))
        }
        Request::GetData(path, watch) => (Op::GET_DATA, record::path_watch(path, *watch)),
        Request::Exists(path, watch) => (Op::EXISTS, record::path_watch(path, *watch)),
        Request::Children(path, watch) => (Op::GET_CHILDREN2, record::path_watch(path, *watch)),
        Request::Reconfig(joining, leaving) => {
            (Op::RECONFIG, record::reconfigure(Some(joining), Some(leaving), None, -1))
        }
        Request::Sync => (Op::SYNC, record::path("/")),
        Request::Close => (Op::CLOSE_SESSION, Vec::new()),
    }
}

fn encode_change(change: &Change) -> (Op, Vec<u8>) {
    match change {
        Change::Create(op, path, data, flags, _) => {
            (*op, record::create(path, data.as_deref().unwrap_or_default(), *flags))
        }
        Change::Delete(path, version) => (Op::DELETE, record::path_int(path, *version)),
        Change::SetData(path, data, version) => {
            (Op::SET_DATA, record::set_data(path, data.as_deref(), *version))
        }
        Change::Check(path, version) => (Op::CHECK, record::path_int(path, *version)),
    }
}

/// What the answer to a request says.
pub fn decode(request: &Request, reply: &raw::Reply) -> Reply {
    let mut reader = Reader::new(&reply.record);
    let reader = &mut reader;
    match request {
        Request::Multi(changes) if !reader.is_empty() => decode_multi(changes, reader),
        _ if reply.header.code != Code::OK => Reply::Failed(reply.header.code),
        Request::Change(change) => Reply::Changed(decode_answer(change, reader)),
        Request::Multi(_) => panic!("a multi is answered with nothing"),
        Request::GetData(..) | Request::Reconfig(..) => {
            let data = reader.buffer("data").expect("data").map(<[u8]>::to_vec);
            Reply::Data(data, stat(reader))
        }
        Request::Exists(..) => Reply::Stat(stat(reader)),
        Request::Children(..) => {
            let names = reader.strings("children").expect("children").unwrap_or_default();
            let names: BTreeSet<String> = names.iter().map(|name| name.to_string()).collect();
            Reply::Children(names, stat(reader))
        }
        Request::Sync | Request::Close => Reply::Done,
    }
}

fn stat(reader: &mut Reader<'_>) -> Stat {
    Stat::decode(reader).expect("a stat")
}

fn decode_answer(change: &Change, reader: &mut Reader<'_>) -> Answer {
    match change {
        Change::Create(op, ..) => {
            let path = reader.string("path").expect("a path").into_owned();
            Answer::Created(path, (*op != Op::CREATE).then(|| stat(reader)))
        }
        Change::SetData(..) => Answer::Changed(stat(reader)),
        Change::Delete(..) | Change::Check(..) => Answer::Done,
    }
}

fn decode_multi(changes: &[Change], reader: &mut Reader<'_>) -> Reply {
    let (mut answers, mut failed) = (Vec::new(), None);
    for (at, change) in changes.iter().enumerate() {
        let op = Op(reader.int("type").expect("a header"));
        assert!(!reader.boolean("done").expect("a header"), "a result is missing");
        reader.int("err").expect("a header");
        if op == Op::ERROR {
            let code = Code(reader.int("err").expect("an error"));
            if !NOT_TRIED.contains(&code) {
                failed = failed.or(Some((at, code)));
            }
        } else {
            answers.push(decode_answer(change, reader));
        }
    }
    match failed {
        Some((at, code)) => Reply::MultiFailed(at, code),
        None => Reply::Multi(answers),
    }
}
