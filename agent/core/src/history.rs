//! The newest txns that were applied, for learners that lack only these, and pieces of the log for
//! those that lack more.

use std::collections::VecDeque;
use std::ops::Range;

use zk_wire::Zxid;

use crate::config::Config;

/// Bytes above which large txns go although they are few: 500 of a megabyte are not worth the memory.
/// Who lacks them is sent the log on disk.
const FEW_BYTES_MAX: usize = 64 << 20;

/// A window over the newest applied txns, without gaps inside an epoch.
#[derive(Debug)]
pub struct History {
    /// Txns that are kept at least, as far as [`FEW_BYTES_MAX`] allows.
    txns_min: usize,
    /// Bytes above which older ones go.
    bytes_max: usize,
    /// Bytes above which they go although somebody waits for what stands above a pin.
    pinned_bytes_max: usize,
    entries: VecDeque<(Zxid, Range<usize>)>,
    bytes: Vec<u8>,
    head: usize,
    /// The txn before the oldest one that is kept.
    before: Zxid,
    /// A learner that is being brought up has everything up to here.
    pinned: Option<Zxid>,
}

impl History {
    /// A window that begins behind this txn.
    pub fn new(config: &Config, before: Zxid) -> History {
        History {
            txns_min: config.history_txns_min,
            bytes_max: config.history_bytes_max,
            pinned_bytes_max: config.history_pinned_bytes_max,
            entries: VecDeque::new(),
            bytes: Vec::new(),
            head: 0,
            before,
            pinned: None,
        }
    }

    /// One of the same size that begins behind this txn.
    pub fn emptied(&self, before: Zxid) -> History {
        let (entries, bytes) = (VecDeque::new(), Vec::new());
        History { entries, bytes, head: 0, before, pinned: None, ..*self }
    }

    /// Keeps what stands above this txn for a learner, within a bound; `None` for nobody.
    pub fn pin(&mut self, zxid: Option<Zxid>) {
        self.pinned = zxid;
    }

    fn is_too_long(&self) -> bool {
        let bytes = self.bytes.len() - self.head;
        let oldest = self.entries.front().map(|(zxid, _)| *zxid);
        let wanted = self.pinned.is_some_and(|pin| oldest.is_some_and(|oldest| oldest > pin));
        let few = self.entries.len() <= self.txns_min;
        bytes
            > match (wanted, few) {
                (true, _) => self.pinned_bytes_max,
                (false, true) => FEW_BYTES_MAX,
                (false, false) => self.bytes_max,
            }
    }

    /// Forgets everything; the window begins behind this txn.
    pub fn reset(&mut self, before: Zxid) {
        *self = self.emptied(before);
    }

    /// The txn before the oldest one that is kept: a learner that has it lacks nothing else.
    pub fn before(&self) -> Zxid {
        self.before
    }

    /// The newest txn.
    pub fn last(&self) -> Zxid {
        self.entries.back().map_or(self.before, |(zxid, _)| *zxid)
    }

    /// The zxids, oldest first.
    pub fn zxids(&self) -> impl DoubleEndedIterator<Item = Zxid> + '_ {
        self.entries.iter().map(|(zxid, _)| *zxid)
    }

    /// Adds a txn that was applied.
    pub fn push(&mut self, zxid: Zxid, txn: &[u8]) {
        let last = self.last();
        assert!(zxid > last, "txn {zxid} is applied behind {last}");
        let next = zxid.epoch() > last.epoch() || zxid.0 == last.0 + 1;
        assert!(next || self.entries.is_empty(), "no txn between {last} and {zxid} was applied");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(txn);
        self.entries.push_back((zxid, start..self.bytes.len()));
        while self.entries.len() > 1 && self.is_too_long() {
            self.drop_oldest();
        }
        if self.head > self.bytes_max / 4 && self.head * 4 > self.bytes.len() {
            self.bytes.drain(..self.head);
            for (_, range) in &mut self.entries {
                *range = range.start - self.head..range.end - self.head;
            }
            self.head = 0;
            if self.bytes.len() < self.bytes.capacity() / 3 {
                self.bytes.shrink_to(2 * self.bytes.len());
            }
        }
    }

    /// Adds a txn of a log that is read back. One that does not follow the one before begins the
    /// window anew.
    pub fn push_replayed(&mut self, zxid: Zxid, txn: &[u8]) {
        let last = self.last();
        if zxid <= last || (zxid.epoch() == last.epoch() && zxid.0 != last.0 + 1) {
            self.reset(Zxid(zxid.0 - 1));
        }
        self.push(zxid, txn);
    }

    fn drop_oldest(&mut self) {
        if let Some((zxid, range)) = self.entries.pop_front() {
            self.before = zxid;
            self.head = range.end;
        }
    }

    /// Txns above this one, oldest first.
    pub fn after(&self, zxid: Zxid) -> impl Iterator<Item = (Zxid, &[u8])> {
        let from = self.entries.partition_point(|(have, _)| *have <= zxid);
        self.entries.range(from..).map(|(zxid, range)| (*zxid, &self.bytes[range.clone()]))
    }

    /// The newest txn at or below this one, as far as the window knows.
    pub fn at_or_below(&self, zxid: Zxid) -> Option<Zxid> {
        let behind = self.entries.partition_point(|(have, _)| *have <= zxid);
        match behind.checked_sub(1) {
            Some(at) => Some(self.entries[at].0),
            None => (zxid >= self.before).then_some(self.before),
        }
    }
}

/// Txns of the log on disk, oldest first and without gaps, for learners that lack more than the
/// window.
#[derive(Debug)]
pub struct LogPiece {
    /// The newest txn of the log that is not above where the piece begins; `None` when the log
    /// begins later.
    pub before: Option<Zxid>,
    /// Bytes of the log above that place, this piece included, or a little more. Of a first piece
    /// only.
    pub bytes_above: u64,
    entries: Vec<(Zxid, Range<usize>)>,
    bytes: Vec<u8>,
}

impl LogPiece {
    /// An empty one, behind this txn.
    pub fn new(before: Option<Zxid>, bytes_above: u64) -> LogPiece {
        LogPiece { before, bytes_above, entries: Vec::new(), bytes: Vec::new() }
    }

    /// Adds a txn.
    pub fn push(&mut self, zxid: Zxid, txn: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(txn);
        self.entries.push((zxid, start..self.bytes.len()));
    }

    /// Bytes of its txns.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Its txns.
    pub fn txns(&self) -> impl Iterator<Item = (Zxid, &[u8])> {
        self.entries.iter().map(|(zxid, range)| (*zxid, &self.bytes[range.clone()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TXNS_MIN: usize = 500;
    const BYTES_MAX: usize = 32 << 20;

    fn behind(zxid: Zxid) -> History {
        History::new(&Config::default(), zxid)
    }

    #[test]
    fn the_window_moves_and_stays_contiguous() {
        let mut history = behind(Zxid::new(1, 4));
        let txn = vec![7u8; 40_000];
        for counter in 5..3000 {
            history.push(Zxid::new(1, counter), &txn);
        }
        assert_eq!(history.last(), Zxid::new(1, 2999));
        assert!(history.before() > Zxid::new(1, 4));
        let kept: Vec<Zxid> = history.after(history.before()).map(|(zxid, _)| zxid).collect();
        assert_eq!(kept.len() as u32, 2999 - history.before().counter());
        assert!(kept.len() >= TXNS_MIN && kept.len() * 40_000 <= BYTES_MAX);
        assert!(history.after(Zxid::new(1, 2998)).all(|(_, bytes)| bytes == &txn[..]));
        assert_eq!(history.after(Zxid::new(1, 2998)).count(), 1);
    }

    /// Goal: what a learner still has to hear stays while it is brought up, within a bound.
    #[test]
    fn what_stands_above_a_pin_stays() {
        let mut history = behind(Zxid::new(1, 4));
        let txn = vec![7u8; 400_000];
        history.pin(Some(Zxid::new(1, 9)));
        for counter in 5..300 {
            history.push(Zxid::new(1, counter), &txn);
        }
        assert_eq!(history.before(), Zxid::new(1, 9));
        for counter in 300..1000 {
            history.push(Zxid::new(1, counter), &txn);
        }
        assert!(history.before() > Zxid::new(1, 9), "the bound holds for everybody");
        assert!(history.entries.len() * 400_000 <= history.pinned_bytes_max);
        history.pin(None);
        history.push(Zxid::new(1, 1000), &txn);
        assert_eq!(history.entries.len(), FEW_BYTES_MAX / 400_000);
    }

    /// Goal: large txns do not stay because they are few, nor the memory that they took.
    #[test]
    fn few_large_txns_are_bounded_in_bytes() {
        let mut history = behind(Zxid::new(1, 0));
        let (large, small) = (vec![7u8; 1_000_000], [7u8; 100]);
        for counter in 1..400 {
            history.push(Zxid::new(1, counter), &large);
            let kept: usize = history.after(history.before()).map(|(_, txn)| txn.len()).sum();
            assert!(kept <= FEW_BYTES_MAX && history.bytes.capacity() <= 3 * FEW_BYTES_MAX);
        }
        assert_eq!(history.entries.len(), FEW_BYTES_MAX / 1_000_000);
        for counter in 400..400 + 2 * TXNS_MIN as u32 {
            history.push(Zxid::new(1, counter), &small);
        }
        assert!(history.bytes.capacity() <= 3 * BYTES_MAX, "{}", history.bytes.capacity());
        assert!(history.entries.len() >= TXNS_MIN);
        // One that is above the bound by itself stays until the next one comes.
        let next = Zxid(history.last().0 + 1);
        history.push(next, &vec![7u8; FEW_BYTES_MAX + 1]);
        assert_eq!(history.zxids().collect::<Vec<_>>(), [next]);
    }

    #[test]
    fn a_new_epoch_follows_any_counter() {
        let mut history = behind(Zxid::ZERO);
        history.push(Zxid::new(1, 1), b"a");
        history.push(Zxid::new(3, 1), b"b");
        assert_eq!(history.at_or_below(Zxid::new(2, 9)), Some(Zxid::new(1, 1)));
        assert_eq!(history.at_or_below(Zxid::new(3, 1)), Some(Zxid::new(3, 1)));
        assert_eq!(history.at_or_below(Zxid::ZERO), Some(Zxid::ZERO));
        assert_eq!(history.at_or_below(Zxid::NONE), None);
    }

    #[test]
    #[should_panic(expected = "no txn between")]
    fn a_gap_stops_the_server() {
        let mut history = behind(Zxid::ZERO);
        history.push(Zxid::new(1, 1), b"a");
        history.push(Zxid::new(1, 3), b"b");
    }
}
