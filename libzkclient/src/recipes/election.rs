//! The election of a leader among candidates.

use std::time::Duration;

use zk_wire::Code;

use super::lock::{Held, Holding, Lock};
use super::place::{Until, line};
use crate::client::Client;
use crate::error::{Error, Result};

/// An election: at most one candidate leads, in the order of their coming.
///
/// A leader leads until it resigns, its session ends or its process dies; the next one then leads
/// within the session timeout. A leader that was paused for longer may believe that it still leads:
/// the term is the fencing token that tells the two apart.
#[derive(Clone, Debug)]
pub struct Election {
    lock: Lock,
    client: Client,
    dir: String,
}

/// A candidate that has won.
#[derive(Debug)]
pub struct Leader(Held);

impl Election {
    /// An election at a path, which is made when it is needed and vanishes by itself.
    pub fn new(client: &Client, path: &str) -> Election {
        let (client, dir) = (client.clone(), path.to_owned());
        Election { lock: Lock::new(&client, path), client, dir }
    }

    /// Stands for election under a name, and waits until it is won, for at most `wait`.
    pub fn campaign(&self, name: &[u8], wait: Option<Duration>) -> Result<Option<Leader>> {
        Ok(self.lock.acquire_as(name, wait)?.map(Leader))
    }

    /// Name and term of who leads; `None` when nobody does. As old as the server that is asked:
    /// call `sync` before it to be sure.
    pub fn leader(&self) -> Result<Option<(Vec<u8>, i64)>> {
        Ok(self.candidates(1)?.pop())
    }

    /// Name and term of the first candidates, the leader first.
    pub fn candidates(&self, max: usize) -> Result<Vec<(Vec<u8>, i64)>> {
        let until = Until::new(Some(Duration::from_secs(30)));
        let line = match until.insist(|| line(&self.client, &self.dir)) {
            Err(Error::Server(Code::NO_NODE)) => return Ok(Vec::new()),
            line => line?,
        };
        let mut found = Vec::new();
        for standing in line {
            if found.len() == max {
                break;
            }
            let path = format!("{}/{}", self.dir, standing.name);
            match until.insist(|| self.client.get(&path, false)) {
                Ok((name, stat)) => found.push((name.unwrap_or_default(), stat.czxid)),
                Err(Error::Server(Code::NO_NODE)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

impl Leader {
    /// The term: larger for every later leader. Give it to whatever is led.
    pub fn term(&self) -> i64 {
        self.0.token()
    }

    /// Whether it still leads.
    pub fn holding(&self) -> Holding {
        self.0.holding()
    }

    /// Resigns, and waits for that.
    pub fn resign(self) -> Result<()> {
        self.0.release()
    }
}
