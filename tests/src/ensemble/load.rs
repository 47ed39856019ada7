//! Clients that read and write without pause, move between servers, and write down all that they
//! ask for and are told.
//!
//! Threads with sessions of their own. They take every failure of a connection as what it is, and
//! go on elsewhere; nothing is ever sent a second time. Who judges what they saw is `history`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::certificate::{self, Log};
use super::client::Client;
use super::compare;
use super::shared::Shared;
pub use super::shared::{Plan, Use};
use crate::history::search::search;
use crate::history::{self, Entry, Event, History, Kind, Promises, Request, Summary};

/// Steps of the search for an order, for each znode.
const SEARCH_STEPS_MAX: usize = 300_000;

/// How long progress may take once everything that is needed for it is there.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);

/// Running clients; they end when this is dropped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts clients.
    pub fn start(places: Vec<(SocketAddr, Use)>, plan: Plan) -> Load {
        let shared = Arc::new(Shared::new(places));
        let client = |number: usize| {
            let mut client = Client::new(Arc::clone(&shared), number, &plan);
            std::thread::spawn(move || client.run())
        };
        let threads = (0..plan.readers + plan.writers).map(client).collect();
        Load { shared, threads }
    }

    /// Says how a server may be used from now on; who may not stay leaves soon.
    pub fn set_use(&self, at: usize, usage: Use) {
        self.shared.places[at].set_use(usage);
    }

    /// Writes that were acknowledged so far.
    pub fn done(&self) -> u64 {
        self.shared.done()
    }

    /// Waits until so many more writes were acknowledged, and calls `meanwhile` again and again;
    /// false when that takes too long.
    pub fn progresses(&self, count: u64, mut meanwhile: impl FnMut()) -> bool {
        let (wanted, deadline) = (self.done() + count, Instant::now() + PROGRESS_LIMIT);
        while self.done() < wanted {
            self.assert_sane();
            meanwhile();
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// A client ends before its time only by a panic.
    fn assert_sane(&self) {
        let ended = self.threads.iter().any(JoinHandle::is_finished);
        assert!(!ended, "a client was told what no server may say");
    }

    /// Sends the clients away and waits until no connection is left; sessions stay.
    pub fn pause(&self) {
        self.shared.set_paused(true);
        while self.shared.attached() > 0 {
            self.assert_sane();
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets them come again.
    pub fn resume(&self) {
        self.shared.set_paused(false);
    }

    /// Lets them work until all servers hold the same and tell the same digests, and sends them away.
    ///
    /// # Panics
    /// When they don't, or nothing goes on.
    pub fn settle(&self, places: &[SocketAddr]) {
        for _ in 0..5 {
            self.resume();
            assert!(self.progresses(300, || {}), "no progress at the end");
            self.pause();
            if compare::assert_equal(places) > 0 {
                return;
            }
        }
        panic!("no zxid at which all servers told their digest");
    }

    /// Ends the clients; what they wrote down.
    ///
    /// # Panics
    /// When one of them was told what no server may say.
    pub fn finish(mut self) -> Vec<Entry> {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            thread.join().expect("a client was told what no server may say");
        }
        self.shared.take_entries()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Holds what clients saw against what was committed.
///
/// # Panics
/// When they contradict each other.
pub fn judge(entries: Vec<Entry>, log: &Log, promises: &Promises) -> Summary {
    let close = |entry: &Entry| match entry.event {
        Event::Invoke { session, cxid, request: Request::Close, .. } => Some((session, cxid)),
        _ => None,
    };
    let closes: BTreeSet<(i64, i32)> = entries.iter().filter_map(close).collect();
    let mut txns = certificate::committed(log);
    // A refused closing is a txn of its own, and no write.
    txns.retain(|txn| {
        let refused = matches!(txn.kind, Kind::Refused(_));
        !(refused && closes.contains(&(txn.session, txn.cxid)))
    });
    let history = History { entries, txns };
    match history::check(&history, promises) {
        Ok(summary) => {
            if promises.linearizable_sync {
                // A second opinion, which believes no zxid.
                let searched = search(&history.entries, SEARCH_STEPS_MAX);
                println!("{:?}", searched.unwrap_or_else(|text| panic!("{text}")));
            }
            summary
        }
        Err(found) => {
            let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
            panic!("{} anomalies:\n{}", lines.len(), lines.join("\n"));
        }
    }
}
