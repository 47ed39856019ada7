//! One connection to another server, from its dial to its end.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use nix::sys::socket::{setsockopt, sockopt};
use zk_core::Port;

use crate::net::peers::dial::Dialing;
use crate::net::peers::output::Output;

/// How far a connection has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its addresses are looked up and tried.
    Dialing,
    /// It is there.
    Open,
    /// The core wants it closed: what was sent before leaves, what comes is thrown away.
    Closing,
}

/// A connection to another server.
#[derive(Debug)]
pub struct Link {
    /// Registered edge-triggered.
    pub socket: Option<TcpStream>,
    /// The other side, for the log.
    pub address: Option<SocketAddr>,
    /// To which port of a server it goes.
    pub port: Port,
    /// It came to us.
    pub accepted: bool,
    /// How far it has come.
    pub phase: Phase,
    /// What is tried while it is dialed.
    pub dialing: Dialing,
    /// What it is owed.
    pub output: Output,
    /// When it has to have come further, `Now::mono_ms`.
    pub due_ms: i64,
    /// The socket may have something to read.
    pub readable: bool,
    /// The other side has ended its half; read until the end shows.
    pub hung_up: bool,
    /// Writing has failed: what is still there is read, then it is gone.
    pub broken: bool,
    /// The kernel took no more; don't try before a writable event.
    pub blocked: bool,
    /// Registered for both directions: the kernel was full. Otherwise whatever comes in would tell as
    /// well that there is room, in a turn of its own.
    pub awaits_room: bool,
    /// Our half is ended.
    pub shut: bool,
    /// Something was sent since it was told to be drained.
    pub owes_drained: bool,
    /// Stands in the list of connections to be read.
    pub in_ready: bool,
    /// Stands in the list of connections to be flushed.
    pub in_dirty: bool,
}

impl Link {
    /// A connection without a socket, which is about to be dialed.
    pub fn dialed(port: Port, due_ms: i64) -> Link {
        Link {
            socket: None,
            address: None,
            port,
            accepted: false,
            phase: Phase::Dialing,
            dialing: Dialing::default(),
            output: Output::default(),
            due_ms,
            readable: false,
            hung_up: false,
            broken: false,
            blocked: false,
            awaits_room: false,
            shut: false,
            owes_drained: false,
            in_ready: false,
            in_dirty: false,
        }
    }

    /// A connection that came to us and has to say something in time.
    pub fn accepted(socket: TcpStream, from: SocketAddr, port: Port, due_ms: i64) -> Link {
        Link {
            socket: Some(socket),
            address: Some(from),
            accepted: true,
            phase: Phase::Open,
            ..Link::dialed(port, due_ms)
        }
    }

    /// Sets the options of a socket that is there. Errors of options are not the connection's.
    pub fn set_options(&self, keepalive: bool, timeout_ms: i64) {
        let Some(socket) = &self.socket else { return };
        let _ = socket.set_nodelay(true);
        if keepalive {
            let _ = setsockopt(socket, sockopt::KeepAlive, &true);
        }
        if self.port == Port::Election {
            // Nothing is said over it while all is well, so that the other side's silent end would
            // show only after many minutes of sending again.
            let _ = setsockopt(socket, sockopt::TcpUserTimeout, &(timeout_ms as u32));
        }
    }

    /// Sends as much as the kernel takes, and has the poll tell of room when it is full. True when
    /// everything is sent.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn send(&mut self, registry: &Registry, token: Token) -> io::Result<bool> {
        let Some(socket) = &mut self.socket else { return Ok(true) };
        let all = self.output.flush(socket)?;
        if self.awaits_room == all {
            let both = Interest::READABLE | Interest::WRITABLE;
            registry.reregister(socket, token, if all { Interest::READABLE } else { both })?;
            self.awaits_room = !all;
        }
        Ok(all)
    }

    /// Whether its bytes go to the core.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }
}
