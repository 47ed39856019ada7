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
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use zk_wire::Zxid;

use super::log_file::{BLOCK_BYTES, LogFile};
use super::record::{u32_at, u64_at};
use super::source::Source;

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
/// Bytes of a batch that leave in one write; a larger batch takes several. Whole blocks.
const BUFFER_BYTES: usize = 1 << 20;

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

/// The segment that is being written: its file, the place of the next record, and the bytes that
/// are not written yet.
///
/// The file is written in whole blocks. The buffer begins with the last block that is unfinished,
/// so that the records of a batch leave in one write: the old bytes of that block, which are the
/// same as before, the new records, and zeros up to the end of a block.
#[derive(Debug)]
pub struct Segment {
    /// Its header.
    pub header: Header,
    /// Where it is.
    pub path: PathBuf,
    file: LogFile,
    buffer: Vec<u8>,
    /// Where in `buffer` the first aligned byte is.
    aligned: usize,
    /// Offset in the file of that byte.
    start: u64,
    /// Bytes from there on that are records, written or not.
    filled: usize,
    /// Some of them are not written.
    pending: bool,
}

impl Segment {
    /// Goes on in a prepared segment; the next record begins at `at`.
    ///
    /// # Errors
    /// When the block that `at` is in cannot be read.
    pub fn open(path: PathBuf, file: LogFile, header: Header, at: u64) -> io::Result<Segment> {
        assert!(at >= RECORDS_START && at <= header.size, "offset {at} of {}", header.size);
        assert_eq!(at % 8, 0, "records are aligned");
        // Never made longer, so the place of the aligned byte stays.
        let mut buffer = vec![0u8; BUFFER_BYTES + BLOCK_BYTES];
        let aligned = buffer.as_ptr().align_offset(BLOCK_BYTES);
        let start = at - at % BLOCK_BYTES as u64;
        let filled = (at - start) as usize;
        if filled > 0 {
            File::open(&path)?.read_exact_at(&mut buffer[aligned..aligned + filled], start)?;
        }
        Ok(Segment { header, path, file, buffer, aligned, start, filled, pending: false })
    }

    /// Goes on at the beginning of another prepared segment. The buffer is kept.
    pub fn change(&mut self, path: PathBuf, file: LogFile, header: Header) {
        assert!(!self.pending, "what the old segment was given is written before it is left");
        (self.path, self.file, self.header) = (path, file, header);
        (self.start, self.filled) = (RECORDS_START, 0);
    }

    /// Offset of the next record.
    pub fn at(&self) -> u64 {
        self.start + self.filled as u64
    }

    /// Bytes that are left.
    pub fn free_bytes(&self) -> u64 {
        self.header.size - self.at()
    }

    /// Takes sealed records for the next place; writes when the buffer is full.
    ///
    /// # Errors
    /// As [`Segment::write`].
    pub fn append(&mut self, mut records: &[u8]) -> io::Result<()> {
        assert!(records.len() as u64 <= self.free_bytes(), "no room for {}", records.len());
        while !records.is_empty() {
            if self.filled == BUFFER_BYTES {
                self.write()?;
            }
            let (now, later) = records.split_at(records.len().min(BUFFER_BYTES - self.filled));
            let from = self.aligned + self.filled;
            self.buffer[from..from + now.len()].copy_from_slice(now);
            self.filled += now.len();
            self.pending = true;
            records = later;
        }
        Ok(())
    }

    /// Hands everything that was appended to the file; it is durable when this returns, unless
    /// syncs are not forced.
    ///
    /// # Errors
    /// What `pwrite` says. It is final.
    pub fn write(&mut self) -> io::Result<()> {
        if !self.pending {
            return Ok(());
        }
        let left = usize::try_from(self.header.size - self.start).unwrap_or(usize::MAX);
        let end = self.filled.next_multiple_of(BLOCK_BYTES).min(left);
        let blocks = &mut self.buffer[self.aligned..];
        blocks[self.filled..end].fill(0);
        self.file.write(&blocks[..end], self.start)?;
        let whole = self.filled - self.filled % BLOCK_BYTES;
        blocks.copy_within(whole..self.filled, 0);
        self.start += whole as u64;
        self.filled -= whole;
        self.pending = false;
        Ok(())
    }

    /// Makes everything that was appended durable.
    ///
    /// # Errors
    /// What `pwrite` or `fdatasync` says. It is final.
    pub fn sync(&mut self) -> io::Result<()> {
        self.write()?;
        self.file.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::prepare::Site;
    use crate::disk::testing::TestDir;

    /// Goal: whatever the sizes of batches are, and wherever writing goes on after a restart, the
    /// file holds the records and zeros up to the end of the last block; what was appended and not
    /// written is not in it.
    #[test]
    fn batches_of_all_sizes_land_back_to_back_in_whole_blocks() {
        const SIZE: usize = 4 << 20;
        for force_sync in [true, false] {
            let test = TestDir::new("segment");
            let site = Site { dir: test.0.clone(), cluster: 1, force_sync };
            let made = site.make(1, SIZE as u64, &|| ()).unwrap();
            let old = vec![0xee; SIZE - RECORDS_START as usize];
            let former = File::options().write(true).open(&made.path).unwrap();
            former.write_all_at(&old, RECORDS_START).unwrap();
            former.sync_all().unwrap();
            let mut image = std::fs::read(&made.path).unwrap();
            let (path, header) = (made.path.clone(), made.header);
            let mut segment = Segment::open(made.path, made.file, header, RECORDS_START).unwrap();
            let sizes = [8, 4080, 8, 8, 4096, 5000, BUFFER_BYTES, BUFFER_BYTES + 8, 3 * 4096, 96];
            for (round, bytes) in sizes.into_iter().enumerate() {
                let at = segment.at() as usize;
                let records = vec![round as u8 + 1; bytes];
                let (first, second) = records.split_at(bytes / 16 * 8);
                segment.append(first).unwrap();
                segment.append(second).unwrap();
                if bytes < 4096 {
                    assert!(std::fs::read(&path).unwrap() == image, "written too early");
                }
                segment.sync().unwrap();
                image[at..at + bytes].copy_from_slice(&records);
                image[at + bytes..(at + bytes).next_multiple_of(BLOCK_BYTES)].fill(0);
                assert!(std::fs::read(&path).unwrap() == image, "round {round}");
                assert_eq!(segment.at() as usize, at + bytes);
                if round % 3 == 2 {
                    let file = LogFile::open(&path, force_sync).unwrap();
                    let at = segment.at();
                    segment = Segment::open(path.clone(), file, header, at).unwrap();
                }
            }
            let rest = vec![0xff; segment.free_bytes() as usize];
            segment.append(&rest).unwrap();
            segment.sync().unwrap();
            assert_eq!((segment.free_bytes(), segment.at() as usize), (0, SIZE));
            assert!(std::fs::read(&path).unwrap().ends_with(&rest));
            assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, SIZE);
        }
    }

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
