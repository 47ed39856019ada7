//! Apache's snapshot, read as a stream.
//!
//! ```text
//! "ZKSN" | i32 2 | i64 dbid
//! i32 n, n x { i64 session, i32 timeout }
//! i32 m, m x { i64 acl id, vector<ACL> }
//! { ustring path, buffer data, i64 acl id, 60 bytes of stat } ...   parents first, the root is ""
//! ustring "/"
//! seal | [i64 zxid, i32 2, i64 digest, seal] | [i64 last zxid, seal]     sections from 3.6 and 3.9
//! ```
//! A seal is the Adler-32 of everything before it as an i64, and the ustring "/".

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use zk_wire::jute::text;
use zk_wire::{Reader, StatPersisted, Zxid};

use super::super::replay::Replay;
use super::names::Packing;
use super::stream::{Stream, invalid, open};

/// What every complete plain snapshot ends with.
pub const LAST_BYTES: [u8; 5] = [0, 0, 0, 1, b'/'];
/// The ACL id that stands for `world:anyone` with all permissions.
pub const OPEN_ACL_ID: i64 = -1;

const MAGIC: &[u8; 4] = b"ZKSN";
const DIGEST_VERSION: i32 = 2;
const SEAL_BYTES: usize = 13;
const DIGEST_BYTES: usize = 20;
const LAST_ZXID_BYTES: usize = 8;
/// Bytes of one ACL list at most.
const ACL_BYTES_MAX: usize = 16 << 20;

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Summary {
    /// Sessions in the table.
    pub sessions: u64,
    /// Lists in the ACL table.
    pub acls: u64,
    /// Znodes.
    pub znodes: u64,
    /// The digest section: zxid and digest of the tree.
    pub digest: Option<(Zxid, i64)>,
    /// The section with the last zxid.
    pub last_zxid: Option<Zxid>,
}

/// The cheap check Apache's server makes before it tries a snapshot.
pub fn looks_complete(path: &Path, packing: Packing) -> io::Result<bool> {
    if packing != Packing::Plain {
        return Ok(open(path, packing).is_ok());
    }
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut last = [0u8; LAST_BYTES.len()];
    if size < 10 {
        return Ok(false);
    }
    file.read_exact_at(&mut last, size - LAST_BYTES.len() as u64)?;
    Ok(last == LAST_BYTES)
}

/// Reads a snapshot file and hands all of it on. What was handed on is worth nothing after an
/// error.
///
/// # Errors
/// One line with the place in the unpacked stream.
pub fn read_snapshot(
    path: &Path,
    packing: Packing,
    replay: &mut dyn Replay,
) -> Result<Summary, String> {
    let reader = open(path, packing).map_err(|error| error.to_string())?;
    read_stream(reader, replay)
}

/// As [`read_snapshot`], from any stream.
///
/// # Errors
/// One line with the place in the stream.
pub fn read_stream(reader: impl Read, replay: &mut dyn Replay) -> Result<Summary, String> {
    let (stream, data) = (Stream::new(reader), Vec::new());
    let mut load = Load { stream, replay, acl_ids: HashSet::new(), data };
    let mut summary = Summary::default();
    load.read(&mut summary).map_err(|error| {
        let offset = load.stream.position();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("it ends too early, at offset {offset}"),
            _ => format!("{error}, before offset {offset}"),
        }
    })?;
    Ok(summary)
}

struct Load<'r, R> {
    stream: Stream<R>,
    replay: &'r mut dyn Replay,
    acl_ids: HashSet<i64>,
    data: Vec<u8>,
}

impl<R: Read> Load<'_, R> {
    fn read(&mut self, summary: &mut Summary) -> io::Result<()> {
        if self.stream.take(4)? != MAGIC {
            return Err(invalid("this is not a snapshot: the first four bytes are wrong".into()));
        }
        self.stream.take(12)?;
        for _ in 0..self.stream.int()? {
            let (id, timeout_ms) = (self.stream.long()?, self.stream.int()?);
            self.replay.session(id, timeout_ms).map_err(invalid)?;
            summary.sessions += 1;
        }
        for _ in 0..self.stream.int()? {
            self.acl()?;
            summary.acls += 1;
        }
        while self.znode()? {
            summary.znodes += 1;
        }
        self.seal("after the znodes")?;
        self.sections(summary)
    }

    fn acl(&mut self) -> io::Result<()> {
        let id = self.stream.long()?;
        let count = self.stream.int()?;
        if count == -1 {
            return Err(invalid(format!("ACL {id} is null")));
        }
        let mut list = count.max(0).to_be_bytes().to_vec();
        for _ in 0..count {
            list.extend_from_slice(self.stream.take(4)?);
            for _ in 0..2 {
                let field = self.stream.field()?;
                let length = field.map_or(-1, |bytes| bytes.len() as i32);
                list.extend_from_slice(&length.to_be_bytes());
                list.extend_from_slice(field.unwrap_or_default());
            }
            if list.len() > ACL_BYTES_MAX {
                return Err(invalid(format!("ACL {id} has more than {ACL_BYTES_MAX} bytes")));
            }
        }
        self.acl_ids.insert(id);
        self.replay.acl(id, &list).map_err(invalid)
    }

    /// False at the end mark.
    fn znode(&mut self) -> io::Result<bool> {
        let Some(path) = self.stream.field()? else {
            return Err(invalid("a znode without a path".into()));
        };
        if path == b"/" {
            return Ok(false);
        }
        let path = text(path).into_owned();
        let bad_stat = |_| invalid(format!("znode {path}: a stat that cannot be read"));
        self.data.clear();
        let data = self.stream.field()?;
        let some = data.is_some();
        self.data.extend_from_slice(data.unwrap_or_default());
        let acl_id = self.stream.long()?;
        if acl_id != OPEN_ACL_ID && !self.acl_ids.contains(&acl_id) {
            return Err(invalid(format!("znode {path} has ACL {acl_id}, which is not there")));
        }
        let stat = self.stream.take(StatPersisted::BYTES)?;
        let stat = StatPersisted::decode(&mut Reader::new(stat)).map_err(bad_stat)?;
        let data = some.then_some(&self.data[..]);
        self.replay.znode(&path, data, acl_id, &stat).map_err(invalid)?;
        Ok(true)
    }

    fn seal(&mut self, place: &str) -> io::Result<()> {
        let expected = self.stream.sum();
        let (found, mark) = (self.stream.long()?, self.stream.field()?);
        if found != expected || mark != Some(b"/") {
            return Err(invalid(format!("the checksum {place} does not fit")));
        }
        Ok(())
    }

    /// The sections have no tags: how much is left tells which they are.
    fn sections(&mut self, summary: &mut Summary) -> io::Result<()> {
        const DIGEST: usize = DIGEST_BYTES + SEAL_BYTES;
        const LAST: usize = LAST_ZXID_BYTES + SEAL_BYTES;
        const BOTH: usize = DIGEST + LAST;
        let left = self.stream.rest(BOTH)?.len();
        let (digest, last) = match left {
            0 => (false, false),
            LAST => (false, true),
            DIGEST => (true, false),
            BOTH => (true, true),
            _ => return Err(invalid(format!("{left} bytes behind the znodes are no section"))),
        };
        if digest {
            let zxid = Zxid(self.stream.long()?);
            let version = self.stream.int()?;
            let digest = self.stream.long()?;
            self.seal("after the digest")?;
            if version == DIGEST_VERSION {
                summary.digest = Some((zxid, digest));
            }
        }
        if last {
            let zxid = Zxid(self.stream.long()?);
            self.seal("after the last zxid")?;
            summary.last_zxid = Some(zxid);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::super::testing::Collect;
    use super::super::export::ApacheSnapshotWriter;
    use super::super::stream::tests::{gzip, snappy};
    use super::*;

    /// The snapshot of the spec's appendix A, from its parts; its seals are Apache's.
    pub fn golden(last_zxid: bool) -> Vec<u8> {
        let session = 0x0100_0000_0000_0001;
        let mut writer =
            ApacheSnapshotWriter::new(Vec::new(), [(session, 30_000)].into_iter()).unwrap();
        let (mut read, mut all) = (Vec::new(), Vec::new());
        zk_wire::Acl::encode_list(&[zk_wire::Acl::new(1, "world", "anyone")], &mut read);
        zk_wire::Acl::encode_list(&[zk_wire::Acl::new(31, "world", "anyone")], &mut all);
        writer.acls([(1, &read[..]), (2, &all[..])].into_iter()).unwrap();
        let zxid = Zxid::new(1, 2);
        let zero = StatPersisted::default();
        let root = StatPersisted { cversion: 1, pzxid: zxid.0, ..zero };
        let time_ms = 1_700_000_000_001;
        let a = StatPersisted {
            czxid: zxid.0,
            mzxid: zxid.0,
            ctime_ms: time_ms,
            mtime_ms: time_ms,
            ephemeral_owner: session,
            pzxid: zxid.0,
            ..zero
        };
        writer.znode("", Some(b""), -1, &root).unwrap();
        writer.znode("/a", Some(b"x"), 2, &a).unwrap();
        writer.znode("/zookeeper", Some(b""), -1, &zero).unwrap();
        // Apache's server sets this ACL with version -1, and keeps that.
        let config = StatPersisted { aversion: -1, ..zero };
        writer.znode("/zookeeper/config", Some(b""), 1, &config).unwrap();
        writer.znode("/zookeeper/quota", Some(b""), -1, &zero).unwrap();
        let mut bytes = writer.finish(zxid, Some(0x1_9c98_d1c4)).unwrap();
        if !last_zxid {
            bytes.truncate(bytes.len() - LAST_ZXID_BYTES - SEAL_BYTES);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<(Summary, Collect), String> {
        let mut state = Collect::default();
        Ok((read_stream(bytes, &mut state)?, state))
    }

    #[test]
    fn apaches_snapshot_is_written_alike() {
        let of_38 = golden(false);
        assert_eq!(of_38.len(), 583);
        let seal = |bytes: &[u8], end: usize| {
            let at = bytes.len() - end;
            u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
        };
        assert_eq!(format!("{:x}", seal(&of_38, 13)), "f03f4c2d");
        assert_eq!(format!("{:x}", seal(&of_38, 13 + 33)), "7fea473f");
        let of_39 = golden(true);
        assert_eq!(of_39.len(), 604);
        assert_eq!(of_39[583..591], Zxid::new(1, 2).0.to_be_bytes());
        assert_eq!(format!("{:x}", seal(&of_39, 13)), "4cdb4e08");
    }

    #[test]
    fn every_arrangement_of_sections_and_every_packing_is_read() {
        let both = golden(true);
        let (summary, state) = read(&both).unwrap();
        assert_eq!((summary.sessions, summary.acls, summary.znodes), (1, 2, 5));
        assert_eq!(summary.digest, Some((Zxid::new(1, 2), 0x1_9c98_d1c4)));
        assert_eq!(summary.last_zxid, Some(Zxid::new(1, 2)));
        assert_eq!(state.znodes[1].0, "/a");
        assert_eq!(state.sessions, [(0x0100_0000_0000_0001, 30_000)]);
        let digest_only = read(&both[..583]).unwrap().0;
        assert_eq!((digest_only.digest, digest_only.last_zxid), (summary.digest, None));
        let none = read(&both[..550]).unwrap().0;
        assert_eq!((none.digest, none.last_zxid), (None, None));
        let path = std::env::temp_dir().join(format!("zk-agent-pack-{}", std::process::id()));
        for (packing, packed) in [(Packing::Gzip, gzip(&both)), (Packing::Snappy, snappy(&both))] {
            std::fs::write(&path, packed).unwrap();
            assert!(looks_complete(&path, packing).unwrap());
            let mut unpacked = Collect::default();
            assert_eq!(read_snapshot(&path, packing, &mut unpacked), Ok(summary));
            assert_eq!(unpacked, state);
        }
        std::fs::write(&path, &both).unwrap();
        assert!(looks_complete(&path, Packing::Plain).unwrap());
        assert!(!looks_complete(&path, Packing::Gzip).unwrap());
        assert!(!looks_complete(&path, Packing::Snappy).unwrap());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn every_flipped_bit_and_every_shorter_file_is_refused_or_the_same() {
        let good = golden(true);
        let state = read(&good).unwrap().1;
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad).is_err(), "bit {bit}");
        }
        for length in 0..good.len() {
            match read(&good[..length]) {
                Ok((_, found)) => assert!(found == state && [550, 583].contains(&length)),
                Err(detail) => assert!(!detail.is_empty()),
            }
        }
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let mut bytes = golden(false)[..16].to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&0x0fff_ffff_i32.to_be_bytes());
        let error = read(&bytes).unwrap_err();
        assert!(error.contains("ends too early"), "{error}");
        bytes.truncate(24);
        bytes.extend_from_slice(&i32::MAX.to_be_bytes());
        assert!(read(&bytes).unwrap_err().contains("a length of"));
    }
}
