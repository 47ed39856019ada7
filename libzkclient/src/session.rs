//! One session on one connection, as bytes in and bytes out.
//!
//! Frames to send are appended to a buffer of the caller; received bytes are handed in and come out
//! as [`Incoming`]. Replies are matched to requests first in, first out, and a reply that breaks
//! that order is an error: a server that lost count cannot be believed. Knows no socket and no
//! clock: time is milliseconds that only grow, given by the caller.

use std::collections::VecDeque;

use zk_wire::connect::{ConnectRequest, ConnectResponse, PASSWORD_BYTES};
use zk_wire::frame::{self, Cut};
use zk_wire::header::{ReplyHeader, RequestHeader, xid};
use zk_wire::watch::WatcherEvent;
use zk_wire::{Code, Op, Reader, Zxid};

use crate::error::{Error, Result};

/// Largest reply that is accepted, in bytes.
pub const REPLY_BYTES_MAX: usize = 64 << 20;

/// What a session is, apart from the connection that carries it: enough to go on with it elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id that the server gave; 0 before there is one.
    pub id: i64,
    /// The password that the server gave.
    pub password: Vec<u8>,
    /// The newest zxid seen in a reply or event.
    pub last_zxid: Zxid,
}

impl Identity {
    /// A session that is still to be made.
    pub fn new() -> Identity {
        Identity { id: 0, password: vec![0; PASSWORD_BYTES], last_zxid: Zxid::ZERO }
    }
}

impl Default for Identity {
    fn default() -> Identity {
        Identity::new()
    }
}

/// A watch event as the server sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The zxid of the change; -1 for what a reconnected client had missed.
    pub zxid: Zxid,
    /// What happened, see `zk_wire::watch::event`.
    pub kind: i32,
    /// Where.
    pub path: String,
}

/// What a received frame means.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// The handshake is done; the session is new or goes on.
    Connected,
    /// The answer to the oldest request that had none.
    Reply {
        /// Header with xid, zxid and error number.
        header: ReplyHeader,
        /// The operation that was asked for.
        op: Op,
        /// The record behind the header; empty on most errors.
        body: &'a [u8],
    },
    /// Something that was watched has changed.
    Watch(Watch),
    /// The server is alive.
    Pong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Connecting,
    Connected,
}

/// The protocol of one connection.
#[derive(Debug)]
pub struct Session {
    identity: Identity,
    state: State,
    timeout_ms: i32,
    pending: VecDeque<(i32, Op)>,
    next_xid: i32,
    sent_ms: u64,
    heard_ms: u64,
    read_only: Option<bool>,
}

impl Session {
    /// A session that asks for `timeout_ms`; with an id in `identity` it goes on with that one.
    pub fn new(identity: Identity, timeout_ms: i32) -> Session {
        Session {
            identity,
            state: State::Start,
            timeout_ms,
            pending: VecDeque::new(),
            next_xid: 1,
            sent_ms: 0,
            heard_ms: 0,
            read_only: None,
        }
    }

    /// Who this is; what a reattach needs.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The timeout that was asked for, or after the handshake the one that the server granted.
    pub fn timeout_ms(&self) -> i32 {
        self.timeout_ms
    }

    /// Whether the server said that it is read-only; `None` if it said nothing.
    pub fn read_only(&self) -> Option<bool> {
        self.read_only
    }

    /// Requests without an answer so far.
    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Appends the ConnectRequest. The first thing that goes out.
    pub fn connect(&mut self, now_ms: u64, out: &mut Vec<u8>) {
        assert_eq!(self.state, State::Start, "a session connects once");
        let at = frame::begin(out);
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.identity.last_zxid.0,
            timeout_ms: self.timeout_ms,
            session_id: self.identity.id,
            password: Some(&self.identity.password),
            read_only: Some(false),
        }
        .encode(out);
        frame::end(out, at);
        self.state = State::Connecting;
        self.sent_ms = now_ms;
        self.heard_ms = now_ms;
    }

    /// Appends a request whose record `body` writes, and remembers that an answer is due. Returns
    /// the xid.
    pub fn submit(
        &mut self,
        now_ms: u64,
        op: Op,
        body: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> i32 {
        let xid = match op {
            Op::PING => xid::PING,
            Op::AUTH => xid::AUTH,
            Op::SET_WATCHES | Op::SET_WATCHES2 => xid::SET_WATCHES,
            _ => {
                let xid = self.next_xid;
                self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
                xid
            }
        };
        let at = frame::begin(out);
        RequestHeader { xid, op }.encode(out);
        body(out);
        frame::end(out, at);
        if op != Op::PING {
            self.pending.push_back((xid, op));
        }
        self.sent_ms = now_ms;
        xid
    }

    /// When the next ping is due, in the caller's ms: a third of the timeout after the last request.
    pub fn ping_due_ms(&self) -> u64 {
        self.sent_ms + self.timeout_ms.max(3) as u64 / 3
    }

    /// When the server must be taken for dead: nothing came for two thirds of the timeout.
    pub fn dead_ms(&self) -> u64 {
        self.heard_ms + self.timeout_ms.max(3) as u64 * 2 / 3
    }

    /// Takes one frame from the front of `bytes`. Returns how many bytes it took and what it means;
    /// `None` when no whole frame is there.
    pub fn receive<'a>(
        &mut self,
        now_ms: u64,
        bytes: &'a [u8],
    ) -> Result<Option<(usize, Incoming<'a>)>> {
        let length = match frame::cut(bytes, REPLY_BYTES_MAX) {
            Cut::Wait { .. } => return Ok(None),
            Cut::Frame { length } => length,
            Cut::TooLong { length } => {
                return Err(Error::Protocol(format!("a frame of {length} bytes")));
            }
        };
        self.heard_ms = now_ms;
        let body = &bytes[4..4 + length];
        let incoming = match self.state {
            State::Connected => self.reply(body)?,
            State::Start => return Err(Error::Protocol("bytes before the handshake".to_owned())),
            State::Connecting => self.connected(body)?,
        };
        Ok(Some((4 + length, incoming)))
    }

    fn connected<'a>(&mut self, body: &'a [u8]) -> Result<Incoming<'a>> {
        let response = ConnectResponse::decode(&mut Reader::new(body))?;
        if response.timeout_ms <= 0 {
            return Err(Error::SessionExpired);
        }
        self.identity.id = response.session_id;
        self.identity.password = response.password;
        self.timeout_ms = response.timeout_ms;
        self.read_only = response.read_only;
        self.state = State::Connected;
        Ok(Incoming::Connected)
    }

    fn reply<'a>(&mut self, body: &'a [u8]) -> Result<Incoming<'a>> {
        let mut reader = Reader::new(body);
        let header = ReplyHeader::decode(&mut reader)?;
        if header.zxid > self.identity.last_zxid {
            self.identity.last_zxid = header.zxid;
        }
        match header.xid {
            xid::NOTIFICATION => {
                let event = WatcherEvent::decode(&mut reader)?;
                let watch = Watch { zxid: header.zxid, kind: event.kind, path: event.path };
                Ok(Incoming::Watch(watch))
            }
            xid::PING => Ok(Incoming::Pong),
            _ => {
                let Some((xid, op)) = self.pending.pop_front() else {
                    let what = format!("xid {} and nothing was asked", header.xid);
                    return Err(Error::Protocol(what));
                };
                if xid != header.xid {
                    let what = format!("xid {} where {xid} was due", header.xid);
                    return Err(Error::Protocol(what));
                }
                Ok(Incoming::Reply { header, op, body: reader.rest() })
            }
        }
    }
}

/// The record of a reply, or the error that stands in its header.
pub fn ok(header: ReplyHeader) -> Result<()> {
    match header.code {
        Code::OK => Ok(()),
        code => Err(Error::Server(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let at = frame::begin(&mut out);
        out.extend_from_slice(body);
        frame::end(&mut out, at);
        out
    }

    fn connected() -> Session {
        let mut session = Session::new(Identity::new(), 9000);
        session.connect(0, &mut Vec::new());
        let mut body = Vec::new();
        let response = ConnectResponse {
            protocol_version: 0,
            timeout_ms: 6000,
            session_id: 5,
            password: vec![1; 16],
            read_only: Some(false),
        };
        response.encode(&mut body);
        let bytes = framed(&body);
        assert!(matches!(session.receive(1, &bytes), Ok(Some((41, Incoming::Connected)))));
        session
    }

    fn answer(xid: i32) -> Vec<u8> {
        let mut body = Vec::new();
        ReplyHeader { xid, zxid: Zxid(9), code: Code::NO_NODE }.encode(&mut body);
        framed(&body)
    }

    #[test]
    fn the_handshake_grants_id_and_timeout() {
        let session = connected();
        assert_eq!((session.identity().id, session.timeout_ms()), (5, 6000));
        assert_eq!((session.ping_due_ms(), session.dead_ms()), (2000, 4001));
    }

    #[test]
    fn a_timeout_of_zero_is_the_end_of_the_session() {
        let mut session = Session::new(Identity::new(), 9000);
        session.connect(0, &mut Vec::new());
        let refused = framed(&[0; 36]);
        assert!(matches!(session.receive(1, &refused), Err(Error::SessionExpired)));
    }

    #[test]
    fn replies_come_in_the_order_of_the_requests() {
        let mut session = connected();
        let mut out = Vec::new();
        let first = session.submit(2, Op::SYNC, |_| (), &mut out);
        let second = session.submit(2, Op::EXISTS, |_| (), &mut out);
        let bytes = answer(first);
        let (taken, incoming) = session.receive(3, &bytes).unwrap().unwrap();
        assert_eq!(taken, bytes.len());
        assert!(matches!(incoming, Incoming::Reply { op: Op::SYNC, .. }));
        assert_eq!((session.outstanding(), session.identity().last_zxid), (1, Zxid(9)));
        assert!(session.receive(3, &bytes).is_err(), "{first} where {second} was due");
    }

    #[test]
    fn half_a_frame_waits_and_a_reply_to_nothing_is_an_error() {
        let mut session = connected();
        let bytes = answer(1);
        assert!(matches!(session.receive(2, &bytes[..10]), Ok(None)));
        assert!(matches!(session.receive(2, &bytes), Err(Error::Protocol(_))));
        assert!(matches!(session.receive(2, &answer(xid::PING)), Ok(Some((_, Incoming::Pong)))));
    }
}
