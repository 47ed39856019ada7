//! Ports of this server that move when the ensemble is reconfigured.
//!
//! Who is connected to the old port stays. A port that cannot be had is tried again every second, and
//! its name is looked up anew then, on the resolver's threads: nobody waits for that.

use std::net::SocketAddr;

use mio::{Interest, Token};
use zk_core::Port;

use super::{LISTENERS_MAX, Peers, TOKENS, Wants, all_addresses, preferred};
use crate::net::{Listener, resolver};
use crate::settings::PeerSettings;

/// Time between two attempts to bind a port, in ms.
const PAUSE_MS: i64 = 1000;

/// Host and port.
type Place = (String, u16);

/// Where this server listens, and where it should.
#[derive(Debug)]
pub(super) struct Moves {
    everywhere: bool,
    /// The places of the listeners, in their order.
    places: Vec<Place>,
    wanted: Vec<(Port, Place)>,
    /// Places whose names are being looked up.
    asked: Vec<(Port, Place)>,
    /// When what is wanted is tried next; none while everything is there.
    due_ms: Option<i64>,
    /// Something was opened or closed.
    moved: bool,
}

impl Moves {
    /// What is bound at the start.
    pub fn new(settings: &PeerSettings) -> Moves {
        let count = if settings.listen_on_all { 1 } else { LISTENERS_MAX / 2 };
        let places = settings.election.iter().take(count).chain(settings.quorum.iter().take(count));
        Moves {
            everywhere: settings.listen_on_all,
            places: places.cloned().collect(),
            wanted: Vec::new(),
            asked: Vec::new(),
            due_ms: None,
            moved: false,
        }
    }

    /// Whether something was opened or closed since it was asked the last time.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    fn same(&self, a: &Place, b: &Place) -> bool {
        a.1 == b.1 && (self.everywhere || a.0 == b.0)
    }
}

impl Peers {
    /// Listens at these places and at no others, as soon as they are to be had.
    pub fn listen_at(&mut self, election: &[Place], quorum: &[Place]) {
        let count = if self.moves.everywhere { 1 } else { LISTENERS_MAX / 2 };
        let of = |port, places: &[Place]| -> Vec<(Port, Place)> {
            places.iter().take(count).map(|place| (port, place.clone())).collect()
        };
        self.moves.wanted = of(Port::Election, election);
        self.moves.wanted.extend(of(Port::Quorum, quorum));
        self.moves.due_ms = Some(0);
        self.be_back(0);
    }

    /// Closes what is not wanted any more, and binds what is wanted and not there.
    pub(super) fn bind_moved(&mut self, now_ms: i64) {
        if self.moves.due_ms.is_none_or(|due_ms| due_ms > now_ms) {
            return;
        }
        let (moves, mut moved) = (&self.moves, false);
        for (place, (port, listener)) in moves.places.iter().zip(&mut self.listeners) {
            let wanted = moves.wanted.iter().any(|(p, w)| p == port && moves.same(w, place));
            if !wanted && !listener.is_closed() {
                log::info!("peers: closed port={port:?} address={}", listener.address());
                listener.leave(&self.registry);
                moved = true;
            }
        }
        self.moves.moved |= moved;
        self.moves.due_ms = None;
        for (port, place) in self.moves.wanted.clone() {
            if self.listens_at(port, &place) || self.moves.asked.contains(&(port, place.clone())) {
                continue;
            }
            if self.moves.everywhere {
                self.try_at(port, place.clone(), Some(all_addresses(place.1)), now_ms);
            } else if let Some(literal) = resolver::literals(std::slice::from_ref(&place)) {
                self.try_at(port, place, preferred(&literal), now_ms);
            } else {
                let wants = Wants::Place(port, place.clone());
                match self.resolver.ask(wants, vec![place.clone()]) {
                    Ok(()) => self.moves.asked.push((port, place)),
                    Err(error) => self.try_later(port, &place, &error.to_string(), now_ms),
                }
            }
        }
    }

    /// The name of a place was looked up.
    pub(super) fn on_place_found(
        &mut self,
        port: Port,
        place: Place,
        addresses: &[SocketAddr],
        now_ms: i64,
    ) {
        let found = (port, place);
        self.moves.asked.retain(|asked| *asked != found);
        // It may have been moved again meanwhile.
        if self.moves.wanted.contains(&found) && !self.listens_at(port, &found.1) {
            self.try_at(port, found.1, preferred(addresses), now_ms);
        }
    }

    fn listens_at(&self, port: Port, place: &Place) -> bool {
        let mut open = self.moves.places.iter().zip(&self.listeners);
        open.any(|(p, (of, l))| *of == port && self.moves.same(p, place) && !l.is_closed())
    }

    fn try_at(&mut self, port: Port, place: Place, address: Option<SocketAddr>, now_ms: i64) {
        let bound = match address {
            Some(address) => self.bind_at(port, &place, address),
            None => Err("no such host".to_owned()),
        };
        if let Err(why) = bound {
            self.try_later(port, &place, &why, now_ms);
        }
    }

    fn try_later(&mut self, port: Port, place: &Place, why: &str, now_ms: i64) {
        log::error!("peers: bind_failed port={port:?} address={place:?} error=\"{why}\"");
        self.moves.due_ms = Some(now_ms + PAUSE_MS);
        self.be_back(now_ms + PAUSE_MS);
    }

    fn bind_at(&mut self, port: Port, place: &Place, address: SocketAddr) -> Result<(), String> {
        let free = self.listeners.iter().position(|(_, listener)| listener.is_closed());
        let at = free.unwrap_or(self.listeners.len());
        if at >= LISTENERS_MAX {
            return Err("too many places to listen".to_owned());
        }
        let mut listener = Listener::bind(address, None).map_err(|error| error.to_string())?;
        let registered =
            self.registry.register(listener.source(), Token(TOKENS + at), Interest::READABLE);
        registered.map_err(|error| error.to_string())?;
        log::info!("peers: listening port={port:?} address={}", listener.address());
        self.moves.moved = true;
        if at == self.listeners.len() {
            self.listeners.push((port, listener));
            self.moves.places.push(place.clone());
        } else {
            self.listeners[at] = (port, listener);
            self.moves.places[at] = place.clone();
        }
        Ok(())
    }

    /// When a place is tried again, if one is.
    pub(super) fn moves_due_ms(&self) -> i64 {
        self.moves.due_ms.unwrap_or(i64::MAX)
    }
}
