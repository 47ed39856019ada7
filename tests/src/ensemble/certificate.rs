//! What an ensemble has committed, from the logs that its members left behind.
//!
//! Reads files of stopped servers, ours and Apache's, and changes none.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use zk_agent::disk::DiskError;
use zk_agent::disk::apache::log::{LogReader, Next};
use zk_agent::disk::apache::names::ApacheFiles;
use zk_agent::disk::layout::{list_segments, list_snapshots};
use zk_agent::disk::scan::{Part, scan_log};
use zk_agent::disk::segment::Header;
use zk_core::txn::{Body, Txn, TxnHeader};
use zk_wire::{Code, Op, Reader};

use crate::history::{Committed, Kind};

/// Txns by zxid, as bytes.
pub type Log = BTreeMap<i64, Vec<u8>>;

/// What a member left behind.
#[derive(Clone, Debug)]
pub struct Left {
    /// What of its log is there.
    pub log: Log,
    /// The newest snapshot of ours that stands before all of the log, as when it has come from the
    /// leader: the log goes on right behind it.
    pub base: Option<i64>,
    /// Whether Apache's files are among it. That server keeps its log when it is sent the database
    /// instead: there may be holes, and a tail that was never committed.
    pub apache: bool,
}

impl Left {
    /// Reads a data directory: our segments, and Apache's files beside them.
    pub fn of(data_dir: &Path) -> Left {
        let mut log = Log::new();
        let files = ApacheFiles::list(&data_dir.join("version-2")).expect("a directory");
        for (_, path) in &files.logs {
            read_apache(path, &mut log);
        }
        let ours = data_dir.join("zk-agent");
        read_ours(&ours, &mut log).expect("our log is whole");
        Left { base: base(&ours, &log), log, apache: !files.logs.is_empty() }
    }

    /// Reads the log of a server of ours that may run, and may do with it whatever it does. `None`
    /// when that cannot be read now.
    pub fn of_running(data_dir: &Path) -> Option<Left> {
        let ours = data_dir.join("zk-agent");
        let before = list_segments(&ours).ok()?;
        let mut log = Log::new();
        read_ours(&ours, &mut log).ok()?;
        let base = base(&ours, &log);
        // What belongs to another life of the directory must not stand beside this one.
        let same = list_segments(&ours).ok()? == before && !ours.join("rewrite").exists();
        same.then_some(Left { base, log, apache: false })
    }

    /// The newest txn.
    pub fn last(&self) -> i64 {
        self.log.last_key_value().map_or(0, |(zxid, _)| *zxid)
    }
}

/// What logs said at any time: what a member has now may begin later.
#[derive(Debug, Default)]
pub struct Witness {
    log: Log,
    /// The last committed txn of each epoch that is over.
    ends: BTreeMap<i64, i64>,
}

impl Witness {
    /// The test knows that nothing of its epoch behind this txn was committed.
    pub fn set_end(&mut self, zxid: i64) {
        self.ends.insert(epoch(zxid), zxid);
    }

    /// Takes what a member has now. Its newest txns may be cut later.
    ///
    /// # Panics
    /// When it has other bytes for a zxid than another member has or had.
    pub fn take(&mut self, left: &Left) {
        if !left.apache {
            let all = || left.base.iter().chain(left.log.keys());
            for (a, b) in all().zip(all().skip(1)) {
                // The first of an epoch stands behind the last that was committed of the one before.
                if epoch(*a) < epoch(*b) && *b as u32 == 1 {
                    let end = self.ends.entry(epoch(*a)).or_insert(*a);
                    *end = (*end).min(*a);
                }
            }
        }
        for (zxid, txn) in &left.log {
            let known = self.log.entry(*zxid).or_insert_with(|| txn.clone());
            assert!(same(known, txn), "a log has {zxid:#x} as {txn:x?}, another {known:x?}");
        }
    }

    /// All that was committed; `now` is what the members have at the end.
    ///
    /// # Panics
    /// As [`Witness::take`]; when one of ours kept what was never committed, or a txn is nowhere.
    pub fn finish(mut self, now: &[Left]) -> Log {
        now.iter().for_each(|left| self.take(left));
        let ends = &self.ends;
        let lost = |zxid: &i64| ends.get(&epoch(*zxid)).is_some_and(|end| zxid > end);
        for left in now.iter().filter(|left| !left.apache) {
            let kept = left.log.keys().find(|zxid| lost(zxid));
            assert_eq!(kept, None, "a member kept what was never committed, {kept:x?}");
        }
        self.log.retain(|zxid, _| !lost(zxid));
        for (a, b) in self.log.keys().zip(self.log.keys().skip(1)) {
            let next = if epoch(*a) == epoch(*b) { a + 1 } else { epoch(*b) << 32 | 1 };
            assert_eq!(*b, next, "no member has {next:#x}");
        }
        self.log
    }
}

fn read_apache(path: &Path, log: &mut Log) {
    let file = File::open(path).expect("a log file");
    // A file may have been begun and no more when its server was killed.
    let Ok(mut reader) = LogReader::new(&file).expect("a log can be read") else { return };
    while let Next::Record(record) = reader.next_record().expect("a log can be read") {
        log.insert(record.zxid.0, record.txn.to_vec());
    }
}

/// Reads as far as the log is whole.
fn read_ours(dir: &Path, log: &mut Log) -> Result<(), DiskError> {
    if !dir.is_dir() {
        return Ok(());
    }
    let mut opened = Vec::new();
    for (_, path) in list_segments(dir)? {
        let fail = |error| DiskError::Io { what: "read", path: path.clone(), error };
        let file = File::open(&path).map_err(fail)?;
        match Header::read(&file).map_err(fail)? {
            Ok(header) => opened.push((path, file, header)),
            Err(_) => break,
        }
    }
    let parts: Vec<Part<'_>> = opened
        .iter()
        .map(|(path, source, header)| Part { path, header: *header, source })
        .collect();
    let outcome = scan_log(&parts, None, &mut |_, _, zxid, txn| {
        log.insert(zxid.0, txn.to_vec());
        Ok(())
    });
    outcome.map(|_| ())
}

fn base(dir: &Path, log: &Log) -> Option<i64> {
    let first = *log.first_key_value()?.0;
    let snapshots = list_snapshots(dir).ok()?.into_iter().map(|(zxid, _)| zxid.0);
    snapshots.filter(|zxid| *zxid < first).max()
}

fn epoch(zxid: i64) -> i64 {
    zxid >> 32
}

/// Whose txn it is.
pub fn session(txn: &[u8]) -> i64 {
    TxnHeader::decode(&mut Reader::new(txn)).expect("a txn has a header").session
}

/// The txns as the checker of histories wants them.
pub fn committed(log: &Log) -> Vec<Committed> {
    log.values().map(|bytes| entry(bytes)).collect()
}

fn entry(bytes: &[u8]) -> Committed {
    let txn = Txn::decode(bytes).expect("a txn");
    let header = txn.header;
    let kind = match &txn.body {
        Body::CreateSession(_) => Kind::Begin,
        Body::CloseSession(_) => Kind::End,
        Body::Error(code) => Kind::Refused(*code),
        Body::Delete(path) if header.op == Op::DELETE_CONTAINER => Kind::Reaped(path.to_string()),
        _ => failure(bytes).map_or(Kind::Write, Kind::Refused),
    };
    let (session, cxid) = (header.session, header.cxid);
    Committed { zxid: header.zxid.0, session, cxid, time_ms: header.time_ms, kind }
}

/// Why a multi failed, when the txn is one that did.
fn failure(bytes: &[u8]) -> Option<Code> {
    let mut reader = Reader::new(bytes);
    let header = TxnHeader::decode(&mut reader).expect("a txn has a header");
    if header.op != Op::MULTI {
        return None;
    }
    for _ in 0..reader.int("count").expect("a multi") {
        let op = Op(reader.int("type").expect("a part"));
        let part = reader.buffer("data").expect("a part").unwrap_or_default();
        // An error is four bytes; see `same` for the others.
        if let (Op::ERROR, Ok(code)) = (op, <[u8; 4]>::try_from(part)) {
            let code = Code(i32::from_be_bytes(code));
            if code != Code::OK && code != Code::RUNTIME_INCONSISTENCY {
                return Some(code);
            }
        }
    }
    None
}

/// Whether two servers hold the same txn: the same bytes. But of a multi that failed, Apache's leader
/// sends the parts as they were to who follows, and marked as errors to who catches up.
fn same(a: &[u8], b: &[u8]) -> bool {
    let head = TxnHeader::BYTES;
    a == b || (a.len() == b.len() && a[..head] == b[..head] && failure(a).is_some())
}
