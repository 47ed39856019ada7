//! The listening socket: how it is made, and the limits at accept.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use mio::Registry;
use mio::net::{TcpListener, TcpStream};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
    sockopt,
};

/// How long accepting rests after an error that isn't the connection's own, such as running out
/// of descriptors.
pub const ACCEPT_PAUSE_MS: i64 = 10;
/// Connections accepted in one turn at most; the clients that are connected have their turn too.
pub const ACCEPTS_PER_TURN_MAX: usize = 256;

/// A socket that clients connect to.
#[derive(Debug)]
pub struct Listener {
    /// None once it is closed.
    socket: Option<TcpListener>,
    address: SocketAddr,
    /// There may be more to accept.
    ready: bool,
    /// Don't accept before this time, `Now::mono_ms`.
    resume_ms: i64,
    /// The last attempt ended in an error, which was told.
    failing: bool,
    /// No socket unit has opened it.
    own: bool,
}

impl Listener {
    /// Binds and listens. The unspecified IPv6 address takes IPv4 too, and falls back to IPv4
    /// alone where the kernel has no IPv6. `backlog`: `None` for the kernel's largest.
    pub fn bind(address: SocketAddr, backlog: Option<i32>) -> io::Result<Listener> {
        let fallback = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
        let everywhere = address.is_ipv6() && address.ip().is_unspecified();
        let fd = match open(address, backlog) {
            Err(nix::Error::EAFNOSUPPORT | nix::Error::EADDRNOTAVAIL) if everywhere => {
                open(fallback, backlog)?
            }
            other => other?,
        };
        let socket = TcpListener::from_std(std::net::TcpListener::from(fd));
        let address = socket.local_addr()?;
        Ok(Listener {
            socket: Some(socket),
            address,
            ready: false,
            resume_ms: 0,
            failing: false,
            own: true,
        })
    }

    /// A socket that was opened before, by the service manager or by this program's last start, and
    /// listens already. `backlog`: as for [`Listener::bind`]; `None` leaves the queue as it is.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn passed(fd: OwnedFd, backlog: Option<Option<i32>>) -> io::Result<Listener> {
        if let Some(backlog) = backlog {
            listen(&fd, Backlog::new(backlog.unwrap_or(libc::SOMAXCONN))?)?;
        }
        let socket = std::net::TcpListener::from(fd);
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Listener {
            socket: Some(TcpListener::from_std(socket)),
            address,
            // Somebody may have come before it was ours.
            ready: true,
            resume_ms: 0,
            failing: false,
            own: backlog.is_some(),
        })
    }

    /// Its descriptor, if it is open and no socket unit holds it anyway: for the service manager to
    /// keep.
    pub fn own_fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().filter(|_| self.own).map(|socket| socket.as_fd())
    }

    /// Where it listens, with the port that the kernel chose if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For registering with the poll; panics once it is closed.
    pub fn source(&mut self) -> &mut TcpListener {
        self.socket.as_mut().expect("a server registers its listener before it closes it")
    }

    /// Listens somewhere else. Who has connected stays; when the new place is not to be had, the old
    /// one is given up first and it is tried once more. The poll does not know the new socket.
    ///
    /// # Errors
    /// What the kernel says; it is closed then.
    pub fn move_to(
        &mut self,
        address: SocketAddr,
        backlog: Option<i32>,
        poll: &Registry,
    ) -> io::Result<()> {
        let moved = match Listener::bind(address, backlog) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && self.socket.is_some() => {
                self.leave(poll);
                Listener::bind(address, backlog)
            }
            other => other,
        };
        self.leave(poll);
        *self = moved?;
        Ok(())
    }

    /// Whether a socket unit has opened it.
    pub fn is_passed(&self) -> bool {
        !self.own
    }

    /// Whether nobody can connect.
    pub fn is_closed(&self) -> bool {
        self.socket.is_none()
    }

    /// Ends listening, also for a poll that would go on to tell of a socket that others hold, too.
    pub fn leave(&mut self, poll: &Registry) {
        if let Some(socket) = &mut self.socket {
            // One that is not registered has nothing to be forgotten.
            let _ = poll.deregister(socket);
        }
        self.close();
    }

    /// Ends listening. Who waits to be accepted, or comes later, is refused by the kernel, unless the
    /// service manager holds the socket, too: then they wait for the next start.
    pub fn close(&mut self) {
        self.socket = None;
        self.ready = false;
    }

    /// The poll says that somebody waits.
    pub fn on_ready(&mut self) {
        self.ready = self.socket.is_some();
    }

    /// Whether somebody may be waiting that can be accepted at once.
    pub fn has_work(&self, now_ms: i64) -> bool {
        self.ready && now_ms >= self.resume_ms
    }

    /// When accepting goes on after a pause.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.ready.then_some(self.resume_ms)
    }

    /// The next connection, if any. After an error there is a pause; the same trouble is told
    /// once and not again at each attempt.
    pub fn accept(&mut self, now_ms: i64) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let Some(socket) = &self.socket else { return Ok(None) };
        loop {
            match socket.accept() {
                Ok((socket, peer)) => {
                    self.failing = false;
                    let ip = peer.ip().to_canonical();
                    return Ok(Some((socket, SocketAddr::new(ip, peer.port()))));
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.ready = false;
                    return Ok(None);
                }
                Err(e) => match e.kind() {
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => continue,
                    _ => {
                        self.resume_ms = now_ms + ACCEPT_PAUSE_MS;
                        let told = std::mem::replace(&mut self.failing, true);
                        return if told { Ok(None) } else { Err(e) };
                    }
                },
            }
        }
    }
}

fn open(address: SocketAddr, backlog: Option<i32>) -> nix::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &!address.ip().is_unspecified())?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    // The kernel cuts what is above net.core.somaxconn.
    let backlog = Backlog::new(backlog.unwrap_or(libc::SOMAXCONN))?;
    listen(&fd, backlog)?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_means_both_families() {
        let mut listener = Listener::bind("[::]:0".parse().unwrap(), None).unwrap();
        let port = listener.address().port();
        assert_ne!(port, 0);
        let _client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (_, peer) = listener.accept(0).unwrap().unwrap();
        assert_eq!(peer.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST), "mapped addresses are IPv4");
        assert!(listener.accept(0).unwrap().is_none());
        assert!(!listener.has_work(0));
    }

    #[test]
    fn a_closed_listener_refuses() {
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let _waiting = std::net::TcpStream::connect(listener.address()).unwrap();
        listener.on_ready();
        listener.close();
        assert!(!listener.has_work(0));
        assert!(listener.accept(0).unwrap().is_none());
        let late = std::net::TcpStream::connect(listener.address());
        assert_eq!(late.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_listener_moves_and_keeps_who_is_there() {
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        let old = listener.address();
        let _early = std::net::TcpStream::connect(old).unwrap();
        let (_accepted, _) = listener.accept(0).unwrap().unwrap();
        // The same port on all addresses is taken by the old socket until that is closed.
        let everywhere = SocketAddr::new("0.0.0.0".parse().unwrap(), old.port());
        let poll = mio::Poll::new().unwrap();
        listener.move_to(everywhere, None, poll.registry()).unwrap();
        assert_eq!(listener.address(), everywhere);
        let _late = std::net::TcpStream::connect(old).unwrap();
        assert!(listener.accept(0).unwrap().is_some());
        let taken = Listener::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
        assert!(listener.move_to(taken.address(), None, poll.registry()).is_err());
        assert!(listener.is_closed());
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap(), Some(5)).unwrap();
        let second = Listener::bind(first.address(), Some(5));
        assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}
