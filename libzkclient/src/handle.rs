//! One handle: a session, its connection, and the way from a caller's thread to the server.
//!
//! A caller that finds nothing under way writes to the socket itself, which saves a lone call the
//! wake of another thread; else the reactor writes what several callers have left. What comes back
//! is given to the handle's [`Kind`] without any lock held.

use std::hash::Hash;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use mio::Token;
use zk_wire::Op;

use crate::clock::now_ms;
use crate::error::Error;
use crate::hosts::HostPort;
use crate::reactor::{Shared, Task, Turn, Why};
use crate::resolver;
use crate::session::{Ask, Config, Extra, Outcome, Session, Ticket};
use crate::state::State;
use crate::sync::{Mutex, MutexGuard};
use crate::transport::Transport;

/// Which API a handle serves.
pub trait Kind: Send + Sync + Sized + 'static {
    /// What waits for an answer.
    type Done: Send;
    /// Who watches.
    type Watcher: Clone + Eq + Hash + Send;

    /// Gives outcomes to whom they belong, in order; ranges in them mean `bytes`. Called by
    /// whoever turns the reactor, one call at a time for a handle, no lock held.
    fn deliver(&self, bytes: &[u8], outcomes: &mut Vec<Outcome<Self::Done, Self::Watcher>>);

    /// Whether this thread is running a callback of this handle, behind which `Handle::flush` is
    /// called: the requests of one callback's batch then leave together.
    fn holds_back(&self) -> bool {
        false
    }
}

/// A slot that no task stands in.
const NOWHERE: usize = usize::MAX;

struct Inner<K: Kind> {
    session: Session<K::Done, K::Watcher>,
    hosts: Vec<HostPort>,
    /// Addresses that the opener has looked up already.
    known: Option<Vec<SocketAddr>>,
    /// The number of the latest look-up: the answer to an older one comes too late.
    look_up: u64,
    transport: Option<Transport>,
    /// Bytes of a frame that is not whole yet.
    tail: Vec<u8>,
    probe: Option<Probe>,
    /// Whether a turn was asked for and has not come yet.
    dirty: bool,
    /// When the reactor comes by itself, in ms.
    due_ms: u64,
}

struct Probe {
    transport: Transport,
    address: SocketAddr,
    asked: bool,
}

/// A session with its connection.
pub struct Handle<K: Kind> {
    /// The API's own part.
    pub kind: K,
    inner: Mutex<Inner<K>>,
    shared: Arc<Shared>,
    slot: AtomicUsize,
    itself: Weak<Handle<K>>,
}

impl<K: Kind> Handle<K> {
    /// A handle for a reactor; `begin` puts it there. With `known` the first look-up has been made.
    pub fn prepare(
        shared: Arc<Shared>,
        config: Config,
        hosts: Vec<HostPort>,
        known: Option<Vec<SocketAddr>>,
        kind: K,
    ) -> Arc<Handle<K>> {
        let inner = Inner {
            session: Session::new(config),
            hosts,
            known,
            look_up: 0,
            transport: None,
            tail: Vec::new(),
            probe: None,
            dirty: false,
            due_ms: 0,
        };
        Arc::new_cyclic(|itself| Handle {
            kind,
            inner: Mutex::new(inner),
            shared,
            slot: AtomicUsize::new(NOWHERE),
            itself: itself.clone(),
        })
    }

    /// Puts the handle on its reactor, whose first turn opens the session.
    pub fn begin(self: &Arc<Handle<K>>) {
        self.shared.add(self.clone());
    }

    fn inner(&self) -> MutexGuard<'_, Inner<K>> {
        self.inner.lock().expect("nothing panics while it holds a handle")
    }

    /// Looks at the session.
    pub fn with<R>(&self, look: impl FnOnce(&Session<K::Done, K::Watcher>) -> R) -> R {
        look(&self.inner().session)
    }

    /// Changes the session, and gives it a turn for what follows from that.
    pub fn change<R>(&self, change: impl FnOnce(u64, &mut Session<K::Done, K::Watcher>) -> R) -> R {
        let mut inner = self.inner();
        let result = change(now_ms(), &mut inner.session);
        self.ask_for_turn(&mut inner, true);
        result
    }

    fn ask_for_turn(&self, inner: &mut Inner<K>, wake: bool) {
        let slot = self.slot.load(Ordering::Acquire);
        // A handle without a slot has its first turn before it, which does everything.
        if slot != NOWHERE && !std::mem::replace(&mut inner.dirty, true) {
            self.shared.dirty(slot, wake);
        }
    }

    /// Submits a request, as `Session::submit`.
    pub fn submit(
        &self,
        op: Op,
        body: impl FnOnce(&mut Vec<u8>),
        extra: Extra<K::Watcher>,
        done: K::Done,
    ) -> Result<Ticket, (Error, K::Done)> {
        let now_ms = now_ms();
        let deadline_ms = extra.deadline_ms;
        let mut inner = self.inner();
        let lone = inner.session.outstanding() == 0 && inner.session.output().is_empty();
        let ticket = inner.session.submit(now_ms, op, body, extra, done)?;
        let connected = inner.session.state().is_connected();
        if self.kind.holds_back() {
            // The batch's end flushes; the reactor comes by as well, should a callback block.
            if connected {
                self.ask_for_turn(&mut inner, false);
            }
        } else if connected && lone {
            inner.write_out();
            if !inner.session.output().is_empty() {
                self.ask_for_turn(&mut inner, true);
            }
        } else if connected {
            self.ask_for_turn(&mut inner, true);
        }
        if deadline_ms < inner.due_ms {
            self.ask_for_turn(&mut inner, true);
        }
        Ok(ticket)
    }

    /// Writes what callbacks have left.
    pub fn flush(&self) {
        let mut inner = self.inner();
        if inner.session.state().is_connected() {
            inner.write_out();
        }
    }

    /// Gives a request up; see `Session::cancel`.
    pub fn cancel(&self, ticket: Ticket) -> bool {
        self.change(|_, session| session.cancel(ticket))
    }

    /// Takes another list of servers, and its addresses where they are `known` already: then nothing
    /// that is submitted later goes to a server that is left.
    pub fn set_hosts(&self, hosts: Vec<HostPort>, known: Option<Vec<SocketAddr>>) {
        let mut inner = self.inner();
        let known = known.or_else(|| resolver::without_look_up(&hosts));
        inner.hosts = hosts;
        // An answer that is on its way is that of the old list.
        inner.look_up += 1;
        let opened = inner.session.state() != State::NotConnected;
        match known {
            Some(addresses) if opened => inner.session.on_addresses(now_ms(), addresses),
            // Before its first turn, or while that waits for an answer.
            known => {
                inner.known = known;
                inner.session.look_up_again();
            }
        }
        self.ask_for_turn(&mut inner, true);
    }

    /// Drops the socket without a word to the server: for the child of a fork, which must neither
    /// end the parent's session nor keep its connection alive.
    pub fn disown(&self) {
        // Another thread of the parent may have held the lock at the fork: then the socket stays.
        if let Ok(mut inner) = self.inner.try_lock() {
            inner.transport = None;
            inner.probe = None;
        }
    }
}

impl<K: Kind> Inner<K> {
    /// Writes as much as goes. An error is seen by the next read.
    fn write_out(&mut self) {
        let Some(transport) = &self.transport else { return };
        while !self.session.output().is_empty() {
            match transport.write(self.session.output()) {
                Ok(count) if count > 0 => self.session.sent(count),
                _ => break,
            }
        }
    }

    fn hang_up(&mut self, turn: &Turn<'_>) {
        if let Some(mut transport) = self.transport.take() {
            transport.deregister(turn.registry);
        }
        self.tail = Vec::new();
    }

    fn dial(&mut self, turn: &Turn<'_>, address: SocketAddr) {
        let connected = Transport::connect(address).and_then(|mut transport| {
            transport.register(turn.registry, turn.token).map(|()| transport)
        });
        match connected {
            Ok(transport) => self.transport = Some(transport),
            Err(error) => {
                log::debug!("session: {address} cannot be reached: {error}");
                self.session.on_disconnected(turn.now_ms);
            }
        }
    }

    fn begin_probe(&mut self, turn: &Turn<'_>, address: SocketAddr) {
        if let Some(mut probe) = self.probe.take() {
            probe.transport.deregister(turn.registry);
        }
        let token = Token(turn.token.0 + 1);
        let connected = Transport::connect(address)
            .and_then(|mut transport| transport.register(turn.registry, token).map(|()| transport));
        self.probe = connected.ok().map(|transport| Probe { transport, address, asked: false });
    }

    /// Goes on with the question `isro`; the answer is `rw`, `ro` or silence.
    fn go_on_probing(&mut self, turn: &Turn<'_>) {
        let Some(probe) = &mut self.probe else { return };
        let mut answer = [0u8; 16];
        let done = match probe.transport.connected() {
            Ok(false) => return,
            Err(_) => Some(false),
            Ok(true) => {
                if !probe.asked {
                    probe.asked = true;
                    // Four bytes go into an empty socket's buffer, or the connection is broken.
                    let _ = probe.transport.write(b"isro");
                }
                match probe.transport.read(&mut answer) {
                    Ok(count) => Some(answer[..count].starts_with(b"rw")),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                    Err(_) => Some(false),
                }
            }
        };
        if let Some(writes) = done {
            let mut probe = self.probe.take().expect("looked at above");
            probe.transport.deregister(turn.registry);
            self.session.on_probed(turn.now_ms, probe.address, writes);
        }
    }
}

impl<K: Kind> Handle<K> {
    /// Reads until nothing is left and hands everything to the kind. Nothing is locked while it
    /// delivers: a callback may submit.
    fn read(&self, turn: &mut Turn<'_>, closed: bool) {
        loop {
            let mut inner = self.inner();
            if inner.session.has_outcomes() {
                // Another thread has changed the session since its last turn; this comes first.
                let mut outcomes = Vec::new();
                inner.session.take_outcomes(&mut outcomes);
                drop(inner);
                self.deliver(&[], &mut outcomes);
                continue;
            }
            let Some(transport) = &inner.transport else { return };
            let count = match transport.read(turn.buffer) {
                Ok(0) => {
                    inner.hang_up(turn);
                    inner.session.on_disconnected(turn.now_ms);
                    return;
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    log::debug!("session: the connection has failed: {error}");
                    inner.hang_up(turn);
                    inner.session.on_disconnected(turn.now_ms);
                    return;
                }
            };
            let mut tail = std::mem::take(&mut inner.tail);
            let mut outcomes = Vec::new();
            if tail.is_empty() {
                let bytes = &turn.buffer[..count];
                let taken = inner.session.on_bytes(turn.now_ms, bytes);
                inner.tail = bytes[taken..].to_vec();
                inner.session.take_outcomes(&mut outcomes);
                drop(inner);
                self.deliver(bytes, &mut outcomes);
            } else {
                tail.extend_from_slice(&turn.buffer[..count]);
                let taken = inner.session.on_bytes(turn.now_ms, &tail);
                inner.session.take_outcomes(&mut outcomes);
                if taken == 0 {
                    inner.tail = tail;
                    drop(inner);
                    self.deliver(&[], &mut outcomes);
                } else {
                    inner.tail = tail[taken..].to_vec();
                    drop(inner);
                    self.deliver(&tail, &mut outcomes);
                }
            }
            // A read that leaves room has emptied the socket: what comes later is a new event.
            if count < turn.buffer.len() && !closed {
                return;
            }
        }
    }

    fn deliver(&self, bytes: &[u8], outcomes: &mut Vec<Outcome<K::Done, K::Watcher>>) {
        if !outcomes.is_empty() {
            self.kind.deliver(bytes, outcomes);
        }
    }

    /// Carries out wishes, writes, and delivers what has come of it, until nothing is left to do.
    fn settle(&self, turn: &mut Turn<'_>) -> Option<u64> {
        loop {
            let mut inner = self.inner();
            inner.dirty = false;
            self.carry_out(turn, &mut inner);
            inner.write_out();
            let mut outcomes = Vec::new();
            inner.session.take_outcomes(&mut outcomes);
            if outcomes.is_empty() {
                let closed = inner.session.state() == State::Closed;
                if closed {
                    inner.hang_up(turn);
                    inner.probe = None;
                    return None;
                }
                inner.due_ms = inner.session.deadline_ms();
                return Some(inner.due_ms);
            }
            drop(inner);
            self.deliver(&[], &mut outcomes);
        }
    }

    /// Carries out what the session asks for.
    fn carry_out(&self, turn: &mut Turn<'_>, inner: &mut Inner<K>) {
        while let Some(ask) = inner.session.next_ask() {
            match ask {
                Ask::HangUp => inner.hang_up(turn),
                Ask::Dial(address) => {
                    inner.hang_up(turn);
                    inner.dial(turn, address);
                }
                Ask::Probe(address) => inner.begin_probe(turn, address),
                Ask::Resolve => self.resolve(turn, inner),
            }
        }
    }

    fn resolve(&self, turn: &Turn<'_>, inner: &mut Inner<K>) {
        let known = inner.known.take();
        if let Some(addresses) = known.or_else(|| resolver::without_look_up(&inner.hosts)) {
            inner.session.on_addresses(turn.now_ms, addresses);
            return;
        }
        let (shared, slot) = (self.shared.clone(), self.slot.load(Ordering::Acquire));
        let Some(itself) = self.itself.upgrade() else { return };
        inner.look_up += 1;
        let look_up = inner.look_up;
        resolver::look_up_aside(inner.hosts.clone(), move |addresses| {
            shared.addresses(slot, itself, look_up, addresses);
        });
    }
}

impl<K: Kind> Task for Handle<K> {
    fn placed(&self, slot: usize) {
        self.slot.store(slot, Ordering::Release);
    }

    fn turn(&self, turn: &mut Turn<'_>, why: Why) -> Option<u64> {
        // Another thread may have made the session leave: what is ready is of the old connection.
        if !matches!(why, Why::Start) {
            self.carry_out(turn, &mut self.inner());
        }
        match why {
            // A handle may have been closed before its first turn.
            Why::Start => {
                let mut inner = self.inner();
                if inner.session.usable().is_ok() {
                    inner.session.open();
                }
            }
            Why::Ready { readable, closed } => {
                let mut inner = self.inner();
                if inner.session.state() == State::Connecting {
                    match inner.transport.as_ref().map(Transport::connected) {
                        Some(Ok(true)) => inner.session.on_connected(turn.now_ms),
                        Some(Err(_)) => {
                            inner.hang_up(turn);
                            inner.session.on_disconnected(turn.now_ms);
                        }
                        Some(Ok(false)) | None => {}
                    }
                }
                drop(inner);
                if readable {
                    self.read(turn, closed);
                }
            }
            Why::Probe => self.inner().go_on_probing(turn),
            Why::Dirty => {}
            Why::Timer => {
                let mut inner = self.inner();
                if turn.now_ms >= inner.session.deadline_ms() {
                    inner.session.on_timer(turn.now_ms);
                }
            }
            Why::Addresses(look_up, addresses) => {
                let mut inner = self.inner();
                if look_up == inner.look_up {
                    inner.session.on_addresses(turn.now_ms, addresses);
                }
            }
        }
        self.settle(turn)
    }
}
