//! A simulated disk: what was written, what of it is durable, and what a crash leaves.
//!
//! The log is a list of txns, but what a loss of power leaves of it is decided by the server's own
//! code: the records are laid out as in a segment, sectors are lost, and the log is scanned. The
//! epochs, a published snapshot and a cut are there whole or not at all.

use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

use zk_agent::disk::record::{self, Kind};
use zk_agent::disk::scan::{Part, scan_log};
use zk_agent::disk::segment::{Header, RECORDS_START};
use zk_core::bugs::{self, Bug};
use zk_core::tree::DataTree;
use zk_core::{Config, Effect, Epochs, Event, Loader, LogPiece, PeerId, Recovered};
use zk_wire::Zxid;

use crate::rng::Rng;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What goes with the end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// What was not handed to the operating system.
    Process,
    /// What was not synced, in part or whole, in any order.
    Power,
}

/// A txn of the log.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Its zxid.
    pub zxid: Zxid,
    /// The txn.
    pub txn: Rc<[u8]>,
    /// What was durable when it was written.
    watermark: Zxid,
}

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
    /// Read txns for a learner: behind one, up to another.
    Read(PeerId, Zxid, Zxid),
}

/// What it says when that is done.
#[derive(Debug)]
pub enum Done {
    /// The log is durable up to here.
    Durable(Zxid),
    /// The epochs are.
    Epochs(Epochs),
    /// The snapshot is; whether it stands in the place of everything else.
    Taken(Zxid, bool),
    /// The state was loaded anew, behind a cut.
    Reloaded(Box<Recovered>, Option<Zxid>),
    /// What was read, unless that failed.
    Read(PeerId, Zxid, Option<LogPiece>),
}

impl Done {
    /// Tells it to a replica, by one step.
    pub fn tell(self, step: impl FnOnce(Event<'_>)) {
        match self {
            Done::Durable(zxid) => step(Event::Durable { zxid }),
            Done::Epochs(epochs) => step(Event::EpochsSaved { epochs }),
            Done::Taken(zxid, _) => step(Event::SnapshotTaken { zxid }),
            Done::Reloaded(loaded, _) => step(Event::Reloaded { recovered: &mut Some(loaded) }),
            Done::Read(peer, after, piece) => {
                step(Event::LogRead { peer, after, piece: piece.as_ref() });
            }
        }
    }
}

/// A disk.
#[derive(Debug)]
pub struct Disk {
    log: Vec<Logged>,
    durable: usize,
    epochs: Epochs,
    snapshots: Vec<Saved>,
    /// Work under way with the time at which it is done.
    work: VecDeque<(i64, Work)>,
    writing: Option<(Saved, bool)>,
    /// The log does not begin at the first txn.
    begins_later: bool,
    /// How often its log was cut or replaced.
    rewrites: u64,
    fails: bool,
    salt: u64,
}

impl Disk {
    /// An empty disk.
    pub fn new(salt: u64) -> Disk {
        Disk {
            log: Vec::new(),
            durable: 0,
            epochs: Epochs::default(),
            snapshots: Vec::new(),
            work: VecDeque::new(),
            writing: None,
            begins_later: false,
            rewrites: 0,
            fails: false,
            salt: salt | 1,
        }
    }

    /// Appends a record; not durable before the next sync.
    pub fn append(&mut self, zxid: Zxid, txn: Rc<[u8]>) {
        assert!(self.unpublished_from().is_none(), "{zxid} is appended behind a received database");
        let watermark = self.durable.checked_sub(1).map_or(Zxid::ZERO, |at| self.log[at].zxid);
        self.log.push(Logged { zxid, txn, watermark });
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

    /// When the first work is done.
    pub fn next_ms(&self) -> i64 {
        self.work.front().map_or(i64::MAX, |(at, _)| *at)
    }

    /// Asks for a sync of everything that is appended.
    pub fn sync(&mut self, done_ms: i64) {
        if let Some(last) = self.log.last() {
            let (zxid, count) = (last.zxid, self.log.len());
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

    /// Whether the next sync will fail.
    pub fn fail_next(&mut self, fails: bool) {
        self.fails = fails;
    }

    /// Whether the work that is due fails.
    pub fn fails_next(&mut self) -> bool {
        let syncs = matches!(self.work.front(), Some((_, Work::Sync(..))));
        syncs && std::mem::take(&mut self.fails)
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

    /// Takes what a replica wants of a disk that is always quick. False when it is not the disk's.
    pub fn carry_out_at_once(&mut self, effect: &Effect, bytes: &[u8]) -> bool {
        let builds_on_log = matches!(
            effect,
            Effect::SaveEpochs { .. } | Effect::Reload { .. } | Effect::SnapshotBegin { .. }
        );
        if builds_on_log && self.wants_sync() {
            self.sync(0);
        }
        match effect {
            Effect::Append { zxid, txn } => self.append(*zxid, bytes[txn.clone()].into()),
            Effect::SaveEpochs { epochs } => self.push(0, Work::Epochs(*epochs)),
            Effect::Reload { cut } => self.push(0, Work::Reload(*cut)),
            Effect::ReadLog { peer, after, through, .. } => {
                self.push(0, Work::Read(*peer, *after, *through));
            }
            Effect::SnapshotBegin { zxid, replaces } => self.begin_snapshot(*zxid, *replaces),
            Effect::SnapshotAbandon => self.abandon_snapshot(),
            Effect::SnapshotBytes { piece, last } => {
                self.snapshot_piece(&bytes[piece.clone()], *last, 0);
            }
            _ => return false,
        }
        true
    }

    /// Finishes the first work.
    pub fn finish(&mut self, config: &Config) -> Option<Done> {
        let (_, work) = self.work.pop_front()?;
        let done = match &work {
            Work::Sync(_, zxid) => Some(Done::Durable(*zxid)),
            Work::Epochs(epochs) => Some(Done::Epochs(*epochs)),
            Work::Publish(saved, replaces) => Some(Done::Taken(saved.zxid, *replaces)),
            Work::Read(peer, after, to) => Some(Done::Read(*peer, *after, self.read(*after, *to))),
            Work::Reload(_) => None,
        };
        let cut = if let Work::Reload(cut) = &work { *cut } else { None };
        self.take_effect(work);
        Some(done.unwrap_or_else(|| {
            let loaded = self.load(config).expect("what was written a moment ago is read");
            Done::Reloaded(Box::new(loaded), cut)
        }))
    }

    /// A few txns of the log; now and then it cannot be read.
    fn read(&self, after: Zxid, through: Zxid) -> Option<LogPiece> {
        const TXNS: usize = 3;
        let above = self.log.partition_point(|logged| logged.zxid <= after);
        let before = above.checked_sub(1).map(|at| self.log[at].zxid);
        let mut piece = LogPiece::new(before, 0);
        for logged in self.log[above..].iter().take_while(|l| l.zxid <= through).take(TXNS) {
            piece.push(logged.zxid, &logged.txn);
        }
        (after.0 % 23 != 7).then_some(piece)
    }

    fn take_effect(&mut self, work: Work) {
        match work {
            Work::Read(..) => {}
            Work::Sync(count, _) => self.durable = self.durable.max(count),
            Work::Epochs(epochs) => self.epochs = epochs,
            Work::Publish(mut saved, replaces) => {
                if replaces {
                    self.rewrites += 1;
                    self.snapshots.clear();
                    self.log.drain(..saved.log_from);
                    self.durable = self.log.len();
                    self.begins_later = true;
                    saved.log_from = 0;
                }
                self.snapshots.push(saved);
            }
            Work::Reload(cut) => {
                if let Some(cut) = cut.filter(|cut| self.reaches(*cut)) {
                    if bugs::on(Bug::Zk3701) {
                        return;
                    }
                    self.rewrites += 1;
                    self.log.retain(|logged| logged.zxid <= cut);
                    self.snapshots.retain(|saved| saved.zxid <= cut || bugs::on(Bug::Zk4837));
                    for saved in &mut self.snapshots {
                        saved.log_from = saved.log_from.min(self.log.len());
                    }
                }
                self.durable = self.log.len();
            }
        }
    }

    /// What a start finds.
    ///
    /// # Errors
    /// Why the server does not start.
    pub fn load(&self, config: &Config) -> Result<Recovered, String> {
        self.load_watched(config, &mut |_, _| {})
    }

    /// The same; shows the tree of the snapshot, and the tree behind each txn: all that a start could
    /// have found if the log had ended there.
    ///
    /// # Errors
    /// Why the server does not start.
    pub fn load_watched(
        &self,
        config: &Config,
        show: &mut dyn FnMut(&DataTree, Option<&Logged>),
    ) -> Result<Recovered, String> {
        let mut loader = Loader::new(config);
        let newest = self.snapshots.last();
        if let Some(saved) = newest {
            for piece in &saved.pieces {
                loader.piece(piece)?;
            }
            loader.snapshot_end(saved.zxid)?;
            show(loader.tree(), None);
        }
        let (from, above) = newest.map_or((0, Zxid::NONE), |saved| (saved.log_from, saved.zxid));
        for logged in self.log[from..].iter().filter(|logged| logged.zxid > above) {
            loader.txn(logged.zxid, &logged.txn)?;
            show(loader.tree(), Some(logged));
        }
        let mut recovered = loader.finish();
        recovered.epochs = self.epochs;
        Ok(recovered)
    }

    /// The process ends.
    ///
    /// # Errors
    /// When recovery loses what was durable, invents something, or refuses an honest loss of power.
    pub fn crash(&mut self, loss: Loss, rng: &mut Rng) -> Result<(), String> {
        self.writing = None;
        self.fails = false;
        let under_way = self.work.pop_front().map(|(_, work)| work);
        self.work.clear();
        match loss {
            Loss::Process => {
                let keep = self.durable + rng.below(self.log.len() - self.durable + 1);
                self.log.truncate(keep);
            }
            Loss::Power => self.lose_power(rng)?,
        }
        self.durable = self.log.len();
        // What was being written may be there, and is so whole.
        if let Some(work @ (Work::Epochs(_) | Work::Publish(..) | Work::Reload(_))) = under_way
            && rng.one_in(2)
        {
            self.take_effect(work);
        }
        Ok(())
    }

    /// The records from `from` on as they stand in a segment, and where each begins.
    fn image(&self, from: usize) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = vec![0u8; RECORDS_START as usize];
        let mut starts = Vec::new();
        for logged in &self.log[from..] {
            let start = bytes.len();
            record::draft(&mut bytes, Kind::Txn, logged.zxid, &logged.txn);
            record::seal(&mut bytes[start..], self.salt, start as u64, logged.watermark);
            starts.push(start);
        }
        starts.push(bytes.len());
        bytes.resize(bytes.len().next_multiple_of(SECTOR_BYTES) + SECTOR_BYTES, 0);
        (bytes, starts)
    }

    /// What the server's own recovery finds in a segment.
    fn scan(&self, from: usize, bytes: Vec<u8>) -> Result<usize, String> {
        let size = bytes.len() as u64;
        let header = Header { serial: 1, salt: self.salt, size, cluster: 1 };
        let part = Part { path: Path::new("log"), header, source: &bytes };
        let mut count = 0;
        // What stands before is known: the records below are the newest ones of a longer log.
        let base = from.checked_sub(1).map(|at| self.log[at].zxid);
        let outcome = scan_log(&[part], base, &mut |_, _, zxid, txn| {
            let wanted = self.log.get(from + count);
            count += 1;
            match wanted {
                Some(logged) if logged.zxid == zxid && *logged.txn == *txn => Ok(()),
                _ => Err(format!("{zxid} was never written there")),
            }
        });
        outcome.map(|_| count).map_err(|error| error.to_string())
    }

    fn lose_power(&mut self, rng: &mut Rng) -> Result<(), String> {
        if self.log.len() == self.durable {
            return Ok(());
        }
        let from = self.durable.saturating_sub(3);
        let (mut bytes, starts) = self.image(from);
        let synced = starts[self.durable - from];
        let mode = rng.below(4);
        let cut = synced + rng.below(bytes.len() - synced);
        for start in (synced - synced % SECTOR_BYTES..bytes.len()).step_by(SECTOR_BYTES) {
            let lost = match mode {
                0 => true,
                1 => start > cut,
                2 => rng.one_in(2),
                _ => rng.one_in(8),
            };
            if lost {
                // The sector is as it was at the last sync.
                bytes[start.max(synced)..start + SECTOR_BYTES].fill(0);
            }
        }
        if mode == 1 {
            bytes[cut..].fill(0);
        }
        let durable = self.durable - from;
        let found =
            self.scan(from, bytes).map_err(|error| format!("a start is refused: {error}"))?;
        if found < durable {
            return Err(format!("{found} of {durable} durable records are found"));
        }
        self.log.truncate(from + found);
        Ok(())
    }

    /// Turns a bit of a record that is known to be durable by a later one, and looks what recovery
    /// makes of that. The disk itself stays as it is.
    pub fn flip(&self, rng: &mut Rng) -> Option<Result<(), String>> {
        let known = self.log.last()?.watermark;
        let from = self.log.len().saturating_sub(12);
        let below = self.log[from..].iter().filter(|logged| logged.zxid <= known).count();
        if below == 0 {
            return None;
        }
        let (mut bytes, starts) = self.image(from);
        let (first, end) = (starts[0], starts[below]);
        let bit = rng.below((end - first) * 8);
        bytes[first + bit / 8] ^= 1 << (bit % 8);
        let all = self.log.len() - from;
        Some(match self.scan(from, bytes) {
            Err(_) => Ok(()),
            Ok(found) if found == all => Ok(()),
            Ok(found) => Err(format!("bit {bit}: {found} of {all} records, and nothing is said")),
        })
    }

    /// What the newest snapshot covers goes, as when old files are purged. Nothing is under way.
    pub fn purge(&mut self) {
        assert!(self.work.is_empty() && self.writing.is_none(), "a disk that works is purged");
        let Some(mut saved) = self.snapshots.pop() else { return };
        let covered = self.log.partition_point(|logged| logged.zxid <= saved.zxid);
        self.log.drain(..covered.max(saved.log_from));
        self.durable = self.log.len();
        self.begins_later = true;
        saved.log_from = 0;
        self.snapshots = vec![saved];
    }

    /// How often its log was cut or replaced: what was acknowledged before is not what it has.
    pub fn rewrites(&self) -> u64 {
        self.rewrites
    }

    /// Txns of the log that are durable.
    pub fn durable_log(&self) -> &[Logged] {
        &self.log[..self.durable]
    }

    /// All txns of the log.
    pub fn log(&self) -> &[Logged] {
        &self.log
    }

    /// The zxid that the newest snapshot stands at.
    pub fn snapshot(&self) -> Option<Zxid> {
        self.snapshots.last().map(|saved| saved.zxid)
    }

    /// Whether there is a state from which this zxid can be reached.
    pub fn reaches(&self, zxid: Zxid) -> bool {
        !self.begins_later || self.snapshots.iter().any(|saved| saved.zxid <= zxid)
    }

    /// Whether a snapshot stands above this zxid.
    pub fn has_snapshot_above(&self, zxid: Zxid) -> bool {
        self.snapshots.iter().any(|saved| saved.zxid > zxid)
    }

    /// The newest zxid that is durable, in the log or a snapshot.
    pub fn durable_last(&self) -> Zxid {
        let logged = self.durable_log().last().map_or(Zxid::ZERO, |logged| logged.zxid);
        logged.max(self.snapshot().unwrap_or(Zxid::ZERO))
    }

    /// Whether a txn is durable, in the log or covered by a snapshot.
    pub fn has(&self, zxid: Zxid) -> bool {
        let log = self.durable_log();
        self.snapshot().is_some_and(|saved| saved >= zxid)
            || log.binary_search_by_key(&zxid, |logged| logged.zxid).is_ok()
    }

    /// The epochs that are durable.
    pub fn epochs(&self) -> Epochs {
        self.epochs
    }

    /// A new, empty disk.
    pub fn wipe(&mut self) {
        *self = Disk::new(self.salt.rotate_left(7));
    }
}
