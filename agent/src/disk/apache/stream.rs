//! A stream of jute with Apache's running Adler-32: unpacked while it is read.
//!
//! Nothing is reserved for a length that the stream only claims.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use simd_adler32::Adler32;

use super::names::Packing;

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes of a string or buffer at most: above what any server accepts.
const FIELD_BYTES_MAX: usize = 256 << 20;
/// Bytes of an unpacked snappy block at most; writers use 32 KiB.
const BLOCK_BYTES_MAX: usize = 64 << 20;

const SNAPPY_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const GZIP_MAGIC: &[u8; 2] = b"\x1f\x8b";

/// Reads fields and sums up what was read.
pub struct Stream<R> {
    inner: R,
    buffer: Vec<u8>,
    at: usize,
    summed: usize,
    adler: Adler32,
    consumed: u64,
}

impl<R: Read> Stream<R> {
    /// Starts at the first byte.
    pub fn new(inner: R) -> Stream<R> {
        let adler = Adler32::new();
        Stream { inner, buffer: Vec::new(), at: 0, summed: 0, adler, consumed: 0 }
    }

    /// Bytes read so far, unpacked.
    pub fn position(&self) -> u64 {
        self.consumed
    }

    /// The Adler-32 of everything read so far.
    pub fn sum(&mut self) -> i64 {
        self.adler.write(&self.buffer[self.summed..self.at]);
        self.summed = self.at;
        i64::from(self.adler.finish())
    }

    /// The next bytes, all of them.
    ///
    /// # Errors
    /// `UnexpectedEof` when there are fewer.
    pub fn take(&mut self, bytes: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.at < bytes {
            if self.fill(bytes)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.at += bytes;
        self.consumed += bytes as u64;
        Ok(&self.buffer[self.at - bytes..self.at])
    }

    /// Reads more behind what is held. Grows by what has come, never by what is claimed.
    fn fill(&mut self, wanted: usize) -> io::Result<usize> {
        if self.at == self.buffer.len() || self.buffer.len() >= CHUNK_BYTES {
            self.sum();
            self.buffer.drain(..self.at);
            (self.at, self.summed) = (0, 0);
        }
        let more = CHUNK_BYTES.max(self.buffer.len().min(wanted));
        self.inner.by_ref().take(more as u64).read_to_end(&mut self.buffer)
    }

    /// An i32.
    ///
    /// # Errors
    /// As [`Stream::take`].
    pub fn int(&mut self) -> io::Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().expect("four bytes")))
    }

    /// An i64.
    ///
    /// # Errors
    /// As [`Stream::take`].
    pub fn long(&mut self) -> io::Result<i64> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }

    /// Length and bytes of a string or buffer; `None` is null.
    ///
    /// # Errors
    /// As [`Stream::take`]; `InvalidData` for a length out of range.
    pub fn field(&mut self) -> io::Result<Option<&[u8]>> {
        match self.int()? {
            -1 => Ok(None),
            length => match usize::try_from(length).ok().filter(|n| *n <= FIELD_BYTES_MAX) {
                Some(bytes) => self.take(bytes).map(Some),
                None => Err(invalid(format!("a length of {length}"))),
            },
        }
    }

    /// Everything that is left, if it is no more than `max` bytes.
    ///
    /// # Errors
    /// What reading says; `InvalidData` when more is left.
    pub fn rest(&mut self, max: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() - self.at <= max {
            if self.fill(max)? == 0 {
                let rest = self.buffer[self.at..].to_vec();
                return Ok(rest);
            }
        }
        Err(invalid(format!("more than {max} bytes behind the end")))
    }
}

/// An error about the contents.
pub fn invalid(detail: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail)
}

/// Opens a file, unpacking it.
///
/// # Errors
/// What the operating system says; `InvalidData` when the packing is not what the name says.
pub fn open(path: &Path, packing: Packing) -> io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    crate::sys::file::will_read_on(&file);
    match packing {
        Packing::Plain => Ok(Box::new(file)),
        Packing::Gzip => {
            let mut reader = BufReader::with_capacity(CHUNK_BYTES / 4, file);
            if !io::BufRead::fill_buf(&mut reader)?.starts_with(GZIP_MAGIC) {
                return Err(invalid("this is not gzip".into()));
            }
            Ok(Box::new(flate2::bufread::MultiGzDecoder::new(reader)))
        }
        Packing::Snappy => Ok(Box::new(SnappyBlocks::new(BufReader::new(file))?)),
    }
}

/// The stream format of snappy-java: magic, two versions, then length and raw block by turns.
struct SnappyBlocks<R> {
    inner: R,
    packed: Vec<u8>,
    block: Vec<u8>,
    at: usize,
}

impl<R: Read> SnappyBlocks<R> {
    fn new(mut inner: R) -> io::Result<SnappyBlocks<R>> {
        let mut header = [0u8; 16];
        inner.read_exact(&mut header)?;
        if &header[..8] != SNAPPY_MAGIC {
            return Err(invalid("this is not a stream of snappy-java".into()));
        }
        Ok(SnappyBlocks { inner, packed: Vec::new(), block: Vec::new(), at: 0 })
    }

    /// Unpacks the next block; false at the end.
    fn next_block(&mut self) -> io::Result<bool> {
        let mut length = [0u8; 4];
        let got = self.inner.read(&mut length)?;
        if got == 0 {
            return Ok(false);
        }
        self.inner.read_exact(&mut length[got..])?;
        let length = u64::from(u32::from_be_bytes(length));
        self.packed.clear();
        if self.inner.by_ref().take(length).read_to_end(&mut self.packed)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = snap::raw::decompress_len(&self.packed)?;
        // A block cannot unpack to much more than 21 times its size, whatever it claims.
        if bytes > BLOCK_BYTES_MAX || bytes > self.packed.len().saturating_mul(32) {
            return Err(invalid(format!("a snappy block of {bytes} bytes")));
        }
        self.block.resize(bytes, 0);
        snap::raw::Decoder::new().decompress(&self.packed, &mut self.block)?;
        self.at = 0;
        Ok(true)
    }
}

impl<R: Read> Read for SnappyBlocks<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let bytes = into.len().min(self.block.len() - self.at);
        into[..bytes].copy_from_slice(&self.block[self.at..self.at + bytes]);
        self.at += bytes;
        Ok(bytes)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;

    /// Packs as `gzip` does.
    pub fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    /// Packs as snappy-java does, in blocks of 100 bytes.
    pub fn snappy(bytes: &[u8]) -> Vec<u8> {
        let mut out = SNAPPY_MAGIC.to_vec();
        out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        for block in bytes.chunks(100) {
            let packed = snap::raw::Encoder::new().compress_vec(block).unwrap();
            out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
            out.extend_from_slice(&packed);
        }
        out
    }

    #[test]
    fn a_snappy_block_that_claims_too_much_is_refused() {
        let mut bytes = SNAPPY_MAGIC.to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 6]);
        // 60 MiB, says the block of six bytes.
        bytes.extend_from_slice(&[0x80, 0x80, 0x80, 0x1e, 0x00, 0x61]);
        let error = io::copy(&mut SnappyBlocks::new(&bytes[..]).unwrap(), &mut io::sink());
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let cut = &snappy(&[1; 50])[..25];
        assert!(io::copy(&mut SnappyBlocks::new(cut).unwrap(), &mut io::sink()).is_err());
    }

    #[test]
    fn the_sum_covers_what_was_read_and_no_more() {
        let bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i % 253) as u8).collect();
        let mut stream = Stream::new(&bytes[..]);
        let mut at = 0;
        for step in [4, 1 << 20, 77, 1_500_000, 12] {
            assert_eq!(stream.take(step).unwrap(), &bytes[at..at + step]);
            at += step;
            let mut adler = Adler32::new();
            adler.write(&bytes[..at]);
            assert_eq!(stream.sum(), i64::from(adler.finish()));
            assert_eq!(stream.position(), at as u64);
        }
        let left = bytes.len() - at;
        assert!(stream.rest(left - 1).is_err());
        assert_eq!(stream.rest(left).unwrap(), &bytes[at..]);
    }
}
