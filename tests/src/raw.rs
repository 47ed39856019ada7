//! A client that sends any bytes and keeps every frame that comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::frame::{self, Cut};
use zk_wire::header::ReplyHeader;
use zk_wire::watch::WatcherEvent;
use zk_wire::{Op, Reader, Writer};

/// How long a test waits for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The largest frame a test is ready to take.
const FRAME_MAX: usize = 64 << 20;

/// Nothing came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late;

/// A connection without any protocol of its own.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Raw {
    /// Connects.
    pub fn open(address: SocketAddr) -> Raw {
        Raw::try_open(address).expect("the server takes the connection")
    }

    /// Connects; `None` when the server refuses the connection at once.
    pub fn try_open(address: SocketAddr) -> Option<Raw> {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => Some(Raw::over(stream)),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("the server listens: {error}"),
        }
    }

    /// Speaks over a connection that is there already.
    pub fn over(stream: TcpStream) -> Raw {
        let _ = stream.set_nodelay(true);
        Raw { stream, input: Vec::new() }
    }

    /// Who is at the other end, as long as that is known.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// Sends bytes as they are. A peer that has gone is noticed when reading.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a body as a frame.
    pub fn send_frame(&mut self, body: &[u8]) {
        self.send(&framed(body));
    }

    /// Sends a request.
    pub fn send_request(&mut self, xid: i32, op: Op, record: &[u8]) {
        self.send_frame(&request(xid, op, record));
    }

    /// The next frame's body, or `None` when the server closed or reset the connection.
    pub fn frame(&mut self) -> Option<Vec<u8>> {
        self.frame_within(PATIENCE).expect("a frame or the end within the patience of a test")
    }

    /// As [`Raw::frame`]; an error when neither came in time.
    pub fn frame_within(&mut self, limit: Duration) -> Result<Option<Vec<u8>>, Late> {
        let deadline = Instant::now() + limit;
        loop {
            match frame::cut(&self.input, FRAME_MAX) {
                Cut::Frame { length } => {
                    let body = self.input[4..4 + length].to_vec();
                    self.input.drain(..4 + length);
                    return Ok(Some(body));
                }
                Cut::TooLong { length } => panic!("the server sent a frame of {length} bytes"),
                Cut::Wait { .. } => {}
            }
            if !self.fill(deadline)? {
                return Ok(None);
            }
        }
    }

    /// Reads once. False at the end of the stream.
    fn fill(&mut self, deadline: Instant) -> Result<bool, Late> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Late);
        }
        self.stream.set_read_timeout(Some(left)).expect("a socket takes its options");
        let mut chunk = [0u8; 64 << 10];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.input.extend_from_slice(&chunk[..count]);
                Ok(true)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(Late),
                ErrorKind::Interrupted => Ok(true),
                _ => Ok(false),
            },
        }
    }

    /// Everything until the server closes, frames or not.
    pub fn rest(&mut self) -> Vec<u8> {
        self.rest_within(PATIENCE).expect("the server closes the connection in time")
    }

    /// As [`Raw::rest`]; an error when the server does not close in time.
    pub fn rest_within(&mut self, limit: Duration) -> Result<Vec<u8>, Late> {
        let deadline = Instant::now() + limit;
        while self.fill(deadline)? {}
        Ok(std::mem::take(&mut self.input))
    }

    /// Asserts that the server has closed and sent nothing more before.
    pub fn assert_closed(&mut self) {
        assert_eq!(self.frame(), None, "the connection should be closed");
    }

    /// Ends what this side sends; the other side may go on.
    pub fn half_close(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    /// The handshake with a body of one's own; `None` when the server closed instead.
    pub fn handshake(&mut self, request: &ConnectRequest<'_>) -> Option<ConnectResponse> {
        let mut body = Vec::new();
        request.encode(&mut body);
        self.send_frame(&body);
        let reply = self.frame()?;
        Some(ConnectResponse::decode(&mut Reader::new(&reply)).expect("a ConnectResponse"))
    }
}

/// A body with its length before it.
pub fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 4);
    let at = frame::begin(&mut out);
    out.extend_from_slice(body);
    frame::end(&mut out, at);
    out
}

/// The body of a request.
pub fn request(xid: i32, op: Op, record: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(record.len() + 8);
    body.put_int(xid);
    body.put_int(op.0);
    body.extend_from_slice(record);
    body
}

/// A handshake for a new session.
pub fn new_session(timeout_ms: i32) -> ConnectRequest<'static> {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms,
        session_id: 0,
        password: Some(&[0; 16]),
        read_only: Some(false),
    }
}

/// A reply or a watch event, taken apart as far as every one of them goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The header.
    pub header: ReplyHeader,
    /// The record.
    pub record: Vec<u8>,
}

impl Reply {
    /// Takes a frame's body apart.
    pub fn parse(body: &[u8]) -> Reply {
        let mut reader = Reader::new(body);
        let header = ReplyHeader::decode(&mut reader).expect("a ReplyHeader");
        Reply { header, record: reader.rest().to_vec() }
    }

    /// The event, when this is one.
    pub fn event(&self) -> Option<WatcherEvent> {
        if self.header.xid != zk_wire::header::xid::NOTIFICATION {
            return None;
        }
        Some(WatcherEvent::decode(&mut Reader::new(&self.record)).expect("a WatcherEvent"))
    }
}
