//! A connection to a server, as the reactor sees it: bytes that may be refused for the moment.
//!
//! The one place that knows what carries the bytes. TLS and SASL will stand here, behind the same
//! functions. Never blocks.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// A connection that is being made or stands.
#[derive(Debug)]
pub struct Transport {
    stream: TcpStream,
}

impl Transport {
    /// Begins to connect.
    pub fn connect(address: SocketAddr) -> io::Result<Transport> {
        Ok(Transport { stream: TcpStream::connect(address)? })
    }

    /// Tells the registry to watch it; edge-triggered, both directions.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Tells the registry to forget it.
    pub fn deregister(&mut self, registry: &Registry) {
        // It fails when it was never registered, which is as good.
        let _ = registry.deregister(&mut self.stream);
    }

    /// Whether the connection stands: `Ok(false)` while it is being made, an error when it failed.
    pub fn connected(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.stream.set_nodelay(true)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what is there. `WouldBlock` when nothing is; 0 at the end.
    pub fn read(&self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&self.stream).read(to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Writes as much as goes. `WouldBlock` when nothing goes.
    pub fn write(&self, from: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.stream).write(from) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
