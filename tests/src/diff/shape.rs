//! Replies as comparable lines: everything that two servers may rightly differ in is replaced by
//! what it stands for, and nothing else is lost.

use std::collections::BTreeMap;

use zk_wire::connect::ConnectResponse;
use zk_wire::jute::Result;
use zk_wire::{Op, Reader, Stat};

use crate::diff::text;
use crate::raw::Reply;

/// What the ids and times of one server stand for.
#[derive(Debug, Default)]
pub struct Names {
    sessions: Vec<i64>,
    times: BTreeMap<i64, i64>,
}

impl Names {
    /// A session by its place in the order of creation.
    fn session(&mut self, id: i64) -> String {
        if id == 0 {
            return "0".to_owned();
        }
        let place = self.sessions.iter().position(|known| *known == id);
        let place = place.unwrap_or_else(|| {
            self.sessions.push(id);
            self.sessions.len() - 1
        });
        format!("S{place}")
    }

    /// A time by the zxid that set it: all times of one transaction are the same.
    fn time(&mut self, zxid: i64, time_ms: i64) -> String {
        if time_ms == 0 {
            return "0".to_owned();
        }
        match *self.times.entry(zxid).or_insert(time_ms) {
            known if known == time_ms => format!("T({zxid})"),
            known => format!("T({zxid}){:+}", time_ms - known),
        }
    }

    fn stat(&mut self, reader: &mut Reader<'_>) -> Result<String> {
        let stat = Stat::decode(reader)?;
        let ctime = self.time(stat.czxid, stat.ctime_ms);
        let mtime = self.time(stat.mzxid, stat.mtime_ms);
        let owner = self.session(stat.ephemeral_owner);
        Ok(format!(
            "stat(czxid={} mzxid={} pzxid={} ctime={ctime} mtime={mtime} version={} cversion={} \
             aversion={} owner={owner} length={} children={})",
            stat.czxid,
            stat.mzxid,
            stat.pzxid,
            stat.version,
            stat.cversion,
            stat.aversion,
            stat.data_length,
            stat.num_children
        ))
    }

    /// The answer to a handshake.
    pub fn connected(&mut self, response: &ConnectResponse) -> String {
        let id = self.session(response.session_id);
        let expected = match response.session_id {
            0 => vec![0; 16],
            id => zk_wire::connect::session_password(id).to_vec(),
        };
        let password = match response.password == expected {
            true => "right".to_owned(),
            false => text::bytes(&response.password),
        };
        format!(
            "connected version={} timeout={} session={id} password={password} read_only={:?}",
            response.protocol_version, response.timeout_ms, response.read_only
        )
    }

    /// A reply to `op`, or an event.
    pub fn reply(&mut self, op: Option<Op>, reply: &Reply) -> String {
        let header = reply.header;
        let mut line = format!("xid={} zxid={} {}", header.xid, header.zxid.0, header.code);
        if let Some(op) = op {
            line = format!("{} {line}", op.name().unwrap_or("unknown"));
        }
        let mut reader = Reader::new(&reply.record);
        let read = match op {
            None if header.xid == -1 => event(&mut reader),
            Some(op) if header.code.0 == 0 => self.record(op, &mut reader),
            // A multiRead that fails on its way is answered with what it had read so far.
            Some(Op::MULTI_READ) if !reader.is_empty() => self.multi(&mut reader),
            _ => Ok(String::new()),
        };
        match read {
            Ok(text) => {
                line.push(' ');
                line.push_str(&text);
                if !reader.is_empty() {
                    line.push_str(&format!(" more={}", text::bytes(reader.rest())));
                }
            }
            Err(error) => {
                line.push_str(&format!(" undecodable ({error}) {}", text::bytes(&reply.record)));
            }
        }
        line
    }

    fn record(&mut self, op: Op, reader: &mut Reader<'_>) -> Result<String> {
        Ok(match op {
            Op::CREATE | Op::SYNC | Op::SASL => text::nullable(reader.buffer("text")?),
            Op::CREATE2 | Op::CREATE_CONTAINER | Op::CREATE_TTL | Op::GET_DATA | Op::RECONFIG => {
                let value = text::nullable(reader.buffer("value")?);
                format!("{value} {}", self.stat(reader)?)
            }
            Op::EXISTS | Op::SET_DATA | Op::SET_ACL => self.stat(reader)?,
            Op::GET_ACL => {
                let acl = acl(reader)?;
                format!("{acl} {}", self.stat(reader)?)
            }
            Op::GET_CHILDREN | Op::GET_EPHEMERALS => strings(reader, 1)?,
            Op::GET_CHILDREN2 => {
                let names = strings(reader, 1)?;
                format!("{names} {}", self.stat(reader)?)
            }
            Op::WHO_AM_I => strings(reader, 2)?,
            Op::GET_ALL_CHILDREN_NUMBER | Op::ADD_WATCH => reader.int("number")?.to_string(),
            Op::MULTI | Op::MULTI_READ => self.multi(reader)?,
            _ => String::new(),
        })
    }

    fn multi(&mut self, reader: &mut Reader<'_>) -> Result<String> {
        let mut out = String::new();
        loop {
            let op = reader.int("type")?;
            let done = reader.boolean("done")?;
            let code = reader.int("err")?;
            out.push_str(&format!("[{op} {done} {code}"));
            if done {
                out.push(']');
                return Ok(out);
            }
            let record = match Op(op) {
                Op::ERROR => reader.int("err")?.to_string(),
                op => self.record(op, reader)?,
            };
            out.push_str(&format!(" {record}] "));
        }
    }
}

fn event(reader: &mut Reader<'_>) -> Result<String> {
    let kind = reader.int("type")?;
    let state = reader.int("state")?;
    let path = text::nullable(reader.buffer("path")?);
    Ok(format!("event type={kind} state={state} {path}"))
}

/// A list without an order, each entry of so many strings.
fn strings(reader: &mut Reader<'_>, each: usize) -> Result<String> {
    let Some(count) = reader.count("strings")? else { return Ok("null".to_owned()) };
    let mut list = Vec::new();
    for _ in 0..count {
        let mut entry = Vec::new();
        for _ in 0..each {
            entry.push(text::nullable(reader.buffer("string")?));
        }
        list.push(entry.join(":"));
    }
    list.sort();
    Ok(format!("[{}]", list.join(", ")))
}

/// An ACL in its order, but for neighbours of one scheme with the same permissions: `auth` becomes
/// the identities of the connection in the order of a hash set.
fn acl(reader: &mut Reader<'_>) -> Result<String> {
    let Some(count) = reader.count("acl")? else { return Ok("null".to_owned()) };
    let mut list: Vec<(i32, String, String)> = Vec::new();
    let mut run = 0;
    for _ in 0..count {
        let perms = reader.int("perms")?;
        let scheme = text::nullable(reader.buffer("scheme")?);
        if list.last().is_some_and(|last| (last.0, &last.1) != (perms, &scheme)) {
            run = list.len();
        }
        list.push((perms, scheme, text::nullable(reader.buffer("id")?)));
        list[run..].sort();
    }
    let list: Vec<String> = list.iter().map(|(p, s, id)| format!("{p}:{s}:{id}")).collect();
    Ok(format!("[{}]", list.join(", ")))
}
