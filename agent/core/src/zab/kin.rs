//! How our servers know each other, behind the bytes that Apache's read.
//!
//! Apache's servers read of LearnerInfo and of LEADERINFO what they know and leave the rest. A learner
//! of ours adds a mark to the first; a leader of ours answers it in the second. Both then know that
//! the other keeps to what is promised among us; nobody else sees a difference.
//!
//! ```text
//! mark = "zkag", promises u32 (bit 0: PINGS, 1: EPOCHS, 2: CLUSTER, 3: TWINS, 4: TWIN), with CLUSTER
//!        also u128 and u8: the id of the ensemble, or 0 while there is none, and whether it is agreed on
//! ```

use crate::ids::Cluster;

/// The leader pings every [`PING_MS`], however long a tick is.
pub const PINGS: u32 = 1;
/// The leader may begin another epoch while the learner serves.
pub const EPOCHS: u32 = 2;
/// The id of the ensemble follows, and is told in pings.
pub const CLUSTER: u32 = 4;
/// The learner knows what [`TWIN`] says.
pub const TWINS: u32 = 8;
/// The leader refuses: another server has the learner's id.
pub const TWIN: u32 = 16;
/// Pause between two pings of a leader to a learner of ours, in ms.
pub const PING_MS: i64 = 200;
/// A leader of ours that is silent for so long hangs, in ms.
pub const HUNG_MS: i64 = 1_500;
/// Who comes so late to find that nothing was heard was away itself, and looks once more, in ms.
pub const LATE_MS: i64 = 300;

const MAGIC: &[u8; 4] = b"zkag";
/// What this version promises.
const PROMISES: u32 = PINGS | EPOCHS | CLUSTER | TWINS;

/// Adds the mark of this version.
pub fn put(cluster: Cluster, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&PROMISES.to_be_bytes());
    put_cluster(cluster, out);
}

/// Adds the mark of a leader that refuses a learner because another server has its id.
pub fn put_refusal(out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&TWIN.to_be_bytes());
}

/// Adds the id of an ensemble, as it stands in a mark and in a ping.
pub fn put_cluster(cluster: Cluster, out: &mut Vec<u8>) {
    out.extend_from_slice(&cluster.id.to_be_bytes());
    out.push(u8::from(cluster.agreed));
}

/// Reads one; `None` when there is none.
pub fn read_cluster(bytes: &[u8]) -> Option<Cluster> {
    let (id, rest) = bytes.split_first_chunk()?;
    let id = u128::from_be_bytes(*id);
    Some(Cluster { id, agreed: *rest.first()? != 0 && id != 0 })
}

/// The id of the other one's ensemble; `None` from who knows of no such id.
pub fn cluster(rest: &[u8]) -> Option<Cluster> {
    read_cluster(rest.get(8..)?).filter(|_| promises(rest) & CLUSTER != 0)
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
        let seven = Cluster { id: 7, agreed: true };
        put(seven, &mut mark);
        assert_eq!((promises(&mark), cluster(&mark)), (PROMISES, Some(seven)));
        mark.extend_from_slice(b"of a later version");
        assert_eq!((promises(&mark), cluster(&mark)), (PROMISES, Some(seven)));
        for end in 0..8 {
            assert_eq!((promises(&mark[..end]), cluster(&mark[..end])), (0, None));
        }
        // An earlier version has no id.
        assert_eq!(cluster(b"zkag\0\0\0\x01"), None);
        assert_eq!(cluster(&mark[..24]), None);
        assert_eq!(promises(b"zkax\0\0\0\x01"), 0);
    }
}
