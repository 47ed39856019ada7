//! A simulated disk: what was written, what of it is durable, and what a crash leaves.

use std::collections::VecDeque;

use zk_core::{Config, Epochs, Loader, Recovered};
use zk_wire::Zxid;

use crate::rng::Rng;

/// A snapshot that is on disk.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The zxid it stands at.
    pub zxid: Zxid,
    /// Its pieces.
    pub pieces: Vec<Vec<u8>>,
    /// Records of the log before this place do not count for it.
    pub log_from: usize,
}

/// What the disk does, one after the other.
#[derive(Debug)]
pub enum Work {
    /// Sync the log up to so many records.
    Sync(usize, Zxid),
    /// Write the epochs.
    Epochs(Epochs),
    /// Publish the snapshot that was received.
    Publish(Saved, bool),
    /// Cut the log and load anew.
    Reload(Option<Zxid>),
}

/// What it says when that is done.
#[derive(Debug)]
pub enum Done {
    /// The log is durable up to here.
    Durable(Zxid),
    /// The epochs are.
    Epochs(Epochs),
    /// The snapshot is.
    Taken(Zxid),
    /// The state was loaded anew.
    Reloaded(Box<Recovered>),
}

/// A disk.
#[derive(Debug, Default)]
pub struct Disk {
    log: Vec<(Zxid, Vec<u8>)>,
    durable: usize,
    epochs: Epochs,
    snapshots: Vec<Saved>,
    /// Work under way with the time at which it is done.
    pub work: VecDeque<(i64, Work)>,
    writing: Option<(Saved, bool)>,
    /// The log does not begin at the first txn.
    begins_later: bool,
}

impl Disk {
    /// Appends a record; not durable before the next sync.
    pub fn append(&mut self, zxid: Zxid, txn: &[u8]) {
        let from = self.log_start();
        let last = self.log[from..].last().map(|(zxid, _)| *zxid);
        assert!(last.is_none_or(|last| zxid > last), "{zxid} behind {last:?}");
        assert!(self.unpublished_from().is_none(), "{zxid} is appended behind a received database");
        self.log.push((zxid, txn.to_vec()));
    }

    fn log_start(&self) -> usize {
        let writing = self.writing.iter().filter(|(_, replaces)| *replaces);
        let queued = self.work.iter().filter_map(|(_, work)| match work {
            Work::Publish(saved, true) => Some(saved.log_from),
            _ => None,
        });
        let saved = self.snapshots.iter().map(|saved| saved.log_from);
        let writing = writing.map(|(saved, _)| saved.log_from);
        saved.chain(writing).chain(queued).max().unwrap_or(0)
    }

    /// Where the log of a received database begins that is not on disk yet.
    fn unpublished_from(&self) -> Option<usize> {
        let writing = self.writing.iter().filter(|(_, replaces)| *replaces);
        let queued = self.work.iter().filter_map(|(_, work)| match work {
            Work::Publish(saved, true) => Some(saved.log_from),
            _ => None,
        });
        writing.map(|(saved, _)| saved.log_from).chain(queued).min()
    }

    /// Asks for a sync of everything that is appended.
    pub fn sync(&mut self, done_ms: i64) {
        if let Some((zxid, _)) = self.log.last() {
            let (zxid, count) = (*zxid, self.log.len());
            self.push(done_ms, Work::Sync(count, zxid));
        }
    }

    /// Whether something is appended that no sync was asked for.
    pub fn wants_sync(&self) -> bool {
        let asked = self.work.iter().filter_map(|(_, work)| match work {
            Work::Sync(count, _) => Some(*count),
            _ => None,
        });
        self.log.len() > asked.max().unwrap_or(self.durable)
    }

    /// Queues work behind what is queued.
    pub fn push(&mut self, done_ms: i64, work: Work) {
        let last = self.work.back().map_or(0, |(at, _)| *at);
        self.work.push_back((done_ms.max(last), work));
    }

    /// Begins a snapshot.
    pub fn begin_snapshot(&mut self, zxid: Zxid, replaces: bool) {
        let log_from = if replaces { self.log.len() } else { self.log_start() };
        self.writing = Some((Saved { zxid, pieces: Vec::new(), log_from }, replaces));
    }

    /// Gives it up.
    pub fn abandon_snapshot(&mut self) {
        self.writing = None;
    }

    /// A piece of it.
    pub fn snapshot_piece(&mut self, piece: &[u8], last: bool, done_ms: i64) {
        if let Some((saved, _)) = &mut self.writing {
            saved.pieces.push(piece.to_vec());
        }
        if last && let Some((saved, replaces)) = self.writing.take() {
            self.push(done_ms, Work::Publish(saved, replaces));
        }
    }

    /// Finishes the first work.
    pub fn finish(&mut self, config: &Config) -> Option<Done> {
        let (_, work) = self.work.pop_front()?;
        Some(match work {
            Work::Sync(count, zxid) => {
                self.durable = self.durable.max(count);
                Done::Durable(zxid)
            }
            Work::Epochs(epochs) => {
                self.epochs = epochs;
                Done::Epochs(epochs)
            }
            Work::Publish(saved, replaces) => {
                let zxid = saved.zxid;
                let mut saved = saved;
                if replaces {
                    self.snapshots.clear();
                    self.log.drain(..saved.log_from);
                    self.durable = self.log.len();
                    self.begins_later = true;
                    saved.log_from = 0;
                }
                self.snapshots.push(saved);
                Done::Taken(zxid)
            }
            Work::Reload(cut) => {
                let older = self.snapshots.iter().any(|saved| Some(saved.zxid) <= cut);
                let reaches = older || !self.begins_later;
                if let Some(cut) = cut.filter(|_| reaches) {
                    self.log.retain(|(zxid, _)| *zxid <= cut);
                    self.snapshots.retain(|saved| saved.zxid <= cut);
                    for saved in &mut self.snapshots {
                        saved.log_from = saved.log_from.min(self.log.len());
                    }
                }
                self.durable = self.log.len();
                Done::Reloaded(Box::new(self.load(config)))
            }
        })
    }

    /// What a start finds.
    pub fn load(&self, config: &Config) -> Recovered {
        let mut loader = Loader::new(config);
        let newest = self.snapshots.last();
        if let Some(saved) = newest {
            for piece in &saved.pieces {
                loader.piece(piece).expect("our own snapshot");
            }
            loader.snapshot_end(saved.zxid).expect("our own snapshot");
        }
        let (from, above) = newest.map_or((0, Zxid::NONE), |saved| (saved.log_from, saved.zxid));
        for (zxid, txn) in self.log[from..].iter().filter(|(zxid, _)| *zxid > above) {
            loader.txn(*zxid, txn).expect("our own log");
        }
        let mut recovered = loader.finish();
        let zxids: Vec<Zxid> = self.log[from..].iter().map(|(zxid, _)| *zxid).collect();
        let mismatches = recovered.mismatches;
        assert_eq!(mismatches, None, "from {above}: a txn's digest is not the tree's: {zxids:?}");
        recovered.epochs = self.epochs;
        recovered
    }

    /// The power goes, or the process: of what was not durable any prefix may be left.
    pub fn crash(&mut self, rng: &mut Rng) {
        let keep = self.durable + rng.below(self.log.len() - self.durable + 1);
        self.log.truncate(keep);
        self.durable = keep;
        self.writing = None;
        if let Some((_, Work::Epochs(epochs))) = self.work.front()
            && rng.one_in(2)
        {
            self.epochs = *epochs;
        }
        self.work.clear();
    }

    /// Zxids and txns that are durable.
    pub fn durable_log(&self) -> &[(Zxid, Vec<u8>)] {
        &self.log[..self.durable]
    }

    /// The epochs that are durable.
    pub fn epochs(&self) -> Epochs {
        self.epochs
    }

    /// A new, empty disk.
    pub fn wipe(&mut self) {
        *self = Disk::default();
    }
}
