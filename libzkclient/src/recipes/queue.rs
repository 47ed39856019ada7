//! A queue, first in first out or by priority.

use std::time::Duration;

use zk_wire::{Acl, Code};

use super::place::{Until, bell, id, make_path};
use crate::calls::Mode;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::multi::{Outcome, Write};

/// A queue of small items, kept in persistent znodes: they outlive everybody.
///
/// `take` removes an item before it is handed out: it is delivered at most once, and lost when the
/// taker dies before it is done, or when the connection is lost with the answer (the error says
/// that). `claim` hands an item out and removes it when it is done: it is delivered at least once,
/// again to somebody else when the claimer dies or its session expires; its token grows with every
/// claim. Use one of the two ways for one queue. Items of equal priority leave in the order in
/// which they came.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    dir: String,
}

/// Largest priority number; 0 leaves first.
pub const PRIORITY_MAX: u16 = 999;

/// Where claims stand, below the queue.
const CLAIMS: &str = "claims";

impl Queue {
    /// A queue at a path, which is made when it is needed.
    pub fn new(client: &Client, path: &str) -> Queue {
        Queue { client: client.clone(), dir: path.to_owned() }
    }

    /// Adds an item of the usual priority (100). When the connection is lost with the answer, the
    /// error says that it may have been added; it is not added twice by itself.
    pub fn put(&self, data: &[u8]) -> Result<()> {
        self.put_with(data, 100)
    }

    /// Adds an item of a priority, 0 (leaves first) to 999.
    pub fn put_with(&self, data: &[u8], priority: u16) -> Result<()> {
        if priority > PRIORITY_MAX {
            let why = format!("{priority}; give 0 to {PRIORITY_MAX}");
            return Err(Error::argument("priority", why));
        }
        let path = format!("{}/entry-{priority:03}-", self.dir);
        loop {
            match self.client.create(&path, data, Mode::PersistentSequential) {
                Ok(_) => return Ok(()),
                Err(Error::Server(Code::NO_NODE)) => self.make(&self.dir)?,
                Err(error) => return Err(error),
            }
        }
    }

    /// A queue is not a container: it would vanish whenever it is empty.
    fn make(&self, path: &str) -> Result<()> {
        make_path(&self.client, zk_wire::path::parent(path).unwrap_or_default())?;
        match self.client.create(path, b"", Mode::Persistent) {
            Ok(_) | Err(Error::Server(Code::NODE_EXISTS)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn entries(names: Vec<String>) -> Vec<String> {
        let mut entries: Vec<_> =
            names.into_iter().filter(|name| name.starts_with("entry-")).collect();
        entries.sort();
        entries
    }

    /// Number of items, claimed ones included.
    pub fn len(&self) -> Result<usize> {
        match self.client.children(&self.dir, false) {
            Ok(names) => Ok(Queue::entries(names).len()),
            Err(Error::Server(Code::NO_NODE)) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Takes the first item off the queue; waits for one for at most `wait` (`None`: as long as it
    /// takes). At most once: see [`Queue`].
    pub fn take(&self, wait: Option<Duration>) -> Result<Option<Vec<u8>>> {
        self.first(wait, |path| {
            let (data, stat) = match self.client.get(path, false) {
                Err(Error::Server(Code::NO_NODE)) => return Ok(None),
                result => result?,
            };
            match self.client.delete(path, stat.version) {
                Ok(()) => Ok(Some(data.unwrap_or_default())),
                Err(Error::Server(Code::NO_NODE | Code::BAD_VERSION)) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// Claims the first item that nobody has claimed; waits for one for at most `wait`. At least
    /// once: see [`Queue`].
    pub fn claim(&self, wait: Option<Duration>) -> Result<Option<Claimed>> {
        let own = id();
        self.first(wait, |path| self.try_claim(path, &own))
    }

    fn try_claim(&self, path: &str, own: &str) -> Result<Option<Claimed>> {
        let name = zk_wire::path::name(path);
        let claim = format!("{}/{CLAIMS}/{name}", self.dir);
        let acl = Acl::open();
        let create = || Write::Create {
            path: &claim,
            data: Some(own.as_bytes()),
            acl: &acl,
            mode: Mode::Ephemeral,
        };
        // The item is checked with it: a claim on what is done already would stay behind.
        let done = self.client.multi(&[Write::Check(path, -1), create()])?;
        match done[..] {
            [Outcome::Failed(_), Outcome::Failed(Code::NO_NODE)] => {
                self.make(&format!("{}/{CLAIMS}", self.dir))?;
                return self.try_claim(path, own);
            }
            [Outcome::Checked, Outcome::Created(..)] => {}
            _ => return Ok(None),
        }
        let (data, _) = self.client.get(path, false)?;
        let stat = self.client.exists(&claim, false)?;
        Ok(Some(Claimed {
            client: self.client.clone(),
            entry: path.to_owned(),
            claim: Some(claim),
            token: stat.czxid,
            data: data.unwrap_or_default(),
        }))
    }

    fn first<T>(
        &self,
        wait: Option<Duration>,
        attempt: impl Fn(&str) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let until = Until::new(wait);
        loop {
            let (watcher, words) = bell();
            let claims = format!("{}/{CLAIMS}", self.dir);
            // Watched before the attempts: what changes behind them is told. A claim that ends
            // frees its item.
            match self.client.children_w(&claims, watcher.clone()) {
                Ok(_) | Err(Error::Server(Code::NO_NODE)) => {}
                Err(error) => return Err(error),
            }
            let names = match self.client.children_w(&self.dir, watcher.clone()) {
                Err(Error::Server(Code::NO_NODE)) => {
                    self.make(&self.dir)?;
                    continue;
                }
                names => names?,
            };
            for name in Queue::entries(names) {
                if let Some(found) = attempt(&format!("{}/{name}", self.dir))? {
                    return Ok(Some(found));
                }
            }
            if until.is_over() || !until.wait(&words) {
                return Ok(None);
            }
        }
    }
}

/// An item that was claimed. Dropped without `done`, it goes back to the queue.
#[derive(Debug)]
pub struct Claimed {
    client: Client,
    entry: String,
    claim: Option<String>,
    token: i64,
    data: Vec<u8>,
}

impl Claimed {
    /// What was put.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// A number that is larger for every later claim, of this item and of any other.
    pub fn token(&self) -> i64 {
        self.token
    }

    /// Removes the item. An error of NONODE says that the claim was lost (the session had ended)
    /// and that somebody else has the item or had it: what was done may be done twice.
    pub fn done(mut self) -> Result<()> {
        let Some(claim) = self.claim.take() else { return Ok(()) };
        // The claim is deleted with it, so that a claim that was lost removes nothing.
        let writes = [Write::Delete(&claim, -1), Write::Delete(&self.entry, -1)];
        for outcome in self.client.multi(&writes)? {
            match outcome {
                Outcome::Failed(Code::OK | Code::RUNTIME_INCONSISTENCY) | Outcome::Deleted => {}
                Outcome::Failed(code) => return Err(Error::Server(code)),
                other => return Err(Error::Protocol(format!("{other:?} for a delete"))),
            }
        }
        Ok(())
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            // It fails when the session is over, and the claim with it.
            let _ = self.client.start(crate::calls::delete(&claim, -1), |_| ());
        }
    }
}
