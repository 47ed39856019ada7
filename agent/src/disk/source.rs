//! Bytes that can be read anywhere: a file, or an image of one in a test.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::sys::file::will_read;

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// Bytes that the kernel is asked to fetch ahead.
const AHEAD_BYTES: u64 = 4 << 20;

/// Something with a length that can be read at any offset.
pub trait Source: Sync {
    /// Bytes in it.
    ///
    /// # Errors
    /// What the operating system says.
    fn size(&self) -> io::Result<u64>;

    /// Fills the buffer from an offset on.
    ///
    /// # Errors
    /// What the operating system says; `UnexpectedEof` when there are too few bytes.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

impl Source for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        if into.len() >= CHUNK_BYTES / 2 {
            // Long reads go on forwards; the disk may fetch what follows meanwhile.
            will_read(self, offset + into.len() as u64, AHEAD_BYTES);
        }
        self.read_exact_at(into, offset)
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let bytes = self.get(from..).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A buffer that moves over a source, mostly forwards.
pub struct Window<'a> {
    source: &'a dyn Source,
    size: u64,
    chunk_bytes: usize,
    start: u64,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    /// Begins with an empty buffer.
    ///
    /// # Errors
    /// When the size cannot be read.
    pub fn new(source: &'a dyn Source) -> io::Result<Window<'a>> {
        Window::with_chunks(source, CHUNK_BYTES)
    }

    /// As [`Window::new`], but reads less at once: for a look at one place.
    ///
    /// # Errors
    /// When the size cannot be read.
    pub fn with_chunks(source: &'a dyn Source, chunk_bytes: usize) -> io::Result<Window<'a>> {
        Ok(Window { source, size: source.size()?, chunk_bytes, start: 0, buffer: Vec::new() })
    }

    /// Bytes of the source.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of a range; `None` when it reaches beyond the end. Takes memory for what is there
    /// and no more.
    ///
    /// # Errors
    /// What reading says.
    pub fn view(&mut self, offset: u64, bytes: usize) -> io::Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(bytes as u64).filter(|end| *end <= self.size) else {
            return Ok(None);
        };
        let held = self.start..self.start + self.buffer.len() as u64;
        if offset < held.start || end > held.end {
            let kept = if held.contains(&offset) { (held.end - offset) as usize } else { 0 };
            let from = self.buffer.len() - kept;
            self.buffer.copy_within(from.., 0);
            let want = (bytes.max(self.chunk_bytes) as u64).min(self.size - offset);
            self.buffer.resize(want as usize, 0);
            // Nothing is held should the read fail half way.
            self.start = u64::MAX - want;
            self.source.read_at(offset + kept as u64, &mut self.buffer[kept..])?;
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        Ok(Some(&self.buffer[from..from + bytes]))
    }

    /// What is held from an offset on, at least one byte unless the source ends there.
    ///
    /// # Errors
    /// What reading says.
    pub fn view_some(&mut self, offset: u64) -> io::Result<&[u8]> {
        if self.view(offset, 1)?.is_none() {
            return Ok(&[]);
        }
        Ok(&self.buffer[(offset - self.start) as usize..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reads_across_its_buffer_and_stops_at_the_end() {
        let bytes: Vec<u8> = (0..CHUNK_BYTES * 2 + 100).map(|i| (i % 251) as u8).collect();
        let mut window = Window::new(&bytes).unwrap();
        for (offset, count) in [(0, 32), (CHUNK_BYTES - 16, 64), (5, CHUNK_BYTES + 7), (3, 1)] {
            let view = window.view(offset as u64, count).unwrap().unwrap();
            assert_eq!(view, &bytes[offset..offset + count]);
        }
        assert!(window.view(bytes.len() as u64 - 4, 5).unwrap().is_none());
        assert!(window.view(u64::MAX, 5).unwrap().is_none());
        assert!(window.view_some(bytes.len() as u64).unwrap().is_empty());
        assert_eq!(window.view_some(7).unwrap()[0], bytes[7]);
    }
}
