//! The other servers: connections to and from them on the election and the quorum port.
//!
//! Carries bytes for the core and knows nothing of what they mean. Each connection has a number of
//! its own, never used again; its end is told exactly once, whoever ends it, also for one that
//! could not be made, and nothing is told of it afterwards. Nobody here waits: names are looked up
//! on threads, everything else the kernel does at once or not at all.

mod dial;
mod link;
mod moved;
mod output;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use mio::event::Event;
use mio::{Interest, Registry, Token, Waker};
use zk_core::{PeerId, Port};

use crate::net::Listener;
use crate::net::conn::reset_on_close;
use crate::net::passed::{self, Passed};
use crate::net::resolver::{self, Resolver};
use crate::settings::PeerSettings;
use link::{Link, Phase};
use moved::Moves;

/// The first of the peers' tokens; clients have the ones below.
pub const TOKENS: usize = 1 << 40;
/// Listeners at most.
const LISTENERS_MAX: usize = 64;
/// Bytes queued for a peer above which its connection is closed.
pub const OUTPUT_BYTES_MAX: usize = 256 << 20;
/// Connections that came to us, at most.
pub const ACCEPTED_MAX: usize = 256;
/// How long a connection that came to us may be silent at first, in ms.
pub const FIRST_BYTE_MS: i64 = 10_000;
/// How long a connection may go on to flush when it is closed, in ms.
pub const FLUSH_MS: i64 = 2000;
/// Size of the buffer that all connections are read into.
const BUFFER_BYTES: usize = 64 << 10;
/// Reads of each connection in a turn.
const READS_PER_TURN: usize = 8;
/// Time between two attempts to bind a port, in ms.
const BIND_PAUSE_MS: u64 = 1000;

/// Something for the core.
#[derive(Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// Somebody has connected to one of our ports.
    Accepted(PeerId, Port),
    /// A dialed connection is there.
    Connected(PeerId),
    /// Bytes came.
    Bytes(PeerId, &'a [u8]),
    /// A connection is gone or could not be made.
    Closed(PeerId),
}

#[derive(Debug)]
enum Told {
    Accepted(PeerId, Port),
    Connected(PeerId),
    Closed(PeerId),
}

/// All connections to other servers.
#[derive(Debug)]
pub struct Peers {
    registry: Registry,
    listeners: Vec<(Port, Listener)>,
    /// Where this server listens when it is reconfigured.
    moves: Moves,
    links: BTreeMap<PeerId, Link>,
    accepted: usize,
    next_accepted: u64,
    /// Somebody was refused because there are too many; said once.
    full: bool,
    resolver: Resolver<Wants>,
    connect_ms: i64,
    keepalive: bool,
    told: VecDeque<Told>,
    ready: VecDeque<PeerId>,
    dirty: Vec<PeerId>,
    drained: Vec<PeerId>,
    buffer: Vec<u8>,
    reads_left: usize,
    /// No connection has to have come further before this time, `Now::mono_ms`.
    due_ms: i64,
    /// Where the last dial led nowhere, and why.
    away: BTreeMap<(String, u16), &'static str>,
}

/// Binds this server's ports for its peers, trying again as the settings say.
///
/// # Errors
/// What the last attempt said, with the address.
pub fn bind(settings: &PeerSettings, passed: &mut Passed) -> Result<Vec<(Port, Listener)>, String> {
    let mut listeners = Vec::new();
    for (port, names) in [(Port::Election, &settings.election), (Port::Quorum, &settings.quorum)] {
        for name in names.iter().take(LISTENERS_MAX / 2) {
            listeners.push((port, bind_one(port, name, settings, passed)?));
            if settings.listen_on_all {
                break;
            }
        }
    }
    Ok(listeners)
}

fn bind_one(
    port: Port,
    name: &(String, u16),
    settings: &PeerSettings,
    passed: &mut Passed,
) -> Result<Listener, String> {
    let mut attempt = 0;
    loop {
        let why = match address_of(name, settings.listen_on_all) {
            None => "no such host".to_owned(),
            Some(address) => match open(port, address, passed) {
                Ok(listener) => return Ok(listener),
                Err(e) => e.to_string(),
            },
        };
        attempt += 1;
        let port = passed::name_of(port);
        let place = format!("{}:{}", name.0, name.1);
        if settings.bind_attempts.is_some_and(|most| attempt >= most) {
            return Err(format!(
                "cannot listen on the {port} port {place} after {attempt} attempts: {why}; correct \
                 this server's line in the list, or set quorumListenOnAllIPs=true"
            ));
        }
        log::warn!("peers: bind_failed port={port} address={place} error=\"{why}\"");
        std::thread::sleep(std::time::Duration::from_millis(BIND_PAUSE_MS));
    }
}

fn open(port: Port, address: SocketAddr, passed: &mut Passed) -> io::Result<Listener> {
    let name = passed::name_of(port);
    match passed.from_unit(name, address)? {
        Some(listener) => Ok(listener),
        None => passed.own(name, address, None),
    }
}

/// The address to bind. Waits for the system's resolver: at the start there is nobody else to wait.
fn address_of(name: &(String, u16), everywhere: bool) -> Option<SocketAddr> {
    match everywhere {
        true => Some(all_addresses(name.1)),
        false => preferred(&resolver::look_up(std::slice::from_ref(name))),
    }
}

fn all_addresses(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)
}

/// The first address of a name, an IPv4 one when there are both.
fn preferred(all: &[SocketAddr]) -> Option<SocketAddr> {
    all.iter().find(|address| address.is_ipv4()).or(all.first()).copied()
}

/// For whom a name is looked up.
#[derive(Debug)]
enum Wants {
    /// A server is dialed.
    Peer(PeerId),
    /// This server is to listen there.
    Place(Port, (String, u16)),
}

/// Tokens and numbers are the same but for where the highest bit stands.
fn token_of(peer: PeerId) -> Token {
    Token(TOKENS + LISTENERS_MAX + peer.0.rotate_left(1) as usize)
}

impl Peers {
    /// Registers the listeners. `waker` wakes the poll that `registry` belongs to.
    ///
    /// # Errors
    /// What the poll says.
    pub fn new(
        settings: &PeerSettings,
        mut listeners: Vec<(Port, Listener)>,
        registry: &Registry,
        waker: Arc<Waker>,
    ) -> io::Result<Peers> {
        for (at, (_, listener)) in listeners.iter_mut().enumerate() {
            registry.register(listener.source(), Token(TOKENS + at), Interest::READABLE)?;
        }
        Ok(Peers {
            registry: registry.try_clone()?,
            listeners,
            moves: Moves::new(settings),
            links: BTreeMap::new(),
            accepted: 0,
            next_accepted: PeerId::ACCEPTED,
            full: false,
            resolver: Resolver::new(waker),
            connect_ms: settings.connect_timeout_ms,
            keepalive: settings.tcp_keepalive,
            told: VecDeque::new(),
            ready: VecDeque::new(),
            dirty: Vec::new(),
            drained: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            reads_left: 0,
            due_ms: i64::MAX,
            away: BTreeMap::new(),
        })
    }

    /// Connections, made and being made.
    pub fn count(&self) -> usize {
        self.links.len()
    }

    /// The poll has news about one of the peers' tokens.
    pub fn on_event(&mut self, token: usize, event: &Event) {
        let at = token - TOKENS;
        if at < LISTENERS_MAX {
            if let Some((_, listener)) = self.listeners.get_mut(at) {
                listener.on_ready();
            }
            return;
        }
        let peer = PeerId(((at - LISTENERS_MAX) as u64).rotate_right(1));
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.phase == Phase::Dialing {
            return self.look_if_connected(peer);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            link.readable = true;
            link.hung_up |= event.is_read_closed() || event.is_error();
            self.make_ready(peer);
        }
        if event.is_writable() {
            self.on_writable(peer);
        }
    }

    fn on_writable(&mut self, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.blocked {
            link.blocked = false;
            self.make_dirty(peer);
        }
    }

    fn make_ready(&mut self, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        if !link.in_ready {
            link.in_ready = true;
            self.ready.push_back(peer);
        }
    }

    fn make_dirty(&mut self, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        if !link.blocked && !link.in_dirty {
            link.in_dirty = true;
            self.dirty.push(peer);
        }
    }

    fn be_back(&mut self, due_ms: i64) {
        self.due_ms = self.due_ms.min(due_ms);
    }

    fn forget(&mut self, peer: PeerId) {
        if self.links.remove(&peer).is_some_and(|link| link.accepted) {
            self.accepted -= 1;
            self.full = false;
        }
    }

    /// Forgets a connection, and tells the core.
    fn drop_link(&mut self, peer: PeerId) {
        self.forget(peer);
        self.told.push_back(Told::Closed(peer));
    }

    /// Queues bytes for a peer; they leave at [`Peers::flush`].
    pub fn send(&mut self, peer: PeerId, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.phase == Phase::Closing || link.broken || bytes.is_empty() {
            return;
        }
        let queued = link.output.len();
        if queued + bytes.len() > OUTPUT_BYTES_MAX {
            let address = link.address.map_or(String::new(), |address| address.to_string());
            log::warn!("peers: overflow peer={peer} address={address} queued={queued}");
            return self.drop_link(peer);
        }
        link.output.push(bytes);
        link.owes_drained = true;
        self.make_dirty(peer);
    }

    /// Closes a connection once everything that was sent before has left, or soon anyway.
    pub fn close(&mut self, peer: PeerId, now_ms: i64) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        match link.phase {
            Phase::Dialing => self.drop_link(peer),
            Phase::Closing => {}
            Phase::Open => {
                if let Some(address) = link.address.filter(|_| link.accepted) {
                    // Why is the core's word; it knows the connection by its number alone.
                    log::info!("peers: closing peer={peer} address={address}");
                }
                link.phase = Phase::Closing;
                link.due_ms = now_ms + FLUSH_MS;
                self.be_back(now_ms + FLUSH_MS);
                self.make_dirty(peer);
            }
        }
    }

    /// Begins a turn: takes in who has connected and what was looked up, and ends what took too
    /// long.
    pub fn begin_turn(&mut self, now_ms: i64) {
        while let Some((wants, addresses)) = self.resolver.next_found() {
            match wants {
                Wants::Peer(peer) => self.on_resolved(peer, addresses),
                Wants::Place(port, place) => {
                    self.on_place_found(port, place, &addresses, now_ms);
                }
            }
        }
        self.bind_moved(now_ms);
        for at in 0..self.listeners.len() {
            self.accept(at, now_ms);
        }
        if now_ms >= self.due_ms {
            self.expire(now_ms);
        }
        self.reads_left = self.ready.len() * READS_PER_TURN;
    }

    fn accept(&mut self, at: usize, now_ms: i64) {
        while self.listeners[at].1.has_work(now_ms) {
            let (port, listener) = &mut self.listeners[at];
            let port = *port;
            let (mut socket, from) = match listener.accept(now_ms) {
                Ok(Some(accepted)) => accepted,
                Ok(None) => return,
                Err(e) => return log::warn!("peers: accept_failed error={e}"),
            };
            if self.accepted >= ACCEPTED_MAX {
                if !std::mem::replace(&mut self.full, true) {
                    log::warn!("peers: full connections={} refused={from}", self.accepted);
                }
                reset_on_close(&socket);
                continue;
            }
            let peer = PeerId(self.next_accepted);
            self.next_accepted += 1;
            let token = token_of(peer);
            if let Err(e) = self.registry.register(&mut socket, token, Interest::READABLE) {
                log::warn!("peers: register_failed error={e}");
                continue;
            }
            let link = Link::accepted(socket, from, port, now_ms + FIRST_BYTE_MS);
            link.set_options(self.keepalive, self.connect_ms);
            self.links.insert(peer, link);
            self.accepted += 1;
            self.be_back(now_ms + FIRST_BYTE_MS);
            self.told.push_back(Told::Accepted(peer, port));
        }
    }

    fn expire(&mut self, now_ms: i64) {
        let late = |link: &Link| link.due_ms <= now_ms;
        let late: Vec<PeerId> =
            self.links.iter().filter(|(_, link)| late(link)).map(|(peer, _)| *peer).collect();
        for peer in late {
            self.note_away(peer, "timeout");
            self.drop_link(peer);
        }
        let due_ms = self.links.values().map(|link| link.due_ms).min().unwrap_or(i64::MAX);
        self.due_ms = due_ms.min(self.moves_due_ms());
    }

    /// What the core has to hear next in this turn. While `held`, nobody is read.
    pub fn next(&mut self, held: bool) -> Option<News<'_>> {
        while let Some(told) = self.told.pop_front() {
            match told {
                Told::Accepted(peer, port) => return Some(News::Accepted(peer, port)),
                Told::Closed(peer) => return Some(News::Closed(peer)),
                // Unless the core wants it no more.
                Told::Connected(peer) if self.links.get(&peer).is_some_and(Link::is_open) => {
                    return Some(News::Connected(peer));
                }
                Told::Connected(_) => {}
            }
        }
        while self.reads_left > 0 && !held {
            let peer = self.ready.pop_front()?;
            self.reads_left -= 1;
            let Some(link) = self.links.get_mut(&peer) else { continue };
            link.in_ready = false;
            let Some(count) = read(link, &mut self.buffer) else {
                self.forget(peer);
                return Some(News::Closed(peer));
            };
            if link.accepted && link.is_open() && count > 0 {
                link.due_ms = i64::MAX;
            }
            let open = link.is_open();
            if link.readable {
                self.make_ready(peer);
            }
            if open && count > 0 {
                return Some(News::Bytes(peer, &self.buffer[..count]));
            }
        }
        None
    }

    /// Sends what was queued.
    pub fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for &peer in &dirty {
            self.flush_one(peer);
        }
        dirty.clear();
        debug_assert!(self.dirty.is_empty(), "a flush makes nothing dirty");
        self.dirty = dirty;
    }

    fn flush_one(&mut self, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.in_dirty = false;
        if link.broken || link.phase == Phase::Dialing {
            return;
        }
        match link.send(&self.registry, token_of(peer)) {
            Ok(true) if link.phase == Phase::Closing => {
                // What has come and is not read would make this a reset, which takes what was sent
                // away from the other side; so its end is waited for.
                if !std::mem::replace(&mut link.shut, true) {
                    let _ = link.socket.as_ref().map(|socket| socket.shutdown(Shutdown::Write));
                    link.readable = true;
                    self.make_ready(peer);
                }
            }
            Ok(true) => {
                if std::mem::take(&mut link.owes_drained) {
                    self.drained.push(peer);
                }
            }
            Ok(false) => link.blocked = true,
            Err(_) => {
                link.broken = true;
                link.readable = true;
                link.output.clear();
                self.make_ready(peer);
            }
        }
    }

    /// A connection of which everything that was sent has left, since it was asked the last time.
    pub fn pop_drained(&mut self) -> Option<PeerId> {
        loop {
            let peer = self.drained.pop()?;
            if self.links.get(&peer).is_some_and(Link::is_open) {
                return Some(peer);
            }
        }
    }

    /// Whether there is something to do at once. While `held`, nobody is read.
    pub fn has_work(&self, now_ms: i64, held: bool) -> bool {
        !self.told.is_empty()
            || (!self.ready.is_empty() && !held)
            || !self.dirty.is_empty()
            || !self.drained.is_empty()
            || self.listeners.iter().any(|(_, listener)| listener.has_work(now_ms))
    }

    /// When there is something to do at the latest, `Now::mono_ms`.
    pub fn deadline_ms(&self) -> i64 {
        let accepts = self.listeners.iter().filter_map(|(_, listener)| listener.deadline_ms());
        accepts.fold(self.due_ms, i64::min)
    }

    /// Its listeners that no socket unit holds, for the service manager to keep.
    pub fn own_fds(&self, port: Port) -> impl Iterator<Item = BorrowedFd<'_>> {
        let of_port = self.listeners.iter().filter(move |(of, _)| *of == port);
        of_port.filter_map(|(_, listener)| listener.own_fd())
    }

    /// Whether it listens elsewhere since it was asked the last time.
    pub fn take_moved(&mut self) -> bool {
        self.moves.take_moved()
    }

    /// Where it listens.
    pub fn addresses(&self) -> impl Iterator<Item = (Port, SocketAddr)> + '_ {
        self.listeners.iter().map(|(port, listener)| (*port, listener.address()))
    }
}

/// Reads once. `None`: the connection has ended.
fn read(link: &mut Link, buffer: &mut [u8]) -> Option<usize> {
    let socket = link.socket.as_mut()?;
    loop {
        match socket.read(buffer) {
            Ok(0) => return None,
            Ok(count) => {
                // A short read has emptied the socket, and what comes next makes a new event; the
                // end of the stream doesn't when it was announced with this one.
                if count < buffer.len() && !link.hung_up && !link.broken {
                    link.readable = false;
                }
                return Some(count);
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock && !link.broken => {
                // The end that was announced was of another address that was tried.
                (link.readable, link.hung_up) = (false, false);
                return Some(0);
            }
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests;
