//! How our servers know each other, behind the bytes that Apache's read.
//!
//! Apache's servers read of LearnerInfo and of LEADERINFO what they know and leave the rest. A learner
//! of ours adds a mark to the first; a leader of ours answers it in the second. Both then know that
//! the other keeps to what is promised among us; nobody else sees a difference.
//!
//! ```text
//! mark = "zkag", promises u32 (bit 0: PINGS, bit 1: EPOCHS)
//! ```

/// The leader pings every [`PING_MS`], however long a tick is.
pub const PINGS: u32 = 1;
/// The leader may begin another epoch while the learner serves.
pub const EPOCHS: u32 = 2;
/// Pause between two pings of a leader to a learner of ours, in ms.
pub const PING_MS: i64 = 200;
/// A leader of ours that is silent for so long hangs, in ms.
pub const HUNG_MS: i64 = 1_500;
/// Who comes so late to find that nothing was heard was away itself, and looks once more, in ms.
pub const LATE_MS: i64 = 300;

const MAGIC: &[u8; 4] = b"zkag";

/// Adds the mark of this version.
pub fn put(out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(PINGS | EPOCHS).to_be_bytes());
}

/// What the other one promises: none of Apache's servers anything.
pub fn promises(rest: &[u8]) -> u32 {
    match rest.split_first_chunk::<4>() {
        Some((MAGIC, rest)) => rest.first_chunk().map_or(0, |bits| u32::from_be_bytes(*bits)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_mark_promises_anything() {
        let mut mark = Vec::new();
        put(&mut mark);
        assert_eq!(promises(&mark), PINGS | EPOCHS);
        mark.extend_from_slice(b"of a later version");
        assert_eq!(promises(&mark), PINGS | EPOCHS);
        for end in 0..8 {
            assert_eq!(promises(&mark[..end]), 0);
        }
        assert_eq!(promises(b"zkax\0\0\0\x01"), 0);
    }
}
