//! What clients saw, and whether a ZooKeeper ensemble may show it.
//!
//! A [`History`] is a list of events in real time and the txns that the ensemble committed. Every
//! reply carries a zxid, and that is its certificate: [`check`] replays the txns in the order of
//! their zxids on a simple tree, holds every answer against the state at its zxid, and then looks
//! whether that order fits what happened in real time. It searches nothing, so it is exact and takes
//! about n log n. The zxids are not trusted: an order that fits is an order that holds, whoever
//! says it.
//!
//! [`mod@generate`] makes correct histories, [`mutate`] plants one anomaly in them; by these the
//! checker itself is checked. No server, socket or clock in here.

pub mod record;
pub mod replay;
pub mod sessions;
mod order;
pub mod search;
pub mod generate;
pub mod mutate;

pub use record::{Anomaly, Committed, Entry, Event, History, Kind, Promises, Reply, Request, Rule};

/// What was looked at, so that a test can see that it was enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Calls that were made.
    pub calls: usize,
    /// Of these, calls that were never answered.
    pub unknown: usize,
    /// Answers to reads that were held against the tree.
    pub reads: usize,
    /// Txns that were replayed.
    pub txns: usize,
    /// Watch events that were accounted for.
    pub watches: usize,
    /// Operations for which an order was searched, where that was done as well.
    pub searched: usize,
    /// Znodes on which that search gave up.
    pub undecided: usize,
}

impl std::ops::AddAssign for Summary {
    fn add_assign(&mut self, other: Summary) {
        self.calls += other.calls;
        self.unknown += other.unknown;
        self.reads += other.reads;
        self.txns += other.txns;
        self.watches += other.watches;
        self.searched += other.searched;
        self.undecided += other.undecided;
    }
}

/// Checks a history. The error lists what is wrong with it, at most
/// [`record::ANOMALIES_MAX`] of each kind.
pub fn check(history: &History, promises: &Promises) -> Result<Summary, Vec<Anomaly>> {
    let calls = match record::Calls::of(history) {
        Ok(calls) => calls,
        Err(anomaly) => return Err(vec![anomaly]),
    };
    let mut found = record::Found::default();
    let replayed = replay::replay(history, &calls, &mut found);
    let watches = sessions::scan(history, promises, &calls, &replayed, &mut found);
    let summary = Summary {
        calls: calls.list.len(),
        unknown: calls.list.iter().filter(|call| call.returned.is_none()).count(),
        reads: replayed.reads,
        txns: history.txns.len(),
        watches,
        ..Summary::default()
    };
    found.finish().map(|()| summary)
}
