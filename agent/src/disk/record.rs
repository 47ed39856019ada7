//! One record of the log, as bytes.
//!
//! Little-endian; every record starts at a multiple of 8 in its segment:
//! ```text
//!  0  u32  crc32c of salt, offset of the record in the segment, and all that follows
//!  4  u32  n: length of the txn in bytes
//!  8  u32  tag: low half of the segment's salt
//! 12  u32  kind: 1 txn, 2 mark (no txn; written at a clean stop)
//! 16  u64  zxid; of a mark: the last one before it
//! 24  u64  watermark: the zxid that was known to be durable when this record was written
//! 32  n bytes of txn, then zeros up to a multiple of 8
//!  .  u64  end mark
//! ```
//! The crc covers the salt and the offset, so neither a record of a recycled segment's former life
//! nor one that landed in the wrong place is ever taken for a record.

use zk_wire::Zxid;

/// Bytes of a record before the txn.
pub const HEAD_BYTES: usize = 32;
/// Bytes of a record beside the txn and its padding.
pub const OVERHEAD_BYTES: usize = HEAD_BYTES + 8;
/// Length of a txn at most: what a jute length can say, with room for the overhead.
pub const TXN_BYTES_MAX: usize = 0x7fff_ff00;

const END_MARK: u64 = 0x646e_652e_6761_6b7a;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A txn.
    Txn,
    /// Says only that everything before it was durable.
    Mark,
}

impl Kind {
    fn code(self) -> u32 {
        match self {
            Kind::Txn => 1,
            Kind::Mark => 2,
        }
    }
}

/// A record that was read and whose crc fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its zxid; of a mark, that of the last txn before it.
    pub zxid: Zxid,
    /// What was known to be durable when it was written.
    pub watermark: Zxid,
    /// The bytes of the txn; none in a mark.
    pub txn: &'a [u8],
}

impl Record<'_> {
    /// Bytes it takes in the segment.
    pub fn bytes(&self) -> usize {
        bytes_for(self.txn.len())
    }
}

/// Bytes that a record takes whose txn has `txn_bytes` bytes.
pub fn bytes_for(txn_bytes: usize) -> usize {
    OVERHEAD_BYTES + txn_bytes.next_multiple_of(8)
}

/// Appends a record without crc, tag and watermark, which [`seal`] fills in once its place in a
/// segment is known.
///
/// # Panics
/// When the txn is longer than [`TXN_BYTES_MAX`].
pub fn draft(out: &mut Vec<u8>, kind: Kind, zxid: Zxid, txn: &[u8]) {
    assert!(txn.len() <= TXN_BYTES_MAX, "a txn of {} bytes", txn.len());
    let mut head = [0u8; HEAD_BYTES];
    head[4..8].copy_from_slice(&(txn.len() as u32).to_le_bytes());
    head[12..16].copy_from_slice(&kind.code().to_le_bytes());
    head[16..24].copy_from_slice(&zxid.0.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(txn);
    let padding = txn.len().next_multiple_of(8) - txn.len();
    out.extend_from_slice(&[0u8; 8][..padding]);
    out.extend_from_slice(&END_MARK.to_le_bytes());
}

/// Bytes of the drafted record that starts here.
pub fn drafted_bytes(draft: &[u8]) -> usize {
    bytes_for(u32_at(draft, 4) as usize)
}

/// The zxid of the drafted record that starts here.
pub fn drafted_zxid(draft: &[u8]) -> Zxid {
    Zxid(u64_at(draft, 16) as i64)
}

/// Finishes a drafted record for its place.
pub fn seal(record: &mut [u8], salt: u64, offset: u64, watermark: Zxid) {
    record[8..12].copy_from_slice(&(salt as u32).to_le_bytes());
    record[24..32].copy_from_slice(&watermark.0.to_le_bytes());
    let crc = crc_of(record, salt, offset);
    record[..4].copy_from_slice(&crc.to_le_bytes());
}

/// The length in bytes that a record claims whose first [`HEAD_BYTES`] bytes are given, or `None`
/// when it cannot be one of this life of the segment.
pub fn claimed_bytes(head: &[u8], salt: u64) -> Option<usize> {
    let txn_bytes = u32_at(head, 4) as usize;
    let kind = u32_at(head, 12);
    let ours = u32_at(head, 8) == salt as u32;
    (ours && (kind == 1 || kind == 2) && txn_bytes <= TXN_BYTES_MAX).then(|| bytes_for(txn_bytes))
}

/// Reads a record of exactly the claimed length; `None` when the crc does not fit.
pub fn parse(record: &[u8], salt: u64, offset: u64) -> Option<Record<'_>> {
    if u32_at(record, 0) != crc_of(record, salt, offset) {
        return None;
    }
    let txn_bytes = u32_at(record, 4) as usize;
    if u64_at(record, record.len() - 8) != END_MARK {
        return None;
    }
    Some(Record {
        kind: if u32_at(record, 12) == 1 { Kind::Txn } else { Kind::Mark },
        zxid: Zxid(u64_at(record, 16) as i64),
        watermark: Zxid(u64_at(record, 24) as i64),
        txn: &record[HEAD_BYTES..HEAD_BYTES + txn_bytes],
    })
}

fn crc_of(record: &[u8], salt: u64, offset: u64) -> u32 {
    let mut place = [0u8; 16];
    place[..8].copy_from_slice(&salt.to_le_bytes());
    place[8..].copy_from_slice(&offset.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&place), &record[4..])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u64 = 0x0123_4567_89ab_cdef;

    fn sealed() -> Vec<u8> {
        let mut out = Vec::new();
        draft(&mut out, Kind::Txn, Zxid::new(1, 2), b"a txn");
        seal(&mut out, SALT, 4096, Zxid::new(1, 1));
        out
    }

    #[test]
    fn golden_bytes() {
        let expected = concat!(
            "35dd5c7a",
            "05000000",
            "efcdab89",
            "01000000",
            "0200000001000000",
            "0100000001000000",
            "612074786e000000",
            "7a6b61672e656e64",
        );
        let hex: String = sealed().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn a_record_is_read_only_where_and_when_it_was_written() {
        let bytes = sealed();
        assert_eq!(bytes.len(), bytes_for(5));
        assert_eq!(drafted_bytes(&bytes), bytes.len());
        assert_eq!(claimed_bytes(&bytes, SALT), Some(bytes.len()));
        let record = parse(&bytes, SALT, 4096).unwrap();
        assert_eq!((record.kind, record.txn), (Kind::Txn, &b"a txn"[..]));
        assert_eq!((record.zxid, record.watermark), (Zxid::new(1, 2), Zxid::new(1, 1)));
        assert_eq!(parse(&bytes, SALT, 4104), None);
        assert_eq!(parse(&bytes, SALT ^ (1 << 63), 4096), None);
        assert_eq!(claimed_bytes(&bytes, SALT ^ 1), None);
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let good = sealed();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let same_length = claimed_bytes(&bad, SALT) == Some(bad.len());
            assert!(!same_length || parse(&bad, SALT, 4096).is_none(), "bit {bit}");
        }
    }
}
