//! One connection of the load generator: requests out, replies in, the time between.
//!
//! Not the client library: the generator must be lighter than the server that it measures, so that a
//! request is bytes appended to a buffer, and a reply is a header that is checked and skipped.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use zk_wire::connect::{ConnectRequest, ConnectResponse, PASSWORD_BYTES};
use zk_wire::frame::{self, Cut};
use zk_wire::header::{ReplyHeader, RequestHeader, xid};
use zk_wire::request::encode_auth;
use zk_wire::{Code, Op, Reader};

use crate::conn::Target;

/// Largest reply, in bytes. Longer ones are a fault: data of a benchmark is not larger.
const REPLY_BYTES_MAX: usize = 16 << 20;

/// Bytes that one read takes.
const CHUNK: usize = 64 << 10;

/// What was sent and has no answer yet.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// The xid.
    pub xid: i32,
    /// Which histogram.
    pub class: usize,
    /// When it was to be sent, in ns of the run.
    pub intended_ns: u64,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// What it answers.
    pub sent: Sent,
    /// How.
    pub code: Code,
}

/// A session on a connection.
pub struct Link {
    /// The socket, without blocking.
    pub stream: mio::net::TcpStream,
    /// Bytes that are still to be written.
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    /// Requests without an answer, in their order.
    pub pending: VecDeque<Sent>,
    next_xid: i32,
    timeout_ms: i32,
    /// When the last request went out, in ns of the run.
    pub sent_ns: u64,
    /// Why it is dead.
    pub fault: Option<String>,
}

fn exactly(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes(head) as usize;
    if length > 4096 {
        return Err(std::io::Error::other("a handshake of more than 4096 bytes"));
    }
    bytes.resize(length, 0);
    stream.read_exact(bytes)
}

impl Link {
    /// Connects, makes a session and says who we are.
    pub fn open(address: &str, target: &Target) -> std::io::Result<Link> {
        let limit = Duration::from_millis(target.call_timeout_ms.max(1));
        let mut last = std::io::Error::other("the name has no address");
        for address in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, limit) {
                Ok(stream) => return Link::begin(stream, target, limit),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn begin(mut stream: TcpStream, target: &Target, limit: Duration) -> std::io::Result<Link> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(limit))?;
        let mut out = Vec::new();
        let at = frame::begin(&mut out);
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: target.session_timeout_ms,
            session_id: 0,
            password: Some(&[0; PASSWORD_BYTES]),
            read_only: Some(false),
        }
        .encode(&mut out);
        frame::end(&mut out, at);
        stream.write_all(&out)?;
        let mut body = Vec::new();
        exactly(&mut stream, &mut body)?;
        let session = ConnectResponse::decode(&mut Reader::new(&body))
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        if session.timeout_ms <= 0 {
            return Err(std::io::Error::other("the server refuses a session"));
        }
        for (scheme, proof) in &target.auth {
            out.clear();
            let at = frame::begin(&mut out);
            RequestHeader { xid: xid::AUTH, op: Op::AUTH }.encode(&mut out);
            encode_auth(&mut out, scheme, proof);
            frame::end(&mut out, at);
            stream.write_all(&out)?;
            exactly(&mut stream, &mut body)?;
        }
        out.clear();
        stream.set_nonblocking(true)?;
        Ok(Link {
            stream: mio::net::TcpStream::from_std(stream),
            out,
            written: 0,
            input: Vec::new(),
            pending: VecDeque::new(),
            next_xid: 1,
            timeout_ms: session.timeout_ms,
            sent_ns: 0,
            fault: None,
        })
    }

    /// Appends a request; [`Link::flush`] sends it.
    pub fn put(
        &mut self,
        op: Op,
        class: usize,
        intended_ns: u64,
        now_ns: u64,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        let xid = self.next_xid;
        self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
        self.frame(xid, op, body);
        self.pending.push_back(Sent { xid, class, intended_ns });
        self.sent_ns = now_ns;
    }

    fn frame(&mut self, xid: i32, op: Op, body: impl FnOnce(&mut Vec<u8>)) {
        let at = frame::begin(&mut self.out);
        RequestHeader { xid, op }.encode(&mut self.out);
        body(&mut self.out);
        frame::end(&mut self.out, at);
    }

    /// Keeps the session alive when nothing was sent for long.
    pub fn ping_if_due(&mut self, now_ns: u64) {
        let third_ns = self.timeout_ms as u64 * 1_000_000 / 3;
        if self.fault.is_none() && now_ns.saturating_sub(self.sent_ns) > third_ns {
            self.frame(xid::PING, Op::PING, |_| ());
            self.sent_ns = now_ns;
            self.flush();
        }
    }

    /// Sends what the socket takes.
    pub fn flush(&mut self) {
        while self.written < self.out.len() && self.fault.is_none() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(0) => self.fault = Some("the server closed the connection".to_owned()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.fault = Some(error.to_string()),
            }
        }
        self.out.clear();
        self.written = 0;
    }

    /// Takes what has arrived.
    pub fn receive(&mut self, done: &mut Vec<Done>) {
        loop {
            let have = self.input.len();
            self.input.resize(have + CHUNK, 0);
            let read = self.stream.read(&mut self.input[have..]);
            self.input.truncate(have + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => {
                    self.fault = Some("the server closed the connection".to_owned());
                    break;
                }
                Ok(count) => {
                    self.cut(done);
                    if count < CHUNK {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fault = Some(error.to_string());
                    break;
                }
            }
        }
    }

    /// Cuts replies off what was read.
    fn cut(&mut self, done: &mut Vec<Done>) {
        let mut from = 0;
        while self.fault.is_none() {
            let length = match frame::cut(&self.input[from..], REPLY_BYTES_MAX) {
                Cut::Frame { length } => length,
                Cut::Wait { .. } => break,
                Cut::TooLong { length } => {
                    self.fault = Some(format!("a reply of {length} bytes"));
                    break;
                }
            };
            let body = &self.input[from + 4..from + 4 + length];
            from += 4 + length;
            let header = match ReplyHeader::decode(&mut Reader::new(body)) {
                Ok(header) => header,
                Err(error) => {
                    self.fault = Some(error.to_string());
                    break;
                }
            };
            if matches!(header.xid, xid::PING | xid::NOTIFICATION) {
                continue;
            }
            match self.pending.pop_front() {
                Some(sent) if sent.xid == header.xid => {
                    done.push(Done { sent, code: header.code });
                }
                sent => {
                    let due = sent.map(|sent| sent.xid);
                    self.fault = Some(format!("reply {} where {due:?} was due", header.xid));
                }
            }
        }
        self.input.drain(..from);
    }

    /// Ends the session, as far as that goes without waiting long.
    pub fn close(mut self) {
        if self.fault.is_some() {
            return;
        }
        self.frame(0, Op::CLOSE_SESSION, |_| ());
        self.flush();
    }
}
