//! Transactions as bytes: TxnHeader, record, and the digest of the tree behind it.
//!
//! The bytes are Apache's: the same string is a record of the log, of a proposal and of a file that
//! an Apache server reads. Nothing is re-encoded on the way; who applies a txn decodes it.
//!
//! ```text
//! header: clientId i64, cxid i32, zxid i64, time i64, type i32     32 bytes
//! body:   by type, see `Body`
//! digest: version i32 (2), treeDigest i64                          12 bytes, may be missing
//! ```

use std::borrow::Cow;

use zk_wire::jute::{DecodeError, Reader, Result};
use zk_wire::request::AclList;
use zk_wire::{Code, Op, Writer, Zxid};

/// Version of the digest that we write and compare.
pub const DIGEST_VERSION: i32 = 2;

/// What stands before each body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnHeader {
    /// The session; 0 for what the server does by itself.
    pub session: i64,
    /// The client's xid; 0 for sessions and for what the server does by itself.
    pub cxid: i32,
    /// The zxid.
    pub zxid: Zxid,
    /// Wall clock of the server that prepared it, in ms since 1970.
    pub time_ms: i64,
    /// Which body follows.
    pub op: Op,
}

impl TxnHeader {
    /// Bytes of a header.
    pub const BYTES: usize = 32;

    /// Writes the 32 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_long(self.session);
        out.put_int(self.cxid);
        out.put_long(self.zxid.0);
        out.put_long(self.time_ms);
        out.put_int(self.op.0);
    }

    /// The type of a txn by its bytes; `None` when these are no header.
    pub fn op_of(txn: &[u8]) -> Option<Op> {
        let bytes = txn.get(TxnHeader::BYTES - 4..)?.first_chunk()?;
        Some(Op(i32::from_be_bytes(*bytes)))
    }

    /// Reads the 32 bytes.
    pub fn decode(reader: &mut Reader<'_>) -> Result<TxnHeader> {
        Ok(TxnHeader {
            session: reader.long("TxnHeader.clientId")?,
            cxid: reader.int("TxnHeader.cxid")?,
            zxid: Zxid(reader.long("TxnHeader.zxid")?),
            time_ms: reader.long("TxnHeader.time")?,
            op: Op(reader.int("TxnHeader.type")?),
        })
    }
}

/// A create of any kind.
#[derive(Clone, Debug)]
pub struct CreateTxn<'a> {
    /// create, create2, createContainer or createTTL.
    pub op: Op,
    /// The final path.
    pub path: Cow<'a, str>,
    /// The data.
    pub data: Option<&'a [u8]>,
    /// The ACL after expansion.
    pub acl: AclList<'a>,
    /// Whether the session of the header owns it.
    pub ephemeral: bool,
    /// The parent's count of creations after this one; -1 means "one more".
    pub parent_cversion: i32,
    /// TTL in ms for createTTL, else 0.
    pub ttl_ms: i64,
}

/// What a txn does. Versions are the resulting ones.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// A session begins, with its timeout in ms.
    CreateSession(i32),
    /// A session ends; the list names its ephemerals when the writer knew them.
    CloseSession(Option<Vec<Cow<'a, str>>>),
    /// A request failed; only the zxid advances.
    Error(Code),
    /// A znode appears.
    Create(CreateTxn<'a>),
    /// A znode goes; delete and deleteContainer.
    Delete(Cow<'a, str>),
    /// Data changes; setData and reconfig.
    SetData(Cow<'a, str>, Option<&'a [u8]>, i32),
    /// The ACL changes.
    SetAcl(Cow<'a, str>, AclList<'a>, i32),
    /// Inside a multi only: a version was checked.
    Check(Cow<'a, str>),
    /// Several at once; the failed ones are `Body::Error`.
    Multi(Vec<(Op, Body<'a>)>),
}

/// A decoded txn.
#[derive(Clone, Debug)]
pub struct Txn<'a> {
    /// Who, when, what.
    pub header: TxnHeader,
    /// What it does.
    pub body: Body<'a>,
    /// The digest of the tree after it, if the writer gave one of a version that we know.
    pub digest: Option<u64>,
}

impl<'a> Txn<'a> {
    /// Reads a txn. Bytes behind the body that are no digest are ignored, as Apache does.
    pub fn decode(bytes: &'a [u8]) -> Result<Txn<'a>> {
        let mut reader = Reader::new(bytes);
        let header = TxnHeader::decode(&mut reader)?;
        let body = decode_body(header.op, &mut reader, true)?;
        let mut digest = None;
        if reader.rest().len() >= 12 && reader.int("TxnDigest.version")? == DIGEST_VERSION {
            digest = Some(reader.long("TxnDigest.treeDigest")? as u64);
        }
        Ok(Txn { header, body, digest })
    }
}

fn decode_body<'a>(op: Op, reader: &mut Reader<'a>, top: bool) -> Result<Body<'a>> {
    Ok(match op {
        Op::CREATE_SESSION if top => Body::CreateSession(reader.int("CreateSessionTxn.timeOut")?),
        Op::CLOSE_SESSION if top => Body::CloseSession(decode_close(reader)),
        Op::ERROR => Body::Error(Code(reader.int("ErrorTxn.err")?)),
        Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER | Op::CREATE_TTL => {
            Body::Create(decode_create(op, reader)?)
        }
        Op::DELETE | Op::DELETE_CONTAINER => Body::Delete(reader.string("DeleteTxn.path")?),
        Op::SET_DATA | Op::RECONFIG => Body::SetData(
            reader.string("SetDataTxn.path")?,
            reader.buffer("SetDataTxn.data")?,
            reader.int("SetDataTxn.version")?,
        ),
        Op::SET_ACL => Body::SetAcl(
            reader.string("SetACLTxn.path")?,
            AclList::scan(reader)?,
            reader.int("SetACLTxn.version")?,
        ),
        Op::CHECK if !top => {
            let path = reader.string("CheckVersionTxn.path")?;
            reader.int("CheckVersionTxn.version")?;
            Body::Check(path)
        }
        Op::MULTI if top => {
            let count = reader.count("MultiTxn.txns")?.unwrap_or(0);
            let mut list = Vec::with_capacity(reader.capacity(count, 8));
            for _ in 0..count {
                let op = Op(reader.int("Txn.type")?);
                let field = "Txn.data";
                let data = reader.buffer(field)?.ok_or(DecodeError::Null { field })?;
                list.push((op, decode_body(op, &mut Reader::new(data), false)?));
            }
            Body::Multi(list)
        }
        _ => return Err(DecodeError::Value { field: "TxnHeader.type", value: op.0.into() }),
    })
}

/// The list may be missing (before 3.6), and a writer with `closeSessionTxn.enabled=false` puts the
/// digest where the list would be: what does not read as a list is none.
fn decode_close<'a>(reader: &mut Reader<'a>) -> Option<Vec<Cow<'a, str>>> {
    let mut attempt = reader.clone();
    let paths = attempt.strings("CloseSessionTxn.paths2Delete").ok().flatten()?;
    *reader = attempt;
    Some(paths)
}

fn decode_create<'a>(op: Op, reader: &mut Reader<'a>) -> Result<CreateTxn<'a>> {
    let mut txn = CreateTxn {
        op,
        path: reader.string("CreateTxn.path")?,
        data: reader.buffer("CreateTxn.data")?,
        acl: AclList::scan(reader)?,
        ephemeral: false,
        parent_cversion: -1,
        ttl_ms: 0,
    };
    if matches!(op, Op::CREATE | Op::CREATE2) {
        txn.ephemeral = reader.boolean("CreateTxn.ephemeral")?;
    }
    // Writers before 3.4 end here (CreateTxnV0).
    if op != Op::CREATE || !reader.is_empty() {
        txn.parent_cversion = reader.int("CreateTxn.parentCVersion")?;
    }
    if op == Op::CREATE_TTL {
        txn.ttl_ms = reader.long("CreateTTLTxn.ttl")?;
    }
    Ok(txn)
}

/// Writes the body of a create.
#[expect(clippy::too_many_arguments, reason = "the fields of a record")]
pub fn encode_create(
    out: &mut Vec<u8>,
    op: Op,
    path: &str,
    data: Option<&[u8]>,
    acl: &[u8],
    ephemeral: bool,
    parent_cversion: i32,
    ttl_ms: i64,
) {
    out.put_string(path);
    out.put_buffer(data);
    out.extend_from_slice(acl);
    if matches!(op, Op::CREATE | Op::CREATE2) {
        out.put_boolean(ephemeral);
    }
    out.put_int(parent_cversion);
    if op == Op::CREATE_TTL {
        out.put_long(ttl_ms);
    }
}

/// Writes the digest behind a body.
pub fn encode_digest(out: &mut Vec<u8>, tree_digest: u64) {
    out.put_int(DIGEST_VERSION);
    out.put_long(tree_digest as i64);
}
