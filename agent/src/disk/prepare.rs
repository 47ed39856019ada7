//! Makes the next segment before it is needed, and clears away those that no longer are.
//!
//! A thread of its own, so that neither the loop nor the log waits for allocation, zeros or
//! directory syncs. A segment gets its final name only when all its bytes, its header and the name
//! are durable; that a disk is full is noticed here, while the current segment still has room.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use zk_wire::Zxid;

use super::layout::{segment_path, spare_path, temporary_path};
use super::log_file::LogFile;
use super::segment::{Header, RECORDS_START, SegmentInfo};
use crate::sys::file::{allocate, random_u64, sync_dir};

/// Time between two attempts to make a segment on a full disk.
const RETRY: Duration = Duration::from_secs(1);
/// Zeros written between two pauses.
const ZEROS_BYTES: u64 = 1 << 20;
/// Zeros written at once. The page cache keeps what is written at once in one piece, and a sync
/// writes whole pieces: with a MiB at once, each sync of one record would write a MiB where direct
/// writes are refused.
const PAGE_BYTES: usize = 4096;
/// Pause after each of these, so that the log's syncs get their turn on the disk.
const PAUSE: Duration = Duration::from_millis(3);
/// Used-up segments that are kept for the next ones.
const SPARES_MAX: usize = 2;
/// The thread's stack in bytes.
const STACK_BYTES: usize = 128 << 10;

/// A segment without records, durable under its final name.
#[derive(Debug)]
pub struct Prepared {
    /// Where it is.
    pub path: PathBuf,
    /// Open for the log.
    pub file: LogFile,
    /// Its header.
    pub header: Header,
}

/// What a directory's segments have in common.
#[derive(Clone, Debug)]
pub struct Site {
    /// The directory.
    pub dir: PathBuf,
    /// Goes into each header.
    pub cluster: u128,
    /// Whether a record is on the disk when its write returns (`forceSync`).
    pub force_sync: bool,
}

impl Site {
    /// Makes a segment of at least `size` bytes. `pause` runs between portions of the work.
    ///
    /// # Errors
    /// What the operating system says. Nothing is left behind.
    pub fn make(&self, serial: u64, size: u64, pause: &dyn Fn()) -> io::Result<Prepared> {
        let path = segment_path(&self.dir, serial);
        let temporary = temporary_path(&path);
        let header = self.header(serial, size.next_multiple_of(RECORDS_START))?;
        let made = fill(&temporary, &header, pause).and_then(|()| {
            let file = LogFile::open(&temporary, self.force_sync)?;
            fs::rename(&temporary, &path)?;
            sync_dir(&self.dir)?;
            Ok(file)
        });
        match made {
            Ok(file) => Ok(Prepared { path, file, header }),
            Err(error) => {
                let _ = fs::remove_file(&temporary);
                Err(error)
            }
        }
    }

    /// Gives a used-up segment a new life; its old records have another salt.
    fn recycle(&self, spare: &Path, serial: u64) -> io::Result<Prepared> {
        let file = File::options().read(true).write(true).open(spare)?;
        let header = self.header(serial, file.metadata()?.len())?;
        file.write_all_at(&header.encode(), 0)?;
        file.sync_all()?;
        let file = LogFile::open(spare, self.force_sync)?;
        let path = segment_path(&self.dir, serial);
        fs::rename(spare, &path)?;
        sync_dir(&self.dir)?;
        Ok(Prepared { path, file, header })
    }

    fn header(&self, serial: u64, size: u64) -> io::Result<Header> {
        // The tag is the low half, and a tag of zeros would fit empty space.
        let salt = random_u64()? | 1;
        Ok(Header { serial, salt, size, cluster: self.cluster })
    }
}

fn fill(path: &Path, header: &Header, pause: &dyn Fn()) -> io::Result<()> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    allocate(&file, header.size)?;
    let zeros = [0u8; PAGE_BYTES];
    let mut at = 0;
    while at < header.size {
        let end = (at + ZEROS_BYTES).min(header.size);
        while at < end {
            file.write_all_at(&zeros, at)?;
            at += PAGE_BYTES as u64;
        }
        if at < header.size {
            file.sync_data()?;
            pause();
        }
    }
    file.write_all_at(&header.encode(), 0)?;
    file.sync_all()
}

/// The thread and what it is asked for.
#[derive(Debug)]
pub struct Preparer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    full: AtomicBool,
    hurry: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    want: Option<(u64, u64)>,
    retry_at: Option<Instant>,
    ready: Option<Prepared>,
    release: Option<Zxid>,
    segments: Vec<SegmentInfo>,
    spares: Vec<PathBuf>,
    closing: bool,
    stop: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds this lock")
    }
}

impl Preparer {
    /// Starts the thread. `wake` runs whenever room was lost or found.
    ///
    /// - `segments`: those that exist, the current one last.
    /// - `spares`: used-up ones.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        site: Site,
        segments: Vec<SegmentInfo>,
        spares: Vec<PathBuf>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> io::Result<Preparer> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { segments, spares, ..State::default() }),
            changed: Condvar::new(),
            full: AtomicBool::new(false),
            hurry: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("zk-log-next".into())
            .stack_size(STACK_BYTES)
            .spawn(move || run(&of_thread, &site, &*wake))?;
        Ok(Preparer { shared, thread: Mutex::new(Some(thread)) })
    }

    /// True while the disk has no room for the next segment.
    pub fn is_full(&self) -> bool {
        self.shared.full.load(Ordering::Acquire)
    }

    /// Asks for the next segment.
    pub fn request(&self, serial: u64, size: u64) {
        let mut state = self.shared.lock();
        state.want = Some((serial, size));
        state.retry_at = None;
        self.shared.changed.notify_all();
    }

    /// Asks to lose no time over the next segment.
    pub fn hurry(&self) {
        self.shared.hurry.store(true, Ordering::Relaxed);
    }

    /// Waits for segment `serial` with at least `size` bytes; `None` when stopped before, or when
    /// the log is being closed and there is no room.
    pub fn take(&self, serial: u64, size: u64) -> Option<Prepared> {
        self.hurry();
        let mut state = self.shared.lock();
        loop {
            if let Some(ready) = state.ready.take_if(|r| r.header.size >= size) {
                assert_eq!(ready.header.serial, serial, "segments are made in order");
                state.segments.push(SegmentInfo {
                    serial,
                    first: None,
                    size: ready.header.size,
                    path: ready.path.clone(),
                });
                self.shared.hurry.store(false, Ordering::Relaxed);
                return Some(ready);
            }
            if state.stop || (state.closing && self.is_full()) {
                return None;
            }
            // A larger one takes the place and the name of one that is too small.
            if state.ready.take().is_some() || state.want.is_none_or(|want| want.1 < size) {
                state.want = Some((serial, size));
                self.shared.changed.notify_all();
            }
            state = self.shared.changed.wait(state).expect("no thread panics with this lock");
        }
    }

    /// Says what the first txn of the current segment is.
    pub fn note_first(&self, zxid: Zxid) {
        if let Some(current) = self.shared.lock().segments.last_mut() {
            current.first.get_or_insert(zxid);
        }
    }

    /// Lets go of all segments that hold nothing above `zxid`.
    pub fn release(&self, zxid: Zxid) {
        self.shared.lock().release = Some(zxid);
        self.shared.changed.notify_all();
    }

    /// From now on nobody waits for room on a full disk.
    pub fn close(&self) {
        self.shared.lock().closing = true;
        self.hurry();
        self.shared.changed.notify_all();
    }

    /// Ends the thread, and every wait for it.
    pub fn stop(&self) {
        self.shared.lock().stop = true;
        self.hurry();
        self.shared.changed.notify_all();
        let thread = self.thread.lock().expect("nobody panics with this lock").take();
        if let Some(Err(panic)) = thread.map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

fn run(shared: &Shared, site: &Site, wake: &(dyn Fn() + Send + Sync)) {
    let mut state = shared.lock();
    while !state.stop {
        if let Some(zxid) = state.release.take() {
            let (gone, spares) = unneeded(&mut state, zxid);
            drop(state);
            let kept = clear(site, gone, spares);
            state = shared.lock();
            state.spares.extend(kept);
            continue;
        }
        let due = state.retry_at.is_none_or(|at| at <= Instant::now());
        if let Some((serial, size)) = state.want.filter(|_| due) {
            let spares = std::mem::take(&mut state.spares);
            drop(state);
            let (made, spares) = make_or_recycle(shared, site, serial, size, spares);
            state = shared.lock();
            state.spares.extend(spares);
            on_made(shared, &mut state, (serial, size), made);
            shared.changed.notify_all();
            wake();
            continue;
        }
        let pause = state.retry_at.map_or(RETRY, |at| at.duration_since(Instant::now()));
        state = match state.want {
            Some(_) => shared.changed.wait_timeout(state, pause).expect("no panic").0,
            None => shared.changed.wait(state).expect("no panic"),
        };
    }
}

fn on_made(shared: &Shared, state: &mut State, want: (u64, u64), made: io::Result<Prepared>) {
    match made {
        Ok(ready) => {
            // Something larger may have been asked for meanwhile.
            if state.want == Some(want) {
                state.want = None;
                state.retry_at = None;
                state.ready = Some(ready);
            }
            if shared.full.swap(false, Ordering::AcqRel) {
                log::info!("disk: there is room for the next log segment again");
            }
        }
        Err(error) => {
            state.retry_at = Some(Instant::now() + RETRY);
            if !shared.full.swap(true, Ordering::AcqRel) {
                log::error!("disk: no room for the next log segment error=\"{error}\"");
            }
        }
    }
}

fn make_or_recycle(
    shared: &Shared,
    site: &Site,
    serial: u64,
    size: u64,
    spares: Vec<PathBuf>,
) -> (io::Result<Prepared>, Vec<PathBuf>) {
    let mut left = Vec::new();
    let mut found = None;
    for spare in spares {
        let large = fs::metadata(&spare).is_ok_and(|meta| meta.len() >= size);
        if large && found.is_none() {
            found = Some(spare);
        } else if large {
            left.push(spare);
        } else if let Err(error) = fs::remove_file(&spare) {
            log::warn!("disk: cannot remove {} error=\"{error}\"", spare.display());
        }
    }
    if let Some(spare) = found {
        match site.recycle(&spare, serial) {
            Ok(ready) => return (Ok(ready), left),
            Err(error) => log::warn!("disk: cannot recycle {} error=\"{error}\"", spare.display()),
        }
    }
    let pause = || {
        if !shared.hurry.load(Ordering::Relaxed) {
            std::thread::sleep(PAUSE);
        }
    };
    (site.make(serial, size, &pause), left)
}

/// Takes from the list the segments before the last one that begins at or below the zxid after
/// `zxid`.
fn unneeded(state: &mut State, zxid: Zxid) -> (Vec<SegmentInfo>, usize) {
    let below = |segment: &SegmentInfo| {
        segment.first.is_some_and(|first| first <= zxid || zxid.next() == Some(first))
    };
    let count = state.segments.iter().rposition(below).unwrap_or(0);
    (state.segments.drain(..count).collect(), state.spares.len())
}

/// Renames the newest few to be used again, and removes the others. The oldest goes first, and
/// durably so: a hole in the serial numbers must never be seen.
fn clear(site: &Site, gone: Vec<SegmentInfo>, spares: usize) -> Vec<PathBuf> {
    let removed = gone.len().saturating_sub(SPARES_MAX.saturating_sub(spares));
    let mut kept = Vec::new();
    for (index, segment) in gone.iter().enumerate() {
        let result = if index < removed {
            fs::remove_file(&segment.path)
        } else {
            let spare = spare_path(&site.dir, segment.serial);
            fs::rename(&segment.path, &spare).map(|()| kept.push(spare))
        };
        if let Err(error) = result.and_then(|()| sync_dir(&site.dir)) {
            log::warn!("disk: cannot clear {} error=\"{error}\"", segment.path.display());
        }
    }
    log::debug!("disk: cleared log segments count={} recycled={}", gone.len(), kept.len());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str) -> Site {
        let dir = std::env::temp_dir().join(format!("zk-agent-prep-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Site { dir, cluster: 5, force_sync: true }
    }

    #[test]
    fn a_segment_is_made_grown_and_recycled() {
        let site = site("life");
        let first = site.make(1, 1 << 20, &|| ()).unwrap();
        assert_eq!(Header::read(&File::open(&first.path).unwrap()).unwrap(), Ok(first.header));
        let info = SegmentInfo { serial: 1, first: Some(Zxid(1)), size: 1 << 20, path: first.path };
        let wake = Arc::new(|| ());
        let preparer = Preparer::start(site.clone(), vec![info], Vec::new(), wake).unwrap();
        preparer.request(2, 1 << 20);
        let second = preparer.take(2, 3 << 20).unwrap();
        assert_eq!(second.header.size, 3 << 20);
        preparer.note_first(Zxid(9));
        preparer.release(Zxid(7));
        preparer.request(3, 1 << 19);
        let third = preparer.take(3, 1 << 19).unwrap();
        assert_ne!(third.header.size, 1 << 20, "segment 1 holds txn 8 and must stay");
        preparer.note_first(Zxid(10));
        preparer.release(Zxid(9));
        // The release comes first in the thread, so the next one is one of the two let go.
        preparer.request(4, 1 << 19);
        let fourth = preparer.take(4, 1 << 19).unwrap();
        assert!([1 << 20, 3 << 20].contains(&fourth.header.size), "{:?}", fourth.header);
        assert_ne!(fourth.header.salt, first.header.salt);
        preparer.stop();
        assert!(preparer.take(5, 1).is_none());
        assert!(!segment_path(&site.dir, 1).exists());
        fs::remove_dir_all(&site.dir).unwrap();
    }

    #[test]
    fn a_segment_that_does_not_fit_leaves_nothing_behind() {
        let site = site("full");
        assert!(site.make(1, 1 << 60, &|| ()).is_err());
        assert_eq!(fs::read_dir(&site.dir).unwrap().count(), 0);
        fs::remove_dir_all(&site.dir).unwrap();
    }
}
