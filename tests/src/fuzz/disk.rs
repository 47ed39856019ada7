//! Targets of the disk: a good file, damaged as the input says. What is read back must be what was
//! written, up to the damage, or an error.
//!
//! The input is a list of three bytes each: a place (two bytes) and what is flipped there.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use zk_agent::disk::apache::export::ApacheSnapshotWriter;
use zk_agent::disk::apache::log::{LogReader, Next, put_header, put_record};
use zk_agent::disk::apache::snapshot::read_stream;
use zk_agent::disk::record::{Kind, draft, drafted_bytes, seal};
use zk_agent::disk::scan::{Part, scan_log};
use zk_agent::disk::segment::{Header, RECORDS_START};
use zk_agent::disk::snapshot::{SnapshotFile, SnapshotReader};
use zk_agent::disk::{Replay, layout};
use zk_wire::{StatPersisted, Zxid};

use crate::scratch::Scratch;

/// Flips what the input names. True when something changed.
fn damage(base: &mut [u8], input: &[u8]) -> bool {
    let before = base.to_vec();
    for patch in input.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([patch[0], patch[1]])) % base.len();
        base[at] ^= patch[2];
    }
    before != base
}

fn txn(number: i64) -> Vec<u8> {
    let mut bytes = vec![number as u8; 40 + (number as usize * 37) % 200];
    bytes[12..20].copy_from_slice(&number.to_be_bytes());
    bytes
}

const TXNS: i64 = 30;

fn segment() -> Vec<u8> {
    let mut bytes = vec![0u8; 1 << 16];
    let header = Header { serial: 1, salt: 0x1234_5678_9abc, size: 1 << 16, cluster: 5 };
    bytes[..header.encode().len()].copy_from_slice(&header.encode());
    let mut at = RECORDS_START as usize;
    for number in 1..=TXNS {
        let mut record = Vec::new();
        draft(&mut record, Kind::Txn, Zxid(number), &txn(number));
        assert_eq!(drafted_bytes(&record), record.len());
        seal(&mut record, header.salt, at as u64, Zxid((number - 4).max(0)));
        bytes[at..at + record.len()].copy_from_slice(&record);
        at += record.len();
    }
    bytes
}

/// A damaged segment: what is handed on is a prefix of what was written; undamaged it is all.
pub fn log_scan(input: &[u8]) {
    let mut bytes = segment();
    let damaged = damage(&mut bytes, input);
    let Ok(Ok(header)) = Header::read(&bytes) else {
        return assert!(damaged, "a good header is good");
    };
    let mut seen = 0;
    let parts = [Part { path: Path::new("segment"), header, source: &bytes }];
    let outcome = scan_log(&parts, Some(Zxid::ZERO), &mut |_, _, zxid, bytes: &[u8]| {
        seen += 1;
        assert_eq!((zxid, bytes), (Zxid(seen), txn(seen).as_slice()), "this was not written");
        Ok(())
    });
    match outcome {
        // The last batch was never known to be durable; everything before it was. Who damages the
        // witnesses too gets away with it.
        Ok(_) if input.len() < 6 => {
            assert!(seen >= TXNS - 4, "durable txns are gone without a word");
        }
        Ok(_) => {}
        Err(_) => assert!(damaged),
    }
    assert!(damaged || seen == TXNS);
}

fn pieces() -> Vec<Vec<u8>> {
    (0..6usize).map(|number| vec![number as u8; 100 + number * 500]).collect()
}

fn snapshot(compress: bool) -> &'static Vec<u8> {
    static PLAIN: OnceLock<Vec<u8>> = OnceLock::new();
    static PACKED: OnceLock<Vec<u8>> = OnceLock::new();
    let cell = if compress { &PACKED } else { &PLAIN };
    cell.get_or_init(|| {
        let home = Scratch::new("snapshot");
        let mut file = SnapshotFile::create(home.path(), Zxid(77), 5, compress).expect("a file");
        for piece in pieces() {
            file.piece(&piece).expect("a piece");
        }
        file.finish().expect("a snapshot");
        let path: PathBuf = layout::snapshot_path(home.path(), Zxid(77));
        std::fs::read(path).expect("the snapshot")
    })
}

/// A damaged snapshot is refused; an undamaged one gives the pieces.
pub fn snapshot_load(input: &[u8]) {
    for compress in [false, true] {
        let mut bytes = snapshot(compress).clone();
        let damaged = damage(&mut bytes, input);
        let Ok(mut reader) = SnapshotReader::new(&bytes) else {
            assert!(damaged);
            continue;
        };
        let mut expected = pieces().into_iter();
        let whole = loop {
            match reader.next_piece() {
                Ok(Some(piece)) => {
                    assert_eq!(Some(piece), expected.next().as_deref(), "this was not written");
                }
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        assert_eq!(whole, !damaged, "damage is noticed, and nothing else");
    }
}

/// A damaged log of Apache's: what is read is a prefix of what was written. The header's version and
/// what stands behind the last record are not checked by that format.
pub fn apache_log(input: &[u8]) {
    let mut bytes = Vec::new();
    put_header(&mut bytes);
    for number in 1..=TXNS {
        put_record(&mut bytes, &txn(number));
    }
    bytes.resize(bytes.len() + 200, 0);
    let damaged = damage(&mut bytes, input);
    let Ok(Ok(mut reader)) = LogReader::new(&bytes) else { return assert!(damaged) };
    let mut seen = 0;
    loop {
        match reader.next_record().expect("bytes in memory can be read") {
            Next::Record(record) => {
                seen += 1;
                assert!(seen > TXNS || record.txn == txn(seen), "this was not written");
            }
            Next::End => break,
            Next::Bad(_) => {
                assert!(damaged);
                let _ = reader.find_later();
                break;
            }
        }
    }
    assert!(damaged || seen == TXNS);
}

/// Takes an Apache snapshot and notes what it was given.
#[derive(Default)]
struct Notes {
    znodes: Vec<(String, Option<Vec<u8>>)>,
    ended: bool,
}

impl Replay for Notes {
    fn piece(&mut self, _: &[u8]) -> Result<(), String> {
        Err("a native piece in an Apache snapshot".to_owned())
    }

    fn session(&mut self, _: i64, _: i32) -> Result<(), String> {
        Ok(())
    }

    fn acl(&mut self, _: i64, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn znode(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        _: i64,
        _: &StatPersisted,
    ) -> Result<(), String> {
        self.znodes.push((path.to_owned(), data.map(<[u8]>::to_vec)));
        Ok(())
    }

    fn digest(&mut self, _: Zxid, _: i64) {}

    fn snapshot_end(&mut self, _: Zxid, _: bool) -> Result<(), String> {
        self.ended = true;
        Ok(())
    }

    fn reset(&mut self) {
        *self = Notes::default();
    }

    fn txn(&mut self, _: Zxid, _: &[u8]) -> Result<(), String> {
        Err("a txn in a snapshot".to_owned())
    }
}

fn znodes() -> Vec<(String, Option<Vec<u8>>)> {
    let list = [("", Some(b"".to_vec())), ("/a", None), ("/a/b", Some(vec![7; 300]))];
    list.into_iter().map(|(path, data)| (path.to_owned(), data)).collect()
}

/// A damaged snapshot of Apache's is refused by its checksum; an undamaged one gives its znodes.
pub fn apache_snapshot(input: &[u8]) {
    let sessions = [(5i64, 4000i32), (6, 9000)];
    let mut writer = ApacheSnapshotWriter::new(Vec::new(), sessions.into_iter()).expect("memory");
    writer.acls([].into_iter()).expect("memory");
    for (path, data) in znodes() {
        let stat = StatPersisted::default();
        writer.znode(&path, data.as_deref(), -1, &stat).expect("memory");
    }
    let mut bytes = writer.finish(Zxid(9), Some(1234)).expect("memory");
    let damaged = damage(&mut bytes, input);
    let mut notes = Notes::default();
    let read = read_stream(bytes.as_slice(), &mut notes);
    if !damaged {
        assert!(read.is_ok(), "{read:?}");
        assert_eq!(notes.znodes, znodes());
    }
}
