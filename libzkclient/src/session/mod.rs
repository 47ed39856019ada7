//! One session as a state machine: bytes, addresses and time in; bytes, wishes and outcomes out.
//!
//! Knows no socket, clock, thread or resolver: a shell carries its bytes, does what [`Ask`] says
//! and gives every [`Outcome`] to whom it belongs. Replies are matched first in, first out; a reply
//! that breaks that order costs the connection. Each completion leaves exactly once, in an outcome
//! or in the error of [`Session::submit`].
//!
//! `T` is what a shell wants back with the answer, `W` who watches. Time is milliseconds that only
//! grow. The same calls give the same bytes and outcomes.

mod connection;
mod queue;
mod receive;
#[cfg(test)]
mod tests;

use std::collections::{BinaryHeap, VecDeque};
use std::hash::Hash;
use std::net::SocketAddr;
use std::ops::Range;

use zk_wire::connect::PASSWORD_BYTES;
use zk_wire::{Code, Op, Zxid};

use crate::error::{Error, Result};
use crate::hosts::HostList;
use crate::state::State;
use crate::watches::{WatchKind, Watches};
use queue::{Deadline, Pending};

/// What a session is, apart from the connection that carries it: enough to go on with it elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id that the server gave; 0 before there is one.
    pub id: i64,
    /// The password that the server gave, 16 bytes.
    pub password: Vec<u8>,
    /// The newest zxid seen in a reply.
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

/// How a session behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The session timeout to ask for, in ms; the server may grant another.
    pub timeout_ms: i32,
    /// The session to go on with; `Identity::new()` for a new one.
    pub identity: Identity,
    /// Whether a server that has lost the others will do.
    pub read_only: bool,
    /// Whether a session that has expired is made anew, with its watches and identities.
    pub recreate: bool,
    /// Whether requests that were never sent fail with the connection, as Apache's clients do it;
    /// else they wait for the next one.
    pub fail_unsent: bool,
    /// Whether the servers are tried in an order by chance.
    pub shuffle: bool,
    /// The seed of that chance.
    pub seed: u64,
    /// Most requests without an answer.
    pub pending_max: usize,
    /// Most bytes of requests that are not sent yet.
    pub queued_bytes_max: usize,
    /// Largest reply that is accepted, in bytes. No memory is reserved for a length alone.
    pub reply_bytes_max: usize,
    /// How long one attempt to connect may take, in ms; 0 for two thirds of the timeout.
    pub connect_timeout_ms: u64,
    /// The xid of the first request; it grows by one and never becomes negative.
    pub first_xid: i32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            timeout_ms: 30_000,
            identity: Identity::new(),
            read_only: false,
            recreate: false,
            fail_unsent: false,
            shuffle: true,
            seed: 0,
            pending_max: 1 << 20,
            queued_bytes_max: 256 << 20,
            reply_bytes_max: i32::MAX as usize,
            connect_timeout_ms: 0,
            first_xid: 1,
        }
    }
}

/// What a session wants of its shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Connect to this address; the answer is `on_connected` or `on_disconnected`.
    Dial(SocketAddr),
    /// Close the connection, or give up making it; there is no answer.
    HangUp,
    /// Look the names of the servers up; the answer is `on_addresses`, with none when it failed.
    Resolve,
    /// Ask this server on a connection of its own whether it takes writes (`isro`); the answer is
    /// `on_probed`.
    Probe(SocketAddr),
}

/// What has come of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T, W> {
    /// The server has answered.
    Reply {
        /// What came with the request.
        done: T,
        /// The zxid in the header.
        zxid: Zxid,
        /// The verdict; `Code::OK` or an error of the server's.
        code: Code,
        /// Where the record stands in the bytes that were handed to `on_bytes` last.
        body: Range<usize>,
    },
    /// There is no answer and there will be none.
    Failed {
        /// What came with the request.
        done: T,
        /// Why.
        error: Error,
    },
    /// A watched znode has changed.
    Event {
        /// Who watches it, each once.
        watchers: Vec<W>,
        /// What happened.
        kind: i32,
        /// The state in the event: 3, or 5 from a read-only server.
        state: i32,
        /// The zxid in the header; -1 when the server does not say.
        zxid: i64,
        /// Where, as the server names it.
        path: String,
    },
    /// The session's state has changed in a way that watchers are told of.
    State {
        /// The new state.
        state: State,
        /// Everybody who watches anything; the shell's default watcher is not among them.
        watchers: Vec<W>,
    },
    /// The session is closed, and this is the last outcome.
    Closed {
        /// What came with `close`, when that was called.
        done: Option<T>,
    },
}

/// What belongs to a request beside its bytes.
#[derive(Clone, Debug)]
pub struct Extra<W> {
    /// When the caller gives up, in ms; `u64::MAX` for never.
    pub deadline_ms: u64,
    /// A watch that stands once the server has said yes.
    pub watch: Option<Box<(WatchWish, String, W)>>,
}

impl<W> Default for Extra<W> {
    fn default() -> Extra<W> {
        Extra { deadline_ms: u64::MAX, watch: None }
    }
}

/// Which watch a request leaves when it succeeds, or takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchWish {
    /// get.
    Data,
    /// exists: on data when the znode is there, else on its creation.
    DataOrExist,
    /// getChildren.
    Children,
    /// addWatch.
    Persistent,
    /// addWatch, recursive.
    Recursive,
}

/// A request's number, from 1, for `cancel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What a session has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were submitted, pings and handshakes not counted.
    pub requests: u64,
    /// Replies that were matched to a request.
    pub replies: u64,
    /// Watch events.
    pub events: u64,
    /// Connections on which the session was established.
    pub connects: u64,
    /// Attempts to connect.
    pub dials: u64,
}

struct Auth<T> {
    scheme: String,
    auth: Vec<u8>,
    done: Option<T>,
}

/// The state machine.
pub struct Session<T, W> {
    config: Config,
    identity: Identity,
    /// Whether `identity` comes from a server that takes writes: a read-only one gives ids that
    /// only it knows.
    rooted: bool,
    state: State,
    timeout_ms: i32,
    hosts: HostList,
    /// The server that is connected or being connected.
    address: Option<SocketAddr>,
    /// The server to try when `retry_ms` comes.
    planned: Option<SocketAddr>,
    retry_ms: u64,
    resolving: bool,
    attempt_ms: u64,
    heard_ms: u64,
    sent_ms: u64,
    probe_ms: u64,
    probe_wait_ms: u64,
    probed: usize,
    out: Vec<u8>,
    out_at: usize,
    /// Bytes that were ever put into `out` on this connection.
    stream_bytes: u64,
    pending: VecDeque<Pending<T, W>>,
    waiting: VecDeque<Pending<T, W>>,
    /// The frames of `waiting`, one behind the other.
    queued: Vec<u8>,
    auths: Vec<Auth<T>>,
    /// Indices into `auths`, in the order of the packets that have no answer.
    auth_pending: VecDeque<usize>,
    watches: Watches<W>,
    deadlines: BinaryHeap<Deadline>,
    next_xid: i32,
    next_seq: u64,
    closing: Option<Option<T>>,
    close_ms: u64,
    asks: VecDeque<Ask>,
    outcomes: Vec<Outcome<T, W>>,
    counters: Counters,
}

impl<T, W: Clone + Eq + Hash> Session<T, W> {
    /// A session that knows no server yet: give it some with `on_addresses`.
    pub fn new(config: Config) -> Session<T, W> {
        let rooted = config.identity.id != 0;
        Session {
            identity: config.identity.clone(),
            rooted,
            state: State::NotConnected,
            timeout_ms: config.timeout_ms.max(1),
            hosts: HostList::new(config.seed, config.shuffle),
            address: None,
            planned: None,
            retry_ms: u64::MAX,
            resolving: false,
            attempt_ms: 0,
            heard_ms: 0,
            sent_ms: 0,
            probe_ms: u64::MAX,
            probe_wait_ms: 0,
            probed: 0,
            out: Vec::new(),
            out_at: 0,
            stream_bytes: 0,
            pending: VecDeque::new(),
            waiting: VecDeque::new(),
            queued: Vec::new(),
            auths: Vec::new(),
            auth_pending: VecDeque::new(),
            watches: Watches::default(),
            deadlines: BinaryHeap::new(),
            next_xid: config.first_xid.max(1),
            next_seq: 1,
            closing: None,
            close_ms: u64::MAX,
            asks: VecDeque::new(),
            outcomes: Vec::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// Who this is; what a reattach needs.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The timeout that was asked for, or once connected the one that the server granted, in ms.
    pub fn timeout_ms(&self) -> i32 {
        self.timeout_ms
    }

    /// The server that is connected or being connected.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The watches that stand.
    pub fn watches(&self) -> &Watches<W> {
        &self.watches
    }

    /// The watches that stand, to be changed by the shell alone.
    pub fn watches_mut(&mut self) -> &mut Watches<W> {
        &mut self.watches
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Requests without an answer, sent or not.
    pub fn outstanding(&self) -> usize {
        self.pending.len() + self.waiting.len()
    }

    /// The next wish.
    pub fn next_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// Whether there is an outcome to take.
    pub fn has_outcomes(&self) -> bool {
        !self.outcomes.is_empty()
    }

    /// Moves all outcomes behind those in `to`. Must come before the next `on_bytes`, because the
    /// ranges in them mean the bytes of the last one.
    pub fn take_outcomes(&mut self, to: &mut Vec<Outcome<T, W>>) {
        to.append(&mut self.outcomes);
    }

    /// Bytes to be sent.
    pub fn output(&self) -> &[u8] {
        &self.out[self.out_at..]
    }

    /// So many bytes of the output have been sent.
    pub fn sent(&mut self, count: usize) {
        self.out_at += count;
        assert!(self.out_at <= self.out.len(), "more bytes sent than there were");
        if self.out_at == self.out.len() {
            self.out.clear();
            self.out_at = 0;
            // A burst must not cost its memory for the rest of the session.
            self.out.shrink_to(OUT_BYTES_KEPT);
        }
    }

    /// Whether requests can still be submitted, and why not.
    pub fn usable(&self) -> Result<()> {
        if self.closing.is_some() {
            return Err(Error::Closing);
        }
        match self.state {
            State::Closed => Err(Error::Closing),
            State::Expired => Err(Error::SessionExpired),
            State::AuthFailed => Err(Error::AuthFailed),
            _ => Ok(()),
        }
    }

    /// Adds an identity, now and on every connection to come. `done` gets the server's answer.
    pub fn add_auth(
        &mut self,
        now_ms: u64,
        scheme: &str,
        auth: &[u8],
        done: Option<T>,
    ) -> std::result::Result<(), (Error, Option<T>)> {
        if let Err(error) = self.usable() {
            return Err((error, done));
        }
        self.counters.requests += 1;
        self.auths.push(Auth { scheme: scheme.to_owned(), auth: auth.to_vec(), done });
        if self.state.is_connected() {
            self.send_auth(now_ms, self.auths.len() - 1);
        }
        Ok(())
    }

    fn send_auth(&mut self, now_ms: u64, at: usize) {
        let (scheme, auth) = (&self.auths[at].scheme, &self.auths[at].auth);
        let bytes = queue::append(&mut self.out, zk_wire::header::xid::AUTH, Op::AUTH, |out| {
            zk_wire::request::encode_auth(out, scheme, auth)
        });
        self.stream_bytes += bytes as u64;
        self.sent_ms = now_ms;
        self.auth_pending.push_back(at);
    }

    /// Ends the session. Requests before it are still answered; when the server has said goodbye,
    /// or does not within `wait_ms`, or there is no connection, whatever is left fails with
    /// `Error::Closing` and [`Outcome::Closed`] is the last outcome. A second close gets an error.
    pub fn close(&mut self, now_ms: u64, wait_ms: u64, done: Option<T>) -> Result<()> {
        if self.closing.is_some() || self.state == State::Closed {
            return Err(Error::Closing);
        }
        self.closing = Some(done);
        if !self.state.is_connected() {
            self.finish_close();
            return Ok(());
        }
        self.close_ms = now_ms.saturating_add(wait_ms);
        let xid = self.take_xid();
        self.send_internal(now_ms, xid, Op::CLOSE_SESSION, |_| ());
        Ok(())
    }

    /// Fails everything that has no answer yet, as Apache's C client does it before it closes.
    pub fn abandon(&mut self, error: &Error) {
        self.fail_all(|_| error.clone());
    }

    fn finish_close(&mut self) {
        self.fail_all(|_| Error::Closing);
        if self.address.take().is_some() {
            self.asks.push_back(Ask::HangUp);
        }
        self.clear_connection();
        self.state = State::Closed;
        self.retry_ms = u64::MAX;
        self.close_ms = u64::MAX;
        self.watches.clear();
        let done = self.closing.take().flatten();
        self.outcomes.push(Outcome::Closed { done });
    }

    fn kind_of(wish: WatchWish, code: Code) -> Option<WatchKind> {
        match (wish, code) {
            (WatchWish::DataOrExist, Code::NO_NODE) => Some(WatchKind::Exist),
            (_, code) if code != Code::OK => None,
            (WatchWish::Data | WatchWish::DataOrExist, _) => Some(WatchKind::Data),
            (WatchWish::Children, _) => Some(WatchKind::Children),
            (WatchWish::Persistent, _) => Some(WatchKind::Persistent),
            (WatchWish::Recursive, _) => Some(WatchKind::Recursive),
        }
    }
}

/// Bytes of an output buffer that an idle session keeps.
const OUT_BYTES_KEPT: usize = 4096;
