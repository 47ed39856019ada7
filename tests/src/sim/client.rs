//! A simulated client: one session, one request at a time, and what it was promised.

use std::collections::BTreeMap;

use zk_wire::connect::{ConnectRequest, ConnectResponse, session_password};
use zk_wire::header::{ReplyHeader, RequestHeader};
use zk_wire::jute::Reader;
use zk_wire::request::{encode_create, encode_path, encode_path_watch, encode_set_data};
use zk_wire::{Acl, Code, Op, Zxid, frame};

use crate::rng::Rng;

/// What a client is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    Nothing,
    /// It connects.
    Connect,
    /// It creates a znode of its own.
    Create(String),
    /// It writes this number to its register.
    Set(u64),
    /// It reads its register.
    Get,
    /// It reads its register after a sync.
    Sync,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub number: usize,
    /// The server that it is connected to, with the number of the connection.
    pub at: Option<(usize, u32)>,
    /// What it waits for.
    pub asked: Asked,
    /// When it gives up on that.
    pub patience_ms: i64,
    /// When it asks next.
    pub next_ms: i64,
    session: i64,
    last_zxid: i64,
    xid: i32,
    count: u64,
    /// Znodes that were acknowledged, with the zxid.
    pub created: BTreeMap<String, Zxid>,
    /// The newest number that was acknowledged.
    pub acknowledged: u64,
    /// The newest number that was sent.
    pub sent: u64,
    made_register: bool,
    /// Requests that were answered.
    pub answered: u64,
    /// Sessions that it lost.
    pub expired: u64,
}

impl Client {
    /// A client that has not connected.
    pub fn new(number: usize) -> Client {
        Client {
            number,
            at: None,
            asked: Asked::Nothing,
            patience_ms: 0,
            next_ms: 0,
            session: 0,
            last_zxid: 0,
            xid: 0,
            count: 0,
            created: BTreeMap::new(),
            acknowledged: 0,
            sent: 0,
            made_register: false,
            answered: 0,
            expired: 0,
        }
    }

    fn register(&self) -> String {
        format!("/register-{}", self.number)
    }

    /// The handshake.
    pub fn connect(&mut self) -> Vec<u8> {
        self.asked = Asked::Connect;
        let password = session_password(self.session);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: 8_000,
            session_id: self.session,
            password: Some(&password[..]),
            read_only: Some(false),
        };
        let mut out = Vec::new();
        request.encode(&mut out);
        out
    }

    /// The next request: the body of its frame.
    pub fn ask(&mut self, rng: &mut Rng) -> Vec<u8> {
        self.xid += 1;
        let mut out = Vec::new();
        let register = self.register();
        let choice = if self.made_register { rng.below(10) } else { 0 };
        let (op, asked) = match choice {
            _ if !self.made_register => (Op::CREATE, Asked::Create(register.clone())),
            0..3 => {
                self.count += 1;
                (Op::CREATE, Asked::Create(format!("/c{}-{}", self.number, self.count)))
            }
            3..7 => {
                self.sent += 1;
                (Op::SET_DATA, Asked::Set(self.sent))
            }
            7..9 => (Op::GET_DATA, Asked::Get),
            _ => (Op::SYNC, Asked::Sync),
        };
        RequestHeader { xid: self.xid, op }.encode(&mut out);
        match &asked {
            Asked::Create(path) => {
                let acl = [Acl::new(31, "world", "anyone")];
                encode_create(&mut out, path, Some(b"0"), &acl, 0, None);
            }
            Asked::Set(number) => {
                encode_set_data(&mut out, &register, Some(number.to_string().as_bytes()), -1);
            }
            Asked::Get => encode_path_watch(&mut out, &register, false),
            _ => encode_path(&mut out, &register),
        }
        self.asked = asked;
        out
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.at = None;
        self.asked = Asked::Nothing;
    }

    /// Takes frames of the server. Says whether the client wants the connection closed.
    pub fn take(&mut self, mut bytes: &[u8]) -> bool {
        while let frame::Cut::Frame { length } = frame::cut(bytes, 1 << 20) {
            let body = &bytes[4..4 + length];
            bytes = &bytes[4 + length..];
            let mut reader = Reader::new(body);
            if self.asked == Asked::Connect {
                let response = ConnectResponse::decode(&mut reader).expect("a proper response");
                if response.session_id == 0 {
                    self.expired += u64::from(self.session != 0);
                    self.session = 0;
                    self.xid = 0;
                    return true;
                }
                self.session = response.session_id;
                self.asked = Asked::Nothing;
                continue;
            }
            let header = ReplyHeader::decode(&mut reader).expect("a proper reply");
            if header.xid < 0 {
                continue;
            }
            assert_eq!(header.xid, self.xid, "client {}: an answer out of order", self.number);
            if header.zxid.0 > 0 {
                assert!(
                    header.zxid.0 >= self.last_zxid,
                    "client {}: time went back from {:#x} to {}",
                    self.number,
                    self.last_zxid,
                    header.zxid
                );
                self.last_zxid = header.zxid.0;
            }
            self.answer(header, &mut reader);
        }
        assert!(bytes.is_empty(), "half a frame");
        false
    }

    fn answer(&mut self, header: ReplyHeader, reader: &mut Reader<'_>) {
        self.answered += 1;
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Create(path) => {
                let there = header.code == Code::OK || header.code == Code::NODE_EXISTS;
                if path == self.register() {
                    self.made_register |= there;
                }
                if there {
                    self.created.insert(path, header.zxid);
                }
            }
            Asked::Set(number) if header.code == Code::OK => {
                self.acknowledged = self.acknowledged.max(number);
            }
            Asked::Get if header.code == Code::OK => {
                let data = reader.buffer("data").expect("data").unwrap_or_default();
                let number: u64 = std::str::from_utf8(data).unwrap().parse().unwrap();
                // Its own writes are seen: nobody else writes here, and it waits for each answer.
                assert!(
                    number >= self.acknowledged && number <= self.sent,
                    "client {} reads {number}, acknowledged {}",
                    self.number,
                    self.acknowledged
                );
            }
            _ => {}
        }
    }
}
