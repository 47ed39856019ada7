//! The log as the loop writes it: batches in, one sync each, a word when it is done.
//!
//! The loop drafts records into a buffer and hands it over once a turn; the thread takes all
//! buffers that have come in while it was writing, and writes them as one piece that is durable
//! when the call returns. Nothing is reported durable before the write that covers it has returned.
//! A failed write is the end: nothing is written after it. Buffers are recycled; there is no
//! allocation once warm.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use zk_wire::Zxid;

use super::error::{Context, Result};
use super::log_file::LogFile;
use super::prepare::{Prepared, Preparer, Site};
use super::record::{self, Kind};
use super::report::Report;
use super::segment::{Header, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, Segment, SegmentInfo};

/// Room in the current segment below which writes are refused while there is no next one.
const RESERVE_BYTES: u64 = 4 << 20;
/// Buffers kept for the next batches.
const POOL_MAX: usize = 8;
/// Capacity above which a buffer is not kept.
const POOLED_BYTES_MAX: usize = 1 << 20;
/// The thread's stack in bytes.
const STACK_BYTES: usize = 128 << 10;

/// Where recovery left the log.
#[derive(Debug)]
pub struct LogPosition {
    /// Where segments are made.
    pub site: Site,
    /// The newest txn there is, in the log or a snapshot; everything up to it is durable.
    pub last: Zxid,
    /// The segment to go on in: its file, header and the offset of the next record. `None`: a new
    /// one is begun.
    pub current: Option<(PathBuf, Header, u64)>,
    /// All segments that exist, by serial number, the current one last.
    pub segments: Vec<SegmentInfo>,
    /// Used-up segments.
    pub spares: Vec<PathBuf>,
}

/// What the log's thread has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LogStats {
    /// Synced writes that returned.
    pub syncs: u64,
    /// Time they took in all, in µs.
    pub sync_us: u64,
    /// The longest of them, in µs.
    pub sync_us_max: u64,
    /// Bytes of records written.
    pub bytes: u64,
}

/// The loop's end of the log.
#[derive(Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
    preparer: Arc<Preparer>,
    thread: Option<JoinHandle<()>>,
    draft: Vec<u8>,
    appended: Zxid,
    reported: Zxid,
    space: bool,
    failure_reported: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    durable: AtomicI64,
    failed: AtomicBool,
    queued_bytes: AtomicU64,
    free_bytes: AtomicU64,
    reserve_bytes: AtomicU64,
    syncs: AtomicU64,
    sync_us: AtomicU64,
    sync_us_max: AtomicU64,
    bytes: AtomicU64,
    busy: Busy,
}

/// Since when the thread has been at its present piece of work.
#[derive(Debug)]
struct Busy {
    started: Instant,
    /// µs after `started`; 0 while there is nothing to do, or no room to do it.
    since_us: AtomicU64,
}

impl Busy {
    fn begin(&self) {
        let now_us = self.started.elapsed().as_micros() as u64;
        self.since_us.store(now_us.max(1), Ordering::Relaxed);
    }

    fn end(&self) {
        self.since_us.store(0, Ordering::Relaxed);
    }

    fn ms(&self) -> i64 {
        match self.since_us.load(Ordering::Relaxed) {
            0 => 0,
            since => {
                let now_us = self.started.elapsed().as_micros() as u64;
                (now_us.saturating_sub(since) / 1000) as i64
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Item>,
    pool: Vec<Vec<u8>>,
    idle: bool,
    stop: bool,
    error: Option<String>,
}

#[derive(Debug)]
enum Item {
    Batch(Vec<u8>),
    Roll,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this lock")
    }
}

impl LogWriter {
    /// Opens or makes the current segment and starts the threads.
    ///
    /// - `force_sync`: false gives up durability (`forceSync=no`): a txn counts as durable once it
    ///   is in the page cache.
    /// - `wake`: called by the threads whenever there may be something in `take_reports`; it must
    ///   not block.
    ///
    /// # Errors
    /// When the segment cannot be opened or made, or no thread started.
    pub fn start(
        position: LogPosition,
        force_sync: bool,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<LogWriter> {
        let LogPosition { mut site, last, current, mut segments, spares } = position;
        site.force_sync = force_sync;
        let dir = site.dir.clone();
        let segment = match current {
            Some((path, header, at)) => {
                let file = LogFile::open(&path, force_sync).context("open", &path)?;
                Segment::open(path, file, header, at).context("read the log in", &dir)?
            }
            None => {
                let serial = segments.last().map_or(1, |segment| segment.serial + 1);
                let made = site.make(serial, SEGMENT_BYTES_MIN, &|| ());
                let Prepared { path, file, header } = made.context("make a segment in", &dir)?;
                let size = header.size;
                segments.push(SegmentInfo { serial, first: None, size, path: path.clone() });
                let at = super::segment::RECORDS_START;
                Segment::open(path, file, header, at).context("open a segment in", &dir)?
            }
        };
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(wake);
        let known_first = segments.last().is_some_and(|segment| segment.first.is_some());
        let preparer = Preparer::start(site, segments, spares, Arc::clone(&wake));
        let preparer = Arc::new(preparer.context("start a thread for", &dir)?);
        preparer.request(segment.header.serial + 1, next_size(&segment.header, false));
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            durable: AtomicI64::new(last.0),
            failed: AtomicBool::new(false),
            queued_bytes: AtomicU64::new(0),
            free_bytes: AtomicU64::new(segment.free_bytes()),
            reserve_bytes: AtomicU64::new(reserve(&segment.header)),
            syncs: AtomicU64::new(0),
            sync_us: AtomicU64::new(0),
            sync_us_max: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            busy: Busy { started: Instant::now(), since_us: AtomicU64::new(0) },
        });
        let worker = Worker {
            shared: Arc::clone(&shared),
            preparer: Arc::clone(&preparer),
            wake,
            segment,
            force_sync,
            roll: false,
            first_known: known_first,
            copied: last,
            synced: last,
            started_at: last,
        };
        let thread = std::thread::Builder::new()
            .name("zk-log".into())
            .stack_size(STACK_BYTES)
            .spawn(move || worker.run())
            .context("start a thread for", &dir)?;
        Ok(LogWriter {
            shared,
            preparer,
            thread: Some(thread),
            draft: Vec::new(),
            appended: last,
            reported: last,
            space: true,
            failure_reported: false,
        })
    }

    /// Adds a txn to this turn's batch. Nothing is written before [`LogWriter::submit`].
    ///
    /// # Panics
    /// When the zxid is not above the one before: the log never goes back.
    #[inline]
    pub fn append(&mut self, zxid: Zxid, txn: &[u8]) {
        assert!(zxid > self.appended, "txn {zxid} after {}", self.appended);
        self.appended = zxid;
        record::draft(&mut self.draft, Kind::Txn, zxid, txn);
    }

    /// Hands the turn's batch to the thread; does nothing when it is empty.
    pub fn submit(&mut self) {
        if self.draft.is_empty() {
            return;
        }
        self.shared.queued_bytes.fetch_add(self.draft.len() as u64, Ordering::AcqRel);
        let mut state = self.shared.lock();
        let empty = state.pool.pop().unwrap_or_default();
        state.queue.push_back(Item::Batch(std::mem::replace(&mut self.draft, empty)));
        self.notify(state);
    }

    /// Begins a new segment with the next txn, so that the ones before can be let go.
    pub fn roll(&mut self) {
        self.submit();
        let mut state = self.shared.lock();
        state.queue.push_back(Item::Roll);
        self.notify(state);
    }

    fn notify(&self, mut state: MutexGuard<'_, State>) {
        let was_idle = std::mem::replace(&mut state.idle, false);
        if was_idle {
            // One that never takes it up hangs as well.
            self.shared.busy.begin();
        }
        drop(state);
        if was_idle {
            self.shared.work.notify_one();
        }
    }

    /// Bytes that were handed over, or will be with this turn, and are not durable yet.
    pub fn queued_bytes(&self) -> u64 {
        self.shared.queued_bytes.load(Ordering::Acquire) + self.draft.len() as u64
    }

    /// Whether more txns should be handed over: false when the disk is full and the current
    /// segment nearly so. Cheap; counts what was appended in this turn.
    pub fn has_space(&self) -> bool {
        if !self.preparer.is_full() {
            return true;
        }
        let free = self.shared.free_bytes.load(Ordering::Acquire);
        let reserve = self.shared.reserve_bytes.load(Ordering::Acquire);
        // Once refused, the answer stays until there is a next segment.
        self.space && free.saturating_sub(self.queued_bytes()) >= reserve
    }

    /// Appends what happened since the last call, oldest first.
    pub fn take_reports(&mut self, reports: &mut Vec<Report>) {
        let durable = Zxid(self.shared.durable.load(Ordering::Acquire));
        if durable > self.reported {
            self.reported = durable;
            reports.push(Report::Durable(durable));
        }
        let space = self.has_space();
        if space != self.space {
            self.space = space;
            reports.push(Report::Space(space));
        }
        if self.shared.failed.load(Ordering::Acquire) && !self.failure_reported {
            self.failure_reported = true;
            let error = self.shared.lock().error.clone().unwrap_or_default();
            reports.push(Report::Failed { error });
        }
    }

    /// Lets go of the segments that hold nothing above `zxid`, in the background.
    pub fn purge(&self, zxid: Zxid) {
        self.preparer.release(zxid);
    }

    /// Bytes of the newest segment without records.
    pub fn free_bytes(&self) -> u64 {
        self.shared.free_bytes.load(Ordering::Acquire)
    }

    /// For how long the thread has been at its present write, in ms; 0 when it is at none. A disk
    /// without room is no write that hangs.
    pub fn busy_ms(&self) -> i64 {
        self.shared.busy.ms()
    }

    /// What was done so far.
    pub fn stats(&self) -> LogStats {
        LogStats {
            syncs: self.shared.syncs.load(Ordering::Relaxed),
            sync_us: self.shared.sync_us.load(Ordering::Relaxed),
            sync_us_max: self.shared.sync_us_max.load(Ordering::Relaxed),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
        }
    }

    /// Writes and syncs everything that was appended, leaves a mark that nothing is missing, and
    /// ends the threads.
    ///
    /// # Errors
    /// When the last write or sync failed, or there was no room for it.
    pub fn close(mut self) -> std::result::Result<(), String> {
        self.submit();
        self.stop();
        let durable = Zxid(self.shared.durable.load(Ordering::Acquire));
        match self.shared.lock().error.take() {
            Some(error) => Err(error),
            None if durable < self.appended => {
                Err(format!("no room on the disk for the txns after {durable}"))
            }
            None => Ok(()),
        }
    }

    fn stop(&mut self) {
        let mut state = self.shared.lock();
        state.stop = true;
        drop(state);
        self.shared.work.notify_one();
        // The thread may wait for a segment that does not come.
        self.preparer.close();
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
        self.preparer.stop();
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop();
        }
    }
}

fn reserve(header: &Header) -> u64 {
    RESERVE_BYTES.min(header.size / 2)
}

/// Segments double as long as they are filled before they are rolled.
fn next_size(current: &Header, filled: bool) -> u64 {
    let size = if filled { current.size * 2 } else { current.size };
    size.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
}

/// The thread's side.
struct Worker {
    shared: Arc<Shared>,
    preparer: Arc<Preparer>,
    wake: Arc<dyn Fn() + Send + Sync>,
    segment: Segment,
    force_sync: bool,
    /// The next txn begins a new segment.
    roll: bool,
    /// The preparer knows the first txn of the current segment.
    first_known: bool,
    /// The newest txn that the segment has taken.
    copied: Zxid,
    /// The newest txn that is durable: the watermark.
    synced: Zxid,
    /// What there was when the thread started.
    started_at: Zxid,
}

/// Why the thread ends.
enum Ending {
    Failed(String),
    /// Stopped while it waited for room.
    Stopped,
}

impl Worker {
    fn run(mut self) {
        match self.work() {
            Ok(()) | Err(Ending::Stopped) => {}
            Err(Ending::Failed(error)) => {
                self.shared.lock().error = Some(error);
                self.shared.failed.store(true, Ordering::Release);
                (self.wake)();
            }
        }
    }

    fn work(&mut self) -> std::result::Result<(), Ending> {
        let mut items = VecDeque::new();
        let mut used: Vec<Vec<u8>> = Vec::new();
        while self.wait(&mut items, &mut used) {
            let mut bytes = 0;
            for item in items.drain(..) {
                match item {
                    Item::Roll => self.roll = true,
                    Item::Batch(mut batch) => {
                        bytes += batch.len() as u64;
                        self.copy(&mut batch)?;
                        used.push(batch);
                    }
                }
            }
            self.shared.free_bytes.store(self.segment.free_bytes(), Ordering::Release);
            if bytes > 0 {
                self.sync()?;
                self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
                self.shared.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
                (self.wake)();
                if self.segment.free_bytes() < self.segment.header.size / 2 {
                    self.preparer.hurry();
                }
            }
        }
        self.leave_mark()
    }

    /// Takes everything that has come in; waits when there is nothing. False to stop.
    fn wait(&self, items: &mut VecDeque<Item>, used: &mut Vec<Vec<u8>>) -> bool {
        let mut state = self.shared.lock();
        for mut buffer in used.drain(..) {
            if state.pool.len() < POOL_MAX && buffer.capacity() <= POOLED_BYTES_MAX {
                buffer.clear();
                state.pool.push(buffer);
            }
        }
        while state.queue.is_empty() {
            if state.stop {
                return false;
            }
            self.shared.busy.end();
            state.idle = true;
            state = self.shared.work.wait(state).expect("no thread panics with this lock");
        }
        state.idle = false;
        std::mem::swap(&mut state.queue, items);
        self.shared.busy.begin();
        true
    }

    /// Seals the records for their places and appends them, in further segments where needed.
    fn copy(&mut self, batch: &mut [u8]) -> std::result::Result<(), Ending> {
        let (mut start, mut at) = (0, 0);
        while at < batch.len() {
            let bytes = record::drafted_bytes(&batch[at..]);
            let pending = (at - start) as u64;
            // A segment without a txn is as good as a new one.
            self.roll &= self.first_known;
            if self.roll || pending + bytes as u64 > self.segment.free_bytes() {
                self.append(&batch[start..at])?;
                start = at;
                self.change_segment(bytes as u64)?;
                continue;
            }
            let record = &mut batch[at..at + bytes];
            self.copied = record::drafted_zxid(record);
            let offset = self.segment.at() + pending;
            record::seal(record, self.segment.header.salt, offset, self.synced);
            if !self.first_known {
                self.first_known = true;
                self.preparer.note_first(self.copied);
            }
            at += bytes;
        }
        self.append(&batch[start..])
    }

    fn append(&mut self, records: &[u8]) -> std::result::Result<(), Ending> {
        let result = self.segment.append(records);
        result.map_err(|error| failed("write", &self.segment.path, &error))
    }

    /// Goes on in the next segment, once the current one is durable: a record of the new one
    /// proves by its watermark that the old one was complete.
    fn change_segment(&mut self, record_bytes: u64) -> std::result::Result<(), Ending> {
        let old = self.segment.header;
        let filled = !std::mem::replace(&mut self.roll, false);
        self.sync_now()?;
        self.shared.durable.store(self.synced.0, Ordering::Release);
        self.shared.free_bytes.store(0, Ordering::Release);
        (self.wake)();
        let size = super::segment::RECORDS_START + record_bytes;
        // How long a segment is waited for says nothing about this thread.
        self.shared.busy.end();
        let next = self.preparer.take(old.serial + 1, size).ok_or(Ending::Stopped)?;
        self.shared.busy.begin();
        let Prepared { path, file, header } = next;
        self.segment.change(path, file, header);
        self.first_known = false;
        self.preparer.request(header.serial + 1, next_size(&header, filled));
        self.shared.reserve_bytes.store(reserve(&header), Ordering::Release);
        self.shared.free_bytes.store(self.segment.free_bytes(), Ordering::Release);
        Ok(())
    }

    fn sync(&mut self) -> std::result::Result<(), Ending> {
        if self.force_sync {
            self.sync_now()?;
        } else {
            let result = self.segment.write();
            result.map_err(|error| failed("write", &self.segment.path, &error))?;
        }
        self.shared.durable.store(self.copied.0, Ordering::Release);
        Ok(())
    }

    fn sync_now(&mut self) -> std::result::Result<(), Ending> {
        let start = Instant::now();
        self.segment.sync().map_err(|error| failed("write", &self.segment.path, &error))?;
        self.synced = self.copied;
        let us = start.elapsed().as_micros() as u64;
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        self.shared.sync_us.fetch_add(us, Ordering::Relaxed);
        self.shared.sync_us_max.fetch_max(us, Ordering::Relaxed);
        Ok(())
    }

    /// The last record of a clean stop: from it a scan knows that nothing after it is missing.
    fn leave_mark(&mut self) -> std::result::Result<(), Ending> {
        self.sync_now()?;
        let mut mark = Vec::new();
        record::draft(&mut mark, Kind::Mark, self.synced, &[]);
        let fits = mark.len() as u64 <= self.segment.free_bytes();
        if fits && self.synced > self.started_at && self.first_known {
            let offset = self.segment.at();
            record::seal(&mut mark, self.segment.header.salt, offset, self.synced);
            self.append(&mark)?;
            self.sync_now()?;
        }
        Ok(())
    }
}

fn failed(what: &str, path: &std::path::Path, error: &std::io::Error) -> Ending {
    Ending::Failed(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_at_work_is_busy_until_it_ends() {
        let busy = Busy { started: Instant::now(), since_us: AtomicU64::new(0) };
        assert_eq!(busy.ms(), 0);
        busy.begin();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(busy.ms() >= 20);
        busy.begin();
        assert!(busy.ms() < 20, "the next piece of work begins anew");
        busy.end();
        assert_eq!(busy.ms(), 0);
    }
}
