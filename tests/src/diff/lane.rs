//! One side of the comparison: a server, the sessions on it, and what they said.

use zk_wire::connect::{ConnectRequest, ConnectResponse, session_password};
use zk_wire::{Op, Reader};

use crate::diff::plan::{Handshake, Password, Request, Whom};
use crate::diff::shape::Names;
use crate::raw::{PATIENCE, Raw, Reply, framed, request};
use crate::server::Server;

/// Where a slot stands.
#[derive(Debug, Default)]
struct Slot {
    session: Option<ConnectResponse>,
    raw: Option<Raw>,
}

/// What came back on a connection, made comparable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// One line for each reply and event, and one for the end of the connection.
    pub lines: Vec<String>,
    /// The paths of answers to creates.
    pub created: Vec<Vec<u8>>,
    /// The newest zxid in a header.
    pub zxid: i64,
}

/// A server and its sessions.
#[derive(Debug)]
pub struct Lane {
    /// The process; it is stopped with the lane.
    pub server: Server,
    slots: Vec<Slot>,
    names: Names,
}

/// The line for a connection that the server has ended.
pub const CLOSED: &str = "closed";
/// The line for a server that does not answer.
pub const SILENT: &str = "silent";

impl Lane {
    /// A lane with so many slots.
    pub fn new(server: Server, slots: usize) -> Lane {
        let slots = (0..slots).map(|_| Slot::default()).collect();
        Lane { server, slots, names: Names::default() }
    }

    /// Whether the slot has a connection.
    pub fn live(&self, slot: usize) -> bool {
        self.slots[slot].raw.is_some()
    }

    /// Whether the slot has a session, connected or not.
    pub fn has_session(&self, slot: usize) -> bool {
        self.slots[slot].session.is_some()
    }

    /// Drops the connection; the session stays.
    pub fn hang_up(&mut self, slot: usize) {
        self.slots[slot].raw = None;
    }

    /// Sends requests and a ping behind them.
    pub fn send(&mut self, slot: usize, requests: &[Request]) {
        let mut bytes = Vec::new();
        for r in requests {
            bytes.extend_from_slice(&framed(&request(r.xid, r.op, &r.record)));
        }
        bytes.extend_from_slice(&framed(&request(-2, Op::PING, &[])));
        self.raw(slot).send(&bytes);
    }

    /// Sends one request and nothing behind it.
    pub fn send_alone(&mut self, slot: usize, r: &Request) {
        self.raw(slot).send_request(r.xid, r.op, &r.record);
    }

    fn raw(&mut self, slot: usize) -> &mut Raw {
        self.slots[slot].raw.as_mut().expect("a live slot")
    }

    /// Reads until the ping behind the requests is answered, or the connection ends. `unordered`
    /// when a session ends in this step: its ephemerals go in no order, all under one zxid.
    pub fn collect(&mut self, slot: usize, requests: &[Request], unordered: bool) -> Said {
        let mut pongs = 1 + requests.iter().filter(|r| r.op == Op::PING).count();
        let mut asked = requests.iter().filter(|r| r.op != Op::PING).map(|r| r.op);
        let mut said = Said::default();
        let mut run: (i64, usize) = (0, 0);
        while pongs > 0 {
            let Some(reply) = self.next(slot, &mut said) else { break };
            let op = match reply.header.xid {
                -1 => None,
                -2 => {
                    pongs -= 1;
                    Some(Op::PING)
                }
                _ => asked.next(),
            };
            self.note(op, &reply, &mut said);
            if op.is_some() || !unordered || run.0 != reply.header.zxid.0 {
                run = (reply.header.zxid.0, said.lines.len() - 1);
            }
            said.lines[run.1..].sort();
        }
        said
    }

    /// Reads the answer to a request that was sent alone; then the end of the connection where the
    /// answer announces it, else the answer to another ping.
    pub fn collect_alone(&mut self, slot: usize, r: &Request) -> Said {
        let mut said = Said::default();
        let mut last = 0;
        while let Some(reply) = self.next(slot, &mut said) {
            let op = (reply.header.xid != -1).then_some(r.op);
            self.note(op, &reply, &mut said);
            last = reply.header.code.0;
            if op.is_some() {
                break;
            }
        }
        if r.op == Op::CLOSE_SESSION {
            said.lines.sort();
        }
        if self.slots[slot].raw.is_some() {
            if last == 0 && r.op != Op::CLOSE_SESSION {
                self.send(slot, &[]);
                let rest = self.collect(slot, &[], false);
                said.lines.extend(rest.lines);
            } else if let Some(reply) = self.next(slot, &mut said) {
                self.note(Some(r.op), &reply, &mut said);
            }
        }
        if r.op == Op::CLOSE_SESSION {
            self.slots[slot] = Slot::default();
        }
        said
    }

    /// The next frame; the end of the connection becomes a line.
    fn next(&mut self, slot: usize, said: &mut Said) -> Option<Reply> {
        match self.raw(slot).frame_within(PATIENCE) {
            Ok(Some(frame)) => Some(Reply::parse(&frame)),
            ended => {
                let line = if ended.is_ok() { CLOSED } else { SILENT };
                said.lines.push(line.to_owned());
                self.slots[slot].raw = None;
                None
            }
        }
    }

    fn note(&mut self, op: Option<Op>, reply: &Reply, said: &mut Said) {
        said.zxid = said.zxid.max(reply.header.zxid.0);
        if let (Some(Op::CREATE | Op::CREATE2), 0) = (op, reply.header.code.0)
            && let Ok(Some(path)) = Reader::new(&reply.record).buffer("path")
        {
            said.created.push(path.to_vec());
        }
        said.lines.push(self.names.reply(op, reply));
    }

    /// Connects and sends a handshake. A connection that the slot has is left open until
    /// [`Lane::shaken`].
    pub fn shake(&mut self, slot: usize, how: &Handshake) -> Raw {
        let mut raw = Raw::open(self.server.address());
        let own = self.slots[slot].session.as_ref();
        let (id, right) = match (how.whom, own) {
            (Whom::Own, Some(session)) => (session.session_id, session.password.clone()),
            (Whom::Unknown, _) => (0x7777, session_password(0x7777).to_vec()),
            _ => (0, vec![0; 16]),
        };
        let password = match how.password {
            Password::Right => Some(right.as_slice()),
            Password::Wrong => Some(&[0x5a; 16][..]),
            Password::Null => None,
            Password::Short => Some(&[1, 2, 3][..]),
        };
        let mut body = Vec::new();
        ConnectRequest {
            protocol_version: how.version,
            last_zxid_seen: how.last_zxid,
            timeout_ms: how.timeout_ms,
            session_id: id,
            password,
            read_only: how.read_only,
        }
        .encode(&mut body);
        body.truncate(body.len() - how.cut.min(body.len()));
        raw.send_frame(&body);
        raw
    }

    /// Reads the answer to a handshake, and what becomes of the slot's older connection.
    pub fn shaken(&mut self, slot: usize, how: &Handshake, mut raw: Raw) -> Said {
        let mut said = Said::default();
        let response = match raw.frame_within(PATIENCE) {
            Ok(Some(frame)) => ConnectResponse::decode(&mut Reader::new(&frame)).ok(),
            Ok(None) => None,
            Err(_) => {
                said.lines.push(SILENT.to_owned());
                return said;
            }
        };
        let Some(response) = response else {
            said.lines.push(CLOSED.to_owned());
            return said;
        };
        said.lines.push(self.names.connected(&response));
        if response.session_id == 0 {
            let ended = raw.frame_within(PATIENCE);
            said.lines.push(if ended == Ok(None) { CLOSED } else { SILENT }.to_owned());
        }
        if how.whom == Whom::Own
            && let Some(mut old) = self.slots[slot].raw.take()
        {
            let ended = old.frame_within(PATIENCE);
            said.lines.push(format!("older connection ended: {}", ended == Ok(None)));
        }
        if response.session_id != 0 {
            self.slots[slot] = Slot { session: Some(response), raw: Some(raw) };
        }
        said
    }
}
