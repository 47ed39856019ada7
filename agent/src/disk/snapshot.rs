//! A snapshot file: a header, pieces that only the core understands, a trailer.
//!
//! Little-endian:
//! ```text
//! header   8 bytes "zkag.snp" | u32 format, 1 | u32 flags: 1 pieces are snappy blocks | u64 zxid |
//!          u64 salt | u128 cluster id | u32 crc32c of the 48 bytes before
//! piece    u32 n, not 0 | u32 length when uncompressed | u32 crc | n bytes
//! trailer  u32 0 | u32 32 | u32 crc | u64 pieces | u64 bytes uncompressed | u64 zxid |
//!          8 bytes "zkag.end"; the file ends here
//! ```
//! The crc (crc32c) of a piece and of the trailer covers the salt, the number of pieces before it,
//! the two lengths, and the bytes that follow. A file is written under another name, synced,
//! renamed, and its directory synced; so a snapshot under its own name was complete once.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use zk_wire::Zxid;

use super::layout::{snapshot_path, temporary_path};
use super::record::{u32_at, u64_at};
use super::source::{Source, Window};
use crate::sys::file::{finish_writeback, random_u64, start_writeback, sync_dir, will_read_on};

/// Bytes of a piece at most, uncompressed.
pub const PIECE_BYTES_MAX: usize = 1 << 30;

const MAGIC: &[u8; 8] = b"zkag.snp";
const END: &[u8; 8] = b"zkag.end";
const FORMAT: u32 = 1;
const FLAG_SNAPPY: u32 = 1;
const HEADER_BYTES: usize = 52;
const PIECE_HEAD_BYTES: usize = 12;
const TRAILER_BYTES: usize = 32;
/// Bytes that may be dirty in the page cache at once: more would hold up the log's syncs.
const PACE_BYTES: u64 = 2 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// A snapshot that is being written.
#[derive(Debug)]
pub struct SnapshotFile {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    zxid: Zxid,
    salt: u64,
    compress: bool,
    packed: Vec<u8>,
    pieces: u64,
    raw_bytes: u64,
    at: u64,
    paced: u64,
}

impl SnapshotFile {
    /// Begins a snapshot under its temporary name.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create(
        dir: &Path,
        zxid: Zxid,
        cluster: u128,
        compress: bool,
    ) -> io::Result<SnapshotFile> {
        SnapshotFile::create_as(snapshot_path(dir, zxid), zxid, cluster, compress)
    }

    /// As `create`, under this name in the end.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create_as(
        path: PathBuf,
        zxid: Zxid,
        cluster: u128,
        compress: bool,
    ) -> io::Result<SnapshotFile> {
        let temporary = temporary_path(&path);
        let salt = random_u64()?;
        let mut header = [0u8; HEADER_BYTES];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        header[12..16].copy_from_slice(&u32::from(compress).to_le_bytes());
        header[16..24].copy_from_slice(&zxid.0.to_le_bytes());
        header[24..32].copy_from_slice(&salt.to_le_bytes());
        header[32..48].copy_from_slice(&cluster.to_le_bytes());
        let crc = crc32c::crc32c(&header[..48]);
        header[48..].copy_from_slice(&crc.to_le_bytes());
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(&temporary)?);
        out.write_all(&header)?;
        Ok(SnapshotFile {
            path,
            temporary,
            out,
            zxid,
            salt,
            compress,
            packed: Vec::new(),
            pieces: 0,
            raw_bytes: 0,
            at: HEADER_BYTES as u64,
            paced: 0,
        })
    }

    /// Adds a piece. An empty one is nothing.
    ///
    /// # Errors
    /// What the operating system says; the snapshot is then to be given up.
    ///
    /// # Panics
    /// When the piece is larger than [`PIECE_BYTES_MAX`].
    pub fn piece(&mut self, raw: &[u8]) -> io::Result<()> {
        assert!(raw.len() <= PIECE_BYTES_MAX, "a piece of {} bytes", raw.len());
        if raw.is_empty() {
            return Ok(());
        }
        let mut packed = std::mem::take(&mut self.packed);
        let stored = if self.compress {
            packed.resize(snap::raw::max_compress_len(raw.len()), 0);
            let bytes = snap::raw::Encoder::new().compress(raw, &mut packed)?;
            &packed[..bytes]
        } else {
            raw
        };
        self.put(stored.len() as u32, raw.len() as u32, stored)?;
        self.pieces += 1;
        self.raw_bytes += raw.len() as u64;
        self.packed = packed;
        self.pace()
    }

    /// Writes the trailer and makes the snapshot durable under its name.
    ///
    /// # Errors
    /// What the operating system says; nothing is left behind.
    pub fn finish(mut self) -> io::Result<()> {
        let result = self.complete();
        if result.is_err() {
            self.discard();
        }
        result
    }

    /// Removes what was written.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.temporary);
    }

    fn complete(&mut self) -> io::Result<()> {
        let mut trailer = [0u8; TRAILER_BYTES];
        trailer[..8].copy_from_slice(&self.pieces.to_le_bytes());
        trailer[8..16].copy_from_slice(&self.raw_bytes.to_le_bytes());
        trailer[16..24].copy_from_slice(&self.zxid.0.to_le_bytes());
        trailer[24..].copy_from_slice(END);
        self.put(0, TRAILER_BYTES as u32, &trailer)?;
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        sync_dir(self.path.parent().expect("a file of ours has a directory"))
    }

    fn put(&mut self, stored: u32, raw: u32, bytes: &[u8]) -> io::Result<()> {
        let mut head = [0u8; PIECE_HEAD_BYTES];
        head[..4].copy_from_slice(&stored.to_le_bytes());
        head[4..8].copy_from_slice(&raw.to_le_bytes());
        let crc = crc_of(self.salt, self.pieces, &head[..8], bytes);
        head[8..].copy_from_slice(&crc.to_le_bytes());
        self.out.write_all(&head)?;
        self.out.write_all(bytes)?;
        self.at += (PIECE_HEAD_BYTES + bytes.len()) as u64;
        Ok(())
    }

    /// Pushes a portion to the disk, and waits for the one before.
    fn pace(&mut self) -> io::Result<()> {
        if self.at - self.paced < PACE_BYTES {
            return Ok(());
        }
        self.out.flush()?;
        let file = self.out.get_ref();
        start_writeback(file, self.paced, self.at - self.paced)?;
        if let Some(before) = self.paced.checked_sub(PACE_BYTES) {
            // Written pages stay in the page cache: the next start reads them from there.
            finish_writeback(file, before, PACE_BYTES)?;
        }
        self.paced = self.at;
        Ok(())
    }
}

fn crc_of(salt: u64, index: u64, lengths: &[u8], bytes: &[u8]) -> u32 {
    let mut place = [0u8; 24];
    place[..8].copy_from_slice(&salt.to_le_bytes());
    place[8..16].copy_from_slice(&index.to_le_bytes());
    place[16..].copy_from_slice(lengths);
    crc32c::crc32c_append(crc32c::crc32c(&place), bytes)
}

/// Why a snapshot cannot be read.
#[derive(Debug)]
pub enum SnapshotError {
    /// The operating system refused to read.
    Io(io::Error),
    /// The bytes are not those of a complete snapshot.
    Bad {
        /// Where.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
}

impl std::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SnapshotError::Io(error) => write!(f, "cannot be read: {error}"),
            SnapshotError::Bad { offset, detail } => write!(f, "offset {offset}: {detail}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<io::Error> for SnapshotError {
    fn from(error: io::Error) -> SnapshotError {
        SnapshotError::Io(error)
    }
}

/// Reads a snapshot from front to end and checks every byte of it.
pub struct SnapshotReader<'a> {
    window: Window<'a>,
    zxid: Zxid,
    salt: u64,
    cluster: u128,
    compressed: bool,
    at: u64,
    pieces: u64,
    raw_bytes: u64,
    unpacked: Vec<u8>,
    ended: bool,
}

impl<'a> SnapshotReader<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When there is none, or a damaged one.
    pub fn new(source: &'a dyn Source) -> Result<SnapshotReader<'a>, SnapshotError> {
        let mut window = Window::new(source)?;
        let bad = |detail: &str| SnapshotError::Bad { offset: 0, detail: detail.to_owned() };
        let header = window.view(0, HEADER_BYTES)?.ok_or_else(|| bad("too short for a header"))?;
        if &header[..8] != MAGIC {
            return Err(bad("this is not a snapshot: the first eight bytes are wrong"));
        }
        if u32_at(header, 48) != crc32c::crc32c(&header[..48]) {
            return Err(bad("the crc of the header does not fit"));
        }
        let (format, flags) = (u32_at(header, 8), u32_at(header, 12));
        if format != FORMAT || flags & !FLAG_SNAPPY != 0 {
            return Err(bad("this format is not known to this version"));
        }
        let zxid = Zxid(u64_at(header, 16) as i64);
        let salt = u64_at(header, 24);
        let cluster = u128::from_le_bytes(header[32..48].try_into().expect("sixteen bytes"));
        Ok(SnapshotReader {
            window,
            zxid,
            salt,
            cluster,
            compressed: flags & FLAG_SNAPPY != 0,
            at: HEADER_BYTES as u64,
            pieces: 0,
            raw_bytes: 0,
            unpacked: Vec::new(),
            ended: false,
        })
    }

    /// The zxid the snapshot stands at.
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// Whose snapshot it is.
    pub fn cluster(&self) -> u128 {
        self.cluster
    }

    /// Bytes read and bytes in the file, for progress.
    pub fn progress(&self) -> (u64, u64) {
        (self.at, self.window.size())
    }

    /// The next piece; `None` once the trailer was found complete and in its place.
    ///
    /// # Errors
    /// When something does not fit; nothing more can be read then.
    pub fn next_piece(&mut self) -> Result<Option<&[u8]>, SnapshotError> {
        if self.ended {
            return Ok(None);
        }
        let at = self.at;
        let bad = |detail: String| SnapshotError::Bad { offset: at, detail };
        let ends = || bad("the file ends too early".to_owned());
        let head = self.window.view(at, PIECE_HEAD_BYTES)?.ok_or_else(ends)?;
        let (stored, raw, crc) = (u32_at(head, 0), u32_at(head, 4), u32_at(head, 8));
        let mut lengths = [0u8; 8];
        lengths.copy_from_slice(&head[..8]);
        let last = stored == 0;
        let bytes = if last { TRAILER_BYTES } else { stored as usize };
        let body_at = at + PIECE_HEAD_BYTES as u64;
        let size = self.window.size();
        let body = self.window.view(body_at, bytes)?.ok_or_else(ends)?;
        if crc != crc_of(self.salt, self.pieces, &lengths, body) {
            return Err(bad("the crc does not fit".to_owned()));
        }
        self.at = body_at + bytes as u64;
        if last {
            let fits = u64_at(body, 0) == self.pieces
                && u64_at(body, 8) == self.raw_bytes
                && u64_at(body, 16) == self.zxid.0 as u64
                && &body[24..] == END
                && self.at == size;
            self.ended = true;
            return if fits { Ok(None) } else { Err(bad("the trailer does not fit".to_owned())) };
        }
        self.pieces += 1;
        self.raw_bytes += u64::from(raw);
        if !self.compressed {
            return Ok(Some(body));
        }
        if raw as usize > PIECE_BYTES_MAX {
            return Err(bad(format!("a piece of {raw} bytes")));
        }
        self.unpacked.resize(raw as usize, 0);
        match snap::raw::Decoder::new().decompress(body, &mut self.unpacked) {
            Ok(bytes) if bytes == raw as usize => Ok(Some(&self.unpacked)),
            _ => Err(bad("the piece cannot be uncompressed".to_owned())),
        }
    }
}

/// Opens a snapshot file to be read from front to end.
///
/// # Errors
/// What the operating system says.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    will_read_on(&file);
    Ok(file)
}

/// Whether header and trailer stand where they should: cheap, and true for every snapshot that was
/// finished and not damaged at its ends.
pub fn looks_complete(path: &Path) -> bool {
    let check = || -> Result<bool, SnapshotError> {
        let file = File::open(path)?;
        let mut reader = SnapshotReader::new(&file)?;
        let bytes = PIECE_HEAD_BYTES + TRAILER_BYTES;
        let Some(at) = reader.window.size().checked_sub(bytes as u64) else { return Ok(false) };
        let Some(end) = reader.window.view(at, bytes)? else { return Ok(false) };
        let pieces = u64_at(end, PIECE_HEAD_BYTES);
        let crc = crc_of(reader.salt, pieces, &end[..8], &end[PIECE_HEAD_BYTES..]);
        Ok(u32_at(end, 0) == 0 && u32_at(end, 8) == crc && end.ends_with(END))
    };
    check().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str, pieces: &[&[u8]], compress: bool) -> (PathBuf, Vec<u8>) {
        let dir = std::env::temp_dir().join(format!("zk-agent-snap-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let mut file = SnapshotFile::create(&dir, Zxid::new(1, 5), 3, compress).unwrap();
        for piece in pieces {
            file.piece(piece).unwrap();
        }
        file.finish().unwrap();
        let path = snapshot_path(&dir, Zxid::new(1, 5));
        assert!(looks_complete(&path));
        let bytes = fs::read(&path).unwrap();
        (dir, bytes)
    }

    fn read(bytes: &Vec<u8>) -> Result<(Zxid, Vec<Vec<u8>>), SnapshotError> {
        let mut reader = SnapshotReader::new(bytes)?;
        let mut pieces = Vec::new();
        while let Some(piece) = reader.next_piece()? {
            pieces.push(piece.to_vec());
        }
        Ok((reader.zxid(), pieces))
    }

    #[test]
    fn pieces_come_back_in_order_compressed_or_not() {
        let large = vec![7u8; 3 << 20];
        for compress in [false, true] {
            let (dir, bytes) = write("order", &[b"one", b"", &large, b"two"], compress);
            let (zxid, pieces) = read(&bytes).unwrap();
            assert_eq!(zxid, Zxid::new(1, 5));
            assert_eq!(pieces, [b"one".to_vec(), large.clone(), b"two".to_vec()]);
            assert_eq!(compress, bytes.len() < large.len());
            fs::remove_dir_all(&dir).unwrap();
        }
    }

    #[test]
    fn every_flipped_bit_and_every_shorter_file_is_refused() {
        for compress in [false, true] {
            let (dir, mut bytes) = write("bits", &[b"first piece", b"second piece"], compress);
            for bit in 0..bytes.len() * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(read(&bytes).is_err(), "bit {bit}");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            for length in 0..bytes.len() {
                assert!(read(&bytes[..length].to_vec()).is_err(), "length {length}");
            }
            bytes.push(0);
            assert!(read(&bytes).is_err());
            fs::remove_dir_all(&dir).unwrap();
        }
    }

    #[test]
    fn pieces_cannot_change_places() {
        let (dir, bytes) = write("swap", &[b"piece one", b"piece two"], false);
        let mut swapped = bytes.clone();
        let (first, second) = (HEADER_BYTES, HEADER_BYTES + PIECE_HEAD_BYTES + 9);
        swapped[first..second].copy_from_slice(&bytes[second..second + 21]);
        swapped[second..second + 21].copy_from_slice(&bytes[first..second]);
        assert!(read(&swapped).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
