//! What the clients of a load share: where they may go, and what they have seen so far.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::SystemTime;

use crate::history::{Entry, Event, Reply};

/// How a server may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Not at all.
    Not = 0,
    /// Writes only. Apache's servers answer reads beside the next write, so the zxid of an answer
    /// does not say exactly which state it shows.
    Writes = 1,
    /// Reads, watches and writes.
    All = 2,
}

/// How many clients, and how they are.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Clients that read and write at places for [`Use::All`].
    pub readers: usize,
    /// Clients that write anywhere.
    pub writers: usize,
    /// What their sessions ask for, in ms.
    pub timeout_ms: i32,
    /// Their chance.
    pub seed: u64,
    /// Whether a multi may hold create2. Apache 3.8.0 drops it, and what stands behind it, when it
    /// applies the txn.
    pub create2_in_multi: bool,
}

/// A server that clients may go to.
#[derive(Debug)]
pub struct Place {
    address: SocketAddr,
    usage: AtomicU8,
}

impl Place {
    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says how it may be used from now on.
    pub fn set_use(&self, usage: Use) {
        self.usage.store(usage as u8, Ordering::Relaxed);
    }

    /// Whether a client may be there.
    pub fn serves(&self, reader: bool) -> bool {
        let least = if reader { Use::All } else { Use::Writes };
        self.usage.load(Ordering::Relaxed) >= least as u8
    }
}

/// What the clients share.
#[derive(Debug)]
pub struct Shared {
    /// Servers.
    pub places: Vec<Place>,
    entries: Mutex<Vec<Entry>>,
    calls: AtomicU64,
    done: AtomicU64,
    paused: AtomicBool,
    stopped: AtomicBool,
    attached: AtomicU64,
}

impl Shared {
    /// A beginning; all servers may be used as it is said.
    pub fn new(places: Vec<(SocketAddr, Use)>) -> Shared {
        let place = |(address, usage): (SocketAddr, Use)| Place {
            address,
            usage: AtomicU8::new(usage as u8),
        };
        Shared {
            places: places.into_iter().map(place).collect(),
            entries: Mutex::default(),
            calls: AtomicU64::new(0),
            done: AtomicU64::new(0),
            paused: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            attached: AtomicU64::new(0),
        }
    }

    /// What was written down; the next one to ask gets what comes from now on.
    pub fn take_entries(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.entries.lock().expect("no client panics while it writes down"))
    }

    /// Writes that were acknowledged.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Connections that serve a session.
    pub fn attached(&self) -> u64 {
        self.attached.load(Ordering::Relaxed)
    }

    /// Has clients go away, or come again.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Has clients end.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Writes down what happened. The order of the entries is the order in time.
    pub fn record(&self, event: Event) {
        match &event {
            Event::Attached { .. } => {
                self.attached.fetch_add(1, Ordering::Relaxed);
            }
            Event::Detached { .. } => {
                self.attached.fetch_sub(1, Ordering::Relaxed);
            }
            Event::Return { reply: Reply::Changed(_) | Reply::Multi(_), .. } => {
                self.done.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        let mut entries = self.entries.lock().expect("no client panics while it writes down");
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let newest_ms = entries.last().map_or(0, |entry| entry.at_ms);
        let at_ms = newest_ms.max(wall.as_millis() as i64);
        entries.push(Entry { at_ms, event });
    }

    /// A number for a call.
    pub fn call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether clients are to be away.
    pub fn paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed) || self.stopped()
    }

    /// Whether it is the end.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
