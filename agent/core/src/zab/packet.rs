//! The packets of the quorum port, as bytes.

use zk_wire::jute::{DecodeError, Reader, Result};
use zk_wire::{Id, Writer, Zxid};

/// Types of packets.
pub mod kind {
    /// A write of a learner's client.
    pub const REQUEST: i32 = 1;
    /// A txn to log.
    pub const PROPOSAL: i32 = 2;
    /// A txn is logged.
    pub const ACK: i32 = 3;
    /// A txn is committed.
    pub const COMMIT: i32 = 4;
    /// Is anyone there.
    pub const PING: i32 = 5;
    /// Is a session alive.
    pub const REVALIDATE: i32 = 6;
    /// A sync is done.
    pub const SYNC: i32 = 7;
    /// A committed txn, for observers.
    pub const INFORM: i32 = 8;
    /// The history is sent; the epoch begins.
    pub const NEWLEADER: i32 = 10;
    /// A follower introduces itself.
    pub const FOLLOWERINFO: i32 = 11;
    /// Serve.
    pub const UPTODATE: i32 = 12;
    /// The history follows.
    pub const DIFF: i32 = 13;
    /// Cut the log.
    pub const TRUNC: i32 = 14;
    /// The database follows.
    pub const SNAP: i32 = 15;
    /// An observer introduces itself.
    pub const OBSERVERINFO: i32 = 16;
    /// The new epoch.
    pub const LEADERINFO: i32 = 17;
    /// The epoch is promised.
    pub const ACKEPOCH: i32 = 18;
}

/// Version of the protocol that every server since 3.4 names.
pub const PROTOCOL: i32 = 0x1_0000;
/// Longest packet that is taken, in bytes: `jute.maxbuffer` may be raised on the other side.
pub const BYTES_MAX: usize = 64 << 20;

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its type.
    pub kind: i32,
    /// A zxid, or -1.
    pub zxid: Zxid,
    /// What it carries.
    pub data: Option<&'a [u8]>,
    /// On whose behalf.
    pub auth: Vec<Id>,
}

impl<'a> Packet<'a> {
    /// Cuts a packet from the front of what came; `None` when it is not all there.
    ///
    /// # Errors
    /// When no packet can begin like this.
    pub fn cut(bytes: &'a [u8]) -> Result<Option<(Packet<'a>, usize)>> {
        let mut reader = Reader::new(bytes);
        match Packet::decode(&mut reader) {
            Ok(packet) => Ok(Some((packet, reader.position()))),
            Err(DecodeError::End { .. }) if bytes.len() <= BYTES_MAX => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Packet<'a>> {
        let kind = reader.int("QuorumPacket.type")?;
        let zxid = Zxid(reader.long("QuorumPacket.zxid")?);
        let data = reader.buffer("QuorumPacket.data")?;
        let count = reader.int("QuorumPacket.authinfo")?;
        let mut auth = Vec::new();
        for _ in 0..count {
            let scheme = reader.string("Id.scheme")?.into_owned();
            let id = reader.string("Id.id")?.into_owned();
            auth.push(Id::new(&scheme, &id));
        }
        Ok(Packet { kind, zxid, data, auth })
    }
}

/// Writes a packet without authentication.
pub fn put(kind: i32, zxid: Zxid, data: Option<&[u8]>, out: &mut Vec<u8>) {
    out.put_int(kind);
    out.put_long(zxid.0);
    out.put_buffer(data);
    out.put_int(-1);
}

/// Writes a packet on behalf of somebody.
pub fn put_for(kind: i32, zxid: Zxid, data: &[u8], auth: &[Id], out: &mut Vec<u8>) {
    out.put_int(kind);
    out.put_long(zxid.0);
    out.put_buffer(Some(data));
    out.put_int(auth.len() as i32);
    for id in auth {
        out.put_string(id.scheme());
        out.put_string(id.id());
    }
}
