//! A segment of the log: a file of fixed size with a header and room for records.
//!
//! ```text
//!    0  8 bytes  "zkag.log"
//!    8  u32      format, 1
//!   12  u32      0
//!   16  u64      serial number
//!   24  u64      salt, drawn anew for each life of the file
//!   32  u64      size of the file in bytes
//!   40  u128     cluster id of the data directory
//!   56  u32      crc32c of the 56 bytes before
//! 4096  records, back to back
//! ```
//! The header has a page of its own, which is durable under its final name before the first record
//! is written and is never written again in this life.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use zk_wire::Zxid;

use super::record::{u32_at, u64_at};
use super::source::Source;
use crate::sys::file::drop_cache;
use crate::sys::map::Map;

/// Bytes before the first record.
pub const RECORDS_START: u64 = 4096;
/// Bytes of the header that say something.
pub const HEADER_BYTES: usize = 60;
/// Size of the first segment of a fresh directory: small, so that a first start is quick.
pub const SEGMENT_BYTES_MIN: u64 = 1 << 20;
/// Size up to which segments grow.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;

const MAGIC: &[u8; 8] = b"zkag.log";
const FORMAT: u32 = 1;
/// Written pages that are given back to the kernel at once, so that the mapped log stays small.
const FORGET_BYTES: u64 = 1 << 20;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of the segment, counted up by one.
    pub serial: u64,
    /// Goes into every crc. The low half is never 0.
    pub salt: u64,
    /// Bytes of the file.
    pub size: u64,
    /// Whose log it is.
    pub cluster: u128,
}

impl Header {
    /// The bytes at the start of the file.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        assert_ne!(self.salt as u32, 0, "the tag of a segment is never 0");
        let mut out = [0u8; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        out[16..24].copy_from_slice(&self.serial.to_le_bytes());
        out[24..32].copy_from_slice(&self.salt.to_le_bytes());
        out[32..40].copy_from_slice(&self.size.to_le_bytes());
        out[40..56].copy_from_slice(&self.cluster.to_le_bytes());
        let crc = crc32c::crc32c(&out[..56]);
        out[56..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads and checks the header; the inner error says what is wrong with it.
    ///
    /// # Errors
    /// What reading says.
    pub fn read(source: &dyn Source) -> io::Result<Result<Header, String>> {
        let size = source.size()?;
        if size < RECORDS_START {
            return Ok(Err(format!("the file has {size} bytes, too few for a header")));
        }
        let mut bytes = [0u8; HEADER_BYTES];
        source.read_at(0, &mut bytes)?;
        if &bytes[..8] != MAGIC {
            return Ok(Err("this is not a log segment: the first eight bytes are wrong".into()));
        }
        if u32_at(&bytes, 56) != crc32c::crc32c(&bytes[..56]) {
            return Ok(Err("the crc of the header does not fit".into()));
        }
        let format = u32_at(&bytes, 8);
        if format != FORMAT {
            return Ok(Err(format!("format {format} is not known to this version")));
        }
        let header = Header {
            serial: u64_at(&bytes, 16),
            salt: u64_at(&bytes, 24),
            size: u64_at(&bytes, 32),
            cluster: u128::from_le_bytes(bytes[40..56].try_into().expect("sixteen bytes")),
        };
        if header.size != size {
            return Ok(Err(format!("the file has {size} bytes instead of {}", header.size)));
        }
        Ok(Ok(header))
    }
}

/// A segment as purging needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number.
    pub serial: u64,
    /// The zxid of its first txn, once there is one.
    pub first: Option<Zxid>,
    /// Bytes of the file.
    pub size: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// The segment that is being written: one file, mapped, and the place of the next record.
#[derive(Debug)]
pub struct Segment {
    /// Its header.
    pub header: Header,
    /// Where it is.
    pub path: PathBuf,
    file: File,
    map: Map,
    at: u64,
    forgotten: u64,
}

impl Segment {
    /// Maps a prepared segment; records go on at `at`.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn open(path: PathBuf, file: File, header: Header, at: u64) -> io::Result<Segment> {
        assert!(at >= RECORDS_START && at <= header.size, "offset {at} of {}", header.size);
        assert_eq!(at % 8, 0, "records are aligned");
        let size = usize::try_from(header.size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let map = Map::new(&file, size)?;
        Ok(Segment { header, path, file, map, at, forgotten: at })
    }

    /// Offset of the next record.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Bytes that are left.
    pub fn free_bytes(&self) -> u64 {
        self.header.size - self.at
    }

    /// Copies sealed records to the next place.
    pub fn append(&mut self, records: &[u8]) {
        let at = usize::try_from(self.at).expect("a segment is mapped");
        self.map.write(at, records);
        self.at += records.len() as u64;
    }

    /// Makes everything that was appended durable.
    ///
    /// # Errors
    /// What `fdatasync` says. It is final: the page cache cannot be believed afterwards.
    pub fn sync(&mut self) -> io::Result<()> {
        if let Err(error) = self.file.sync_data() {
            // The kernel marks pages clean that it could not write. The next start must not take
            // them for what is on the disk.
            let _ = self.map.forget(0, self.header.size as usize);
            drop_cache(&self.file, 0, 0);
            return Err(error);
        }
        let whole = self.at & !(FORGET_BYTES - 1);
        if whole >= self.forgotten + FORGET_BYTES {
            let from = self.forgotten & !(FORGET_BYTES - 1);
            self.map.forget(from as usize, (whole - from) as usize)?;
            self.forgotten = whole;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back_and_every_flipped_bit_is_seen() {
        let header = Header { serial: 7, salt: 0x1_0000_0001, size: 8192, cluster: 9 };
        let mut image = vec![0u8; 8192];
        image[..HEADER_BYTES].copy_from_slice(&header.encode());
        assert_eq!(Header::read(&image).unwrap(), Ok(header));
        for bit in 0..HEADER_BYTES * 8 {
            image[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::read(&image).unwrap().is_err(), "bit {bit}");
            image[bit / 8] ^= 1 << (bit % 8);
        }
        image.truncate(4096);
        assert!(Header::read(&image).unwrap().unwrap_err().contains("8192"));
        assert!(Header::read(&Vec::new()).unwrap().is_err());
    }
}
