//! One client's socket and what is kept for it: unfinished input and unsent output.
//!
//! An idle connection keeps no buffer. Input is read into a buffer that all connections share;
//! only what is no whole frame yet is kept here, so memory follows the bytes that have come and
//! never a length that was announced.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;

use mio::net::TcpStream;
use nix::sys::socket::{setsockopt, sockopt};

use crate::net::client_port::Framing;

/// Bytes queued for a client above which its requests are not read.
pub const OUTPUT_SOFT_BYTES: usize = 1 << 20;
/// Bytes queued for a client above which nothing more is queued: it is closed, its session lives.
/// One reply of any size is still taken below this.
pub const OUTPUT_HARD_BYTES: usize = 16 << 20;
/// From so many unfinished bytes on, input is read straight behind them and not copied.
pub const READ_DIRECT_BYTES: usize = 16 << 10;

/// Output that the kernel didn't take yet.
#[derive(Debug, Default)]
pub struct Queue {
    bytes: Vec<u8>,
    start: usize,
}

impl Queue {
    /// Bytes to be sent.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        // Each byte is moved once at most, because half of the buffer is free then.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }
}

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Everything is with the kernel.
    All,
    /// The kernel's buffer is full; a writable event will tell.
    Blocked,
    /// The connection is broken.
    Broken,
}

/// A client's connection.
#[derive(Debug)]
pub struct Conn {
    /// The socket. Registered once, for both directions, edge-triggered.
    pub socket: TcpStream,
    /// Where it comes from; IPv4-mapped addresses are IPv4 here.
    pub peer: SocketAddr,
    /// Tells this connection from an earlier one in the same slot.
    pub generation: u32,
    /// Where its stream of bytes stands.
    pub framing: Framing,
    /// Input that is no whole frame yet, or that must wait.
    pub partial: Vec<u8>,
    /// Output that the kernel didn't take yet.
    pub queue: Queue,
    /// Frames received.
    pub received: u64,
    /// When it was accepted, wall clock in ms.
    pub accepted_wall_ms: i64,
    /// Bytes of a large request that are counted against the limit of all.
    pub large_bytes: usize,
    /// The socket may have something to read.
    pub readable: bool,
    /// The other side has ended its half; read until the end shows.
    pub hung_up: bool,
    /// The kernel took no more; don't try before a writable event.
    pub blocked: bool,
    /// The core asked not to read.
    pub paused: bool,
    /// Too much output is queued to read on.
    pub choked: bool,
    /// Close when everything is sent.
    pub closing: bool,
    /// `partial` may hold whole frames.
    pub backlog: bool,
    /// Stands in the list of connections to be served.
    pub in_ready: bool,
    /// Stands in the list of connections to be flushed.
    pub in_dirty: bool,
}

impl Conn {
    /// Takes over a socket that was just accepted. Errors of options are not errors of the
    /// connection.
    pub fn new(
        socket: TcpStream,
        peer: SocketAddr,
        generation: u32,
        wall_ms: i64,
        keepalive: bool,
    ) -> Conn {
        let _ = socket.set_nodelay(true);
        if keepalive {
            let _ = setsockopt(&socket, sockopt::KeepAlive, &true);
        }
        Conn {
            socket,
            peer,
            generation,
            framing: Framing::default(),
            partial: Vec::new(),
            queue: Queue::default(),
            received: 0,
            accepted_wall_ms: wall_ms,
            large_bytes: 0,
            readable: false,
            hung_up: false,
            blocked: false,
            paused: false,
            choked: false,
            closing: false,
            backlog: false,
            in_ready: false,
            in_dirty: false,
        }
    }

    /// Whether its requests may be looked at now.
    #[inline]
    pub fn is_served(&self) -> bool {
        !self.paused && !self.choked && !self.closing
    }

    /// Whether there may be requests to look at.
    #[inline]
    pub fn has_work(&self) -> bool {
        self.is_served() && (self.readable || self.backlog)
    }

    /// Reads once. `Ok(0)` is the end of the stream; `WouldBlock` is no error and gives `None`.
    #[inline]
    pub fn read(&mut self, room: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.socket.read(room) {
                Ok(count) => {
                    // A short read has emptied the socket, and what comes next makes a new event;
                    // the end of the stream doesn't when it was announced with this one.
                    if count < room.len() && !self.hung_up {
                        self.readable = false;
                    }
                    return Ok(Some(count));
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(None);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            }
        }
    }

    /// Sends `bytes` at once; what the kernel doesn't take is queued. Only when nothing is queued.
    #[inline]
    pub fn send_now(&mut self, bytes: &[u8]) -> Sent {
        debug_assert!(self.queue.is_empty());
        let mut start = 0;
        while start < bytes.len() {
            match self.socket.write(&bytes[start..]) {
                Ok(count) => start += count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    self.queue.push(&bytes[start..]);
                    return Sent::Blocked;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Sent::Broken,
            }
        }
        Sent::All
    }

    /// Sends what is queued.
    pub fn flush(&mut self) -> Sent {
        while !self.queue.is_empty() {
            match self.socket.write(&self.queue.bytes[self.queue.start..]) {
                Ok(count) => self.queue.start += count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Sent::Blocked;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Sent::Broken,
            }
        }
        Sent::All
    }

    /// Gives the emptied buffer of the queue away and takes another one.
    pub fn swap_queue_buffer(&mut self, mut with: Vec<u8>) -> Vec<u8> {
        debug_assert!(self.queue.is_empty());
        with.clear();
        self.queue.start = 0;
        std::mem::replace(&mut self.queue.bytes, with)
    }

    /// Whether the queue has a buffer of its own already.
    pub fn has_queue_buffer(&self) -> bool {
        self.queue.bytes.capacity() > 0
    }
}

/// Makes the close that follows a reset, so that a refused client learns at once.
pub fn reset_on_close(socket: &impl AsFd) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let _ = setsockopt(socket, sockopt::Linger, &linger);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_forgets_what_was_sent() {
        let mut queue = Queue::default();
        queue.push(&[1; 100]);
        queue.start = 90;
        queue.push(&[2; 5]);
        assert_eq!(queue.len(), 15);
        assert_eq!(queue.bytes.len(), 15, "the sent bytes are gone");
    }

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Option<Conn>>() <= 192, "{}", size_of::<Option<Conn>>());
    }
}
