//! What a peer is still owed: bytes in chunks, so that a long queue is never moved.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

/// Size of a chunk in bytes; a larger piece is a chunk of its own.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that are handed to the kernel at once.
const SLICES_MAX: usize = 32;

/// Bytes that the kernel didn't take yet.
#[derive(Debug, Default)]
pub struct Output {
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that are sent.
    start: usize,
    len: usize,
}

impl Output {
    /// Bytes to be sent.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        if let Some(last) = self.chunks.back_mut()
            && last.capacity() - last.len() >= bytes.len()
        {
            return last.extend_from_slice(bytes);
        }
        let mut chunk = Vec::with_capacity(bytes.len().max(CHUNK_BYTES));
        chunk.extend_from_slice(bytes);
        self.chunks.push_back(chunk);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Output::default();
    }

    /// Writes as much as the kernel takes. True when everything is written.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        while self.len > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                let start = if count == 0 { self.start } else { 0 };
                *slice = IoSlice::new(&chunk[start..]);
                count += 1;
            }
            match socket.write_vectored(&slices[..count]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }

    fn advance(&mut self, mut written: usize) {
        self.len -= written;
        loop {
            let count = self.chunks.len();
            let Some(first) = self.chunks.front_mut() else { return };
            let rest = first.len() - self.start;
            if written < rest {
                self.start += written;
                return;
            }
            written -= rest;
            self.start = 0;
            // The last chunk is kept for what comes next, unless it is a huge one.
            if count == 1 && first.capacity() <= CHUNK_BYTES {
                return first.clear();
            }
            self.chunks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes some bytes, then none, then some.
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whatever_the_kernel_takes_the_order_stays() {
        let (mut output, mut sent) = (Output::default(), Vec::new());
        let mut socket = Narrow { taken: Vec::new(), room: 0 };
        for round in 0..400usize {
            let piece = vec![round as u8; (round * 37) % 5000];
            output.push(&piece);
            sent.extend_from_slice(&piece);
            socket.room = (round * 53) % 4000;
            let done = output.flush(&mut socket).unwrap();
            assert_eq!(done, output.len() == 0);
            assert_eq!(output.len(), sent.len() - socket.taken.len());
        }
        socket.room = usize::MAX;
        assert!(output.flush(&mut socket).unwrap());
        assert_eq!(socket.taken, sent);
    }

    #[test]
    fn an_emptied_queue_keeps_one_small_chunk() {
        let mut output = Output::default();
        output.push(&[1; 10]);
        output.push(&vec![2; CHUNK_BYTES * 3]);
        let mut socket = Narrow { taken: Vec::new(), room: usize::MAX };
        assert!(output.flush(&mut socket).unwrap());
        assert_eq!(output.chunks.len(), 0);
        output.push(&[3; 10]);
        assert!(output.flush(&mut socket).unwrap());
        assert_eq!((output.chunks.len(), output.start), (1, 0));
        assert_eq!(output.chunks[0].len(), 0);
    }
}
