//! A blocking client on one TCP connection.
//!
//! One call at a time: each waits for its answer. Watch events that arrive meanwhile are kept, in
//! order, until [`Client::next_watch`] takes them. Whoever makes no calls for a third of the session
//! timeout must wait in `next_watch`, which pings: there is no thread behind the caller's back.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use zk_wire::Op;
use zk_wire::header::ReplyHeader;

use crate::error::{Error, Result};
use crate::session::{self, Identity, Incoming, Session, Watch};

/// How to connect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The session timeout to ask for, in ms. The server may grant another.
    pub session_timeout_ms: i32,
    /// How long a connect or a call may take, in ms.
    pub call_timeout_ms: u64,
    /// The session to go on with; `Identity::new()` for a new one.
    pub identity: Identity,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { session_timeout_ms: 30_000, call_timeout_ms: 30_000, identity: Identity::new() }
    }
}

/// A session on a connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    session: Session,
    input: Vec<u8>,
    output: Vec<u8>,
    watches: VecDeque<Watch>,
    started: Instant,
    call_timeout_ms: u64,
}

impl Client {
    /// Connects to the first of the addresses that answers and makes or reattaches the session.
    pub fn connect(address: impl ToSocketAddrs, settings: Settings) -> Result<Client> {
        let limit = Duration::from_millis(settings.call_timeout_ms.max(1));
        let mut last = Error::Protocol("the host name has no address".to_owned());
        for address in address.to_socket_addrs()? {
            let stream = match TcpStream::connect_timeout(&address, limit) {
                Ok(stream) => stream,
                Err(error) => {
                    last = Error::from(error);
                    continue;
                }
            };
            stream.set_nodelay(true)?;
            return Client::handshake(stream, &settings);
        }
        Err(last)
    }

    fn handshake(stream: TcpStream, settings: &Settings) -> Result<Client> {
        let mut client = Client {
            stream,
            session: Session::new(settings.identity.clone(), settings.session_timeout_ms),
            input: Vec::new(),
            output: Vec::new(),
            watches: VecDeque::new(),
            started: Instant::now(),
            call_timeout_ms: settings.call_timeout_ms,
        };
        let now_ms = client.now_ms();
        client.session.connect(now_ms, &mut client.output);
        client.flush()?;
        let deadline_ms = now_ms + settings.call_timeout_ms;
        loop {
            if let Some((taken, Incoming::Connected)) = client
                .session
                .receive(client.started.elapsed().as_millis() as u64, &client.input)?
            {
                client.input.drain(..taken);
                return Ok(client);
            }
            client.read_more(deadline_ms)?;
        }
    }

    /// The session: its id, its granted timeout, and what a reattach needs.
    pub fn session(&self) -> &Session {
        &self.session
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// Waits for bytes until `deadline_ms`; an error when none came.
    fn read_more(&mut self, deadline_ms: u64) -> Result<()> {
        let now_ms = self.now_ms();
        if now_ms >= deadline_ms {
            return Err(Error::Timeout { waited_ms: self.call_timeout_ms });
        }
        self.stream.set_read_timeout(Some(Duration::from_millis(deadline_ms - now_ms)))?;
        let mut chunk = [0u8; 16 << 10];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(Error::Closed),
            Ok(count) => {
                self.input.extend_from_slice(&chunk[..count]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(Error::Timeout { waited_ms: deadline_ms - now_ms })
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what has arrived: watches into the queue, a reply to the caller.
    fn take(&mut self) -> Result<Option<(ReplyHeader, Vec<u8>)>> {
        loop {
            let now_ms = self.started.elapsed().as_millis() as u64;
            let Some((taken, incoming)) = self.session.receive(now_ms, &self.input)? else {
                return Ok(None);
            };
            let reply = match incoming {
                Incoming::Reply { header, body, .. } => Some((header, body.to_vec())),
                Incoming::Watch(watch) => {
                    self.watches.push_back(watch);
                    None
                }
                Incoming::Connected | Incoming::Pong => None,
            };
            self.input.drain(..taken);
            if reply.is_some() {
                return Ok(reply);
            }
        }
    }

    /// Sends any operation and waits for its answer: header and record, whatever the header says.
    /// Everything typed is built on this.
    pub fn raw(
        &mut self,
        op: Op,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(ReplyHeader, Vec<u8>)> {
        let now_ms = self.now_ms();
        self.session.submit(now_ms, op, body, &mut self.output);
        self.flush()?;
        let deadline_ms = now_ms + self.call_timeout_ms;
        loop {
            if let Some(reply) = self.take()? {
                return Ok(reply);
            }
            self.read_more(deadline_ms)?;
        }
    }

    /// As [`Client::raw`], with the error of the header as error.
    pub fn call(&mut self, op: Op, body: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>> {
        let (header, body) = self.raw(op, body)?;
        session::ok(header)?;
        Ok(body)
    }

    /// The next watch event, or `None` after `wait_ms`. Pings as often as the session needs it.
    pub fn next_watch(&mut self, wait_ms: u64) -> Result<Option<Watch>> {
        let until_ms = self.now_ms() + wait_ms;
        loop {
            if let Some((header, _)) = self.take()? {
                let what = format!("xid {} and nothing was asked", header.xid);
                return Err(Error::Protocol(what));
            }
            if let Some(watch) = self.watches.pop_front() {
                return Ok(Some(watch));
            }
            let now_ms = self.now_ms();
            if now_ms >= until_ms {
                return Ok(None);
            }
            if now_ms >= self.session.dead_ms() {
                return Err(Error::Closed);
            }
            if now_ms >= self.session.ping_due_ms() {
                self.session.submit(now_ms, Op::PING, |_| (), &mut self.output);
                self.flush()?;
            }
            let wake_ms = until_ms.min(self.session.ping_due_ms()).min(self.session.dead_ms());
            match self.read_more(wake_ms.max(now_ms + 1)) {
                Ok(()) | Err(Error::Timeout { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
