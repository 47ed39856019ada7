//! A client without threads, turned by the caller's own event loop.
//!
//! One descriptor is watched for reading, next to one deadline; [`Driver::process`] does what is
//! due and runs the callbacks before it returns. Nothing in it blocks: names are looked up by a
//! thread that ends with its answer.

use std::os::fd::RawFd;

use crate::client::{Client, Settings};
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::reactor::Reactor;

/// A reactor with one client on it.
pub struct Driver {
    reactor: Reactor,
    client: Client,
}

impl Driver {
    /// Opens a session that moves only in [`Driver::process`]. Its blocking calls are refused; the
    /// forms with a completion may be used from any thread.
    pub fn open(settings: Settings) -> Result<Driver> {
        let reactor = Reactor::new().map_err(|error| Error::io("making the reactor", &error))?;
        let client = Client::on(settings, reactor.shared(), None, None)?;
        Ok(Driver { reactor, client })
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The descriptor to watch for reading (an epoll descriptor); it stays the same and is the
    /// driver's.
    pub fn fd(&self) -> RawFd {
        self.reactor.fd()
    }

    /// In how many ms `process` is due although the descriptor says nothing; `None` for never.
    pub fn wait_ms(&mut self) -> Option<u64> {
        match self.reactor.deadline_ms() {
            u64::MAX => None,
            due_ms => Some(due_ms.saturating_sub(now_ms())),
        }
    }

    /// Does what is due and runs the callbacks of it in this thread. Waits at most `wait_ms` for
    /// something to do; 0 to wait in a loop of the caller's instead.
    pub fn process(&mut self, wait_ms: u64) -> Result<()> {
        match self.reactor.turn(wait_ms) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::io("waiting for events", &error)),
        }
    }
}
