//! Writes snapshots beside the traffic, on a thread of low priority.
//!
//! The loop asks the core for a piece only when there is room for it, so no more than
//! [`QUEUE_BYTES_MAX`] and one piece are ever held. A snapshot that fails is given up and reported;
//! the log is still whole, so nothing is lost.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use zk_wire::Zxid;

use super::layout::snapshot_path;
use super::purge::purge_snapshots;
use super::report::Report;
use super::rewrite::received_path;
use super::snapshot::SnapshotFile;
use crate::sys::file::lower_thread_priority;

/// Bytes of pieces that wait to be written.
pub const QUEUE_BYTES_MAX: usize = 1 << 20;

/// Buffers kept for the next pieces, and the capacity above which one is not kept.
const POOL_MAX: usize = 4;
const POOLED_BYTES_MAX: usize = 1 << 20;
/// Steps of `nice` below the loop.
const NICE: i32 = 10;
/// The thread's stack in bytes.
const STACK_BYTES: usize = 256 << 10;

/// How snapshots are written and kept.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    /// The directory.
    pub dir: PathBuf,
    /// Goes into each header.
    pub cluster: u128,
    /// Whether pieces are compressed (snappy).
    pub compress: bool,
    /// Snapshots to keep; fewer than three count as three.
    pub keep: usize,
}

/// The loop's end of the snapshot thread.
#[derive(Debug)]
pub struct SnapshotWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    queued_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Order>,
    pool: Vec<Vec<u8>>,
    reports: Vec<Report>,
    stop: bool,
}

#[derive(Debug)]
enum Order {
    /// Where it stands, and whether it is of a database that was received.
    Begin(Zxid, bool),
    Piece(Vec<u8>),
    Finish,
    Abandon,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this lock")
    }
}

impl SnapshotWriter {
    /// Starts the thread. `wake` runs when there is room again, and with each report.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        options: SnapshotOptions,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<SnapshotWriter> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            queued_bytes: AtomicU64::new(0),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("zk-snapshot".into())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                lower_thread_priority(NICE);
                Worker { shared: of_thread, options, file: None, received: false }.run(&wake);
            })?;
        Ok(SnapshotWriter { shared, thread: Some(thread) })
    }

    /// Bytes that may be handed over now.
    pub fn room(&self) -> usize {
        QUEUE_BYTES_MAX.saturating_sub(self.shared.queued_bytes.load(Ordering::Acquire) as usize)
    }

    /// Begins a snapshot that stands at `zxid`. One that was not finished is given up.
    pub fn begin(&self, zxid: Zxid) {
        self.order(Order::Begin(zxid, false));
    }

    /// As `begin`, of a database that was received: it is written beside the snapshots, and no
    /// other one is touched.
    pub fn begin_received(&self, zxid: Zxid) {
        self.order(Order::Begin(zxid, true));
    }

    /// Adds a piece.
    pub fn piece(&self, bytes: &[u8]) {
        self.shared.queued_bytes.fetch_add(bytes.len() as u64, Ordering::AcqRel);
        let mut buffer = self.shared.lock().pool.pop().unwrap_or_default();
        buffer.extend_from_slice(bytes);
        self.order(Order::Piece(buffer));
    }

    /// Ends the snapshot; answered by [`Report::SnapshotTaken`] or [`Report::SnapshotFailed`].
    pub fn finish(&self) {
        self.order(Order::Finish);
    }

    /// Gives the snapshot up; answered by nothing.
    pub fn abandon(&self) {
        self.order(Order::Abandon);
    }

    fn order(&self, order: Order) {
        self.shared.lock().queue.push_back(order);
        self.shared.work.notify_one();
    }

    /// Appends what happened since the last call.
    pub fn take_reports(&self, reports: &mut Vec<Report>) {
        reports.append(&mut self.shared.lock().reports);
    }
}

impl Drop for SnapshotWriter {
    /// Ends the thread; a snapshot that was not finished is given up.
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.work.notify_one();
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    options: SnapshotOptions,
    file: Option<(Zxid, SnapshotFile)>,
    received: bool,
}

impl Worker {
    fn run(mut self, wake: &dyn Fn()) {
        while let Some(order) = self.next() {
            match order {
                Order::Begin(zxid, received) => {
                    self.discard();
                    self.received = received;
                    let SnapshotOptions { dir, cluster, compress, .. } = &self.options;
                    let path = match received {
                        true => received_path(dir),
                        false => snapshot_path(dir, zxid),
                    };
                    match SnapshotFile::create_as(path, zxid, *cluster, *compress) {
                        Ok(file) => self.file = Some((zxid, file)),
                        Err(error) => self.fail(&error),
                    }
                }
                Order::Piece(buffer) => {
                    let result = self.file.as_mut().map(|(_, file)| file.piece(&buffer));
                    if let Some(Err(error)) = result {
                        self.fail(&error);
                    }
                    self.give_back(buffer);
                }
                Order::Finish => self.finish(),
                Order::Abandon => self.discard(),
            }
            wake();
        }
        self.discard();
    }

    fn next(&self) -> Option<Order> {
        let mut state = self.shared.lock();
        loop {
            if state.stop {
                return None;
            }
            if let Some(order) = state.queue.pop_front() {
                return Some(order);
            }
            state = self.shared.work.wait(state).expect("no thread panics with this lock");
        }
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        self.shared.queued_bytes.fetch_sub(buffer.len() as u64, Ordering::AcqRel);
        buffer.clear();
        let mut state = self.shared.lock();
        if state.pool.len() < POOL_MAX && buffer.capacity() <= POOLED_BYTES_MAX {
            state.pool.push(buffer);
        }
    }

    fn finish(&mut self) {
        let Some((zxid, file)) = self.file.take() else { return };
        if let Err(error) = file.finish() {
            return self.fail(&error);
        }
        if self.received {
            let oldest_kept = Zxid::ZERO;
            self.shared.lock().reports.push(Report::SnapshotTaken { zxid, oldest_kept });
            return;
        }
        let oldest_kept = purge_snapshots(&self.options.dir, self.options.keep)
            .inspect_err(|error| log::warn!("disk: {error}"))
            .unwrap_or(Zxid::ZERO);
        self.shared.lock().reports.push(Report::SnapshotTaken { zxid, oldest_kept });
    }

    fn fail(&mut self, error: &io::Error) {
        self.discard();
        let error = format!("cannot write a snapshot in {}: {error}", self.options.dir.display());
        self.shared.lock().reports.push(Report::SnapshotFailed { error });
    }

    fn discard(&mut self) {
        if let Some((_, file)) = self.file.take() {
            file.discard();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::list_snapshots;
    use super::super::snapshot::{SnapshotReader, open};
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_snapshot_is_taken_within_the_queue_bound_and_a_failed_one_is_reported() {
        let dir = std::env::temp_dir().join(format!("zk-agent-snapw-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let options = SnapshotOptions { dir: dir.clone(), cluster: 1, compress: false, keep: 3 };
        let (sender, receiver) = mpsc::channel();
        let writer = SnapshotWriter::start(options, move || {
            let _ = sender.send(());
        });
        let writer = writer.unwrap();
        let wait_for_report = || {
            let mut reports = Vec::new();
            while reports.is_empty() {
                receiver.recv_timeout(Duration::from_secs(10)).unwrap();
                writer.take_reports(&mut reports);
            }
            reports.remove(0)
        };
        writer.begin(Zxid(4));
        for _ in 0..100 {
            while writer.room() < 64 << 10 {
                receiver.recv_timeout(Duration::from_secs(10)).unwrap();
            }
            writer.piece(&[3u8; 64 << 10]);
        }
        writer.finish();
        let taken = Report::SnapshotTaken { zxid: Zxid(4), oldest_kept: Zxid::ZERO };
        assert_eq!(wait_for_report(), taken);
        let file = open(&snapshot_path(&dir, Zxid(4))).unwrap();
        let mut reader = SnapshotReader::new(&file).unwrap();
        let mut pieces = 0;
        while reader.next_piece().unwrap().is_some() {
            pieces += 1;
        }
        assert_eq!(pieces, 100);
        writer.begin(Zxid(5));
        writer.piece(b"never finished");
        writer.abandon();
        writer.begin(Zxid(6));
        writer.finish();
        assert!(matches!(wait_for_report(), Report::SnapshotTaken { zxid: Zxid(6), .. }));
        let kept: Vec<i64> = list_snapshots(&dir).unwrap().iter().map(|s| s.0.0).collect();
        assert_eq!(kept, [4, 6], "the abandoned one is gone");
        std::fs::remove_dir_all(&dir).unwrap();
        writer.begin(Zxid(7));
        assert!(matches!(wait_for_report(), Report::SnapshotFailed { .. }));
        assert_eq!(list_snapshots(&dir).unwrap(), []);
    }
}
