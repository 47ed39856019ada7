//! Cuts what a client sent into frames, four-letter words and refusals.
//!
//! Pure: no socket in here. The four bytes in front of a frame are its length; in front of the
//! first frame they may be a four-letter word instead. Everything after a word is ignored, but for
//! the mask of `stmk`, which has to come in the same read.

use std::fmt;

use zk_wire::frame::{Cut, cut};

use crate::settings::words::{Word, four_letter};

/// Largest frame whose body is skipped so that its request can be answered with an error.
pub const OVERSIZED_BYTES_MAX: usize = 64 << 20;
/// At least so many bytes of an oversized frame are shown: its xid and its opcode.
pub const OVERSIZED_HEAD_BYTES: usize = 8;
/// At most so many.
const OVERSIZED_HEAD_BYTES_MAX: usize = 4096;

/// Where a connection stands in its stream of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Framing {
    /// The handshake has been received.
    greeted: bool,
    /// Bytes of an oversized frame that are still to be thrown away.
    skip: u32,
}

impl Framing {
    /// Whether the next byte begins a frame of an open session.
    #[inline]
    pub fn is_at_frame(&self) -> bool {
        self.greeted && self.skip == 0
    }
}

/// What comes next from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// The body of a whole frame.
    Frame(&'a [u8]),
    /// The first bytes of a frame that is too long; the rest is thrown away as it comes.
    Oversized(&'a [u8]),
    /// A four-letter word, with the mask if it is `stmk` and the mask is there.
    Word(Word, Option<i64>),
    /// Nothing yet: at least so many bytes are missing.
    Wait(usize),
    /// Nothing more will come of this stream.
    Refused(BadLength),
}

/// A length that no frame has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLength {
    /// The length as sent.
    pub length: i32,
}

impl fmt::Display for BadLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame length {} is out of range", self.length)
    }
}

impl Framing {
    /// Whether the first frame has come.
    pub fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Takes the next item from the front of `bytes` and says how many bytes it used up.
    #[inline]
    pub fn next<'a>(&mut self, bytes: &'a [u8], length_max: usize) -> (Item<'a>, usize) {
        if self.skip > 0 {
            return self.skip_rest(bytes, length_max);
        }
        if !self.greeted
            && bytes.len() >= 4
            && let Some(word) = four_letter(&bytes[..4])
        {
            let mask = bytes[4..].first_chunk().map(|mask| i64::from_be_bytes(*mask));
            return (Item::Word(word, mask.filter(|_| word == Word::Stmk)), bytes.len());
        }
        match cut(bytes, length_max) {
            Cut::Frame { length } => {
                self.greeted = true;
                (Item::Frame(&bytes[4..4 + length]), 4 + length)
            }
            Cut::Wait { missing } => (Item::Wait(missing), 0),
            Cut::TooLong { length } => self.too_long(bytes, length),
        }
    }

    #[cold]
    fn skip_rest<'a>(&mut self, bytes: &'a [u8], length_max: usize) -> (Item<'a>, usize) {
        let skipped = bytes.len().min(self.skip as usize);
        self.skip -= skipped as u32;
        if self.skip > 0 {
            return (Item::Wait(1), skipped);
        }
        let (item, used) = self.next(&bytes[skipped..], length_max);
        (item, skipped + used)
    }

    #[cold]
    fn too_long<'a>(&mut self, bytes: &'a [u8], length: i32) -> (Item<'a>, usize) {
        let fits = usize::try_from(length).is_ok_and(|count| count <= OVERSIZED_BYTES_MAX);
        if !fits || !self.greeted {
            return (Item::Refused(BadLength { length }), bytes.len());
        }
        let end = bytes.len().min(4 + length as usize);
        if end < 4 + OVERSIZED_HEAD_BYTES {
            return (Item::Wait(4 + OVERSIZED_HEAD_BYTES - end), 0);
        }
        self.skip = length as u32 - (end - 4) as u32;
        (Item::Oversized(&bytes[4..end.min(4 + OVERSIZED_HEAD_BYTES_MAX)]), end)
    }
}

/// Whether a ConnectRequest asks for a session that there is already. Anything else doesn't.
pub fn renews(frame: &[u8]) -> bool {
    frame.get(16..24).is_some_and(|session_id| session_id != [0; 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 100;

    fn greeted() -> Framing {
        Framing { greeted: true, skip: 0 }
    }

    fn frame(length: i32, body: &[u8]) -> Vec<u8> {
        [&length.to_be_bytes()[..], body].concat()
    }

    #[test]
    fn words_come_before_the_handshake_only() {
        let mut framing = Framing::default();
        assert_eq!(framing.next(b"ruo", MAX), (Item::Wait(1), 0));
        assert_eq!(framing.next(b"ruok\r\n", MAX), (Item::Word(Word::Ruok, None), 6));
        assert!(!framing.is_greeted());
        let refused = Item::Refused(BadLength { length: i32::from_be_bytes(*b"ruok") });
        assert_eq!(greeted().next(b"ruok", MAX), (refused, 4));
    }

    #[test]
    fn stmk_takes_its_mask_from_the_same_read() {
        let mut framing = Framing::default();
        let bytes = [&b"stmk"[..], &258i64.to_be_bytes()].concat();
        assert_eq!(framing.next(&bytes, MAX), (Item::Word(Word::Stmk, Some(258)), 12));
        assert_eq!(framing.next(&bytes[..11], MAX), (Item::Word(Word::Stmk, None), 11));
        let gtmk = [&b"gtmk"[..], &[0; 8]].concat();
        assert_eq!(framing.next(&gtmk, MAX), (Item::Word(Word::Gtmk, None), 12));
    }

    #[test]
    fn frames_follow_each_other() {
        let mut framing = Framing::default();
        let bytes = [frame(3, b"abc"), frame(0, b""), frame(2, b"d")].concat();
        assert_eq!(framing.next(&bytes, MAX), (Item::Frame(b"abc"), 7));
        assert!(framing.is_greeted());
        assert_eq!(framing.next(&bytes[7..], MAX), (Item::Frame(b""), 4));
        assert_eq!(framing.next(&bytes[11..], MAX), (Item::Wait(1), 0));
    }

    #[test]
    fn impossible_lengths_end_the_stream() {
        for length in [-1, i32::MIN, i32::MAX, OVERSIZED_BYTES_MAX as i32 + 1] {
            let refused = Item::Refused(BadLength { length });
            assert_eq!(greeted().next(&frame(length, b"1234"), MAX), (refused, 8));
        }
        let refused = Item::Refused(BadLength { length: 101 });
        assert_eq!(Framing::default().next(&frame(101, b""), MAX), (refused, 4));
    }

    #[test]
    fn an_oversized_frame_is_shown_and_skipped() {
        let mut framing = greeted();
        let start = frame(200, b"1234567");
        assert_eq!(framing.next(&start, MAX), (Item::Wait(1), 0));
        let start = frame(200, b"123456789");
        assert_eq!(framing.next(&start, MAX), (Item::Oversized(b"123456789"), 13));
        assert_eq!(framing.next(&[7; 190], MAX), (Item::Wait(1), 190));
        let rest = [&[7][..], &frame(1, b"x")].concat();
        assert_eq!(framing.next(&rest, MAX), (Item::Frame(b"x"), 6));
    }

    #[test]
    fn an_oversized_frame_may_come_whole() {
        let mut framing = greeted();
        let bytes = [frame(101, &[9; 101]), frame(1, b"x")].concat();
        assert_eq!(framing.next(&bytes, MAX), (Item::Oversized(&[9; 101]), 105));
        assert_eq!(framing.next(&bytes[105..], MAX), (Item::Frame(b"x"), 5));
    }

    /// Goal: whatever the bytes and however they are cut, the same items come out.
    /// Method: random streams, read at once and byte by byte.
    #[test]
    fn cutting_the_stream_elsewhere_changes_nothing() {
        let mut state = 7u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize
        };
        for _ in 0..500 {
            let mut stream = Vec::new();
            for _ in 0..6 {
                let length = [0, 1, 5, 99, 100, 101, 150][random() % 7];
                stream.extend(frame(length as i32, &vec![random() as u8; length]));
            }
            let (whole, pieces) = (frames(&stream, stream.len()), frames(&stream, 1));
            assert_eq!(whole, pieces);
            assert!(!whole.is_empty());
        }
    }

    /// The bodies of all frames, and the first 8 bytes of the oversized ones.
    fn frames(stream: &[u8], step: usize) -> Vec<Vec<u8>> {
        let (mut framing, mut out) = (greeted(), Vec::new());
        let (mut start, mut end) = (0, 0);
        while end < stream.len() {
            end = (end + step).min(stream.len());
            loop {
                let (item, used) = framing.next(&stream[start..end], MAX);
                start += used;
                match item {
                    Item::Frame(body) => out.push(body.to_vec()),
                    Item::Oversized(head) => out.push(head[..OVERSIZED_HEAD_BYTES].to_vec()),
                    Item::Wait(missing) => {
                        assert!(missing > 0);
                        break;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        out
    }

    #[test]
    fn a_renewal_is_told_by_its_session_id() {
        let mut request = vec![0; 45];
        assert!(!renews(&request));
        request[23] = 1;
        assert!(renews(&request));
        assert!(!renews(&request[..20]));
    }
}
