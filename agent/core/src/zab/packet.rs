//! The packets of the quorum port, as bytes.

use std::ops::Range;

use zk_wire::jute::{DecodeError, Reader, Result};
use zk_wire::{Id, Op, Writer, Zxid};

use crate::txn::TxnHeader;

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
    /// A reconfig is committed: its configuration is in force.
    pub const COMMITANDACTIVATE: i32 = 9;
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
    /// A committed reconfig, for observers.
    pub const INFORMANDACTIVATE: i32 = 19;
}

/// Version of the protocol that every server since 3.4 names.
pub const PROTOCOL: i32 = 0x1_0000;
/// Longest packet that is taken, in bytes: `jute.maxbuffer` may be raised on the other side.
pub const BYTES_MAX: usize = 64 << 20;

/// Identities of a request, at most.
const AUTH_MAX: i32 = 4096;

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
        // Told before any of it is waited for.
        if let Some(head) = reader.rest().first_chunk::<4>() {
            let length = i32::from_be_bytes(*head);
            if length > BYTES_MAX as i32 {
                let value = i64::from(length);
                return Err(DecodeError::Value { field: "QuorumPacket.data", value });
            }
        }
        let data = reader.buffer("QuorumPacket.data")?;
        let count = reader.int("QuorumPacket.authinfo")?;
        if count > AUTH_MAX {
            return Err(DecodeError::Value { field: "QuorumPacket.authinfo", value: count.into() });
        }
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

/// Writes a packet whose data stands in the same buffer already.
pub fn put_within(kind: i32, zxid: Zxid, data: Range<usize>, out: &mut Vec<u8>) {
    out.put_int(kind);
    out.put_long(zxid.0);
    out.put_int(data.len() as i32);
    out.extend_from_within(data);
    out.put_int(-1);
}

/// Writes a txn of the history. A configuration among them comes into force by NEWLEADER's.
pub fn put_committed(zxid: Zxid, txn: &[u8], out: &mut Vec<u8>) {
    put(kind::PROPOSAL, zxid, Some(txn), out);
    put(kind::COMMIT, zxid, None, out);
}

/// Whether a txn is a reconfig: then its commit says who leads from then on.
fn is_reconfig(txn: &[u8]) -> bool {
    TxnHeader::op_of(txn) == Some(Op::RECONFIG)
}

/// Writes that a txn is committed.
pub fn put_commit(zxid: Zxid, txn: &[u8], leader: i64, out: &mut Vec<u8>) {
    if is_reconfig(txn) {
        put(kind::COMMITANDACTIVATE, zxid, Some(&leader.to_be_bytes()), out);
    } else {
        put(kind::COMMIT, zxid, None, out);
    }
}

/// Writes a committed txn for observers.
pub fn put_inform(zxid: Zxid, txn: &[u8], leader: i64, out: &mut Vec<u8>) {
    if is_reconfig(txn) {
        let data = [&leader.to_be_bytes(), txn].concat();
        put(kind::INFORMANDACTIVATE, zxid, Some(&data), out);
    } else {
        put(kind::INFORM, zxid, Some(txn), out);
    }
}

/// Writes a txn for a follower that has not heard of it, though it is committed.
pub fn put_both(zxid: Zxid, txn: &[u8], leader: i64, out: &mut Vec<u8>) {
    put(kind::PROPOSAL, zxid, Some(txn), out);
    put_commit(zxid, txn, leader, out);
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Bytes from hex digits; white space is skipped.
    pub fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    fn packet(kind: i32, zxid: Zxid, data: Option<&[u8]>) -> Packet<'_> {
        Packet { kind, zxid, data, auth: Vec::new() }
    }

    #[test]
    fn the_bytes_are_those_of_apaches_servers() {
        let info = hex("0000000000000003 00010000 0000000000000000");
        let (epoch, protocol) = (5i32.to_be_bytes(), PROTOCOL.to_be_bytes());
        let z = Zxid::new;
        let golden = [
            (
                packet(kind::FOLLOWERINFO, z(5, 0), Some(&info)),
                "0000000b 0000000500000000 00000014 0000000000000003 00010000 0000000000000000 ffffffff",
            ),
            (
                packet(kind::LEADERINFO, z(6, 0), Some(&protocol)),
                "00000011 0000000600000000 00000004 00010000 ffffffff",
            ),
            (
                packet(kind::ACKEPOCH, z(5, 0x2a), Some(&epoch)),
                "00000012 000000050000002a 00000004 00000005 ffffffff",
            ),
            (packet(kind::DIFF, z(5, 0x2a), None), "0000000d 000000050000002a ffffffff ffffffff"),
            (packet(kind::NEWLEADER, z(6, 0), None), "0000000a 0000000600000000 ffffffff ffffffff"),
            (packet(kind::ACK, z(6, 0), None), "00000003 0000000600000000 ffffffff ffffffff"),
            (
                packet(kind::UPTODATE, Zxid::NONE, None),
                "0000000c ffffffffffffffff ffffffff ffffffff",
            ),
            (
                packet(kind::PING, z(6, 10), Some(&[])),
                "00000005 000000060000000a 00000000 ffffffff",
            ),
            (packet(kind::COMMIT, z(6, 11), None), "00000004 000000060000000b ffffffff ffffffff"),
        ];
        for (packet, bytes) in golden {
            let bytes = hex(bytes);
            let mut out = Vec::new();
            put(packet.kind, packet.zxid, packet.data, &mut out);
            assert_eq!(out, bytes, "{packet:?}");
            let length = bytes.len();
            assert_eq!(Packet::cut(&bytes), Ok(Some((packet, length))));
            for end in 0..length {
                assert_eq!(Packet::cut(&bytes[..end]), Ok(None));
            }
        }
    }

    #[test]
    fn a_reconfig_names_the_next_leader() {
        let mut out = Vec::new();
        let (z, mut txn) = (Zxid::new(6, 12), vec![0; TxnHeader::BYTES]);
        txn[TxnHeader::BYTES - 1] = 16;
        put_commit(z, &txn, 3, &mut out);
        let golden = "00000009 000000060000000c 00000008 0000000000000003 ffffffff";
        assert_eq!(out, hex(golden));
        out.clear();
        put_inform(z, &txn, 3, &mut out);
        assert_eq!(out[..24], hex("00000013 000000060000000c 00000028 0000000000000003"));
        assert_eq!(out[24..24 + TxnHeader::BYTES], txn);
        txn[TxnHeader::BYTES - 1] = 5;
        out.clear();
        put_commit(z, &txn, 3, &mut out);
        assert_eq!(out, hex("00000004 000000060000000c ffffffff ffffffff"));
    }

    #[test]
    fn a_request_names_on_whose_behalf() {
        let mut out = Vec::new();
        let auth = [Id::new("ip", "127.0.0.1")];
        put_for(kind::REQUEST, Zxid::NONE, &[1, 2], &auth, &mut out);
        let golden = "00000001 ffffffffffffffff 00000002 0102 00000001 00000002 6970 00000009
            3132372e302e302e31";
        assert_eq!(out, hex(golden));
        let (packet, length) = Packet::cut(&out).unwrap().unwrap();
        assert_eq!(
            (packet.data, &packet.auth[..], length),
            (Some(&[1, 2][..]), &auth[..], out.len())
        );
    }

    #[test]
    fn impossible_lengths_are_refused() {
        assert!(Packet::cut(&hex("00000002 0000000100000001 fffffffe")).is_err());
        assert!(Packet::cut(&hex("00000002 0000000100000001 7fffffff")).is_err());
        assert!(Packet::cut(&hex("00000001 ffffffffffffffff ffffffff 7fffffff")).is_err());
    }
}
