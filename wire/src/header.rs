//! The envelope of requests and replies, and the xids with a meaning of their own.

use crate::code::Code;
use crate::jute::{Reader, Result, Writer};
use crate::op::Op;
use crate::zxid::Zxid;

/// Xids that clients reserve.
pub mod xid {
    /// Server to client: a watch event.
    pub const NOTIFICATION: i32 = -1;
    /// A ping; the answer carries it whatever the ping carried.
    pub const PING: i32 = -2;
    /// An auth packet.
    pub const AUTH: i32 = -4;
    /// setWatches and setWatches2.
    pub const SET_WATCHES: i32 = -8;
}

/// What stands before each request's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Chosen by the client and echoed.
    pub xid: i32,
    /// The operation.
    pub op: Op,
}

impl RequestHeader {
    /// Reads the 8 bytes.
    #[inline]
    pub fn decode(reader: &mut Reader<'_>) -> Result<RequestHeader> {
        Ok(RequestHeader {
            xid: reader.int("RequestHeader.xid")?,
            op: Op(reader.int("RequestHeader.type")?),
        })
    }

    /// Writes the 8 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_int(self.xid);
        out.put_int(self.op.0);
    }
}

/// What stands before each reply's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The request's xid.
    pub xid: i32,
    /// The zxid last applied by the server when it answered.
    pub zxid: Zxid,
    /// The result; on anything but OK no record follows as a rule.
    pub code: Code,
}

impl ReplyHeader {
    /// Bytes on the wire.
    pub const BYTES: usize = 16;

    /// Reads the 16 bytes.
    pub fn decode(reader: &mut Reader<'_>) -> Result<ReplyHeader> {
        Ok(ReplyHeader {
            xid: reader.int("ReplyHeader.xid")?,
            zxid: Zxid(reader.long("ReplyHeader.zxid")?),
            code: Code(reader.int("ReplyHeader.err")?),
        })
    }

    /// Writes the 16 bytes.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0u8; ReplyHeader::BYTES];
        bytes[0..4].copy_from_slice(&self.xid.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.zxid.0.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.code.0.to_be_bytes());
        out.extend_from_slice(&bytes);
    }
}
