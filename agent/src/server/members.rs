//! What the loop does when the ensemble is reconfigured: files, and this server's own ports.
//!
//! A port that cannot be had is tried again every second; meanwhile the server goes on without it.
//! The name of a host is looked up on a thread: the system's resolver may block for many seconds.

use std::net::SocketAddr;

use mio::{Interest, Registry};
use zk_core::Members;

use crate::admin::Facts;
use crate::dynamic::DynamicFiles;
use crate::net::resolver::{self, Resolver};
use crate::net::{Listener, Peers};
use crate::server::LISTENER;

/// Time between two attempts to listen for clients, in ms.
const BIND_PAUSE_MS: i64 = 1000;

/// This server's place in an ensemble that changes.
#[derive(Debug)]
pub struct Membership {
    me: i64,
    /// None when there is no file to keep them beside.
    files: Option<DynamicFiles>,
    backlog: Option<i32>,
    /// Where clients should find this server and do not yet, and when it is tried again.
    client: Option<(SocketAddr, i64)>,
    /// Looks up where that is, for a configuration by its version.
    resolver: Resolver<i64>,
    /// The newest configuration for which that was asked.
    asked: i64,
}

impl Membership {
    /// For the server with the id `me`.
    pub fn new(
        me: i64,
        files: Option<DynamicFiles>,
        backlog: Option<i32>,
        resolver: Resolver<i64>,
    ) -> Membership {
        Membership { me, files, backlog, client: None, resolver, asked: i64::MIN }
    }

    /// Writes down what was proposed.
    ///
    /// # Errors
    /// Without it this server must not go on: after another start it would not know who decides.
    pub fn propose(&mut self, members: &Members) -> Result<(), String> {
        self.files.as_mut().map_or(Ok(()), |files| files.propose(members))
    }

    /// Writes down what is in force, and sees where this server listens from now on.
    pub fn activate(
        &mut self,
        members: &Members,
        kept: bool,
        facts: &mut Facts,
        peers: Option<&mut Peers>,
    ) {
        let files = self.files.as_mut().filter(|_| kept);
        if let Some(Err(error)) = files.map(|files| files.activate(members)) {
            // What was proposed is still written down, so that the next start is in time for it.
            log::error!("server: configuration_not_written version={:x} {error}", members.version);
        }
        if let Some(facts) = &mut facts.ensemble {
            facts.set_members(members);
        }
        let Some(own) = members.servers.get(&self.me) else { return };
        if let Some(peers) = peers {
            peers.listen_at(&own.election, &own.quorum);
        }
        let Some(place) = members.clients.get(&self.me) else { return };
        let place = (place.host.clone(), place.port);
        self.asked = members.version;
        if let Some(addresses) = resolver::literals(std::slice::from_ref(&place)) {
            self.client = addresses.first().map(|address| (*address, i64::MIN));
        } else if let Err(error) = self.resolver.ask(members.version, vec![place]) {
            log::error!("server: client_port_refused error=\"{error}\"");
        }
    }

    /// Takes what was looked up, unless a newer configuration has come since.
    fn take_found(&mut self) {
        while let Some((version, addresses)) = self.resolver.next_found() {
            if version != self.asked {
                continue;
            }
            match addresses.first() {
                Some(address) => self.client = Some((*address, i64::MIN)),
                None => log::error!(
                    "server: client_port_refused version={version:x} error=\"no such host\""
                ),
            }
        }
    }

    /// When listening is tried again, if it is.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.client.map(|(_, due_ms)| due_ms)
    }

    /// Lets clients find this server where its line says. True when it listens elsewhere now.
    pub fn listen(
        &mut self,
        now_ms: i64,
        listener: &mut Listener,
        facts: &mut Facts,
        to: &Registry,
    ) -> bool {
        self.take_found();
        let Some((wanted, _)) = self.client.filter(|(_, due_ms)| *due_ms <= now_ms) else {
            return false;
        };
        // Everywhere is the same place in both families.
        let wanted = match wanted.ip().is_unspecified() {
            true => SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), wanted.port()),
            false => wanted,
        };
        self.client = None;
        let here = listener.address();
        let everywhere = here.ip().is_unspecified() && wanted.ip().is_unspecified();
        if !listener.is_closed() && (here == wanted || (everywhere && here.port() == wanted.port()))
        {
            return false;
        }
        if listener.is_passed() {
            log::warn!("sockets: differs name=client address={here} settings={wanted}");
            return false;
        }
        let moved = listener
            .move_to(wanted, self.backlog, to)
            .and_then(|()| to.register(listener.source(), LISTENER, Interest::READABLE));
        match moved {
            Ok(()) => {
                facts.address = listener.address();
                log::info!("server: listening address={}", facts.address);
            }
            Err(error) => {
                log::error!("server: client_port_refused address={wanted} error=\"{error}\"");
                self.client = Some((wanted, now_ms + BIND_PAUSE_MS));
            }
        }
        true
    }
}
