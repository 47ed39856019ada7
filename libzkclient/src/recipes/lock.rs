//! Locks, locks for readers and writers, and semaphores: whoever comes first is served first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zk_wire::Code;

use super::place::{Place, Standing, Until, bell, in_order, line};
use crate::client::{Client, Watcher};
use crate::error::{Error, Result};
use crate::state::{State, WatchEvent};

/// Whom a waiting place waits for.
enum Turn {
    /// Nobody: it is its turn.
    Mine,
    /// The one with this name.
    Behind(String),
    /// Any of those before it.
    BehindSome,
}

/// Whether something that was acquired is still held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It is, as far as a client can know: the server may have another view within the session
    /// timeout. Only a fencing token makes sure.
    Held,
    /// The connection is lost: it is held until the session expires, which the client will not
    /// notice. Stop what must not be done twice.
    Suspect,
    /// It is lost: the session has expired, or somebody has deleted the znode.
    Lost,
}

/// Something that was acquired: released by `release`, by being dropped, by the end of the session
/// and by the death of the process.
#[derive(Debug)]
pub struct Held {
    client: Client,
    place: Option<Place>,
    token: i64,
    session: i64,
    gone: Arc<AtomicBool>,
}

impl Held {
    fn new(client: &Client, place: Place) -> Result<Held> {
        let gone = Arc::new(AtomicBool::new(false));
        let (token, session) = (place.token, place.session);
        let held = Held { client: client.clone(), token, session, gone, place: Some(place) };
        held.watch();
        Ok(held)
    }

    /// Notices when somebody deletes the znode; a change of its data only renews the watch.
    fn watch(&self) {
        let Some(place) = &self.place else { return };
        watch_own(self.client.clone(), place.path.clone(), self.gone.clone());
    }

    /// A number that is larger for every later holder, of this lock and of any other of the same
    /// ensemble: the czxid of the znode. Give it to the resource with each request.
    pub fn token(&self) -> i64 {
        self.token
    }

    /// The znode that stands for it.
    pub fn path(&self) -> &str {
        self.place.as_ref().map_or("", |place| &place.path)
    }

    /// Whether it is still held.
    pub fn holding(&self) -> Holding {
        let state = self.client.state();
        let other = self.client.identity().id != self.session;
        match state {
            _ if self.gone.load(Ordering::Acquire) || other || state.is_final() => Holding::Lost,
            State::Connected => Holding::Held,
            _ => Holding::Suspect,
        }
    }

    /// Releases it and waits for that. On an error it may be held until the session ends.
    pub fn release(mut self) -> Result<()> {
        match self.place.take() {
            Some(place) => place.leave(&self.client),
            None => Ok(()),
        }
    }
}

fn watch_own(client: Client, path: String, gone: Arc<AtomicBool>) {
    let (again, place, told) = (client.clone(), path.clone(), gone.clone());
    let watcher = Watcher::new(move |event| match event {
        WatchEvent::Node { kind, .. } if *kind == zk_wire::watch::event::DELETED => {
            told.store(true, Ordering::Release);
        }
        WatchEvent::Node { .. } => watch_own(again.clone(), place.clone(), told.clone()),
        WatchEvent::Session(_) => {}
    });
    let call = crate::calls::exists(&path, true);
    // It fails when the session is over, which `holding` sees by itself.
    let _ = client.start_with(call, Some(watcher), 0, move |stat| {
        if matches!(stat, Err(Error::Server(Code::NO_NODE))) {
            gone.store(true, Ordering::Release);
        }
    });
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            place.leave_later(&self.client);
        }
    }
}

/// Stands in line until `turn` says that it is the place's turn.
fn stand(
    client: &Client,
    dir: &str,
    label: &str,
    data: &[u8],
    wait: Option<Duration>,
    turn: impl Fn(&[Standing], usize) -> Turn,
) -> Result<Option<Held>> {
    let until = Until::new(wait);
    let place = Place::take(client, dir, label, data, until)?;
    match wait_turn(client, dir, &place, until, turn) {
        Ok(true) => Held::new(client, place).map(Some),
        Ok(false) => {
            place.leave(client)?;
            Ok(None)
        }
        Err(error) => {
            place.leave_later(client);
            Err(error)
        }
    }
}

fn wait_turn(
    client: &Client,
    dir: &str,
    place: &Place,
    until: Until,
    turn: impl Fn(&[Standing], usize) -> Turn,
) -> Result<bool> {
    loop {
        let line = until.insist(|| line(client, dir))?;
        let Some(at) = line.iter().position(|standing| standing.name == place.name) else {
            return Err(lost(client, place));
        };
        let (watcher, words) = bell();
        match turn(&line, at) {
            Turn::Mine => return Ok(true),
            _ if until.is_over() => return Ok(false),
            Turn::Behind(name) => {
                let path = format!("{dir}/{name}");
                match until.insist(|| client.exists_w(&path, watcher.clone())) {
                    Err(Error::Server(Code::NO_NODE)) => continue,
                    result => drop(result?),
                }
            }
            Turn::BehindSome => {
                // The watch stands with the list: whoever leaves behind it is told.
                let names = until.insist(|| client.children_w(dir, watcher.clone()))?;
                if in_order(names) != line {
                    continue;
                }
            }
        }
        if !until.wait(&words) {
            return Ok(false);
        }
    }
}

/// The place is gone although nobody has left it.
fn lost(client: &Client, place: &Place) -> Error {
    match client.identity().id == place.session && !client.state().is_final() {
        true => Error::Server(Code::NO_NODE),
        false => Error::SessionExpired,
    }
}

/// A lock: at most one holds it, first come first served, none is woken in vain.
///
/// The znode of a holder is ephemeral. When its process dies, the next one gets the lock after the
/// session timeout; when its connection is lost, it holds the lock until the session expires. A
/// holder that was paused for longer does not know that it has lost it: use the token.
#[derive(Clone, Debug)]
pub struct Lock {
    client: Client,
    dir: String,
}

impl Lock {
    /// A lock at a path, which is made when it is needed and vanishes by itself.
    pub fn new(client: &Client, path: &str) -> Lock {
        Lock { client: client.clone(), dir: path.to_owned() }
    }

    /// Waits for the lock for at most `wait`; `None` waits for as long as it takes, and a wait of
    /// zero takes it only when it is free. The result is `None` when the time was over. Not to be
    /// called in a callback.
    pub fn acquire(&self, wait: Option<Duration>) -> Result<Option<Held>> {
        self.acquire_as(b"", wait)
    }

    /// As `acquire`, with data in the znode that tell others who holds it.
    pub fn acquire_as(&self, data: &[u8], wait: Option<Duration>) -> Result<Option<Held>> {
        stand(&self.client, &self.dir, "lock", data, wait, |line, at| match at {
            0 => Turn::Mine,
            at => Turn::Behind(line[at - 1].name.clone()),
        })
    }
}

/// A lock for any number of readers or one writer, in the order of their coming: a writer that
/// waits holds up readers that come behind it. Failures as for [`Lock`].
#[derive(Clone, Debug)]
pub struct RwLock {
    client: Client,
    dir: String,
}

impl RwLock {
    /// A lock at a path, as for [`Lock::new`].
    pub fn new(client: &Client, path: &str) -> RwLock {
        RwLock { client: client.clone(), dir: path.to_owned() }
    }

    /// Waits until no writer is before us; see [`Lock::acquire`].
    pub fn read(&self, wait: Option<Duration>) -> Result<Option<Held>> {
        stand(&self.client, &self.dir, "__READ__", b"", wait, |line, at| {
            match line[..at].iter().rev().find(|standing| standing.is("__WRIT__")) {
                None => Turn::Mine,
                Some(writer) => Turn::Behind(writer.name.clone()),
            }
        })
    }

    /// Waits until nobody is before us; see [`Lock::acquire`].
    pub fn write(&self, wait: Option<Duration>) -> Result<Option<Held>> {
        stand(&self.client, &self.dir, "__WRIT__", b"", wait, |line, at| match at {
            0 => Turn::Mine,
            at => Turn::Behind(line[at - 1].name.clone()),
        })
    }
}

/// A semaphore: at most so many hold it, first come first served. All who use it must give the same
/// number. Failures as for [`Lock`]. Whoever waits is woken by each that leaves.
#[derive(Clone, Debug)]
pub struct Semaphore {
    client: Client,
    dir: String,
    permits: usize,
}

impl Semaphore {
    /// A semaphore at a path, as for [`Lock::new`], of at least one permit.
    pub fn new(client: &Client, path: &str, permits: usize) -> Result<Semaphore> {
        if permits == 0 {
            return Err(Error::argument("permits", "0; give 1 or more"));
        }
        Ok(Semaphore { client: client.clone(), dir: path.to_owned(), permits })
    }

    /// Waits for a permit; see [`Lock::acquire`].
    pub fn acquire(&self, wait: Option<Duration>) -> Result<Option<Held>> {
        let permits = self.permits;
        stand(&self.client, &self.dir, "lease", b"", wait, |_, at| match at < permits {
            true => Turn::Mine,
            false => Turn::BehindSome,
        })
    }
}
