//! Dialing: all addresses of a server at once, and the first that answers is the connection.
//!
//! A server may be reached over several networks, of which any may be down, and a name may take its
//! time: nothing waits for anything else. Names are looked up anew for each dial.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;

use mio::Interest;
use mio::net::TcpStream;
use zk_core::{PeerId, Port};

use super::link::{Link, Phase};
use super::{Peers, Told, Wants, token_of};
use crate::net::resolver;

/// Addresses that are tried at the same time; the others when one of these has failed.
const TRIES_MAX: usize = 8;

/// What is tried for a connection.
#[derive(Debug, Default)]
pub struct Dialing {
    /// Names that are being looked up.
    lookups: usize,
    tries: Vec<(SocketAddr, TcpStream)>,
    rest: VecDeque<SocketAddr>,
    seen: Vec<SocketAddr>,
    /// What is dialed.
    names: Vec<(String, u16)>,
    /// Why the last attempt failed, if one did.
    failed: Option<ErrorKind>,
}

/// Places that are remembered as away: more than an ensemble has.
const AWAY_MAX: usize = 512;

impl Dialing {
    fn add(&mut self, addresses: Vec<SocketAddr>) {
        for address in addresses {
            if !self.seen.contains(&address) {
                self.seen.push(address);
                self.rest.push_back(address);
            }
        }
    }
}

impl Peers {
    /// Connects to a server over whichever of its addresses answers first.
    pub fn dial(&mut self, peer: PeerId, names: Vec<(String, u16)>, port: Port, now_ms: i64) {
        let due_ms = now_ms + self.connect_ms;
        self.links.insert(peer, Link::dialed(port, due_ms));
        self.be_back(due_ms);
        let mut dialing = Dialing { names: names.clone(), ..Dialing::default() };
        for name in names {
            if let Some(addresses) = resolver::literals(std::slice::from_ref(&name)) {
                dialing.add(addresses);
            } else {
                match self.resolver.ask(Wants::Peer(peer), vec![name]) {
                    Ok(()) => dialing.lookups += 1,
                    Err(e) => log::error!("peers: resolver_failed error={e}"),
                }
            }
        }
        if let Some(link) = self.links.get_mut(&peer) {
            link.dialing = dialing;
        }
        self.try_on(peer);
    }

    /// Why the server at this place could not be reached when it was last tried, if so.
    pub fn why_away(&self, place: &(String, u16)) -> Option<&'static str> {
        self.away.get(place).copied()
    }

    /// A dial leads nowhere.
    pub(super) fn note_away(&mut self, peer: PeerId, why: &'static str) {
        let Some(link) = self.links.get(&peer).filter(|l| l.phase == Phase::Dialing) else {
            return;
        };
        if self.away.len() >= AWAY_MAX {
            self.away.clear();
        }
        self.away.extend(link.dialing.names.iter().map(|name| (name.clone(), why)));
    }

    /// A name was looked up.
    pub(super) fn on_resolved(&mut self, peer: PeerId, addresses: Vec<SocketAddr>) {
        let waits = |link: &&mut Link| link.phase == Phase::Dialing;
        let Some(link) = self.links.get_mut(&peer).filter(waits) else { return };
        if addresses.is_empty() {
            log::debug!("peers: no_address peer={peer}");
        }
        link.dialing.lookups -= 1;
        link.dialing.add(addresses);
        self.try_on(peer);
    }

    /// Begins as many attempts as may be; gives up when there is nothing to wait for.
    fn try_on(&mut self, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let dialing = &mut link.dialing;
        while dialing.tries.len() < TRIES_MAX
            && let Some(address) = dialing.rest.pop_front()
        {
            let mut socket = match TcpStream::connect(address) {
                Ok(socket) => socket,
                Err(error) => {
                    dialing.failed = Some(error.kind());
                    continue;
                }
            };
            let both = Interest::READABLE | Interest::WRITABLE;
            // One token for all of them: whoever is told of one looks at each.
            if self.registry.register(&mut socket, token_of(peer), both).is_ok() {
                dialing.tries.push((address, socket));
            }
        }
        if dialing.tries.is_empty() && dialing.lookups == 0 {
            let why = match dialing.failed {
                None => "no such host",
                Some(ErrorKind::ConnectionRefused) => "refused",
                Some(ErrorKind::TimedOut) => "timeout",
                Some(_) => "unreachable",
            };
            self.note_away(peer, why);
            self.drop_link(peer);
        }
    }

    /// One of the attempts has come to something.
    pub(super) fn look_if_connected(&mut self, peer: PeerId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let dialing = &mut link.dialing;
        let failed = &mut dialing.failed;
        dialing.tries.retain(|(_, socket)| match state_of(socket) {
            State::Failed(why) => {
                *failed = Some(why);
                false
            }
            _ => true,
        });
        let there = dialing.tries.iter().position(|(_, socket)| state_of(socket) == State::There);
        let Some(at) = there else { return self.try_on(peer) };
        let (address, socket) = dialing.tries.swap_remove(at);
        // The others end here.
        let dialed = std::mem::take(&mut link.dialing);
        self.away.retain(|name, _| !dialed.names.contains(name));
        link.socket = Some(socket);
        link.awaits_room = true;
        link.address = Some(address);
        link.phase = Phase::Open;
        link.due_ms = i64::MAX;
        link.readable = true;
        link.set_options(self.keepalive, self.connect_ms);
        self.told.push_back(Told::Connected(peer));
        self.make_ready(peer);
        self.make_dirty(peer);
    }
}

/// How far an attempt is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    There,
    Failed(ErrorKind),
}

fn state_of(socket: &TcpStream) -> State {
    match socket.take_error() {
        Ok(None) => match (socket.peer_addr(), socket.local_addr()) {
            // A port without a listener can be met by the dial itself.
            (Ok(there), Ok(here)) if there != here => State::There,
            (Err(e), _) if e.kind() == ErrorKind::NotConnected => State::UnderWay,
            _ => State::Failed(ErrorKind::ConnectionRefused),
        },
        Ok(Some(e)) | Err(e) => State::Failed(e.kind()),
    }
}
