//! Apache's transaction log: one file, record by record.
//!
//! ```text
//! header   "ZKLG" | i32 version, 2 | i64 dbid, 0
//! record   i64 adler32 of the txn | i32 n | n bytes of txn | 'B'
//! tail     zeros up to the preallocated size
//! ```
//! A file ends at its end, at a length of 0, or at a record without its 'B'.

use std::io;

use zk_wire::{Writer, Zxid};

use super::super::source::{Source, Window};

/// Bytes of the file header.
pub const HEADER_BYTES: u64 = 16;

const MAGIC: &[u8; 4] = b"ZKLG";
const VERSION: i32 = 2;
const RECORD_HEAD_BYTES: usize = 12;
const RECORD_END: u8 = 0x42;
/// Bytes of a TxnHeader, below which nothing is a txn.
const TXN_BYTES_MIN: usize = 32;

/// A record of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// Where it begins.
    pub offset: u64,
    /// The zxid in its header.
    pub zxid: Zxid,
    /// Header, body and digest.
    pub txn: &'a [u8],
}

/// What stands where a record would begin.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A record.
    Record(LogRecord<'a>),
    /// The end of the file, or zeros.
    End,
    /// Something else. What is wrong with it.
    Bad(&'static str),
}

/// Reads one log file.
pub struct LogReader<'a> {
    window: Window<'a>,
    at: u64,
}

impl<'a> LogReader<'a> {
    /// Checks the header; the inner error says what is wrong with it.
    ///
    /// # Errors
    /// What reading says.
    pub fn new(source: &'a dyn Source) -> io::Result<Result<LogReader<'a>, &'static str>> {
        let mut window = Window::new(source)?;
        match window.view(0, HEADER_BYTES as usize)? {
            None => return Ok(Err("the file is too short for a header")),
            Some(header) if &header[..4] != MAGIC => {
                return Ok(Err("this is not a transaction log: the first four bytes are wrong"));
            }
            Some(_) => {}
        }
        Ok(Ok(LogReader { window, at: HEADER_BYTES }))
    }

    /// Offset of the next record, and bytes of the file.
    pub fn progress(&self) -> (u64, u64) {
        (self.at, self.window.size())
    }

    /// The next record. After `End` or `Bad` the place does not move.
    ///
    /// # Errors
    /// What reading says.
    pub fn next_record(&mut self) -> io::Result<Next<'_>> {
        let offset = self.at;
        let (sum, length) = match self.window.view(offset, RECORD_HEAD_BYTES)? {
            None => return Ok(Next::End),
            Some(head) => head_of(head),
        };
        if length == 0 {
            return Ok(Next::End);
        }
        let Some(bytes) = usize::try_from(length).ok().filter(|n| *n >= TXN_BYTES_MIN) else {
            return Ok(Next::Bad("the length of the record makes no sense"));
        };
        let Some(record) = self.window.view(offset, RECORD_HEAD_BYTES + bytes + 1)? else {
            return Ok(Next::Bad("the file ends inside the record"));
        };
        let txn = &record[RECORD_HEAD_BYTES..RECORD_HEAD_BYTES + bytes];
        if record[RECORD_HEAD_BYTES + bytes] != RECORD_END {
            return Ok(Next::Bad("the record has no end mark"));
        }
        if sum != checksum(txn) {
            return Ok(Next::Bad("the checksum of the record does not fit"));
        }
        self.at = offset + record.len() as u64;
        Ok(Next::Record(LogRecord { offset, zxid: zxid_of(txn), txn }))
    }

    /// Looks for a good record behind a bad one; its offset and zxid. Reads the rest of the file.
    ///
    /// # Errors
    /// What reading says.
    pub fn find_later(&mut self) -> io::Result<Option<(u64, Zxid)>> {
        let start = self.at;
        let mut at = start + 1;
        while let Some(head) = self.window.view(at, RECORD_HEAD_BYTES)? {
            let (sum, length) = head_of(head);
            // The upper half of the checksum is always 0, and a record has a header.
            if length >= TXN_BYTES_MIN as i32 && sum > 0 && sum <= i64::from(u32::MAX) {
                self.at = at;
                let found = match self.next_record()? {
                    Next::Record(record) => Some((record.offset, record.zxid)),
                    _ => None,
                };
                self.at = start;
                if found.is_some() {
                    return Ok(found);
                }
            }
            at += 1;
        }
        Ok(None)
    }
}

fn head_of(head: &[u8]) -> (i64, i32) {
    let sum = i64::from_be_bytes(head[..8].try_into().expect("eight bytes"));
    (sum, i32::from_be_bytes(head[8..12].try_into().expect("four bytes")))
}

fn zxid_of(txn: &[u8]) -> Zxid {
    Zxid(i64::from_be_bytes(txn[12..20].try_into().expect("a txn has a header")))
}

fn checksum(txn: &[u8]) -> i64 {
    let mut adler = simd_adler32::Adler32::new();
    adler.write(txn);
    i64::from(adler.finish())
}

/// Writes the header of a log file.
pub fn put_header(out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.put_int(VERSION);
    out.put_long(0);
}

/// Writes a record.
pub fn put_record(out: &mut Vec<u8>, txn: &[u8]) {
    out.put_long(checksum(txn));
    out.put_buffer(Some(txn));
    out.push(RECORD_END);
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::unhex;
    use super::*;

    /// What Apache's server wrote (spec, appendix A): createSession, create, closeSession.
    pub const GOLDEN: &str = "
        5a4b4c47 00000002 0000000000000000
        00000000 97060994 00000030
        0100000000000001 00000000 0000000100000001 0000018bcfe56800 fffffff6 00007530
        00000002 0000000051c6d660 42
        00000000 5c570b67 00000057
        0100000000000001 00000001 0000000100000002 0000018bcfe56801 00000001
        00000002 2f61 00000001 78 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65
        01 00000001 00000002 000000019c98d1c4 42
        00000000 bece098a 00000036
        0100000000000001 00000002 0000000100000003 0000018bcfe56802 fffffff5
        00000001 00000002 2f61 00000002 00000000b9a74ca4 42";

    fn records(bytes: &Vec<u8>) -> Result<Vec<(Zxid, Vec<u8>)>, &'static str> {
        let mut reader = LogReader::new(bytes).unwrap()?;
        let mut found = Vec::new();
        loop {
            match reader.next_record().unwrap() {
                Next::Record(record) => found.push((record.zxid, record.txn.to_vec())),
                Next::End => return Ok(found),
                Next::Bad(why) => return Err(why),
            }
        }
    }

    #[test]
    fn apaches_log_is_read_and_written_alike() {
        let golden = unhex(GOLDEN);
        let mut padded = golden.clone();
        padded.resize(1 << 16, 0);
        let found = records(&padded).unwrap();
        let zxids: Vec<i64> = found.iter().map(|record| record.0.counter().into()).collect();
        assert_eq!(zxids, [1, 2, 3]);
        let mut again = Vec::new();
        put_header(&mut again);
        for (_, txn) in &found {
            put_record(&mut again, txn);
            zk_core::txn::Txn::decode(txn).unwrap();
        }
        assert_eq!(again, golden);
    }

    #[test]
    fn every_flipped_bit_is_seen_or_ends_the_file() {
        let golden = unhex(GOLDEN);
        let all = records(&golden).unwrap();
        for bit in 0..golden.len() * 8 {
            let mut bad = golden.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // The version and dbid of the header are not looked at, as in Apache's reader.
            let ignored = (4..16).contains(&(bit / 8));
            match records(&bad) {
                Ok(found) if ignored => assert_eq!(found, all),
                Ok(found) => assert!(found.len() < 3 && all.starts_with(&found), "bit {bit}"),
                Err(_) => assert!(!ignored, "bit {bit}"),
            }
        }
    }

    #[test]
    fn a_later_record_is_found_behind_a_bad_one() {
        let mut bytes = unhex(GOLDEN);
        bytes[40] ^= 1;
        bytes.resize(4096, 0);
        let mut reader = LogReader::new(&bytes).unwrap().unwrap();
        assert!(matches!(reader.next_record().unwrap(), Next::Bad(_)));
        assert_eq!(reader.find_later().unwrap(), Some((77, Zxid::new(1, 2))));
        bytes.truncate(100);
        let mut reader = LogReader::new(&bytes).unwrap().unwrap();
        assert_eq!(reader.find_later().unwrap(), None);
    }
}
