//! Several operations in one: `multi` does all or nothing, `multi_read` answers each by itself.

use zk_wire::acl::Acl;
use zk_wire::multi::{encode_end, encode_header};
use zk_wire::request::{encode_create, encode_path_int, encode_path_watch, encode_set_data};
use zk_wire::{Code, Op, Reader, Stat};

use crate::call::{Call, Encode, join, strip};
use crate::calls::Mode;
use crate::client::Client;
use crate::error::{Error, Result};

/// An operation of a multi.
#[derive(Clone, Debug)]
pub enum Write<'a> {
    /// Create a znode.
    Create {
        /// Its path.
        path: &'a str,
        /// Its data; `None` is null.
        data: Option<&'a [u8]>,
        /// Its ACL.
        acl: &'a [Acl],
        /// What it is.
        mode: Mode,
    },
    /// Delete a znode of this version; -1 takes any.
    Delete(&'a str, i32),
    /// Set the data of a znode of this version; -1 takes any.
    Set(&'a str, Option<&'a [u8]>, i32),
    /// Fail unless the znode exists in this version; -1 takes any.
    Check(&'a str, i32),
}

/// A read of a multi-read.
#[derive(Clone, Debug)]
pub enum Read<'a> {
    /// Data and stat.
    Get(&'a str),
    /// Names of the children.
    Children(&'a str),
}

/// What one operation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Created at this path; the stat is missing where the server sends none.
    Created(String, Option<Stat>),
    /// Deleted.
    Deleted,
    /// Set.
    Set(Stat),
    /// The check held.
    Checked,
    /// Data and stat.
    Data(Option<Vec<u8>>, Stat),
    /// Names of the children, in no order.
    Children(Vec<String>),
    /// Not done: OK for what stands before the operation that failed, RUNTIMEINCONSISTENCY for what
    /// stands behind it, else the reason.
    Failed(Code),
}

impl Write<'_> {
    fn path(&self) -> (&str, bool) {
        match self {
            Write::Create { path, mode, .. } => (path, mode.is_sequential()),
            Write::Delete(path, _) | Write::Set(path, _, _) | Write::Check(path, _) => {
                (path, false)
            }
        }
    }

    fn encode(&self, out: &mut Vec<u8>, chroot: &str) {
        match self {
            Write::Create { path, data, acl, mode } => {
                let (op, flags, ttl_ms) = mode.parts();
                encode_header(out, op.0, false, -1);
                encode_create(out, &join(chroot, path), *data, acl, flags, ttl_ms);
            }
            Write::Delete(path, version) => {
                encode_header(out, Op::DELETE.0, false, -1);
                encode_path_int(out, &join(chroot, path), *version);
            }
            Write::Set(path, data, version) => {
                encode_header(out, Op::SET_DATA.0, false, -1);
                encode_set_data(out, &join(chroot, path), *data, *version);
            }
            Write::Check(path, version) => {
                encode_header(out, Op::CHECK.0, false, -1);
                encode_path_int(out, &join(chroot, path), *version);
            }
        }
    }
}

impl Read<'_> {
    fn path(&self) -> &str {
        match self {
            Read::Get(path) | Read::Children(path) => path,
        }
    }
}

/// A call without a path of its own, whose outcomes lose the chroot.
fn several<'a, E: Encode>(op: Op, encode: E) -> Call<'a, Vec<Outcome>, E> {
    Call {
        op,
        path: None,
        sequential: false,
        absolute: false,
        encode,
        decode: |body, chroot| {
            let mut list = outcomes(body)?;
            for outcome in &mut list {
                if let Outcome::Created(path, _) = outcome {
                    *path = strip(chroot, std::mem::take(path));
                }
            }
            Ok(list)
        },
        wish: None,
        watches: false,
    }
}

/// multi. The paths are those of the client and must have been checked: [`check_writes`].
pub fn multi<'a>(writes: &'a [Write<'a>]) -> Call<'a, Vec<Outcome>, impl Encode + 'a> {
    several(Op::MULTI, move |out: &mut Vec<u8>, _: &str, chroot: &str| {
        writes.iter().for_each(|write| write.encode(out, chroot));
        encode_end(out);
    })
}

/// multiRead. As for multi, the paths must have been checked.
pub fn multi_read<'a>(reads: &'a [Read<'a>]) -> Call<'a, Vec<Outcome>, impl Encode + 'a> {
    several(Op::MULTI_READ, move |out: &mut Vec<u8>, _: &str, chroot: &str| {
        for read in reads {
            let op = match read {
                Read::Get(_) => Op::GET_DATA,
                Read::Children(_) => Op::GET_CHILDREN,
            };
            encode_header(out, op.0, false, -1);
            encode_path_watch(out, &join(chroot, read.path()), false);
        }
        encode_end(out);
    })
}

/// Checks the paths of a multi.
pub fn check_writes(client: &Client, writes: &[Write<'_>]) -> Result<()> {
    writes
        .iter()
        .map(Write::path)
        .try_for_each(|(path, sequential)| client.full(path, sequential).map(|_| ()))
}

/// Checks the paths of a multiRead.
pub fn check_reads(client: &Client, reads: &[Read<'_>]) -> Result<()> {
    reads.iter().try_for_each(|read| client.full(read.path(), false).map(|_| ()))
}

impl Client {
    /// Does all operations or none. One of the outcomes says why when it was none.
    pub fn multi(&self, writes: &[Write<'_>]) -> Result<Vec<Outcome>> {
        check_writes(self, writes)?;
        self.run(multi(writes))
    }

    /// Reads several znodes as they stand at one moment.
    pub fn multi_read(&self, reads: &[Read<'_>]) -> Result<Vec<Outcome>> {
        check_reads(self, reads)?;
        self.run(multi_read(reads))
    }
}

/// Reads the record of a reply to multi or multiRead.
pub fn outcomes(body: &[u8]) -> Result<Vec<Outcome>> {
    let mut reader = Reader::new(body);
    let mut list = Vec::new();
    loop {
        let op = Op(reader.int("MultiHeader.type")?);
        let done = reader.boolean("MultiHeader.done")?;
        reader.int("MultiHeader.err")?;
        if done {
            return Ok(list);
        }
        list.push(match op {
            Op::CREATE => {
                Outcome::Created(reader.string("CreateResponse.path")?.into_owned(), None)
            }
            Op::CREATE2 => {
                let path = reader.string("Create2Response.path")?.into_owned();
                Outcome::Created(path, Some(Stat::decode(&mut reader)?))
            }
            Op::DELETE => Outcome::Deleted,
            Op::SET_DATA => Outcome::Set(Stat::decode(&mut reader)?),
            Op::CHECK => Outcome::Checked,
            Op::GET_DATA => {
                let data = reader.buffer("GetDataResponse.data")?.map(<[u8]>::to_vec);
                Outcome::Data(data, Stat::decode(&mut reader)?)
            }
            Op::GET_CHILDREN => {
                let names = reader.strings("GetChildrenResponse.children")?.unwrap_or_default();
                Outcome::Children(names.into_iter().map(|name| name.into_owned()).collect())
            }
            Op::ERROR => Outcome::Failed(Code(reader.int("ErrorResponse.err")?)),
            other => return Err(Error::Protocol(format!("{other:?} as a result of a multi"))),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zk_wire::Writer;
    use zk_wire::multi::encode_error;

    #[test]
    fn outcomes_of_each_kind() {
        let mut body = Vec::new();
        encode_header(&mut body, Op::CREATE.0, false, 0);
        body.put_string("/a");
        encode_header(&mut body, Op::DELETE.0, false, 0);
        encode_error(&mut body, Code::NO_NODE);
        encode_end(&mut body);
        let expected = [
            Outcome::Created("/a".to_owned(), None),
            Outcome::Deleted,
            Outcome::Failed(Code::NO_NODE),
        ];
        assert_eq!(outcomes(&body).unwrap(), expected);
        assert!(outcomes(&body[..body.len() - 1]).is_err(), "no end, no outcomes");
    }
}
