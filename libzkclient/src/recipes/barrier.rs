//! Barriers: a gate that is opened, and a start and end that all pass together.

use std::time::Duration;

use zk_wire::Code;

use super::place::{Until, bell, make_path};
use crate::calls::Mode;
use crate::client::Client;
use crate::error::{Error, Result};

/// A barrier: as long as its znode is there, everybody waits.
///
/// The znode is persistent: a barrier that was set stays when its setter dies, until somebody
/// removes it.
#[derive(Clone, Debug)]
pub struct Barrier {
    client: Client,
    path: String,
}

impl Barrier {
    /// A barrier at a path.
    pub fn new(client: &Client, path: &str) -> Barrier {
        Barrier { client: client.clone(), path: path.to_owned() }
    }

    /// Sets the barrier; one that is set stays so.
    pub fn set(&self) -> Result<()> {
        let until = Until::new(Some(Duration::from_secs(30)));
        loop {
            match until.insist(|| self.client.create(&self.path, b"", Mode::Persistent)) {
                Ok(_) | Err(Error::Server(Code::NODE_EXISTS)) => return Ok(()),
                Err(Error::Server(Code::NO_NODE)) => {
                    make_path(&self.client, zk_wire::path::parent(&self.path).unwrap_or_default())?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes it; everybody goes on.
    pub fn remove(&self) -> Result<()> {
        let until = Until::new(Some(Duration::from_secs(30)));
        match until.insist(|| self.client.delete(&self.path, -1)) {
            Ok(()) | Err(Error::Server(Code::NO_NODE)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until it is not there, for at most `wait` (`None`: as long as it takes). False when
    /// the time was over.
    pub fn wait(&self, wait: Option<Duration>) -> Result<bool> {
        let until = Until::new(wait);
        loop {
            let (watcher, words) = bell();
            match until.insist(|| self.client.exists_w(&self.path, watcher.clone())) {
                Err(Error::Server(Code::NO_NODE)) => return Ok(true),
                result => drop(result?),
            }
            if !until.wait(&words) {
                return Ok(false);
            }
        }
    }
}

/// A double barrier: so many enter together, and all who entered leave together.
///
/// Each stands there by an ephemeral znode: one that dies before enough have come must come again,
/// and one that dies inside counts as having left. Use a new path for each round.
#[derive(Debug)]
pub struct DoubleBarrier {
    client: Client,
    dir: String,
    count: usize,
    own: String,
}

/// The znode that says that enough have come.
const READY: &str = "ready";

impl DoubleBarrier {
    /// A double barrier at a path for `count` participants, at least one.
    pub fn new(client: &Client, path: &str, count: usize) -> Result<DoubleBarrier> {
        if count == 0 {
            return Err(Error::argument("count", "0; give 1 or more"));
        }
        let own = format!("{path}/{}", super::place::id());
        Ok(DoubleBarrier { client: client.clone(), dir: path.to_owned(), count, own })
    }

    fn inside(&self, until: Until) -> Result<usize> {
        let names = until.insist(|| self.client.children(&self.dir, false))?;
        Ok(names.iter().filter(|name| *name != READY).count())
    }

    /// Comes in, and waits until enough have; false when the time was over, and then it has left.
    pub fn enter(&self, wait: Option<Duration>) -> Result<bool> {
        let until = Until::new(wait);
        make_path(&self.client, &self.dir)?;
        let ready = format!("{}/{READY}", self.dir);
        let (watcher, words) = bell();
        let open = match until.insist(|| self.client.exists_w(&ready, watcher.clone())) {
            Ok(_) => true,
            Err(Error::Server(Code::NO_NODE)) => false,
            Err(error) => return Err(error),
        };
        // The name is our own: a second create after a lost answer finds it there.
        match until.insist(|| self.client.create(&self.own, b"", Mode::Ephemeral)) {
            Ok(_) | Err(Error::Server(Code::NODE_EXISTS)) => {}
            Err(error) => return Err(error),
        }
        if open {
            return Ok(true);
        }
        if self.inside(until)? >= self.count {
            match until.insist(|| self.client.create(&ready, b"", Mode::Ephemeral)) {
                Ok(_) | Err(Error::Server(Code::NODE_EXISTS)) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        loop {
            if !until.wait(&words) {
                self.go(until)?;
                return Ok(false);
            }
            // The word may be about the session.
            match until.insist(|| self.client.exists(&ready, false)) {
                Ok(_) => return Ok(true),
                Err(Error::Server(Code::NO_NODE)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn go(&self, until: Until) -> Result<()> {
        match until.insist(|| self.client.delete(&self.own, -1)) {
            Ok(()) | Err(Error::Server(Code::NO_NODE)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Leaves, and waits until all have; false when the time was over.
    pub fn leave(&self, wait: Option<Duration>) -> Result<bool> {
        let until = Until::new(wait);
        self.go(until)?;
        loop {
            let (watcher, words) = bell();
            let names = match until.insist(|| self.client.children_w(&self.dir, watcher.clone())) {
                // The last has left, and the container with it.
                Err(Error::Server(Code::NO_NODE)) => return Ok(true),
                names => names?,
            };
            if names.iter().all(|name| name == READY) {
                return Ok(true);
            }
            if !until.wait(&words) {
                return Ok(false);
            }
        }
    }
}
