//! What the tests of this room share: a directory that removes itself, and a state made of lists.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use zk_wire::{StatPersisted, Zxid};

use super::recover::{Recovery, recover};
use super::replay::Replay;
use super::{DataDir, DiskError, LogPosition, LogWriter, Report};

/// A directory below the system's temporary one.
pub struct TestDir(pub PathBuf);

impl TestDir {
    /// An empty one.
    pub fn new(name: &str) -> TestDir {
        let path = std::env::temp_dir().join(format!("zk-agent-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        TestDir(path)
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Keeps everything it is handed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collect {
    pub pieces: Vec<Vec<u8>>,
    pub sessions: Vec<(i64, i32)>,
    pub acls: Vec<(i64, Vec<u8>)>,
    pub znodes: Vec<(String, Option<Vec<u8>>, i64, StatPersisted)>,
    pub digest: Option<(Zxid, i64)>,
    pub snapshot: Option<(Zxid, bool)>,
    pub txns: Vec<(Zxid, Vec<u8>)>,
}

impl Replay for Collect {
    fn piece(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.pieces.push(bytes.to_vec());
        Ok(())
    }

    fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), String> {
        self.sessions.push((id, timeout_ms));
        Ok(())
    }

    fn acl(&mut self, id: i64, list: &[u8]) -> Result<(), String> {
        self.acls.push((id, list.to_vec()));
        Ok(())
    }

    fn znode(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl_id: i64,
        stat: &StatPersisted,
    ) -> Result<(), String> {
        self.znodes.push((path.to_owned(), data.map(<[u8]>::to_vec), acl_id, *stat));
        Ok(())
    }

    fn digest(&mut self, zxid: Zxid, digest: i64) {
        self.digest = Some((zxid, digest));
    }

    fn snapshot_end(&mut self, zxid: Zxid, fuzzy: bool) -> Result<(), String> {
        self.snapshot = Some((zxid, fuzzy));
        Ok(())
    }

    fn reset(&mut self) {
        *self = Collect::default();
    }

    fn txn(&mut self, zxid: Zxid, bytes: &[u8]) -> Result<(), String> {
        self.txns.push((zxid, bytes.to_vec()));
        Ok(())
    }
}

/// Recovers a directory into lists.
pub fn recover_all(path: &Path) -> Result<(DataDir, Recovery, Collect), DiskError> {
    let mut dir = DataDir::open(path, None, 1, 0)?;
    let mut state = Collect::default();
    let recovery = recover(&mut dir, &mut state)?;
    Ok((dir, recovery, state))
}

/// A writer whose wake-ups can be waited for.
pub struct Log {
    pub writer: LogWriter,
    wakes: Receiver<()>,
}

impl Log {
    /// Starts it.
    pub fn start(recovery: Recovery) -> Log {
        Log::start_at(recovery.log)
    }

    /// Starts it anywhere.
    pub fn start_at(position: LogPosition) -> Log {
        let (sender, wakes) = channel();
        let sender = std::sync::Mutex::new(sender);
        let wake = move || {
            let _ = sender.lock().unwrap().send(());
        };
        Log { writer: LogWriter::start(position, true, wake).unwrap(), wakes }
    }

    /// Waits for a report that fits.
    pub fn wait(&mut self, fits: impl Fn(&Report) -> bool) -> Report {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut reports = Vec::new();
        loop {
            self.writer.take_reports(&mut reports);
            if let Some(found) = reports.drain(..).find(|report| fits(report)) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.wakes.recv_timeout(left).expect("a report in time");
        }
    }

    /// Waits until a txn is durable and keeps all reports until then.
    pub fn wait_durable_into(&mut self, last: i64, reports: &mut Vec<Report>) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let done = |report: &Report| matches!(report, Report::Durable(zxid) if zxid.0 >= last);
        loop {
            self.writer.take_reports(reports);
            if reports.iter().any(done) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.wakes.recv_timeout(left).expect("a report in time");
        }
    }

    /// Appends a turn's txns and waits until they are durable.
    pub fn write(&mut self, zxids: std::ops::RangeInclusive<i64>, txn_bytes: usize) {
        let last = Zxid(*zxids.end());
        for zxid in zxids {
            self.writer.append(Zxid(zxid), &txn(zxid, txn_bytes));
        }
        self.writer.submit();
        self.wait_durable(last.0);
    }

    /// Waits until a txn is durable.
    pub fn wait_durable(&mut self, last: i64) {
        self.wait(|report| matches!(report, Report::Durable(zxid) if zxid.0 >= last));
    }
}

/// Bytes from hex digits; white space is skipped.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// The bytes of a test txn.
pub fn txn(zxid: i64, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (zxid as usize * 31 + i) as u8).collect()
}

/// Checks that the state holds exactly the txns of a range.
pub fn assert_txns(state: &Collect, zxids: std::ops::RangeInclusive<i64>, txn_bytes: usize) {
    let expected: Vec<(Zxid, Vec<u8>)> = zxids.map(|z| (Zxid(z), txn(z, txn_bytes))).collect();
    let (got, want) = (state.txns.len(), expected.len());
    assert!(state.txns == expected, "{got} txns instead of {want}");
}
