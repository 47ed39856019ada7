//! The digest of a znode, from which that of the tree is summed up (version 2 of Apache's servers).
//!
//! CRC-32 (IEEE) over path, data and stat. It runs in two steps, so that a change of the stat alone
//! needs neither path nor data again.

use crc32fast::Hasher;
use zk_wire::StatPersisted;

/// Whether the digest covers this path.
#[inline]
pub fn digested(path: &str) -> bool {
    !path.starts_with("/zookeeper/")
}

/// CRC-32 of path and data, where every digest of a znode begins. The root is the empty path.
#[inline]
pub fn crc_of(path: &str, data: Option<&[u8]>) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(if path == "/" { b"" } else { path.as_bytes() });
    hasher.update(data.unwrap_or(&[]));
    hasher.finalize()
}

/// The digest of a znode: CRC-32 of path, data and stat. The order of the stat is the digest's own.
#[inline]
pub fn node_digest(crc: u32, stat: &StatPersisted) -> u64 {
    let mut bytes = [0u8; 60];
    bytes[0..8].copy_from_slice(&stat.czxid.to_be_bytes());
    bytes[8..16].copy_from_slice(&stat.mzxid.to_be_bytes());
    bytes[16..24].copy_from_slice(&stat.pzxid.to_be_bytes());
    bytes[24..32].copy_from_slice(&stat.ctime_ms.to_be_bytes());
    bytes[32..40].copy_from_slice(&stat.mtime_ms.to_be_bytes());
    bytes[40..44].copy_from_slice(&stat.version.to_be_bytes());
    bytes[44..48].copy_from_slice(&stat.cversion.to_be_bytes());
    bytes[48..52].copy_from_slice(&stat.aversion.to_be_bytes());
    bytes[52..60].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    let mut hasher = Hasher::new_with_initial(crc);
    hasher.update(&bytes);
    u64::from(hasher.finalize())
}
