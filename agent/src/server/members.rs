//! What the loop does when the ensemble is reconfigured: files, and this server's own ports.
//!
//! A port that cannot be had is tried again every second; meanwhile the server goes on without it.

use std::net::{SocketAddr, ToSocketAddrs};

use mio::{Interest, Registry};
use zk_core::Members;

use crate::admin::Facts;
use crate::dynamic::DynamicFiles;
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
}

impl Membership {
    /// For the server with the id `me`.
    pub fn new(me: i64, files: Option<DynamicFiles>, backlog: Option<i32>) -> Membership {
        Membership { me, files, backlog, client: None }
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
        let address = (place.host.as_str(), place.port).to_socket_addrs();
        match address.ok().and_then(|mut all| all.next()) {
            Some(address) => self.client = Some((address, i64::MIN)),
            None => {
                log::error!("server: client_port_refused address={place} error=\"no such host\"")
            }
        }
    }

    /// When listening is tried again, if it is.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.client.map(|(_, due_ms)| due_ms)
    }

    /// Lets clients find this server where its line says.
    pub fn listen(
        &mut self,
        now_ms: i64,
        listener: &mut Listener,
        facts: &mut Facts,
        to: &Registry,
    ) {
        let Some((wanted, due_ms)) = self.client else { return };
        if due_ms > now_ms {
            return;
        }
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
            return;
        }
        let moved = listener
            .move_to(wanted, self.backlog)
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
    }
}
