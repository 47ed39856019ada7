//! What one read of a connection gave, on its way to be cut into items.

use crate::net::client_port::{Framing, Item};

/// One read of a connection, to be cut into items.
#[derive(Debug)]
pub struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
    pub(super) end: usize,
    /// `bytes` is the connection's own, not a shared buffer.
    pub(super) own: bool,
    pub(super) framing: Framing,
    pub(super) frames: usize,
    /// Bytes that the unfinished item lacks at least; 0 when the batch was left before its end.
    pub(super) missing: usize,
    /// The stream has ended behind these bytes.
    pub ended: bool,
}

impl Batch {
    /// The bytes of an open session's requests.
    #[inline]
    pub fn requests(&self) -> Option<&[u8]> {
        self.framing.is_at_frame().then(|| &self.bytes[self.at..self.end])
    }

    /// The next item. Frames above `length_max` are oversized.
    #[inline]
    pub fn next(&mut self, length_max: usize) -> Item<'_> {
        let (item, used) = self.framing.next(&self.bytes[self.at..self.end], length_max);
        self.at += used;
        match item {
            Item::Wait(missing) => self.missing = missing,
            Item::Frame(_) => {
                self.frames += 1;
                self.missing = 0;
            }
            _ => self.missing = 0,
        }
        item
    }

    /// Frames taken so far.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Whether the next frame is the handshake.
    pub fn is_first(&self) -> bool {
        !self.framing.is_greeted()
    }
}
