//! The database on the wire, as a SNAP carries it: sessions, ACLs, znodes with parents first, a mark.
//!
//! It is read as it comes, in pieces cut anywhere; no more than one record is kept.

use zk_wire::StatPersisted;
use zk_wire::jute::{DecodeError, Reader};
use zk_wire::request::AclList;

use crate::load::{Loader, Recovered};
use crate::tree::sending::SIGNATURE;

/// A record above this is refused, in bytes. The largest znode an Apache server can send holds
/// `jute.maxbuffer` and its surplus; servers with larger settings send larger ones.
const RECORD_BYTES_MAX: usize = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    SessionCount,
    Sessions(i32),
    AclCount,
    Acls(i32),
    Znodes,
    Signature,
    Done,
}

/// A database that is being received.
#[derive(Debug)]
pub struct Receiver {
    part: Part,
    loader: Loader,
    rest: Vec<u8>,
}

/// What became of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All of them belong to it, and more must come.
    More,
    /// It is complete; so many of them belong to it.
    Complete(usize),
}

impl Receiver {
    /// Receives into an empty loader.
    pub fn new(loader: Loader) -> Receiver {
        Receiver { part: Part::SessionCount, loader, rest: Vec::new() }
    }

    /// Takes what came.
    ///
    /// # Errors
    /// When it is no database; one line saying where.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Progress, String> {
        let held = self.rest.len();
        let mut joined = std::mem::take(&mut self.rest);
        let all = if held == 0 {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined[..]
        };
        let mut used = 0;
        while self.part != Part::Done {
            match self.record(&all[used..]) {
                Ok(None) => {
                    if all.len() - used > RECORD_BYTES_MAX {
                        return Err(format!("a record above {RECORD_BYTES_MAX} bytes"));
                    }
                    self.rest = all[used..].to_vec();
                    return Ok(Progress::More);
                }
                Ok(Some(count)) => used += count,
                Err(error) => return Err(error),
            }
        }
        Ok(Progress::Complete(used - held))
    }

    /// The database, once it is complete.
    pub fn finish(self) -> Recovered {
        assert!(self.part == Part::Done, "the database is not complete");
        self.loader.finish()
    }

    /// Takes one record; says how long it was, or `None` when it is not all there.
    fn record(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let mut reader = Reader::new(bytes);
        match self.read(&mut reader) {
            Ok(()) => Ok(Some(reader.position())),
            Err(Failure::Decode(DecodeError::End { .. })) => Ok(None),
            Err(Failure::Decode(error)) => Err(error.to_string()),
            Err(Failure::Load(error)) => Err(error),
        }
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Failure> {
        self.part = match self.part {
            Part::SessionCount => Part::Sessions(reader.int("snapshot.sessions")?),
            Part::Sessions(left) if left <= 0 => Part::AclCount,
            Part::Sessions(left) => {
                let session = reader.long("snapshot.session")?;
                let timeout_ms = reader.int("snapshot.timeout")?;
                self.loader.session(session, timeout_ms);
                Part::Sessions(left - 1)
            }
            Part::AclCount => Part::Acls(reader.int("snapshot.acls")?),
            Part::Acls(left) if left <= 0 => Part::Znodes,
            Part::Acls(left) => {
                let number = reader.long("snapshot.acl")?;
                let list = AclList::scan(reader)?;
                self.loader.acl(number, list.bytes()).map_err(Failure::Load)?;
                Part::Acls(left - 1)
            }
            Part::Znodes => self.znode(reader)?,
            Part::Signature => {
                if reader.buffer("snapshot.signature")? != Some(SIGNATURE) {
                    return Err(Failure::Load("the signature behind it is wrong".to_owned()));
                }
                Part::Done
            }
            Part::Done => unreachable!("nothing is read behind the end"),
        };
        Ok(())
    }

    fn znode(&mut self, reader: &mut Reader<'_>) -> Result<Part, Failure> {
        let path = reader.string("snapshot.path")?;
        if path == "/" {
            return Ok(Part::Signature);
        }
        let data = reader.buffer("snapshot.data")?;
        let acl = reader.long("snapshot.acl")?;
        let stat = StatPersisted::decode(reader)?;
        self.loader.znode(&path, data, acl, &stat).map_err(Failure::Load)?;
        Ok(Part::Znodes)
    }
}

enum Failure {
    Decode(DecodeError),
    Load(String),
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Failure {
        Failure::Decode(error)
    }
}
