//! A server and sessions on it, for tests that read like the checklist of the protocol.

use std::collections::VecDeque;
use std::net::SocketAddr;

use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::header::xid;
use zk_wire::{Code, Op, Reader, Stat};

use crate::raw::{Raw, Reply, new_session};
use crate::server::{Kind, Options, Server};
use crate::tools;

/// A server of the kind that is under test; `None` skips the test.
pub fn server() -> Option<Server> {
    server_with(|options| options)
}

/// As [`server`], with options of one's own.
pub fn server_with(change: impl FnOnce(Options) -> Options) -> Option<Server> {
    tools::need(Server::start(change(Options::new(Kind::from_env()))))
}

/// A watch event, flat.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// 1 created, 2 deleted, 3 data changed, 4 children changed.
    pub kind: i32,
    /// Where.
    pub path: String,
    /// The zxid of the header.
    pub zxid: i64,
}

/// A session on a connection, one request at a time or pipelined.
#[derive(Debug)]
pub struct Conn {
    /// The bytes.
    pub raw: Raw,
    /// What the handshake gave.
    pub session: ConnectResponse,
    events: VecDeque<Event>,
    next_xid: i32,
}

impl Conn {
    /// A new session of 30 s.
    pub fn open(address: SocketAddr) -> Conn {
        Conn::with(address, &new_session(30_000)).expect("a new session is granted")
    }

    /// A session by a handshake of one's own; `None` when the server closes without an answer.
    pub fn with(address: SocketAddr, request: &ConnectRequest<'_>) -> Option<Conn> {
        let mut raw = Raw::try_open(address)?;
        let session = raw.handshake(request)?;
        Some(Conn::over(raw, session))
    }

    /// A session that was granted on this connection already.
    pub fn over(raw: Raw, session: ConnectResponse) -> Conn {
        Conn { raw, session, events: VecDeque::new(), next_xid: 1 }
    }

    /// The same session on a new connection; its `session_id` is 0 when it was refused.
    pub fn reattach(address: SocketAddr, old: &ConnectResponse, timeout_ms: i32) -> Option<Conn> {
        let request = ConnectRequest {
            session_id: old.session_id,
            password: Some(&old.password),
            ..new_session(timeout_ms)
        };
        Conn::with(address, &request)
    }

    /// Sends without waiting; returns the xid.
    pub fn send(&mut self, op: Op, record: &[u8]) -> i32 {
        let xid = match op {
            Op::PING => xid::PING,
            Op::AUTH => xid::AUTH,
            Op::SET_WATCHES | Op::SET_WATCHES2 => xid::SET_WATCHES,
            _ => {
                self.next_xid += 1;
                self.next_xid - 1
            }
        };
        self.raw.send_request(xid, op, record);
        xid
    }

    /// The next reply; events that come before it are kept.
    pub fn receive(&mut self) -> Reply {
        self.receive_or_end().expect("a reply, and the server closed the connection")
    }

    /// As [`Conn::receive`], `None` when the server has closed.
    pub fn receive_or_end(&mut self) -> Option<Reply> {
        loop {
            let reply = Reply::parse(&self.raw.frame()?);
            match reply.event() {
                None => return Some(reply),
                Some(event) => {
                    assert_eq!(event.state, 3, "a server sends events in state 3 only");
                    let zxid = reply.header.zxid.0;
                    self.events.push_back(Event { kind: event.kind, path: event.path, zxid });
                }
            }
        }
    }

    /// Sends and waits; the xid is checked.
    pub fn call(&mut self, op: Op, record: &[u8]) -> Reply {
        let xid = self.send(op, record);
        let reply = self.receive();
        assert_eq!(reply.header.xid, xid, "{op:?}");
        reply
    }

    /// The error number of the answer; on an error nothing may follow the header.
    pub fn code(&mut self, op: Op, record: &[u8]) -> Code {
        let reply = self.call(op, record);
        if reply.header.code != Code::OK {
            assert_eq!(reply.record, [], "{op:?}: a record behind an error");
        }
        reply.header.code
    }

    /// The record of an answer that must be OK.
    pub fn ok(&mut self, op: Op, record: &[u8]) -> Vec<u8> {
        let reply = self.call(op, record);
        assert_eq!(reply.header.code, Code::OK, "{op:?}");
        reply.record
    }

    /// Creates with the open ACL and returns the path of the answer.
    pub fn create(&mut self, path: &str, flags: i32) -> String {
        let body = self.ok(Op::CREATE, &crate::record::create(path, b"", flags));
        Reader::new(&body).string("path").expect("a path").into_owned()
    }

    /// The stat of a znode that must be there.
    pub fn stat(&mut self, path: &str) -> Stat {
        let body = self.ok(Op::EXISTS, &crate::record::path_watch(path, false));
        Stat::decode(&mut Reader::new(&body)).expect("a stat")
    }

    /// Data and stat of a znode that must be there.
    pub fn data(&mut self, path: &str) -> (Option<Vec<u8>>, Stat) {
        let body = self.ok(Op::GET_DATA, &crate::record::path_watch(path, false));
        let mut reader = Reader::new(&body);
        let data = reader.buffer("data").expect("data").map(<[u8]>::to_vec);
        (data, Stat::decode(&mut reader).expect("a stat"))
    }

    /// The names of the children, sorted.
    pub fn children(&mut self, path: &str) -> Vec<String> {
        let body = self.ok(Op::GET_CHILDREN, &crate::record::path_watch(path, false));
        sorted_strings(&body)
    }

    /// The events that came before now, in order: those kept so far and those before a pong.
    pub fn events(&mut self) -> Vec<Event> {
        let pong = self.call(Op::PING, &[]);
        assert_eq!(pong.header.code, Code::OK);
        self.events.drain(..).collect()
    }

    /// As [`Conn::events`], kinds and paths only.
    pub fn happened(&mut self) -> Vec<(i32, String)> {
        self.events().into_iter().map(|event| (event.kind, event.path)).collect()
    }

    /// Events that came with the replies so far, without asking for more.
    pub fn kept(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// The next event, waiting for it; pings go on meanwhile.
    pub fn wait_event(&mut self) -> Event {
        let deadline = std::time::Instant::now() + crate::raw::PATIENCE * 3;
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            assert!(std::time::Instant::now() < deadline, "no event came");
            self.call(Op::PING, &[]);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// A vector of strings as the first thing of a record, sorted.
pub fn sorted_strings(record: &[u8]) -> Vec<String> {
    let list = Reader::new(record).strings("strings").expect("strings").unwrap_or_default();
    let mut list: Vec<String> = list.into_iter().map(|text| text.into_owned()).collect();
    list.sort();
    list
}

/// The (type, error) pairs of a reply to multi or multiRead. Records between are skipped by what the
/// type says.
pub fn multi_results(record: &[u8]) -> Vec<(i32, i32)> {
    let mut reader = Reader::new(record);
    let mut list = Vec::new();
    loop {
        let kind = reader.int("type").expect("a header");
        let done = reader.boolean("done").expect("a header");
        let code = reader.int("err").expect("a header");
        if done {
            assert_eq!((kind, code), (-1, -1), "the end of a multi");
            assert!(reader.is_empty(), "nothing stands behind the end of a multi");
            return list;
        }
        let op = Op(kind);
        match op {
            Op::CREATE | Op::CREATE2 => {
                reader.string("path").expect("a path");
            }
            Op::GET_DATA => {
                reader.buffer("data").expect("data");
            }
            Op::GET_CHILDREN => {
                reader.strings("children").expect("children");
            }
            Op::ERROR => assert_eq!(reader.int("err").expect("an error"), code),
            _ => {}
        }
        if matches!(op, Op::CREATE2 | Op::SET_DATA | Op::GET_DATA) {
            Stat::decode(&mut reader).expect("a stat");
        }
        list.push((kind, code));
    }
}

/// Decodes a stat that stands alone in a record.
pub fn stat_of(record: &[u8]) -> Stat {
    Stat::decode(&mut Reader::new(record)).expect("a stat")
}

/// The path and the stat of an answer to create2 and its kin.
pub fn created(record: &[u8]) -> (String, Stat) {
    let mut reader = Reader::new(record);
    let path = reader.string("path").expect("a path").into_owned();
    (path, Stat::decode(&mut reader).expect("a stat"))
}
