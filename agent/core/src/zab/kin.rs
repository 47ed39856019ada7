//! How our servers know each other, behind the bytes that Apache's read.
//!
//! Apache's servers read of LearnerInfo and of LEADERINFO what they know and leave the rest. A learner
//! of ours adds a mark to the first; a leader of ours answers it in the second. Both then know that
//! the other keeps to what is promised among us; nobody else sees a difference.
//!
//! ```text
//! mark = "zkag", promises u32 (bit 0: PINGS, bit 1: EPOCHS, bit 2: CLUSTER), with CLUSTER also u128:
//!        the id of the ensemble, or 0 while there is none
//! ```

/// The leader pings every [`PING_MS`], however long a tick is.
pub const PINGS: u32 = 1;
/// The leader may begin another epoch while the learner serves.
pub const EPOCHS: u32 = 2;
/// The id of the ensemble follows, and is told in pings.
pub const CLUSTER: u32 = 4;
/// Pause between two pings of a leader to a learner of ours, in ms.
pub const PING_MS: i64 = 200;
/// A leader of ours that is silent for so long hangs, in ms.
pub const HUNG_MS: i64 = 1_500;
/// Who comes so late to find that nothing was heard was away itself, and looks once more, in ms.
pub const LATE_MS: i64 = 300;

const MAGIC: &[u8; 4] = b"zkag";

/// Adds the mark of this version. `cluster`: the id of the ensemble, 0 without.
pub fn put(cluster: u128, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(PINGS | EPOCHS | CLUSTER).to_be_bytes());
    out.extend_from_slice(&cluster.to_be_bytes());
}

/// The id of the other one's ensemble, 0 without; `None` from who knows of no such id.
pub fn cluster(rest: &[u8]) -> Option<u128> {
    let id = rest.get(8..)?.first_chunk()?;
    (promises(rest) & CLUSTER != 0).then(|| u128::from_be_bytes(*id))
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
        put(7, &mut mark);
        assert_eq!((promises(&mark), cluster(&mark)), (PINGS | EPOCHS | CLUSTER, Some(7)));
        mark.extend_from_slice(b"of a later version");
        assert_eq!((promises(&mark), cluster(&mark)), (PINGS | EPOCHS | CLUSTER, Some(7)));
        for end in 0..8 {
            assert_eq!((promises(&mark[..end]), cluster(&mark[..end])), (0, None));
        }
        // An earlier version has no id.
        assert_eq!(cluster(b"zkag\0\0\0\x01"), None);
        assert_eq!(cluster(&mark[..23]), None);
        assert_eq!(promises(b"zkax\0\0\0\x01"), 0);
    }
}
