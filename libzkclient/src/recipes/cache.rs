//! A copy of a subtree in memory, kept by one persistent recursive watch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zk_wire::watch::event;
use zk_wire::{Code, Stat};

use crate::calls::{self, AddWatchMode};
use crate::client::{Client, Watcher};
use crate::error::{Error, Result};
use crate::state::{State, WatchEvent};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// A znode as the cache knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Its data; `None` is null.
    pub data: Option<Arc<[u8]>>,
    /// Its stat, as of the last change of data; counts of children may be older.
    pub stat: Stat,
}

/// What has changed in a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheEvent {
    /// A znode is new, or has other data.
    Changed(String, Cached),
    /// A znode is gone.
    Removed(String),
    /// The whole subtree was read, for the first time or after a lost connection.
    Ready,
}

type Listener = Box<dyn Fn(&CacheEvent) + Send + Sync>;

/// A copy of a subtree. Reading it costs nothing and asks nobody.
///
/// It is as old as the connection is slow; while the connection is lost it stands still
/// ([`Cache::is_current`] says so), and afterwards the subtree is read anew. Changes of one znode
/// are seen in their order, but not each of them. When the session expires for good the copy stays
/// as it was. Dropping it removes the watch.
pub struct Cache {
    shared: Arc<Shared>,
    watcher: Watcher,
}

struct Shared {
    client: Client,
    root: String,
    state: Mutex<Copy>,
    ready: Condvar,
    listener: Listener,
}

#[derive(Default)]
struct Copy {
    nodes: BTreeMap<String, (Cached, u64)>,
    /// Number of the reading of the whole subtree that is under way or was last.
    reading: u64,
    /// Answers that this reading still waits for.
    missing: usize,
    current: bool,
    failed: Option<Error>,
    closed: bool,
}

impl Shared {
    fn copy(&self) -> MutexGuard<'_, Copy> {
        self.state.lock().expect("nothing panics while it holds a cache")
    }

    /// Reads the whole subtree anew. What is not found again is gone.
    fn read_all(self: &Arc<Shared>) {
        let reading = {
            let mut copy = self.copy();
            copy.reading += 1;
            copy.missing = 0;
            copy.current = false;
            copy.reading
        };
        self.read(self.root.clone(), reading, true);
    }

    /// Reads one znode, and with `below` all beneath it. Answers come in the order of the requests,
    /// and events between them in theirs: the last word about a znode is the newest.
    fn read(self: &Arc<Shared>, path: String, reading: u64, below: bool) {
        self.copy().missing += usize::from(below);
        let (shared, place) = (self.clone(), path.clone());
        let started = self.client.start_with(calls::get(&path, false), None, 0, move |data| {
            shared.on_data(&place, data, reading, below);
        });
        if let Err(error) = started {
            self.fail(error);
        }
    }

    fn on_data(
        self: &Arc<Shared>,
        path: &str,
        data: Result<calls::Data>,
        reading: u64,
        below: bool,
    ) {
        let found = match data {
            Ok((data, stat)) => {
                let cached = Cached { data: data.map(Arc::from), stat };
                self.put(path, cached);
                true
            }
            Err(Error::Server(Code::NO_NODE)) => {
                self.remove(path);
                false
            }
            // A subtree that may not be read is left out; the rest is there.
            Err(Error::Server(Code::NO_AUTH)) => true,
            // The next connection reads everything anew.
            Err(Error::ConnectionLoss { .. } | Error::Timeout { .. }) => return,
            Err(error) => return self.fail(error),
        };
        if !below {
            return;
        }
        if !found {
            return self.answered(reading);
        }
        let (shared, place) = (self.clone(), path.to_owned());
        let call = calls::children(path, false);
        let started = self.client.start_with(call, None, 0, move |names| {
            match names {
                Ok(names) if shared.copy().reading == reading => {
                    let base = if place == "/" { "" } else { place.as_str() };
                    for name in names {
                        shared.read(format!("{base}/{name}"), reading, true);
                    }
                }
                Ok(_) | Err(Error::Server(_)) => {}
                Err(Error::ConnectionLoss { .. } | Error::Timeout { .. }) => return,
                Err(error) => return shared.fail(error),
            }
            shared.answered(reading);
        });
        if let Err(error) = started {
            self.fail(error);
        }
    }

    fn put(&self, path: &str, cached: Cached) {
        let changed = {
            let mut copy = self.copy();
            let reading = copy.reading;
            match copy.nodes.get_mut(path) {
                // The same data of the same znode are no news.
                Some((known, seen))
                    if (known.stat.czxid, known.stat.mzxid)
                        == (cached.stat.czxid, cached.stat.mzxid) =>
                {
                    *seen = reading;
                    known.stat = cached.stat;
                    false
                }
                _ => {
                    copy.nodes.insert(path.to_owned(), (cached.clone(), reading));
                    true
                }
            }
        };
        if changed {
            (self.listener)(&CacheEvent::Changed(path.to_owned(), cached));
        }
    }

    fn remove(&self, path: &str) {
        let was = self.copy().nodes.remove(path).is_some();
        if was {
            (self.listener)(&CacheEvent::Removed(path.to_owned()));
        }
    }

    /// One answer of a reading is there; behind the last, what was not seen is gone.
    fn answered(&self, reading: u64) {
        let gone: Vec<String> = {
            let mut copy = self.copy();
            if copy.reading != reading {
                return;
            }
            copy.missing -= 1;
            if copy.missing > 0 {
                return;
            }
            let unseen = copy.nodes.iter().filter(|(_, (_, seen))| *seen != reading);
            unseen.map(|(path, _)| path.clone()).collect()
        };
        // Children before their parents, as they were deleted.
        gone.iter().rev().for_each(|path| self.remove(path));
        self.copy().current = true;
        self.ready.notify_all();
        (self.listener)(&CacheEvent::Ready);
    }

    fn fail(&self, error: Error) {
        self.copy().failed = Some(error);
        self.ready.notify_all();
    }

    fn on_event(self: &Arc<Shared>, told: &WatchEvent) {
        if self.copy().closed {
            return;
        }
        match told {
            WatchEvent::Session(State::Connected | State::ReadOnly) => self.read_all(),
            WatchEvent::Session(State::Expired) => self.fail(Error::SessionExpired),
            WatchEvent::Session(State::AuthFailed) => self.fail(Error::AuthFailed),
            WatchEvent::Session(_) => self.copy().current = false,
            WatchEvent::Node { kind: event::DELETED, path, .. } => self.remove(path),
            WatchEvent::Node { path, .. } => {
                let reading = self.copy().reading;
                self.read(path.clone(), reading, false);
            }
        }
    }
}

impl Cache {
    /// A copy of the subtree at `path`, the znode itself included; it need not be there yet.
    pub fn new(client: &Client, path: &str) -> Result<Cache> {
        Cache::with_listener(client, path, |_| ())
    }

    /// As `new`, with a function that is told of every change, on the library's thread for
    /// callbacks, in the order in which the copy changes.
    pub fn with_listener(
        client: &Client,
        path: &str,
        listener: impl Fn(&CacheEvent) + Send + Sync + 'static,
    ) -> Result<Cache> {
        let shared = Arc::new(Shared {
            client: client.clone(),
            root: path.to_owned(),
            state: Mutex::default(),
            ready: Condvar::new(),
            listener: Box::new(listener),
        });
        let told = Arc::downgrade(&shared);
        let watcher = Watcher::new(move |event| {
            if let Some(shared) = told.upgrade() {
                shared.on_event(event);
            }
        });
        // The watch stands before anything is read: no change falls between the two.
        client.watch(path, AddWatchMode::PersistentRecursive, watcher.clone())?;
        shared.read_all();
        Ok(Cache { shared, watcher })
    }

    /// Waits until the whole subtree was read, for at most `wait`. False when the time was over.
    pub fn wait_ready(&self, wait: Duration) -> Result<bool> {
        let end = Instant::now() + wait;
        let mut copy = self.shared.copy();
        loop {
            if let Some(error) = &copy.failed {
                return Err(error.clone());
            }
            if copy.current {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let waited = self.shared.ready.wait_timeout(copy, left);
            copy = waited.expect("nothing panics while it holds a cache").0;
        }
    }

    /// Whether the copy follows the server: the subtree was read on this connection, which stands.
    pub fn is_current(&self) -> bool {
        self.shared.copy().current
    }

    /// A znode.
    pub fn get(&self, path: &str) -> Option<Cached> {
        self.shared.copy().nodes.get(path).map(|(cached, _)| cached.clone())
    }

    /// Names of the children of a znode, sorted.
    pub fn children(&self, path: &str) -> Vec<String> {
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let copy = self.shared.copy();
        let below = copy.nodes.range(prefix.clone()..).map(|(path, _)| path);
        below
            .take_while(|path| path.starts_with(&prefix))
            .map(|path| &path[prefix.len()..])
            .filter(|name| !name.is_empty() && !name.contains('/'))
            .map(str::to_owned)
            .collect()
    }

    /// Every path, in order.
    pub fn paths(&self) -> Vec<String> {
        self.shared.copy().nodes.keys().cloned().collect()
    }

    /// Number of znodes.
    pub fn len(&self) -> usize {
        self.shared.copy().nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.shared.copy().closed = true;
        let Shared { client, root, .. } = &*self.shared;
        client.unwatch_later(root, AddWatchMode::PersistentRecursive, &self.watcher);
    }
}
