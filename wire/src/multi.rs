//! multi and multiRead: a row of operations, each behind its own header.
//!
//! ```text
//! { MultiHeader(type, done = false, err = -1), record }*  MultiHeader(-1, true, -1)
//! ```

use crate::code::Code;
use crate::jute::{DecodeError, Reader, Result, Writer};
use crate::op::Op;
use crate::request::{CreateRequest, PathVersionRequest, PathWatchRequest, SetDataRequest, flags};

/// Bytes of a MultiHeader.
pub const HEADER_BYTES: usize = 9;

/// Writes a MultiHeader.
#[inline]
pub fn encode_header(out: &mut Vec<u8>, op: i32, done: bool, code: i32) {
    out.put_int(op);
    out.put_boolean(done);
    out.put_int(code);
}

/// Writes the header that ends a multi, in both directions.
pub fn encode_end(out: &mut Vec<u8>) {
    encode_header(out, -1, true, -1);
}

/// Writes the result of an operation that failed or was not done.
pub fn encode_error(out: &mut Vec<u8>, code: Code) {
    encode_header(out, -1, false, code.0);
    out.put_int(code.0);
}

/// One operation of a multi or multiRead.
#[derive(Clone, Debug)]
pub enum SubRequest<'a> {
    /// Any of the create family; the op is normalised as Apache does it.
    Create(Op, CreateRequest<'a>),
    /// delete.
    Delete(PathVersionRequest<'a>),
    /// setData.
    SetData(SetDataRequest<'a>),
    /// check.
    Check(PathVersionRequest<'a>),
    /// getData, in multiRead only.
    GetData(PathWatchRequest<'a>),
    /// getChildren, in multiRead only.
    GetChildren(PathWatchRequest<'a>),
}

impl SubRequest<'_> {
    /// The path, unless it is null.
    pub fn path(&self) -> Option<&str> {
        match self {
            SubRequest::Create(_, request) => request.path.as_deref(),
            SubRequest::Delete(request) | SubRequest::Check(request) => request.path.as_deref(),
            SubRequest::SetData(request) => request.path.as_deref(),
            SubRequest::GetData(request) | SubRequest::GetChildren(request) => {
                request.path.as_deref()
            }
        }
    }

    /// Whether it belongs into multiRead.
    pub fn is_read(&self) -> bool {
        matches!(self, SubRequest::GetData(_) | SubRequest::GetChildren(_))
    }
}

/// Reads a multi operation by operation.
#[derive(Clone, Debug)]
pub struct SubRequests<'a> {
    reader: Reader<'a>,
    reads: Option<bool>,
    done: bool,
}

impl<'a> SubRequests<'a> {
    /// Starts at the first header. Reads and writes in one list do not decode; whether they are of
    /// the kind that is wanted is for the caller to see.
    pub fn new(reader: Reader<'a>) -> SubRequests<'a> {
        SubRequests { reader, reads: None, done: false }
    }

    /// The next operation, `None` behind the last one.
    pub fn read_next(&mut self) -> Result<Option<SubRequest<'a>>> {
        if self.done {
            return Ok(None);
        }
        let reader = &mut self.reader;
        let op = Op(reader.int("MultiHeader.type")?);
        self.done = reader.boolean("MultiHeader.done")?;
        reader.int("MultiHeader.err")?;
        if self.done {
            return Ok(None);
        }
        let sub = match op {
            Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER => {
                let request = CreateRequest::decode(reader)?;
                SubRequest::Create(normal(op, &request)?, request)
            }
            Op::CREATE_TTL => {
                let mut request = CreateRequest::decode_ttl(reader)?;
                let op = normal(op, &request)?;
                if op != Op::CREATE_TTL {
                    request.ttl_ms = -1;
                }
                SubRequest::Create(op, request)
            }
            Op::DELETE => SubRequest::Delete(PathVersionRequest::decode(reader)?),
            Op::SET_DATA => SubRequest::SetData(SetDataRequest::decode(reader)?),
            Op::CHECK => SubRequest::Check(PathVersionRequest::decode(reader)?),
            Op::GET_DATA => SubRequest::GetData(PathWatchRequest::decode(reader)?),
            Op::GET_CHILDREN => SubRequest::GetChildren(PathWatchRequest::decode(reader)?),
            other => {
                let value = i64::from(other.0);
                return Err(DecodeError::Value { field: "MultiHeader.type", value });
            }
        };
        if *self.reads.get_or_insert(sub.is_read()) != sub.is_read() {
            return Err(DecodeError::Value { field: "MultiHeader.type", value: i64::from(op.0) });
        }
        Ok(Some(sub))
    }
}

/// The operation that the flags make of a create inside a multi, and what they may not be.
fn normal(op: Op, request: &CreateRequest<'_>) -> Result<Op> {
    let bad = DecodeError::Value { field: "CreateRequest.flags", value: request.flags.into() };
    if op == Op::CREATE_TTL {
        // Flags without a TTL make a plain create of it, and are judged there.
        return Ok(match request.flags {
            flags::PERSISTENT_TTL | flags::PERSISTENT_SEQUENTIAL_TTL => Op::CREATE_TTL,
            flags::CONTAINER => Op::CREATE_CONTAINER,
            _ => Op::CREATE,
        });
    }
    let op = match request.flags {
        flags::CONTAINER => Op::CREATE_CONTAINER,
        flags::PERSISTENT..=flags::EPHEMERAL_SEQUENTIAL => op,
        // A null list is told before flags that want a TTL, and after those that are none.
        flags::PERSISTENT_TTL | flags::PERSISTENT_SEQUENTIAL_TTL if request.acl.is_null() => op,
        _ => return Err(bad),
    };
    if request.acl.is_null() {
        return Err(DecodeError::Null { field: "CreateRequest.acl" });
    }
    Ok(op)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_do_not_mix() {
        let mut out = Vec::new();
        encode_header(&mut out, Op::DELETE.0, false, -1);
        out.put_string("/a");
        out.put_int(-1);
        encode_end(&mut out);
        let mut subs = SubRequests::new(Reader::new(&out));
        assert!(matches!(subs.read_next(), Ok(Some(SubRequest::Delete(_)))));
        assert!(matches!(subs.read_next(), Ok(None)));
        assert!(matches!(subs.read_next(), Ok(None)));
        out.truncate(out.len() - HEADER_BYTES);
        encode_header(&mut out, Op::GET_DATA.0, false, -1);
        out.put_string("/a");
        out.put_boolean(false);
        let mut subs = SubRequests::new(Reader::new(&out));
        assert!(matches!(subs.read_next(), Ok(Some(SubRequest::Delete(_)))));
        assert!(subs.read_next().is_err());
    }
}
