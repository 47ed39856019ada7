//! Sockets that the service manager holds: those of socket units, and our own over a restart.
//!
//! | name | from | what it is |
//! |---|---|---|
//! | `client` | a socket unit | where clients connect, whatever the settings say |
//! | `quorum`, `election` | socket units | where other servers connect, likewise |
//! | `kept-client`, `kept-quorum`, `kept-election` | this program's last start | what it listened on |
//! | `connection`, `state` | a later version | live connections and what belongs to them |
//!
//! A kept socket is used only where the settings would open the very same; all others are given
//! back. What a later version has left is given back unseen, so that going back to this one works.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{Shutdown, getsockopt, shutdown, sockopt};
use zk_core::Port;

use crate::net::Listener;
use crate::sys;

/// The name under which a socket unit passes the client port.
pub const CLIENT: &str = "client";
/// What stands before the names of sockets that this program has the service manager keep.
pub const KEPT: &str = "kept-";
/// Names that a later version will give to what it leaves behind.
const LATER: [&str; 2] = ["connection", "state"];

/// The name for a port of other servers.
pub fn name_of(port: Port) -> &'static str {
    match port {
        Port::Election => "election",
        Port::Quorum => "quorum",
    }
}

/// What was passed and is not used yet.
#[derive(Debug, Default)]
pub struct Passed {
    sockets: Vec<(String, OwnedFd)>,
    /// Names of sockets that were kept, used or not.
    kept: Vec<String>,
}

impl Passed {
    /// Takes over what was passed to this process.
    ///
    /// # Errors
    /// One line with the remedy, when it is not what it should be.
    pub fn take() -> Result<Passed, String> {
        let all = sys::passed::take();
        Passed::new(
            all.map_err(|error| format!("LISTEN_FDS: {error}; leave these variables alone"))?,
        )
    }

    fn new(all: Vec<(String, OwnedFd)>) -> Result<Passed, String> {
        let mut passed = Passed::default();
        for (name, fd) in all {
            let kept = name.strip_prefix(KEPT);
            let base = kept.unwrap_or(&name);
            if LATER.contains(&base) {
                log::warn!("sockets: left_behind name={name}");
                passed.kept.push(name);
                continue;
            }
            if ![CLIENT, "quorum", "election"].contains(&base) {
                return Err(format!(
                    "the service manager passes a socket with the name {name:?}, which is for nothing \
                     here; set FileDescriptorName= in its unit to client, quorum or election"
                ));
            }
            if !listens(&fd) {
                return Err(format!(
                    "the socket {name:?} that the service manager passes is none that listens on a \
                     TCP port; use ListenStream= with a port, and Accept=no"
                ));
            }
            if kept.is_some() {
                passed.kept.push(name.clone());
            } else if name == CLIENT && passed.sockets.iter().any(|(other, _)| *other == name) {
                return Err(
                    "the service manager passes more than one socket with the name \"client\"; \
                            leave one ListenStream= in its unit"
                        .to_owned(),
                );
            }
            passed.sockets.push((name, fd));
        }
        Ok(passed)
    }

    /// Opens the client port: the socket of a unit, or the kept one of this address, or a new one.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn client(
        &mut self,
        wanted: SocketAddr,
        backlog: Option<i32>,
    ) -> std::io::Result<Listener> {
        match self.from_unit(CLIENT, wanted)? {
            Some(listener) => Ok(listener),
            None => self.own(CLIENT, wanted, backlog),
        }
    }

    /// The socket of a unit, if there is one; the settings want another address, perhaps.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn from_unit(
        &mut self,
        name: &str,
        wanted: SocketAddr,
    ) -> std::io::Result<Option<Listener>> {
        let mut given = Vec::new();
        for (at, (other, _)) in self.sockets.iter().enumerate() {
            if other == name {
                given.push(at);
            }
        }
        // The one that fits, if several are passed; else the first.
        let fits = |at: &&usize| address_of(&self.sockets[**at].1).is_some_and(|a| same(a, wanted));
        let Some(at) = given.iter().find(fits).or(given.first()) else { return Ok(None) };
        let listener = Listener::passed(self.sockets.remove(*at).1, None)?;
        let address = listener.address();
        if wanted.port() != 0 && !same(address, wanted) {
            log::warn!(
                "sockets: differs name={name} address={address} settings={wanted} (the socket of the \
                 service manager is used; correct ListenStream= of its unit, or the settings)"
            );
        }
        Ok(Some(listener))
    }

    /// A socket of our own: the one that was kept, or a new one.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn own(
        &mut self,
        name: &str,
        wanted: SocketAddr,
        backlog: Option<i32>,
    ) -> std::io::Result<Listener> {
        let fits = |(other, fd): &(String, OwnedFd)| {
            other.strip_prefix(KEPT) == Some(name)
                && address_of(fd).is_some_and(|address| same(address, wanted))
        };
        if let Some(at) = self.sockets.iter().position(fits) {
            return Listener::passed(self.sockets.remove(at).1, Some(backlog));
        }
        // What is kept and no longer wanted may be in the way of what is, and to close it here is not
        // enough: the service manager holds it until it has heard that it need not.
        self.sockets.retain(|(other, fd)| {
            let in_the_way = other.starts_with(KEPT)
                && (other.strip_prefix(KEPT) == Some(name)
                    || address_of(fd).is_some_and(|address| address.port() == wanted.port()));
            if in_the_way {
                // It ends listening for everybody who holds it. One that does so already is fine.
                let _ = shutdown(fd.as_raw_fd(), Shutdown::Both);
            }
            !in_the_way
        });
        Listener::bind(wanted, backlog)
    }

    /// The names under which something was kept: the service manager may forget all of it once what
    /// is used is kept anew.
    pub fn kept(&self) -> &[String] {
        &self.kept
    }

    /// Sockets of units that nobody has asked for, by name and address.
    pub fn unused(&self) -> impl Iterator<Item = (&str, Option<SocketAddr>)> {
        let units = self.sockets.iter().filter(|(name, _)| !name.starts_with(KEPT));
        units.map(|(name, fd)| (name.as_str(), address_of(fd)))
    }
}

fn listens(fd: &OwnedFd) -> bool {
    getsockopt(&fd.as_fd(), sockopt::AcceptConn).is_ok_and(|listens| listens)
        && address_of(fd).is_some()
}

fn address_of(fd: &OwnedFd) -> Option<SocketAddr> {
    use nix::sys::socket::{SockaddrStorage, getsockname};
    let address: SockaddrStorage = getsockname(fd.as_raw_fd()).ok()?;
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::V4((*a).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::V6((*a).into())))
}

/// Whether two addresses are the same place; everywhere is the same in both families.
fn same(a: SocketAddr, b: SocketAddr) -> bool {
    let everywhere = a.ip().is_unspecified() && b.ip().is_unspecified();
    a.port() == b.port() && (everywhere || a.ip().to_canonical() == b.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(name: &str) -> (String, OwnedFd, SocketAddr) {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        (name.to_owned(), socket.into(), address)
    }

    #[test]
    fn the_socket_of_a_unit_wins_over_the_settings() {
        let (name, fd, address) = listening("client");
        let mut passed = Passed::new(vec![(name, fd)]).unwrap();
        let listener = passed.client("127.0.0.1:2181".parse().unwrap(), None).unwrap();
        assert_eq!(listener.address(), address);
        assert_eq!(passed.unused().count(), 0);
    }

    /// The service manager holds it still when another address of the same port is opened.
    #[test]
    fn a_kept_socket_is_not_in_the_way_of_another_address() {
        let (name, fd, address) = listening("kept-client");
        let held = fd.try_clone().unwrap();
        let mut passed = Passed::new(vec![(name, fd)]).unwrap();
        let everywhere = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
        let mut listener = passed.client(everywhere, None).unwrap();
        assert_eq!(listener.address(), everywhere);
        let _client = std::net::TcpStream::connect(address).unwrap();
        assert!(listener.accept(0).unwrap().is_some(), "nobody else takes it");
        drop(held);
    }

    #[test]
    fn a_kept_socket_is_used_only_where_it_was() {
        let (name, fd, address) = listening("kept-client");
        let mut passed = Passed::new(vec![(name, fd)]).unwrap();
        // While it is open nobody else could bind it.
        let listener = passed.client(address, Some(7)).unwrap();
        assert_eq!(listener.address(), address);
        drop(listener);
        let (name, fd, old) = listening("kept-client");
        let mut passed = Passed::new(vec![(name, fd)]).unwrap();
        let elsewhere = passed.client("127.0.0.1:0".parse().unwrap(), None).unwrap();
        assert_ne!(elsewhere.address(), old);
        assert_eq!(passed.kept(), ["kept-client"], "so that it is given back");
        std::net::TcpListener::bind(old).expect("the old place is free");
    }

    #[test]
    fn what_is_for_nothing_is_refused_with_a_remedy() {
        let (_, fd, _) = listening("");
        let refusal = Passed::new(vec![("zk-agent.socket".to_owned(), fd)]).unwrap_err();
        assert!(refusal.contains("FileDescriptorName="), "{refusal}");
        let (name, fd, _) = listening("client");
        let (again, other, _) = listening("client");
        let refusal = Passed::new(vec![(name, fd), (again, other)]).unwrap_err();
        assert!(refusal.contains("more than one"), "{refusal}");
        let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        let refusal = Passed::new(vec![("client".to_owned(), file)]).unwrap_err();
        assert!(refusal.contains("TCP"), "{refusal}");
    }

    #[test]
    fn what_a_later_version_left_is_given_back() {
        let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        let passed = Passed::new(vec![("state".to_owned(), file)]).unwrap();
        assert_eq!(passed.kept(), ["state"]);
    }
}
