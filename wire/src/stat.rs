//! The stat of a znode: as a client sees it (68 bytes), and as snapshots hold it (60 bytes).

use crate::jute::{Reader, Result, Writer};

/// What a client sees of a znode. `cversion` here is `2 * creations - children`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stat {
    /// Zxid of the creation.
    pub czxid: i64,
    /// Zxid of the last change of the data.
    pub mzxid: i64,
    /// Wall clock of the creation, in ms since 1970.
    pub ctime_ms: i64,
    /// Wall clock of the last change of the data, in ms since 1970.
    pub mtime_ms: i64,
    /// Changes of the data.
    pub version: i32,
    /// Changes of the children.
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// The session that owns an ephemeral znode, 0 for every other kind.
    pub ephemeral_owner: i64,
    /// Bytes of data; 0 for null data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
    /// Zxid of the last change of the children.
    pub pzxid: i64,
}

impl Stat {
    /// Bytes on the wire.
    pub const BYTES: usize = 68;

    /// Writes the 68 bytes.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0u8; Stat::BYTES];
        bytes[0..8].copy_from_slice(&self.czxid.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.mzxid.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.ctime_ms.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.mtime_ms.to_be_bytes());
        bytes[32..36].copy_from_slice(&self.version.to_be_bytes());
        bytes[36..40].copy_from_slice(&self.cversion.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.aversion.to_be_bytes());
        bytes[44..52].copy_from_slice(&self.ephemeral_owner.to_be_bytes());
        bytes[52..56].copy_from_slice(&self.data_length.to_be_bytes());
        bytes[56..60].copy_from_slice(&self.num_children.to_be_bytes());
        bytes[60..68].copy_from_slice(&self.pzxid.to_be_bytes());
        out.extend_from_slice(&bytes);
    }

    /// Reads the 68 bytes.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Stat> {
        Ok(Stat {
            czxid: reader.long("Stat.czxid")?,
            mzxid: reader.long("Stat.mzxid")?,
            ctime_ms: reader.long("Stat.ctime")?,
            mtime_ms: reader.long("Stat.mtime")?,
            version: reader.int("Stat.version")?,
            cversion: reader.int("Stat.cversion")?,
            aversion: reader.int("Stat.aversion")?,
            ephemeral_owner: reader.long("Stat.ephemeralOwner")?,
            data_length: reader.int("Stat.dataLength")?,
            num_children: reader.int("Stat.numChildren")?,
            pzxid: reader.long("Stat.pzxid")?,
        })
    }
}

/// What a snapshot holds of a znode. `cversion` here counts creations of children only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StatPersisted {
    /// Zxid of the creation.
    pub czxid: i64,
    /// Zxid of the last change of the data.
    pub mzxid: i64,
    /// Wall clock of the creation, in ms since 1970.
    pub ctime_ms: i64,
    /// Wall clock of the last change of the data, in ms since 1970.
    pub mtime_ms: i64,
    /// Changes of the data.
    pub version: i32,
    /// Children ever created below this znode.
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// Session id, or the mark of a container or TTL znode, or 0.
    pub ephemeral_owner: i64,
    /// Zxid of the last change of the children.
    pub pzxid: i64,
}

impl StatPersisted {
    /// Bytes in a snapshot.
    pub const BYTES: usize = 60;

    /// Writes the 60 bytes, `pzxid` last.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_long(self.czxid);
        out.put_long(self.mzxid);
        out.put_long(self.ctime_ms);
        out.put_long(self.mtime_ms);
        out.put_int(self.version);
        out.put_int(self.cversion);
        out.put_int(self.aversion);
        out.put_long(self.ephemeral_owner);
        out.put_long(self.pzxid);
    }

    /// Reads the 60 bytes.
    pub fn decode(reader: &mut Reader<'_>) -> Result<StatPersisted> {
        Ok(StatPersisted {
            czxid: reader.long("StatPersisted.czxid")?,
            mzxid: reader.long("StatPersisted.mzxid")?,
            ctime_ms: reader.long("StatPersisted.ctime")?,
            mtime_ms: reader.long("StatPersisted.mtime")?,
            version: reader.int("StatPersisted.version")?,
            cversion: reader.int("StatPersisted.cversion")?,
            aversion: reader.int("StatPersisted.aversion")?,
            ephemeral_owner: reader.long("StatPersisted.ephemeralOwner")?,
            pzxid: reader.long("StatPersisted.pzxid")?,
        })
    }
}
